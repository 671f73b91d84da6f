"""broken_quantized_models_test.py: quantized models of other tools with grids, codes or pairs that make no sense.

Each case runs through quantize-inspect, quantize-run and quantize-eval: all
three must name the file, the node and what is wrong. The cases at the end look
broken and are not: they must run.
"""

import math
import struct

import onnx_wire as wire
import tool_test
from onnx_wire import FLOAT, INT8, INT32, INT64, UINT8, graph, node, tensor, value_info
from tool_test import BAD_FILE, UNSUPPORTED

UINT16, INT4 = 4, 22
X = value_info("x", [1, 2, 4, 4])
NAN, INFINITY = math.nan, math.inf
WEIGHTS = [1, -2, 3, -4, 5, -6]


def scale(name, values, dims=None, data_type=FLOAT):
    """A scale: one number, or a list with its dims."""
    if not isinstance(values, list):
        return tensor(name, [], [values], data_type)
    return tensor(name, [len(values)] if dims is None else dims, values, data_type)


def zero(name, values=0, data_type=UINT8):
    """A zero point: one number or a list."""
    if not isinstance(values, list):
        return tensor(name, [], [values], data_type)
    return tensor(name, [len(values)], values, data_type)


def qdq(change=None, *, opset=21, drop=(), nodes=None, outputs=("y",), **replaced):
    """x -> Q -> DQ -> Conv(DQ(weight)) -> Q -> DQ -> y; `replaced` are initializers, `change` node attributes."""
    change = change or {}
    parts = {
        "sx": scale("sx", 0.05), "zx": zero("zx", 128), "w": tensor("w", [3, 2, 1, 1], WEIGHTS, INT8),
        "sw": scale("sw", 0.1), "zw": zero("zw", 0, INT8), "sy": scale("sy", 0.1), "zy": zero("zy", 128),
        "b": tensor("b", [3], [10, 20, 30], INT32), "sb": scale("sb", 0.005),
    }
    parts.update(replaced)
    all_nodes = nodes or [
        node("QuantizeLinear", ["x", "sx", "zx"], ["x_q"], name="q_in", **change.get("q_in", {})),
        node("DequantizeLinear", ["x_q", "sx", "zx"], ["x_dq"], name="dq_in", **change.get("dq_in", {})),
        node("DequantizeLinear", ["w", "sw", "zw"], ["w_dq"], name="dq_w", **change.get("dq_w", {})),
        node("DequantizeLinear", ["b", "sb"], ["b_dq"], name="dq_b", **change.get("dq_b", {})),
        node("Conv", ["x_dq", "w_dq", "b_dq"], ["conv_out"], name="conv"),
        node("QuantizeLinear", ["conv_out", "sy", "zy"], ["y_q"], name="q_out", **change.get("q_out", {})),
        node("DequantizeLinear", ["y_q", "sy", "zy"], ["y"], name="dq_out", **change.get("dq_out", {})),
    ]
    kept = [n for n in all_nodes if n["name"] not in drop]
    return wire.model(graph(kept, [X], [value_info(name) for name in outputs], list(parts.values())), opset=opset,
                      ir_version=10)


def qlinear_conv(inputs=None, domain=None, **replaced):
    """x -> Q -> QLinearConv -> DQ -> y."""
    parts = {
        "sx": scale("sx", 0.05), "zx": zero("zx", 128), "w": tensor("w", [3, 2, 1, 1], WEIGHTS, INT8),
        "sw": scale("sw", 0.1), "zw": zero("zw", 0, INT8), "sy": scale("sy", 0.1), "zy": zero("zy", 128),
        "b": tensor("b", [3], [10, 20, 30], INT32),
    }
    parts.update(replaced)
    nodes = [
        node("QuantizeLinear", ["x", "sx", "zx"], ["x_q"], name="q_in"),
        node("QLinearConv", inputs or ["x_q", "sx", "zx", "w", "sw", "zw", "sy", "zy", "b"], ["y_q"], name="conv",
             domain=domain),
        node("DequantizeLinear", ["y_q", "sy", "zy"], ["y"], name="dq_out"),
    ]
    return wire.model(graph(nodes, [X], [value_info("y")], list(parts.values())), opset=17,
                      imports=[{"domain": "", "version": 17}, {"domain": "com.microsoft", "version": 1}])


