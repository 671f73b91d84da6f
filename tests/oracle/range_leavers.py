"""range_leavers.py: operators whose output leaves the range of their input, in ONNX Runtime with its default optimizations."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import agreement
from gemm_biases import sqnr_db

MIN_SQNR_DB = 28.0
SHAPE = (1, 2, 8, 8)


def constant(values, name, dtype):
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def cases():
    """(name, nodes from r to y, constants)"""
    pads = constant([0, 0, 1, 1, 0, 0, 1, 1], "pads", np.int64)
    scales = constant([1, 1, 2, 2], "scales", np.float32)
    roi = constant([0, 0, -0.5, -0.5, 1, 1, 1.5, 1.5], "roi", np.float32)
    kernel = constant(np.cos(np.arange(54)).reshape(3, 2, 3, 3), "w", np.float32)
    for fill in (-1.0, 20.0, 0.0):
        value = constant(fill, "fill", np.float32)
        yield f"Pad {fill}", [helper.make_node("Pad", ["r", "pads", "fill"], ["y"])], [pads, value]
        yield f"Pad {fill}, Conv", [helper.make_node("Pad", ["r", "pads", "fill"], ["p"]),
                                    helper.make_node("Conv", ["p", "w"], ["y"])], [pads, value, kernel]
    yield "cubic", [helper.make_node("Resize", ["r", "", "scales"], ["y"], mode="cubic")], [scales]
    yield "crop", [helper.make_node("Resize", ["r", "roi", "scales"], ["y"], mode="linear", extrapolation_value=-3.0,
                                    coordinate_transformation_mode="tf_crop_and_resize")], [roi, scales]


def check(checks, tools, folder):
    """Quantizes x -> Relu -> r -> ... -> y and compares ONNX Runtime's runs of the file with its float run."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    feeds = [{"x": (4.0 * rng.normal(size=SHAPE)).astype(np.float32)} for _ in range(4)]
    for i, feed in enumerate(feeds):
        feed["x"].tofile(folder / f"{i}.raw")
    samples = folder / "list.txt"
    samples.write_text("".join(f"{i}.raw\n" for i in range(len(feeds))))
    worst = np.inf
    for name, nodes, constants in cases():
        graph = helper.make_graph([helper.make_node("Relu", ["x"], ["r"]), *nodes], "g",
                                  [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], constants)
        model, written = folder / "model.onnx", folder / "model.quantized.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model)
        expected = np.stack([s["y"] for s in agreement.run_onnxruntime(model, feeds, optimized=True)])
        tools.call("quantize", ["--input_list", samples, "--output_path", written], [model])
        for optimized in (True, False):
            found = np.stack([s["y"] for s in agreement.run_onnxruntime(written, feeds, optimized)])
            db = sqnr_db(expected, found)
            worst = min(worst, db)
            checks.expect(db > MIN_SQNR_DB, f"{name}: {db:.1f} dB {'with' if optimized else 'without'} optimizations")
    print(f"outputs beyond their input's range: worst {worst:.1f} dB", flush=True)
