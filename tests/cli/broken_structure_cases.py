"""broken_structure_cases.py: models whose structure, names, types or imports are wrong.

CASES maps a name to (exit code, words the message must hold, the model's bytes).
"""

import onnx_wire as wire
from onnx_wire import INT64, STRING, graph, node, tensor, value_info
from tool_test import BAD_FILE, UNSUPPORTED, tiny_graph, tiny_model

X = value_info("x", [1, 2, 4, 4])
Y = value_info("y")
CONV = tiny_graph()["node"][0]
CONV_WEIGHTS = tiny_graph()["initializer"]
RELU = node("Relu", ["conv_out"], ["y"], name="relu")
CONDITION = (node("ReduceMax", ["x"], ["m"], keepdims=0), node("Cast", ["m"], ["c"], to=wire.BOOL))


def relu_model(*nodes, initializers=(), inputs=(X,), outputs=(Y,), **other):
    """A model of the given nodes from x to y."""
    return wire.model(graph(nodes, inputs, outputs, initializers), **other)


def nested_if(depth):
    """An If in an If in an If ..., whose condition depends on the input."""
    body = graph([node("Identity", ["x"], ["r"])], [], [value_info("r")])
    for level in range(depth):
        inner = node("If", ["c"], ["r"], name=f"if_{level}", then_branch=body, else_branch=body)
        # One branch, encoded once a level, keeps the file small.
        inner["attribute"][0]["g"] = wire.encode("Graph", body)
        inner["attribute"].pop()
        body = graph([inner], [], [value_info("r")])
    return relu_model(*CONDITION, node("If", ["c"], ["y"], name="outer", then_branch=body, else_branch=body))


def function_model(*functions, call="f"):
    """A model whose one node calls a model-local function of domain "local"."""
    imports = [{"domain": "", "version": 17}, {"domain": "local", "version": 1}]
    return relu_model(node(call, ["x"], ["y"], name="call", domain="local"), imports=imports,
                      functions=[{"name": name, "domain": "local", "input": ["a"], "output": ["b"], "node": nodes,
                                  "opset_import": imports} for name, nodes in functions])


def doubling_functions(depth):
    """f0 calls f1 twice, f1 calls f2 twice, ...: 2^depth nodes from a small file."""
    functions = []
    for i in range(depth):
        functions.append((f"f{i}", [node(f"f{i + 1}", ["a"], ["m"], domain="local"),
                                    node(f"f{i + 1}", ["m"], ["b"], domain="local")]))
    functions.append((f"f{depth}", [node("Relu", ["a"], ["b"])]))
    return function_model(*functions, call="f0")


LOOP_BODY = graph([node("Identity", ["k"], ["k2"]), node("Identity", ["v"], ["v2"])],
                  [value_info("i", [], INT64), value_info("k", [], wire.BOOL), value_info("v")],
                  [value_info("k2", [], wire.BOOL), value_info("v2")])
VALID = tiny_model()

