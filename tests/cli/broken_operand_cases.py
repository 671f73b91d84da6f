"""broken_operand_cases.py: models of known operators with operands or attributes that fit nothing.

CASES maps a name to (exit code, words the message must hold, the model's bytes).
"""

import math

import onnx_wire as wire
from onnx_wire import FLOAT, INT8, INT32, INT64, UINT8, graph, node, tensor, value_info
from tool_test import BAD_FILE, CALIBRATION, UNSUPPORTED

X = value_info("x", [1, 2, 4, 4])
ANY = (BAD_FILE, UNSUPPORTED)  # A size no machine has: malformed or unsupported, both are honest.


def ints(name, values):
    """A one-dimensional int64 initializer."""
    return tensor(name, [len(values)], values, INT64)


def one(op_type, inputs, *initializers, x=X, opset=17, output="y", **attributes):
    """A model of one node named 'it', from x to y."""
    it = node(op_type, inputs, ["y"], name="it", **attributes)
    return wire.model(graph([it], [x], [value_info(output)], initializers), opset=opset)


def conv(weight_dims, *more, inputs=("x", "w"), **attributes):
    """One Conv with a weight of the given shape."""
    return one("Conv", inputs, tensor("w", weight_dims, 0.5), *more, **attributes)


def qdq(scale, zero_point, *, opset=17, zero_type=UINT8, **attributes):
    """x -> QuantizeLinear -> DequantizeLinear -> Relu -> y."""
    nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"], name="it", **attributes),
             node("DequantizeLinear", ["q", "s", "z"], ["d"], name="back", **attributes),
             node("Relu", ["d"], ["y"])]
    zero = tensor("z", zero_point[0], zero_point[1], zero_type)
    return wire.model(graph(nodes, [X], [value_info("y")], [tensor("s", *scale), zero]), opset=opset)


def dequantized_weight(zero_type, scale=((), [0.1]), **attributes):
    """A Conv whose weight comes from an int8 initializer through DequantizeLinear."""
    nodes = [node("DequantizeLinear", ["wq", "s", "z"], ["w"], name="it", **attributes),
             node("Conv", ["x", "w"], ["y"], name="conv")]
    return wire.model(graph(nodes, [X], [value_info("y")], [
        tensor("wq", [3, 2, 1, 1], [1, -2, 3, -4, 5, -6], INT8), tensor("s", *scale),
        tensor("z", scale[0], 0, zero_type)]))


HUGE = 1 << 40
MATRIX = value_info("x", [8, 4])

