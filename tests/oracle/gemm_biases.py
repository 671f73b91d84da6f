"""gemm_biases.py: biases of Gemm and MatMul of every shape, in ONNX Runtime with its default optimizations.

Its QGemm takes the integers of a bias without their scale: a file whose bias is on a scale of its own is right in a run
without optimizations and garbage in the default one.
"""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import agreement

MIN_SQNR_DB = 30.0
ROWS, INNER = 4, 8
OPTIONS = ((), ("--use_per_channel_quantization", "false"), ("--param_quantizer_schema", "asymmetric"),
           ("--bias_bitwidth", "8"))


def bias_shapes(columns):
    """Every shape that broadcasts to [ROWS, columns]."""
    return [(), (1,), (columns,), (1, 1), (1, columns), (ROWS, 1), (ROWS, columns)]


def gemm_model(path, columns, shape, attributes, rng):
    """x[ROWS, INNER] -> Gemm -> y, or MatMul and Add where `attributes` is None."""
    weight = rng.normal(size=(INNER, columns)).astype(np.float32)
    bias = np.asarray(5.0 * rng.normal(size=shape) + 3.0, np.float32)
    constants = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "c")]
    if attributes is None:
        nodes = [helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Add", ["p", "c"], ["y"])]
    else:
        nodes = [helper.make_node("Gemm", ["x", "w", "c"], ["y"], **attributes)]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [ROWS, INNER])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [ROWS, columns])], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def sqnr_db(reference, other):
    error = np.sum((reference.astype(np.float64) - other) ** 2)
    return 10.0 * np.log10(np.sum(reference.astype(np.float64) ** 2) / max(error, 1e-300))


def check(checks, tools, folder):
    """Quantizes each form and compares ONNX Runtime's default run of the file with its float run."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    feeds = [{"x": rng.normal(size=(ROWS, INNER)).astype(np.float32)} for _ in range(8)]
    for i, feed in enumerate(feeds):
        feed["x"].tofile(folder / f"{i}.raw")
    samples = folder / "list.txt"
    samples.write_text("".join(f"{i}.raw\n" for i in range(len(feeds))))
    worst = np.inf
    for columns in (6, 1):
        for shape in bias_shapes(columns):
            for attributes in ({}, {"alpha": 0.5, "beta": 2.0}, None):
                model = folder / "model.onnx"
                gemm_model(model, columns, shape, attributes, rng)
                expected = np.stack([s["y"] for s in agreement.run_onnxruntime(model, feeds, optimized=True)])
                for options in OPTIONS:
                    written = folder / "model.quantized.onnx"
                    tools.call("quantize", ["--input_list", samples, "--output_path", written, *options], [model])
                    for optimized in (True, False):
                        found = np.stack([s["y"] for s in agreement.run_onnxruntime(written, feeds, optimized)])
                        db = sqnr_db(expected, found)
                        worst = min(worst, db)
                        checks.expect(db > MIN_SQNR_DB, f"bias {shape} of {columns} columns, {attributes}, {options}: "
                                      f"{db:.1f} dB {'with' if optimized else 'without'} optimizations")
    print(f"biases of Gemm: worst {worst:.1f} dB", flush=True)