def contributed(op_type, inputs, outputs=("y_q",), initializers=(), **attributes):
    """x -> Q -> an operator of com.microsoft -> DQ -> y."""
    nodes = [
        node("QuantizeLinear", ["x", "sx", "zx"], ["x_q"], name="q_in"),
        node(op_type, inputs, list(outputs), name="it", domain="com.microsoft", **attributes),
        node("DequantizeLinear", [outputs[0], "sx", "zx"], ["y"], name="dq_out"),
    ]
    parts = [scale("sx", 0.05), zero("zx", 128), *initializers]
    return wire.model(graph(nodes, [X], [value_info("y")], parts), opset=17,
                      imports=[{"domain": "", "version": 17}, {"domain": "com.microsoft", "version": 1}])


PAIR = ["x_q", "sx", "zx"]

# Name: (exit code, words of the message besides the file's name, model).
CASES = {
    # Scales.
    "scale_zero": (BAD_FILE, ["'q_in'", "scale"], qdq(sx=scale("sx", 0.0))),
    "scale_negative": (BAD_FILE, ["'q_in'", "scale"], qdq(sx=scale("sx", -0.5))),
    "scale_nan": (BAD_FILE, ["'q_in'", "scale"], qdq(sx=scale("sx", NAN))),
    "scale_infinite": (BAD_FILE, ["'q_in'", "scale"], qdq(sx=scale("sx", INFINITY))),
    "weight_scale_zero_in_one_channel": (BAD_FILE, ["'dq_w'", "scale", "channel 1"], qdq(
        {"dq_w": {"axis": 0}}, sw=scale("sw", [0.1, 0.0, 0.1]), zw=zero("zw", [0, 0, 0], INT8))),
    "scale_is_int": (BAD_FILE, ["'q_in'", "scale", "int32"], qdq(sx=scale("sx", 1, data_type=INT32))),
    "scale_is_empty": (BAD_FILE, ["'q_in'", "scale is empty"], qdq(sx=scale("sx", []))),
    "scale_of_rank_2": (UNSUPPORTED, ["'dq_w'", "scale has shape [3, 2]", "no block_size"], qdq(
        {"dq_w": {"axis": 1}}, sw=scale("sw", [0.1] * 6, [3, 2]), zw=tensor("zw", [3, 2], [0] * 6, INT8))),
    "scale_is_missing": (BAD_FILE, ["'q_in'", "has 1 operands", "2 to 3"], qdq(nodes=[
        node("QuantizeLinear", ["x"], ["x_q"], name="q_in"),
        node("DequantizeLinear", ["x_q", "sx", "zx"], ["y"], name="dq_in")])),
    "four_operands": (BAD_FILE, ["'dq_in'", "has 4 operands", "2 to 3"], qdq(nodes=[
        node("QuantizeLinear", ["x", "sx", "zx"], ["x_q"], name="q_in"),
        node("DequantizeLinear", ["x_q", "sx", "zx", "x_q"], ["y"], name="dq_in")])),
    # Zero points.
    "zero_point_of_another_type": (BAD_FILE, ["'dq_w'", "zero point is uint8", "int8"], qdq(zw=zero("zw", 0))),
    "zero_point_is_float": (BAD_FILE, ["'q_in'", "zero point is float32"], qdq(zx=tensor("zx", [], [0.0]))),
    "zero_point_is_int64": (BAD_FILE, ["'q_in'", "zero point is int64"], qdq(zx=tensor("zx", [], [0], INT64))),
    "zero_points_more_than_scales": (BAD_FILE, ["'q_in'", "zero point has 2", "scale has 1"], qdq(
        zx=zero("zx", [0, 1]))),
    "zero_point_of_the_pair_differs_in_type": (BAD_FILE, ["'dq_in'", "zero point is int8", "uint8"], qdq(nodes=[
        node("QuantizeLinear", ["x", "sx", "zx"], ["x_q"], name="q_in"),
        node("DequantizeLinear", ["x_q", "sx", "zw"], ["y"], name="dq_in")])),
    "output_dtype_against_zero_point": (BAD_FILE, ["'q_in'", "output_dtype", "uint8"], qdq(
        {"q_in": {"output_dtype": INT8}})),
    "output_dtype_float8": (UNSUPPORTED, ["'q_in'", "output_dtype"], qdq({"q_in": {"output_dtype": 17}})),
    # Axes, channels, blocks.
    "axis_out_of_range": (BAD_FILE, ["'dq_w'", "axis"], qdq(
        {"dq_w": {"axis": 4}}, sw=scale("sw", [0.1] * 3), zw=zero("zw", [0] * 3, INT8))),
    "axis_far_below_zero": (BAD_FILE, ["'dq_w'", "axis"], qdq(
        {"dq_w": {"axis": -5}}, sw=scale("sw", [0.1] * 3), zw=zero("zw", [0] * 3, INT8))),
    "axis_of_an_activation_out_of_range": (BAD_FILE, ["'q_in'", "axis"], qdq(
        {"q_in": {"axis": 7}, "dq_in": {"axis": 7}}, sx=scale("sx", [0.1] * 2), zx=zero("zx", [0] * 2))),
    "too_few_channels": (BAD_FILE, ["'dq_w'", "3"], qdq(
        {"dq_w": {"axis": 0}}, sw=scale("sw", [0.1] * 2), zw=zero("zw", [0] * 2, INT8))),
    "too_many_channels": (BAD_FILE, ["'dq_w'", "3"], qdq(
        {"dq_w": {"axis": 0}}, sw=scale("sw", [0.1] * 5), zw=zero("zw", [0] * 5, INT8))),
    "channels_along_the_wrong_axis": (BAD_FILE, ["'dq_w'", "2"], qdq(
        {"dq_w": {"axis": 1}}, sw=scale("sw", [0.1] * 3), zw=zero("zw", [0] * 3, INT8))),
    "activation_channels_that_do_not_fit": (BAD_FILE, ["'x'", "3 channels"], qdq(
        {"q_in": {"axis": 1}, "dq_in": {"axis": 1}}, sx=scale("sx", [0.1] * 3), zx=zero("zx", [0] * 3))),
    "scales_of_too_few_blocks": (BAD_FILE, ["'dq_w'", "blocks of 1", "need [3, 2, 1, 1]"], qdq(
        {"dq_w": {"axis": 1, "block_size": 1}}, sw=scale("sw", [0.1] * 3, [3, 1, 1, 1]),
        zw=tensor("zw", [3, 1, 1, 1], [0] * 3, INT8))),
    "negative_block_size": (BAD_FILE, ["'dq_w'", "block_size is -2"], qdq({"dq_w": {"axis": 1, "block_size": -2}})),
    "blocked_activation": (UNSUPPORTED, ["'q_in'", "activation are blocked", "per tensor"], qdq(
        {"q_in": {"axis": 1, "block_size": 2}, "dq_in": {"axis": 1, "block_size": 2}})),
    # Codes and pairs.
    "codes_are_int64": (BAD_FILE, ["'dq_w'", "int64"], qdq(w=tensor("w", [3, 2, 1, 1], WEIGHTS, INT64))),
    "codes_are_float": (BAD_FILE, ["'dq_w'", "float32"], qdq(w=tensor("w", [3, 2, 1, 1], 0.5))),
    "int4_codes_and_int8_zero_point": (BAD_FILE, ["'dq_w'", "zero point is int8", "int4"], qdq(
        w=tensor("w", [3, 2, 1, 1], struct.pack("3B", 0x21, 0x43, 0x65), INT4))),
    "int4_codes_cut_short": (BAD_FILE, ["'w'"], qdq(
        w=tensor("w", [3, 2, 1, 1], struct.pack("2B", 0x21, 0x43), INT4), zw=zero("zw", 0, INT4))),
    "weights_with_nan_to_be_quantized": (BAD_FILE, ["'w'", "NaN"], qdq(
        w=tensor("w", [3, 2, 1, 1], [1.0, 2.0, NAN, 0.0, 0.0, 0.0]), nodes=[
            node("QuantizeLinear", ["w", "sw", "zw"], ["w_q"], name="q_w"),
            node("DequantizeLinear", ["w_q", "sw", "zw"], ["w_dq"], name="dq_w"),
            node("Conv", ["x", "w_dq"], ["y"], name="conv")])),
    "no_dequantize_before_a_float_operator": (BAD_FILE, ["'conv'", "uint8"], qdq(nodes=[
        node("QuantizeLinear", ["x", "sx", "zx"], ["x_q"], name="q_in"),
        node("DequantizeLinear", ["w", "sw", "zw"], ["w_dq"], name="dq_w"),
        node("Conv", ["x_q", "w_dq"], ["y"], name="conv")])),
    "no_quantize_before_a_dequantize": (BAD_FILE, ["'dq_in'", "float32"], qdq(nodes=[
        node("DequantizeLinear", ["x", "sx", "zx"], ["y"], name="dq_in")])),
    "quantize_of_integers": (BAD_FILE, ["'again'", "uint8"], qdq(nodes=[
        node("QuantizeLinear", ["x", "sx", "zx"], ["x_q"], name="q_in"),
        node("QuantizeLinear", ["x_q", "sx", "zx"], ["y"], name="again")])),
    # QOperator form.
    "qlinear_conv_with_seven_operands": (BAD_FILE, ["'conv'", "has 7 operands", "8 to 9"], qlinear_conv(
        ["x_q", "sx", "zx", "w", "sw", "zw", "sy"])),
    "qlinear_conv_without_a_scale": (BAD_FILE, ["'conv'", "operand 4 is missing"], qlinear_conv(
        ["x_q", "sx", "zx", "w", "", "zw", "sy", "zy"])),
    "qlinear_conv_scale_nan": (BAD_FILE, ["'conv'", "weight scale", "nan"], qlinear_conv(sw=scale("sw", NAN))),
    "qlinear_conv_float_weight": (BAD_FILE, ["'conv'", "weight is float32"], qlinear_conv(
        w=tensor("w", [3, 2, 1, 1], 0.5))),
    "qlinear_conv_float_input": (BAD_FILE, ["'conv'", "input is float32"], qlinear_conv(
        ["x", "sx", "zx", "w", "sw", "zw", "sy", "zy", "b"])),
    "qlinear_conv_float_bias": (BAD_FILE, ["'conv'", "bias is float32", "int32"], qlinear_conv(
        b=tensor("b", [3], [1.0, 2.0, 3.0]))),
    "qlinear_conv_short_bias": (BAD_FILE, ["'conv'"], qlinear_conv(b=tensor("b", [2], [1, 2], INT32))),
    "qlinear_conv_scales_for_five_channels": (BAD_FILE, ["'conv'"], qlinear_conv(
        sw=scale("sw", [0.1] * 5), zw=zero("zw", [0] * 5, INT8))),
    "qlinear_conv_two_output_scales": (UNSUPPORTED, ["'conv'", "output scale has 2"], qlinear_conv(
        sy=scale("sy", [0.1, 0.2]), zy=zero("zy", [0, 0]))),
    "qlinear_add_with_a_float_zero_point": (BAD_FILE, ["'it'", "zero point is float32"], contributed(
        "QLinearAdd", PAIR + ["x_q", "sx", "zf", "sx", "zx"], initializers=[tensor("zf", [], [0.0])])),
    "qlinear_concat_with_half_a_tensor": (BAD_FILE, ["'it'", "operands", "three for each tensor"], contributed(
        "QLinearConcat", ["sx", "zx"] + PAIR + ["x_q", "sx"], axis=1)),
    "qlinear_add_with_a_computed_scale": (UNSUPPORTED, ["'it'", "computed"], wire.model(graph([
        node("ReduceMax", ["x"], ["s"], name="max", keepdims=0),
        node("QuantizeLinear", ["x", "sx", "zx"], ["x_q"], name="q_in"),
        node("QLinearAdd", PAIR + PAIR + ["s", "zx"], ["y"], name="it", domain="com.microsoft"),
    ], [X], [value_info("y", elem_type=UINT8)], [scale("sx", 0.05), zero("zx", 128)]), opset=17)),
    "qlinear_pool_with_channels_last": (UNSUPPORTED, ["'it'", "channels_last"], contributed(
        "QLinearGlobalAveragePool", PAIR + ["sx", "zx"], channels_last=1)),
    "an_unknown_contributed_operator": (UNSUPPORTED, ["'it'", "com.microsoft.QLinearCosine"], contributed(
        "QLinearCosine", PAIR + ["sx", "zx"])),
}