CASES = {
    # Types.
    "add_float_and_int": (BAD_FILE, ["'it'", "float32", "int64"], one("Add", ["x", "w"], ints("w", [1]))),
    "conv_weight_int32": (BAD_FILE, ["'it'", "int32"],
                          one("Conv", ["x", "w"], tensor("w", [3, 2, 1, 1], 1, INT32))),
    "and_of_floats": (BAD_FILE, ["'it'", "float32"], one("And", ["x", "x"])),
    "gather_float_indices": (BAD_FILE, ["'it'", "float32"], one("Gather", ["x", "i"], tensor("i", [1], [0.0]))),
    "where_condition_float": (BAD_FILE, ["'it'", "float32"], one("Where", ["x", "x", "x"])),
    # Ranks and extents.
    "conv_weight_rank_3": (BAD_FILE, ["'it'", "weight"], conv([3, 2, 3])),
    "conv_channels": (BAD_FILE, ["'it'", "channels"], conv([3, 5, 1, 1])),
    "conv_bias_length": (BAD_FILE, ["'it'", "bias"],
                         conv([3, 2, 1, 1], tensor("b", [4], 0.0), inputs=("x", "w", "b"))),
    "conv_kernel_shape_disagrees": (BAD_FILE, ["'it'", "kernel_shape"], conv([3, 2, 3, 3], kernel_shape=[2, 2])),
    "conv_groups_zero": (BAD_FILE, ["'it'", "group"], conv([3, 2, 1, 1], group=0)),
    "conv_groups_do_not_divide": (BAD_FILE, ["'it'", "group"], conv([3, 2, 1, 1], group=7)),
    "conv_without_weight": (BAD_FILE, ["'it'", "Conv"], one("Conv", ["x"])),
    "conv_weight_left_out": (BAD_FILE, ["'it'"], one("Conv", ["x", ""])),
    "relu_of_nothing": (BAD_FILE, ["'it'", "Relu"], one("Relu", [])),
    "relu_of_three": (BAD_FILE, ["'it'", "Relu"], one("Relu", ["x", "x", "x"])),
    "add_shapes": (BAD_FILE, ["'it'", "3"], one("Add", ["x", "w"], tensor("w", [3], 1.0))),
    "matmul_extents": (BAD_FILE, ["'it'", "4", "5"], one("MatMul", ["x", "w"], tensor("w", [5, 2], 1.0), x=MATRIX)),
    "gemm_rank": (BAD_FILE, ["'it'"], one("Gemm", ["x", "w"], tensor("w", [4, 4], 1.0))),
    "batch_norm_length": (BAD_FILE, ["'it'"], one("BatchNormalization", ["x", "w", "w", "w", "w"],
                                                  tensor("w", [7], 1.0))),
    "concat_extents": (BAD_FILE, ["'it'"], one("Concat", ["x", "w"], tensor("w", [1, 2, 5, 4], 1.0), axis=1)),
    # Axes.
    "concat_axis": (BAD_FILE, ["'it'", "axis", "9"], one("Concat", ["x", "x"], axis=9)),
    "softmax_axis": (BAD_FILE, ["'it'", "axis", "-7"], one("Softmax", ["x"], axis=-7)),
    "softmax_axis_lowest": (BAD_FILE, ["'it'", "axis"], one("Softmax", ["x"], axis=-(1 << 63))),
    "reduce_axis": (BAD_FILE, ["'it'", "4"], one("ReduceMean", ["x"], axes=[4])),
    "transpose_perm": (BAD_FILE, ["'it'", "axis 0", "twice"], one("Transpose", ["x"], perm=[0, 0, 1, 2])),
    "transpose_perm_range": (BAD_FILE, ["'it'", "axis 77"], one("Transpose", ["x"], perm=[0, 1, 2, 77])),
    "split_sizes": (BAD_FILE, ["'it'"], one("Split", ["x", "s"], ints("s", [3, 99]), axis=1)),
    "gather_index_out_of_range": (BAD_FILE, ["'it'", "9"], one("Gather", ["x", "i"], ints("i", [9]), axis=1)),
    "squeeze_of_two": (BAD_FILE, ["'it'", "2"], one("Squeeze", ["x", "a"], ints("a", [1]))),
    # Windows.
    "conv_stride_zero": (BAD_FILE, ["'it'", "strides"], conv([3, 2, 1, 1], strides=[0, 1])),
    "conv_stride_negative": (BAD_FILE, ["'it'", "strides"], conv([3, 2, 1, 1], strides=[-1, 1])),
    "conv_dilation_zero": (BAD_FILE, ["'it'", "dilations"], conv([3, 2, 1, 1], dilations=[0, 0])),
    "conv_dilation_huge": (BAD_FILE, ["'it'"], conv([3, 2, 3, 3], dilations=[1 << 62, 1 << 62])),
    "conv_pads_negative": (BAD_FILE, ["'it'", "pads"], conv([3, 2, 3, 3], pads=[-1, 0, 0, 0])),
    "conv_pads_count": (BAD_FILE, ["'it'", "pads"], conv([3, 2, 3, 3], pads=[1, 1])),
    "conv_pads_huge": (ANY, ["'it'"], conv([3, 2, 3, 3], pads=[1 << 40, 0, 1 << 40, 0])),
    "conv_kernel_larger_than_input": (BAD_FILE, ["'it'"], conv([3, 2, 9, 9])),
    "conv_auto_pad_word": (BAD_FILE, ["'it'", "auto_pad"], conv([3, 2, 3, 3], auto_pad="SOMETIMES")),
    "pool_kernel_larger_than_input": (BAD_FILE, ["'it'"], one("MaxPool", ["x"], kernel_shape=[50, 50])),
    "pool_kernel_zero": (BAD_FILE, ["'it'", "extent 0"], one("AveragePool", ["x"], kernel_shape=[0, 0])),
    "pool_without_kernel": (BAD_FILE, ["'it'", "kernel_shape"], one("MaxPool", ["x"])),
    "pool_stride_zero": (BAD_FILE, ["'it'", "strides"], one("MaxPool", ["x"], kernel_shape=[2, 2], strides=[0, 0])),
    # Reshaping.
    "reshape_does_not_fit": (BAD_FILE, ["'it'", "7"], one("Reshape", ["x", "s"], ints("s", [7, -1]))),
    "reshape_two_unknown": (BAD_FILE, ["'it'", "-1"], one("Reshape", ["x", "s"], ints("s", [-1, -1]))),
    "reshape_negative": (BAD_FILE, ["'it'", "-8"], one("Reshape", ["x", "s"], ints("s", [-8, 4]))),
    "reshape_overflows": (BAD_FILE, ["'it'"], one("Reshape", ["x", "s"], ints("s", [1 << 32, 1 << 32, 1 << 32]))),
    # Sizes no machine has.
    "constant_of_shape_huge": (ANY, ["'it'"], wire.model(graph(
        [node("ConstantOfShape", ["s"], ["c"], name="it"), node("Add", ["x", "c"], ["y"])],
        [X], [value_info("y")], [ints("s", [HUGE, HUGE])]))),
    "constant_of_shape_terabyte": (ANY, ["'it'"], wire.model(graph(
        [node("ConstantOfShape", ["s"], ["c"], name="it"), node("Add", ["x", "c"], ["y"])],
        [X], [value_info("y")], [ints("s", [1 << 38])]))),
    "expand_huge": (ANY, ["'it'"], one("Expand", ["x", "s"], ints("s", [HUGE, 1, 1, 1, 1]))),
    "tile_huge": (ANY, ["'it'"], one("Tile", ["x", "r"], ints("r", [HUGE, 1, 1, 1]))),
    "tile_negative": (BAD_FILE, ["'it'", "-2"], one("Tile", ["x", "r"], ints("r", [-2, 1, 1, 1]))),
    "range_huge": (ANY, ["'it'"], wire.model(graph(
        [node("Range", ["a", "b", "c"], ["r"], name="it"), node("ReduceMax", ["r"], ["m"]),
         node("Add", ["x", "m"], ["y"])], [X], [value_info("y")],
        [tensor("a", [], [0.0]), tensor("b", [], [1e30]), tensor("c", [], [1.0])]))),
    "range_step_zero": (BAD_FILE, ["'it'"], wire.model(graph(
        [node("Range", ["a", "b", "c"], ["r"], name="it"), node("ReduceMax", ["r"], ["m"]),
         node("Add", ["x", "m"], ["y"])], [X], [value_info("y")],
        [tensor("a", [], [0.0]), tensor("b", [], [5.0]), tensor("c", [], [0.0])]))),
    "resize_huge": (ANY, ["'it'"], one("Resize", ["x", "", "s"],
                                       tensor("s", [4], [1.0, 1.0, 1e12, 1e12]))),
    "resize_scale_zero": (BAD_FILE, ["'it'"], one("Resize", ["x", "", "s"], tensor("s", [4], [1.0, 1.0, 0.0, 1.0]))),
    "resize_scale_nan": (BAD_FILE, ["'it'"], one("Resize", ["x", "", "s"],
                                                 tensor("s", [4], [1.0, 1.0, math.nan, 1.0]))),
    "pad_huge": (ANY, ["'it'"], one("Pad", ["x", "p"], ints("p", [0, 0, 0, 0, HUGE, 0, 0, 0]))),
    "pad_removes_everything": (BAD_FILE, ["'it'"], one("Pad", ["x", "p"], ints("p", [0, 0, -9, 0, 0, 0, 0, 0]))),
    "one_hot_depth_huge": (ANY, ["'it'"], one("OneHot", ["x", "d", "v"], ints("d", [HUGE]),
                                              tensor("v", [2], [0.0, 1.0]))),
    "depth_to_space_block": (BAD_FILE, ["'it'", "blocksize"], one("DepthToSpace", ["x"], blocksize=0)),
    "deep_chain": (BAD_FILE, ["'it'", "axis"], wire.model(graph(
        [node("Relu", ["x" if i == 0 else f"t{i}"], [f"t{i + 1}"]) for i in range(20000)]
        + [node("Softmax", ["t20000"], ["y"], name="it", axis=40)], [X], [value_info("y")]))),
    # Encodings a QDQ model carries.
    "quantize_scale_zero": (BAD_FILE, ["'it'", "scale"], qdq(([], [0.0]), ([], [0]))),
    "quantize_scale_negative": (BAD_FILE, ["'it'", "scale"], qdq(([], [-0.5]), ([], [0]))),
    "quantize_scale_nan": (BAD_FILE, ["'it'", "scale"], qdq(([], [math.nan]), ([], [0]))),
    "quantize_scale_length": (BAD_FILE, ["'x'", "5 channels"], qdq(([5], [0.1] * 5), ([5], [0] * 5), axis=1)),
    "quantize_zero_point_length": (BAD_FILE, ["'it'", "zero point"], qdq(([2], [0.1] * 2), ([3], [0] * 3), axis=1)),
    "quantize_zero_point_float": (ANY, ["'it'"], qdq(([], [0.1]), ([], [0.0]), zero_type=FLOAT)),
    "quantize_axis": (BAD_FILE, ["'it'", "axis"], qdq(([2], [0.1] * 2), ([2], [0] * 2), axis=9)),
    "dequantize_zero_point_type": (BAD_FILE, ["'it'", "zero point", "uint8"], dequantized_weight(UINT8)),
    "dequantize_scale_length": (BAD_FILE, ["'it'", "4 channels"], dequantized_weight(INT8, ((4,), [0.1] * 4), axis=0)),
    "nothing_to_quantize": (UNSUPPORTED, ["nothing to quantize"], one("ArgMax", ["x"])),
    # Numbers.
    "weight_nan": (CALIBRATION, ["'w'", "NaN"], one("Conv", ["x", "w"], tensor(
        "w", [1, 2, 1, 1], [1.0, math.nan]))),
    "weight_infinite": (CALIBRATION, ["'w'", "inf"], one("Conv", ["x", "w"], tensor(
        "w", [1, 2, 1, 1], [1.0, -math.inf]))),
    "bias_nan": (CALIBRATION, ["'b'", "NaN"], one("Conv", ["x", "w", "b"], tensor("w", [1, 2, 1, 1], 1.0),
                                                  tensor("b", [1], [math.nan]))),
    "activation_nan": (CALIBRATION, ["'y'", "list.txt:1", "NaN"], one("Sqrt", ["x"])),
    "activation_infinite": (CALIBRATION, ["'y'", "list.txt:1", "inf"], one("Div", ["w", "x"],
                                                                           tensor("w", [1], [1.0]))),
}

# Only wrong once samples run or encodings are made: quantize-inspect has nothing to object to.
ONLY_QUANTIZE = {
    "gather_index_out_of_range", "nothing_to_quantize", "quantize_scale_length",
    "weight_nan", "weight_infinite", "bias_nan", "activation_nan", "activation_infinite",
}
