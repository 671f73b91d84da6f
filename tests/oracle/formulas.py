"""formulas.py: written-out activations and normalizations, in ONNX Runtime's default run of the file quantize writes."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import agreement
from gemm_biases import sqnr_db

MIN_SQNR_DB = 28.0
SHAPE = (2, 4, 6)


class Builder:
    """Writes one formula over x: op() adds a node, c() a constant; both return a name."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def op(self, kind, *inputs, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def c(self, value, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name


def sigmoid(b):
    return b.op("Div", b.c(1.0), b.op("Add", b.c(1.0), b.op("Exp", b.op("Neg", "x"))))


def silu(b):
    return b.op("Div", "x", b.op("Add", b.c(1.0), b.op("Exp", b.op("Neg", "x"))))


def softplus(b):
    return b.op("Log", b.op("Add", b.c(1.0), b.op("Exp", "x")))


def hard_swish(b):
    gate = b.op("Min", b.op("Max", b.op("Add", "x", b.c(3.0)), b.c(0.0)), b.c(6.0))
    return b.op("Div", b.op("Mul", "x", gate), b.c(6.0))


def prelu(b):
    slope = b.c(np.linspace(0.1, 0.4, 4).reshape(4, 1))
    return b.op("Add", b.op("Relu", "x"), b.op("Mul", slope, b.op("Min", "x", b.c(0.0))))


def rms_norm(b):
    mean = b.op("ReduceMean", b.op("Mul", "x", "x"), axes=[-1], keepdims=1)
    return b.op("Mul", b.op("Div", "x", b.op("Sqrt", b.op("Add", mean, b.c(1e-6)))), b.c(np.linspace(-1, 2, 6)))


def group_norm(b):
    split = b.op("Reshape", "x", b.c([0, 2, -1], np.int64))
    norm = b.op("InstanceNormalization", split, b.c([1.0, 1.0]), b.c([0.0, 0.0]))
    back = b.op("Reshape", norm, b.c(SHAPE, np.int64))
    return b.op("Add", b.op("Mul", back, b.c([[0.5], [1.0], [1.5], [-1.0]])), b.c([[0.1], [0.2], [0.3], [0.4]]))


def check(checks, tools, folder):
    """The float model in ONNX Runtime against its default run of the quantized file."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(17)
    feeds = [{"x": (6.0 * rng.normal(size=SHAPE)).astype(np.float32)} for _ in range(4)]
    for i, feed in enumerate(feeds):
        feed["x"].tofile(folder / f"{i}.raw")
    samples = folder / "list.txt"
    samples.write_text("".join(f"{i}.raw\n" for i in range(len(feeds))))
    worst = np.inf
    for formula in (sigmoid, silu, softplus, hard_swish, prelu, rms_norm, group_norm):
        builder = Builder()
        y = formula(builder)
        graph = helper.make_graph(builder.nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
                                  [helper.make_tensor_value_info(y, TensorProto.FLOAT, None)], builder.constants)
        model, written = folder / "model.onnx", folder / "model.quantized.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model)
        tools.call("quantize", ["--input_list", samples, "--output_path", written], [model])
        expected = np.stack([s[y] for s in agreement.run_onnxruntime(model, feeds, optimized=True)])
        found = np.stack([s[y] for s in agreement.run_onnxruntime(written, feeds, optimized=True)])
        db = sqnr_db(expected, found)
        worst = min(worst, db)
        checks.expect(db > MIN_SQNR_DB, f"{formula.__name__} written out: {db:.1f} dB")
    print(f"formulas: worst {worst:.1f} dB", flush=True)
