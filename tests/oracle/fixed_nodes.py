"""fixed_nodes.py: QLinearConv and QLinearMatMul of the ONNX standard's test cases, as models in QOperator form.

The cases feed scales and zero points as inputs; here they are constants, as in
files of quantizers, so that quantize-run takes the node for an encoded layer.
"""
import importlib

import numpy as np
import onnx
from onnx import helper, numpy_helper

# Module of the onnx package, class, and the node's inputs that stay inputs: activations, then also both factors.
OPERATORS = (("qlinearconv", "QLinearConv", ((0,),)), ("qlinearmatmul", "QLinearMatMul", ((0,), (0, 3))))
OPSET = 13  # Later ones allow float16 and 8-bit floats, which are not ours.


def standard_cases(module_name, class_name):
    """[(node, inputs, outputs, name)] of the standard's generator, without those in float16."""
    module = importlib.import_module(f"onnx.backend.test.case.node.{module_name}")
    found = []
    kept = module.expect
    module.expect = lambda node, inputs, outputs, name, **_: found.append((node, inputs, outputs, name))
    try:
        exports = getattr(module, class_name)
        for export in [name for name in dir(exports) if name.startswith("export")]:
            getattr(exports, export)()
    finally:
        module.expect = kept
    return [case for case in found if all(array.dtype != np.float16 for array in case[1])]


def write_model(path, node, inputs, outputs, fed):
    """A model of the one node, all inputs constants but those numbered in `fed`."""
    def declared(name, array):
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)

    constants = [numpy_helper.from_array(np.asarray(array), name)
                 for i, (name, array) in enumerate(zip(node.input, inputs, strict=True)) if i not in fed]
    graph = helper.make_graph([node], "node", [declared(node.input[i], inputs[i]) for i in fed],
                              [declared(name, array) for name, array in zip(node.output, outputs, strict=True)],
                              constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8), path)


def check_node_cases(checks, tools, folder):
    """The fixed-point run of each case gives the codes the standard expects."""
    num_cases = num_codes = 0
    for module_name, class_name, choices in OPERATORS:
        for node, inputs, outputs, name in standard_cases(module_name, class_name):
            for fed in choices:
                here = folder / f"{name}_{len(fed)}"
                here.mkdir(parents=True, exist_ok=True)
                write_model(here / "model.onnx", node, inputs, outputs, fed)
                for i in fed:
                    (here / f"{i}.raw").write_bytes(inputs[i].tobytes())
                (here / "list.txt").write_text(" ".join(f"{node.input[i]}:={here / f'{i}.raw'}" for i in fed) + "\n")
                tools.call("quantize-run", ["--input_list", here / "list.txt", "--output_dir", here / "out", "--mode",
                                            "fixed", "--arithmetic", "float_half_even"], [here / "model.onnx"])
                codes = np.fromfile(here / "out" / "Result_0" / f"{node.output[0]}.raw", outputs[0].dtype)
                program = tools.program(here / "model.onnx")
                checks.expect("  integer  node" in program, f"{name}: no integer step in the Program")
                checks.expect(np.array_equal(codes, outputs[0].reshape(-1)), f"{name}: {codes} for {outputs[0]}")
                num_cases += 1
                num_codes += codes.size
    checks.expect(num_cases > 0, "the onnx package has no such cases")
    checks.note(f"{num_cases} cases of QLinearConv and QLinearMatMul in fixed point, {num_codes} codes")