# What looks broken and is not: name -> (words of a warning or "", model).
SOUND = {
    "as_written": ("", qdq()),
    "codes_are_the_output": ("", qdq(drop=("dq_out",), outputs=("y_q",))),
    "scales_computed_from_constants": ("", qdq(nodes=[
        node("Mul", ["sw", "sw"], ["s"], name="mul"),
        node("QuantizeLinear", ["x", "s", "zx"], ["x_q"], name="q_in"),
        node("DequantizeLinear", ["x_q", "s", "zx"], ["y"], name="dq_in")])),
    "scale_of_an_input": ("'dq_in'", qdq(nodes=[
        node("ReduceMax", ["x"], ["s"], name="max", keepdims=0),
        node("Relu", ["x"], ["r"], name="relu"),
        node("QuantizeLinear", ["r", "sx", "zx"], ["r_q"], name="q_in"),
        node("DequantizeLinear", ["r_q", "s", "zx"], ["y"], name="dq_in")])),
    "scale_of_one_element_and_rank_2": ("", qdq(sx=scale("sx", [0.05], [1, 1]), zx=tensor("zx", [1, 1], [128], UINT8))),
    "sixteen_bit_codes": ("", qdq(zx=zero("zx", 30000, UINT16))),
    "no_zero_point": ("", qdq(nodes=[
        node("QuantizeLinear", ["x", "sx"], ["x_q"], name="q_in"),
        node("DequantizeLinear", ["x_q", "sx"], ["y"], name="dq_in")])),
    "int4_weights": ("", qdq(w=tensor("w", [3, 2, 1, 1], struct.pack("3B", 0x21, 0x43, 0x65), INT4),
                             zw=zero("zw", 0, INT4))),
    "pair_on_two_grids": ("", qdq(nodes=[
        node("QuantizeLinear", ["x", "sx", "zx"], ["x_q"], name="q_in"),
        node("DequantizeLinear", ["x_q", "sw", "zx"], ["y"], name="dq_in")])),
    "qlinear_conv": ("", qlinear_conv()),
    "qlinear_conv_of_microsoft_without_bias": ("", qlinear_conv(
        ["x_q", "sx", "zx", "w", "sw", "zw", "sy", "zy"], domain="com.microsoft")),
    "a_chain_of_contributed_operators": ("", contributed(
        "QLinearAdd", PAIR + PAIR + ["sx", "zx"])),
}


