"""channel_grids.py: activations with a grid for each channel, in ONNX Runtime."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import agreement
from gemm_biases import sqnr_db

SHAPE = (1, 2, 6, 6)


def check(checks, tools, folder):
    """Conv -> depthwise Conv -> Conv with channels far apart: the file is worth its grids in ONNX Runtime, too."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(11)
    spread = np.array([8, 1, 0.1, 0.01], np.float32).reshape(4, 1, 1, 1)
    weights = [(rng.normal(size=(4, 2, 1, 1)) * spread), (rng.normal(size=(4, 1, 3, 3)) / spread),
               rng.normal(size=(2, 4, 1, 1))]
    nodes = [helper.make_node("Conv", ["x", "w0"], ["c"]), helper.make_node("Relu", ["c"], ["a"]),
             helper.make_node("Conv", ["a", "w1"], ["d"], group=4), helper.make_node("Relu", ["d"], ["b"]),
             helper.make_node("Conv", ["b", "w2"], ["y"])]
    constants = [numpy_helper.from_array(w.astype(np.float32), f"w{i}") for i, w in enumerate(weights)]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], constants)
    model, written = folder / "model.onnx", folder / "model.quantized.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model)
    feeds = [{"x": rng.normal(size=SHAPE).astype(np.float32)} for _ in range(4)]
    for i, feed in enumerate(feeds):
        feed["x"].tofile(folder / f"{i}.raw")
    samples = folder / "list.txt"
    samples.write_text("".join(f"{i}.raw\n" for i in range(len(feeds))))
    expected = np.stack([s["y"] for s in agreement.run_onnxruntime(model, feeds, optimized=True)])
    for options in ((), ("--scale", "power_of_two")):
        sqnr = {}
        for choice in ("none", "depthwise"):
            tools.call("quantize", ["--effort", "fast", "--input_list", samples, "--output_path", written,
                                    "--act_per_channel", choice, *options], [model])
            for optimized in (True, False):
                found = np.stack([s["y"] for s in agreement.run_onnxruntime(written, feeds, optimized)])
                sqnr[choice, optimized] = sqnr_db(expected, found)
        for optimized in (True, False):
            gain = sqnr["depthwise", optimized] - sqnr["none", optimized]
            checks.expect(gain > 4.0, f"{options}: {sqnr['depthwise', optimized]:.1f} dB by channel, {gain:.1f} more, "
                          f"{'with' if optimized else 'without'} optimizations")
    print(f"grids by channel: {sqnr}", flush=True)