CASES = {
    # Files.
    "empty_file": (BAD_FILE, ["model.onnx", "is empty"], b""),
    "text_file": (BAD_FILE, ["not an ONNX model"], b"#!/bin/sh\necho this is no model\n"),
    "wrong_magic_tflite": (BAD_FILE, ["not an ONNX model"], b"\x1c\x00\x00\x00TFL3" + bytes(64)),
    "png_magic": (BAD_FILE, ["not an ONNX model"], b"\x89PNG\r\n\x1a\n" + bytes(64)),
    "truncated_half": (BAD_FILE, ["truncated"], VALID[:len(VALID) // 2]),
    "truncated_last_byte": (BAD_FILE, ["truncated"], VALID[:-1]),
    "garbage_behind": (BAD_FILE, ["not an ONNX model"], VALID + b"\xff\xff\xff\xff"),
    "claims_4_gigabytes": (BAD_FILE, ["truncated"], b"\x08\x08\x3a" + wire.varint(1 << 32) + b"abc"),
    "no_graph": (BAD_FILE, ["no graph"], wire.model(None)),
    "no_ir_version": (BAD_FILE, ["no IR version"], wire.model(tiny_graph(), ir_version=None)),
    # Imports.
    "no_opset": (BAD_FILE, ["imports no opset"], wire.model(tiny_graph(), imports=[])),
    "opset_too_old": (UNSUPPORTED, ["opset", "5"], tiny_model(opset=5)),
    "opset_too_new": (UNSUPPORTED, ["opset", "9999"], tiny_model(opset=9999)),
    "opset_negative": (UNSUPPORTED, ["opset"], tiny_model(opset=-3)),
    "opset_twice": (BAD_FILE, ["both imported"], wire.model(
        tiny_graph(), imports=[{"domain": "", "version": 13}, {"domain": "ai.onnx", "version": 17}])),
    # Operators.
    "unknown_operator": (UNSUPPORTED, ["'mystery'", "Frobnicate"],
                         relu_model(node("Frobnicate", ["x"], ["y"], name="mystery"))),
    "unknown_domain": (UNSUPPORTED, ["'custom'", "com.acme"],
                       relu_model(node("Relu", ["x"], ["y"], name="custom", domain="com.acme"),
                                  imports=[{"domain": "", "version": 17}, {"domain": "com.acme", "version": 1}])),
    "no_operator_type": (UNSUPPORTED, ["'nameless'"], relu_model(node("", ["x"], ["y"], name="nameless"))),
    "loop": (UNSUPPORTED, ["'my_loop'", "Loop"],
             relu_model(node("Loop", ["n", "", "x"], ["y"], name="my_loop", body=LOOP_BODY),
                        initializers=[tensor("n", [], [3], INT64)])),
    "if_on_an_input": (UNSUPPORTED, ["'my_if'", "If"],
                       relu_model(*CONDITION, node(
                           "If", ["c"], ["y"], name="my_if",
                           then_branch=graph([node("Relu", ["x"], ["r"])], [], [value_info("r")]),
                           else_branch=graph([node("Neg", ["x"], ["r"])], [], [value_info("r")])))),
    "if_without_branches": ((BAD_FILE, UNSUPPORTED), ["'my_if'"],
                            relu_model(node("If", ["c"], ["y"], name="my_if"),
                                       initializers=[tensor("c", [], [1], wire.BOOL)])),
    "if_nested_90_deep": (BAD_FILE, [], nested_if(90)),
    "function_calls_itself": (BAD_FILE, ["calls itself"],
                              function_model(("f", [node("f", ["a"], ["b"], domain="local")]))),
    "functions_call_each_other": (BAD_FILE, ["calls itself"],
                                  function_model(("f", [node("g", ["a"], ["b"], domain="local")]),
                                                 ("g", [node("f", ["a"], ["b"], domain="local")]))),
    "function_bomb": (UNSUPPORTED, ["expand to more than"], doubling_functions(40)),
    "function_twice": (BAD_FILE, ["twice"],
                       function_model(("f", [node("Relu", ["a"], ["b"])]), ("f", [node("Neg", ["a"], ["b"])]))),
    # Graphs.
    "cycle": (BAD_FILE, ["cycle"], relu_model(node("Add", ["x", "b"], ["a"], name="first"),
                                              node("Relu", ["a"], ["b"], name="second"),
                                              node("Relu", ["b"], ["y"]))),
    "node_reads_itself": (BAD_FILE, ["cycle"], relu_model(node("Add", ["x", "y"], ["y"], name="selfish"))),
    "input_nobody_writes": (BAD_FILE, ["'ghost'"], relu_model(node("Add", ["x", "ghost"], ["y"]))),
    "output_nobody_writes": (BAD_FILE, ["'nowhere'"],
                             relu_model(node("Relu", ["x"], ["y"]), outputs=(Y, value_info("nowhere")))),
    "no_outputs": (BAD_FILE, ["no output"], relu_model(node("Relu", ["x"], ["y"]), outputs=())),
    "no_nodes": (BAD_FILE, ["'y'"], relu_model()),
    "tensor_written_twice": (BAD_FILE, ["'y'"], relu_model(node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["y"]))),
    "node_writes_an_input": (BAD_FILE, ["'x'"], relu_model(node("Relu", ["x"], ["x"]), node("Neg", ["x"], ["y"]))),
    "initializer_twice": (BAD_FILE, ["'w'"], relu_model(
        CONV, RELU, initializers=[*CONV_WEIGHTS, tensor("w", [3, 2, 3, 3], 1.0)])),
    "input_twice": (BAD_FILE, ["'x'"], relu_model(node("Relu", ["x"], ["y"]), inputs=(X, X))),
    "input_without_name": (BAD_FILE, ["no name"], relu_model(node("Relu", ["x"], ["y"]),
                                                             inputs=(X, value_info("", [1])))),
    "initializer_without_name": (BAD_FILE, ["no name"], relu_model(node("Relu", ["x"], ["y"]),
                                                                   initializers=[tensor("", [1], 1.0)])),
    # Types of inputs.
    "input_of_strings": (UNSUPPORTED, ["'x'", "string"],
                         relu_model(node("Identity", ["x"], ["y"]), inputs=(value_info("x", [2], STRING),))),
    "input_of_unknown_type": (UNSUPPORTED, ["'x'", "77"],
                              relu_model(node("Identity", ["x"], ["y"]), inputs=(value_info("x", [2], 77),))),
    "input_is_a_sequence": (UNSUPPORTED, ["'x'"], relu_model(
        node("Identity", ["x"], ["y"]),
        inputs=({"name": "x", "type": {"sequence_type": {"elem_type": X["type"]}}},))),
    "input_without_type": (BAD_FILE, ["'x'", "type"],
                           relu_model(node("Relu", ["x"], ["y"]), inputs=({"name": "x"},))),
    "input_extent_negative": (BAD_FILE, ["'x'", "-5"],
                              relu_model(node("Relu", ["x"], ["y"]), inputs=(value_info("x", [1, -5]),))),
    "input_huge": (BAD_FILE, ["'x'"],
                   relu_model(node("Relu", ["x"], ["y"]), inputs=(value_info("x", [1 << 40, 1 << 40]),))),
    # Initializers.
    "initializer_extent_negative": (BAD_FILE, ["'w'", "-3"], relu_model(
        node("Add", ["x", "w"], ["y"]), initializers=[tensor("w", [-3], [1.0, 2.0, 3.0])])),
    "initializer_huge": (BAD_FILE, ["'w'"], relu_model(
        node("Add", ["x", "w"], ["y"]), initializers=[tensor("w", [1 << 31, 1 << 31], b"\0" * 16)])),
    "initializer_size_overflows": (BAD_FILE, ["'w'"], relu_model(
        node("Add", ["x", "w"], ["y"]), initializers=[tensor("w", [1 << 62, 4], b"")])),
    "initializer_too_little_data": (BAD_FILE, ["'w'", "12"], relu_model(
        node("Add", ["x", "w"], ["y"]), initializers=[tensor("w", [4], b"\0" * 12)])),
    "initializer_too_much_data": (BAD_FILE, ["'w'", "5"], relu_model(
        node("Add", ["x", "w"], ["y"]), initializers=[tensor("w", [4], [1.0] * 5)])),
    "initializer_odd_bytes": (BAD_FILE, ["'w'", "15"], relu_model(
        node("Add", ["x", "w"], ["y"]), initializers=[tensor("w", [4], b"\0" * 15)])),
    "initializer_of_strings": (UNSUPPORTED, ["'w'", "string"], relu_model(
        node("Add", ["x", "w"], ["y"]), initializers=[tensor("w", [1], None, STRING, string_data=["a"])])),
    "initializer_complex": (UNSUPPORTED, ["'w'", "complex64"], relu_model(
        node("Add", ["x", "w"], ["y"]), initializers=[tensor("w", [1], b"\0" * 8, wire.COMPLEX64)])),
    # Attributes.
    "attribute_of_wrong_type": (BAD_FILE, ["'conv'", "pads"], relu_model(
        {**CONV, "attribute": [wire.attribute("pads", "same")]}, RELU, initializers=CONV_WEIGHTS)),
    "attribute_twice": (BAD_FILE, ["'conv'", "group", "twice"], relu_model(
        {**CONV, "attribute": [wire.attribute("group", 1), wire.attribute("group", 1)]}, RELU,
        initializers=CONV_WEIGHTS)),
    # Names.
    "invalid_utf8_names": (BAD_FILE, ["cycle"], relu_model(
        node("Relu", [b"\xff\xfe"], [b"\xff\xfe"], name=b"\xc3\x28"), node("Relu", ["x"], ["y"]))),
    "names_that_forge_lines": (UNSUPPORTED, ["Frobnicate"], relu_model(
        node("Frobnicate", ["x"], ["y"], name="a\nquantize: error: forged\r\x1b[2J\x07"))),
    "name_of_a_megabyte": (UNSUPPORTED, ["Frobnicate"], relu_model(
        node("Frobnicate", ["x"], ["y"], name="n" * (1 << 20)))),
}

# quantize-inspect shows such a graph and says why it shows no shapes.
ONLY_QUANTIZE = {"input_huge"}
