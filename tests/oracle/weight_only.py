"""weight_only.py: weights on grids, activations in float32: what ONNX Runtime makes of the files, and we of its own."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import agreement

FEATURES = 100  # No multiple of a block.
VARIANTS = ((), ("--block_size", "32"), ("--block_size", "16", "--param_quantizer_schema", "asymmetric"),
            ("--block_size", "32", "--matmul_nbits", "true"),
            ("--block_size", "16", "--matmul_nbits", "true", "--param_quantizer_schema", "asymmetric"))


def save_model(path, rng):
    """MatMul, Add, Relu, Gemm with a transposed weight."""
    shapes = {"w1": (FEATURES, 24), "b1": (24,), "w2": (10, 24), "b2": (10,)}
    constants = [numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)
                 for name, shape in shapes.items()]
    nodes = [helper.make_node("MatMul", ["x", "w1"], ["m"]), helper.make_node("Add", ["m", "b1"], ["a"]),
             helper.make_node("Relu", ["a"], ["r"]), helper.make_node("Gemm", ["r", "w2", "b2"], ["y"], transB=1)]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", FEATURES])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 10])], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def simulated(tools, model, samples, folder, count):
    tools.call("quantize-run", ["--mode", "simulated", "--input_list", samples, "--output_dir", folder], [model])
    return [{"y": np.fromfile(folder / f"Result_{i}" / "y.raw", np.float32)} for i in range(count)]


def agree(checks, label, ours, theirs):
    errors = agreement.float_errors(ours, theirs)
    checks.expect(errors.worst_of_range < 1e-5, f"{label}: {errors}, {errors.place}")


def save_foreign(path, rng):
    """A MatMulNBits as other tools write them: no zero points, K no multiple of the block."""
    blocks = (FEATURES + 31) // 32
    constants = [numpy_helper.from_array(rng.integers(0, 256, (8, blocks, 16)).astype(np.uint8), "w_Q4"),
                 numpy_helper.from_array(rng.uniform(0.1, 1, 8 * blocks).astype(np.float32), "w_scales")]
    node = helper.make_node("MatMulNBits", ["x", "w_Q4", "w_scales"], ["y"], domain="com.microsoft", K=FEATURES, N=8,
                            bits=4, block_size=32, accuracy_level=1)
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, FEATURES])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8])], constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def check(checks, tools, folder):
    """Written by us in every form, with and without ONNX Runtime's optimizations; and one that we only read."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    model, written, foreign = folder / "model.onnx", folder / "model.quantized.onnx", folder / "foreign.onnx"
    save_model(model, rng)
    save_foreign(foreign, rng)
    feeds = [{"x": rng.normal(size=(1, FEATURES)).astype(np.float32)} for _ in range(4)]
    for i, feed in enumerate(feeds):
        feed["x"].tofile(folder / f"{i}.raw")
    samples = folder / "list.txt"
    samples.write_text("".join(f"{i}.raw\n" for i in range(len(feeds))))
    for bits in ("4", "8"):
        for options in VARIANTS:
            if bits == "8" and "--matmul_nbits" in options:
                continue
            tools.call("quantize", ["--act_bitwidth", "32", "--weights_bitwidth", bits, "--output_path", written,
                                    *options], [model])
            ours = simulated(tools, written, samples, folder / "ours", len(feeds))
            for optimized in (True, False):
                agree(checks, f"{bits} bits {options}", ours, agreement.run_onnxruntime(written, feeds, optimized))
    agree(checks, "MatMulNBits of another tool", simulated(tools, foreign, samples, folder / "foreign", len(feeds)),
          agreement.run_onnxruntime(foreign, feeds, optimized=True))
