"""dynamic.py: dynamically quantized models: ours in ONNX Runtime, and those of its own quantizer in our tools."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization

import agreement

ROWS, INNER, COLUMNS = 4, 8, 6
# Integers, and one float operation after the other: the same but for the order of a sum.
MAX_OF_RANGE = 1e-5
# Where floats are summed up between integer products (attention, normalization), a last bit may move a code by one, and
# that what follows.
MAX_OF_RANGE_BEHIND_FLOATS = 2e-2
MIN_SQNR_DB = 30.0
OPTIONS = {"default": (), "per_tensor": ("--use_per_channel_quantization", "false"),
           "asymmetric": ("--param_quantizer_schema", "asymmetric"),
           "unsignedsymmetric": ("--param_quantizer_schema", "unsignedsymmetric")}
# Attributes of Gemm; None: MatMul.
PRODUCTS = (None, {}, {"alpha": -0.5, "beta": 2.0}, {"transA": 1}, {"transB": 1},
            {"transA": 1, "transB": 1, "alpha": 3.0})


def compare(checks, tools, case, model, folder, what, allowed):
    """One file in ONNX Runtime, with and without optimizations, and in our fixed-point run."""
    ours = tools.outputs(case, model, "fixed", folder)
    for optimized in agreement.levels_of_integer_products():
        errors = agreement.float_errors(ours, agreement.run_onnxruntime(model, case.feeds(), optimized))
        checks.note(f"{what}: {errors.worst_of_range:.1e} of the range")
        checks.expect(errors.worst_of_range <= allowed, f"{what}, optimized {optimized}: {errors}; {errors.place}")


def check(checks, tools, case, folder):
    """Our file by each kind of weights, and the file of quantize_dynamic."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, options in OPTIONS.items():
        written = folder / f"{name}.onnx"
        tools.quantize_dynamically(case.model, written, *options)
        onnx.checker.check_model(str(written), full_check=True)
        allowed = MAX_OF_RANGE if case.name == "digits" else MAX_OF_RANGE_BEHIND_FLOATS
        compare(checks, tools, case, written, folder / name, name, allowed)
        report = tools.evaluate(case, folder / "report.json", quantized=written)
        checks.expect(min(output["sqnr_db"] for output in report["outputs"]) >= MIN_SQNR_DB, f"{name}: far from float")
    theirs = folder / "theirs.onnx"
    quantization.quantize_dynamic(str(case.model), str(theirs))
    compare(checks, tools, case, theirs, folder / "theirs", "quantize_dynamic's", MAX_OF_RANGE_BEHIND_FLOATS)


def product_model(path, attributes, rng):
    """x -> Gemm -> y, or MatMul where `attributes` is None."""
    given = attributes or {}
    x_shape = [INNER, ROWS] if given.get("transA") else [ROWS, INNER]
    w_shape = [COLUMNS, INNER] if given.get("transB") else [INNER, COLUMNS]
    constants = [numpy_helper.from_array(rng.normal(size=w_shape).astype(np.float32), "w")]
    if attributes is None:
        nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    else:
        constants.append(numpy_helper.from_array(rng.normal(size=[1, COLUMNS]).astype(np.float32), "c"))
        nodes = [helper.make_node("Gemm", ["x", "w", "c"], ["y"], **attributes)]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x_shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [ROWS, COLUMNS])], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return x_shape


def check_products(checks, tools, folder):
    """Every form of Gemm and MatMul against ONNX Runtime's float run."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    for attributes in PRODUCTS:
        model, written = folder / "model.onnx", folder / "model.quantized.onnx"
        x_shape = product_model(model, attributes, rng)
        feeds = [{"x": rng.normal(size=x_shape).astype(np.float32)} for _ in range(4)]
        expected = np.stack([sample["y"] for sample in agreement.run_onnxruntime(model, feeds, True)])
        for name, options in OPTIONS.items():
            tools.quantize_dynamically(model, written, *options)
            types = [node.op_type for node in onnx.load(written).graph.node]
            checks.expect("MatMulInteger" in types and "Gemm" not in types, f"{attributes}: {types}")
            for optimized in agreement.levels_of_integer_products():
                got = np.stack([sample["y"] for sample in agreement.run_onnxruntime(written, feeds, optimized)])
                error = np.sqrt(np.mean((got - expected) ** 2) / np.mean(expected ** 2))
                checks.expect(error < 10 ** (-MIN_SQNR_DB / 20), f"{attributes} {name}: error {error:.3f} of float")
