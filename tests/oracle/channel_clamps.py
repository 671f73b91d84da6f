"""channel_clamps.py: clamps with bounds for each channel behind a Conv and a Gemm, written for ONNX Runtime and read again."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import agreement
from gemm_biases import sqnr_db

MIN_SQNR_DB = 33.0


def cases(rng):
    """(name, shape of x, nodes, constants): x -> Conv or Gemm -> Max -> Min -> y"""
    def bounds(shape):
        return [numpy_helper.from_array(rng.uniform(*ends, size=shape).astype(np.float32), name)
                for name, ends in (("lo", (-1.0, 0.0)), ("hi", (0.5, 6.0)))]

    clamp = [helper.make_node("Max", ["c", "lo"], ["m"]), helper.make_node("Min", ["m", "hi"], ["y"])]
    conv = numpy_helper.from_array(rng.normal(size=(5, 3, 3, 3)).astype(np.float32), "w")
    gemm = numpy_helper.from_array(rng.normal(size=(6, 5)).astype(np.float32), "w")
    for shape in ((5, 1, 1), (1, 5, 1, 1)):
        yield f"Conv, bounds {shape}", (1, 3, 6, 6), [helper.make_node("Conv", ["x", "w"], ["c"]), *clamp], [
            conv, *bounds(shape)]
    yield "Gemm", (4, 6), [helper.make_node("Gemm", ["x", "w"], ["c"]), *clamp], [gemm, *bounds((5,))]


def check(checks, tools, folder):
    """One layer each: ONNX Runtime's default run and our fixed-point run of the written file are near the float model."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    worst = np.inf
    for name, shape, nodes, constants in cases(rng):
        graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], constants)
        model, written = folder / "model.onnx", folder / "model.quantized.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model)
        feeds = [{"x": rng.normal(size=shape).astype(np.float32)} for _ in range(4)]
        for i, feed in enumerate(feeds):
            feed["x"].tofile(folder / f"{i}.raw")
        samples = folder / "list.txt"
        samples.write_text("".join(f"{i}.raw\n" for i in range(len(feeds))))
        tools.call("quantize", ["--input_list", samples, "--output_path", written], [model])
        expected = np.stack([s["y"] for s in agreement.run_onnxruntime(model, feeds, optimized=True)])
        for optimized in (True, False):
            found = np.stack([s["y"] for s in agreement.run_onnxruntime(written, feeds, optimized)])
            db = sqnr_db(expected, found)
            worst = min(worst, db)
            checks.expect(db > MIN_SQNR_DB, f"{name}: {db:.1f} dB {'with' if optimized else 'without'} optimizations")
    print(f"clamps by channel: worst {worst:.1f} dB", flush=True)