class BrokenQuantizedModels(tool_test.ToolTest):
    """One test method a case, made below."""

    def check(self, code, words, content):
        """The case through the tools that read quantized models."""
        model = self.write("quantized.onnx", content)
        original = self.write("float.onnx", tool_test.tiny_model())
        samples = self.write_list()
        for run in (("quantize-run", "--quiet", "--mode", "simulated", "--input_list", samples, "--output_dir", "out",
                     model),
                    ("quantize-eval", "--quiet", "--input_list", samples, original, model),
                    ("quantize-inspect", model)):
            with self.subTest(tool=run[0]):
                self.assert_fails(code, ["quantized.onnx", *words], *run)

    def check_sound(self, warning, content):
        """The case runs, and says no more than `warning`."""
        model = self.write("quantized.onnx", content)
        finished = self.assert_succeeds("quantize-run", "--quiet", "--mode", "simulated", "--input_list",
                                        self.write_list(), "--output_dir", "out", model)
        lines = [line for line in finished.stderr.splitlines() if "warning" in line]
        self.assertEqual(len(lines), 1 if warning else 0, finished)
        if warning:
            self.assertIn(warning, lines[0])
        self.assert_succeeds("quantize-inspect", model)


for case, (exit_code, told, bytes_of_model) in CASES.items():
    setattr(BrokenQuantizedModels, "test_" + case,
            lambda self, c=exit_code, w=told, m=bytes_of_model: self.check(c, w, m))
for case, (told, bytes_of_model) in SOUND.items():
    setattr(BrokenQuantizedModels, "test_sound_" + case, lambda self, w=told, m=bytes_of_model: self.check_sound(w, m))

if __name__ == "__main__":
    tool_test.main()
