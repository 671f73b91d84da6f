#!/usr/bin/env python3
"""Writes node tests of older operator forms, in the layout onnx_node_tests reads.

usage: make_older_forms.py DIR

The results come from ONNX Runtime. Needs onnx, onnxruntime and numpy.
"""
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(7)
TYPES = {np.dtype("float32"): TensorProto.FLOAT, np.dtype("int64"): TensorProto.INT64,
         np.dtype("float64"): TensorProto.DOUBLE}


def data(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def write(folder, name, opset, nodes, inputs, outputs, initializers=(), functions=(), domains=(),
          results=None):
    """inputs: name -> array; outputs: name -> element type; results: what ONNX Runtime has no form to compute."""
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info(k, TYPES[v.dtype], v.shape) for k, v in inputs.items()],
        [helper.make_tensor_value_info(k, t, None) for k, t in outputs.items()],
        [numpy_helper.from_array(v, k) for k, v in initializers])
    imports = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains]
    model = helper.make_model(graph, opset_imports=imports, functions=list(functions))
    model.ir_version = 10 if functions else 8
    if results is None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        results = session.run(list(outputs), dict(inputs))
    data_set = folder / f"test_older_{name}" / "test_data_set_0"
    data_set.mkdir(parents=True, exist_ok=True)
    (data_set.parent / "model.onnx").write_bytes(model.SerializeToString())
    for stem, arrays in (("input", inputs.values()), ("output", results)):
        for i, array in enumerate(arrays):
            (data_set / f"{stem}_{i}.pb").write_bytes(numpy_helper.from_array(np.asarray(array)).SerializeToString())


def one(folder, name, opset, op, x, more=None, outputs=1, types=None, **attributes):
    """A single node; `more` are initializers (name -> array or None)."""
    more = more or {}
    names = ["x"] + [k if v is not None else "" for k, v in more.items()]
    outs = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, names, outs, **attributes)
    types = types or [TYPES[x.dtype]] * outputs
    write(folder, name, opset, [node], {"x": x}, dict(zip(outs, types)),
          [(k, v) for k, v in more.items() if v is not None])


def main(folder):
    f = folder
    i64 = lambda *v: np.array(v, dtype=np.int64)
    f32 = lambda *v: np.array(v, dtype=np.float32)
    x = data(2, 3, 4, 5)
    for opset in (7, 11, 12):
        for op in ("Softmax", "LogSoftmax", "Hardmax"):
            one(f, f"{op.lower()}_{opset}_default", opset, op, x)
            for axis in (0, 2, 3) + ((-1, -2) if opset > 7 else ()):
                one(f, f"{op.lower()}_{opset}_axis{axis}", opset, op, x, axis=axis)
    for op in ("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
               "ReduceProd", "ReduceSum", "ReduceSumSquare"):
        positive = np.abs(x) + 0.5
        one(f, f"{op.lower()}_7", 7, op, positive, axes=[1, 3])
        one(f, f"{op.lower()}_11_all", 11, op, positive, keepdims=0)
        one(f, f"{op.lower()}_12_negative", 12, op, positive, axes=[-1], keepdims=0)
        if op != "ReduceSum":
            one(f, f"{op.lower()}_13", 13, op, positive, axes=[0, 2])
    one(f, "clip_7", 7, "Clip", x, min=-0.5, max=0.25)
    one(f, "clip_7_min", 7, "Clip", x, min=-0.5)
    one(f, "clip_10_none", 10, "Clip", x)
    one(f, "clip_11_max", 11, "Clip", x, {"lo": None, "hi": np.float32(0.1)})
    for mode in ("constant", "reflect", "edge"):
        one(f, f"pad_7_{mode}", 7, "Pad", x, pads=[0, 0, 1, 2, 0, 0, 2, 1], mode=mode)
    one(f, "pad_10_value", 10, "Pad", x, pads=[0, 0, -1, 2, 0, 0, 0, 1], value=1.5)
    one(f, "slice_7", 7, "Slice", x, starts=[1, -3], ends=[3, 100], axes=[2, 3])
    one(f, "slice_9_default_axes", 9, "Slice", x, starts=[0, 1], ends=[1, 3])
    one(f, "slice_10_input", 10, "Slice", x, {"s": i64(0, 3), "e": i64(2, 0), "a": i64(0, 3), "t": i64(1, -1)})
    thin = data(1, 3, 1, 4)
    one(f, "squeeze_7", 7, "Squeeze", thin, axes=[0, 2])
    one(f, "squeeze_11_all", 11, "Squeeze", thin)
    one(f, "squeeze_12_negative", 12, "Squeeze", thin, axes=[-2])
    one(f, "unsqueeze_7", 7, "Unsqueeze", thin, axes=[0, 3])
    one(f, "unsqueeze_11_negative", 11, "Unsqueeze", thin, axes=[-1])
    one(f, "split_7_even", 7, "Split", x, outputs=2, axis=2)
    one(f, "split_7_sizes", 7, "Split", x, outputs=3, axis=3, split=[1, 3, 1])
    one(f, "split_11_even", 11, "Split", x, outputs=2, axis=-2)
    one(f, "split_13_even", 13, "Split", x, outputs=2, axis=0)
    one(f, "split_13_sizes", 13, "Split", x, {"s": i64(1, 2)}, outputs=2, axis=1)
    one(f, "topk_7", 7, "TopK", x, outputs=2, types=[1, 7], axis=2, k=2)
    one(f, "topk_10", 10, "TopK", x, {"k": i64(3)}, outputs=2, types=[1, 7], axis=-1)
    one(f, "dropout_7", 7, "Dropout", x, ratio=0.3)
    one(f, "dropout_10", 10, "Dropout", x, ratio=0.3)
    one(f, "dropout_12", 12, "Dropout", x, {"r": np.float32(0.3)})
    norm = {"s": data(3), "b": data(3), "m": data(3), "v": np.abs(data(3)) + 0.1}
    for opset in (7, 9, 14, 15):
        one(f, f"batchnormalization_{opset}", opset, "BatchNormalization", x, norm, epsilon=1e-3)
    groups = data(2, 6, 4, 3)
    one(f, "groupnormalization_21", 21, "GroupNormalization", groups, {"s": data(6), "b": data(6)}, num_groups=3)
    scale, bias = data(3), data(3)
    rows = groups.reshape(2, 3, -1)
    normal = (rows - rows.mean(2, keepdims=True)) / np.sqrt(rows.var(2, keepdims=True) + 1e-5)
    expected = normal * scale[None, :, None] + bias[None, :, None]
    write(f, "groupnormalization_18", 18,
          [helper.make_node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=3)], {"x": groups}, {"y": 1},
          [("s", scale), ("b", bias)], results=[expected.reshape(groups.shape)])
    for mode in ("nearest", "linear"):
        one(f, f"upsample_7_{mode}", 7, "Upsample", x, mode=mode, scales=[1.0, 1.0, 2.0, 3.0])
        one(f, f"upsample_9_{mode}", 9, "Upsample", x, {"s": f32(1, 1, 2, 2.5)}, mode=mode)
        one(f, f"resize_10_{mode}", 10, "Resize", x, {"s": f32(1, 1, 0.6, 2.5)}, mode=mode)
        empty = np.zeros(0, dtype=np.float32)
        for opset in (11, 13):
            one(f, f"resize_{opset}_{mode}_scales", opset, "Resize", x, {"r": empty, "s": f32(1, 1, 2, 3)}, mode=mode)
            one(f, f"resize_{opset}_{mode}_sizes", opset, "Resize", x, {"r": empty, "e": empty, "z": i64(2, 3, 7, 9)},
                mode=mode)
            one(f, f"resize_{opset}_{mode}_align", opset, "Resize", x, {"r": empty, "e": empty, "z": i64(2, 3, 7, 9)},
                mode=mode, coordinate_transformation_mode="align_corners")
    one(f, "resize_11_tf_half_pixel", 11, "Resize", x, {"r": np.zeros(0, np.float32), "s": f32(1, 1, 2, 3)},
        mode="nearest", nearest_mode="floor", coordinate_transformation_mode="tf_half_pixel_for_nn")
    one(f, "resize_11_cubic", 11, "Resize", x, {"r": np.zeros(0, np.float32), "s": f32(1, 1, 2, 3)}, mode="cubic")
    indices = np.array([[[[0, 1, 2, 0, 1]]]], dtype=np.int64)
    one(f, "scatter_9", 9, "Scatter", x, {"i": indices, "u": data(1, 1, 1, 5)}, axis=1)
    for mode in ("bilinear", "nearest", "bicubic"):
        one(f, f"gridsample_16_{mode}", 16, "GridSample", data(1, 2, 5, 6), {"g": data(1, 4, 3, 2) * 0.8}, mode=mode)
    one(f, "roialign_10", 10, "RoiAlign", np.abs(data(1, 2, 12, 12)),
        {"r": f32(0, 0, 7, 7, 2, 1, 9, 10).reshape(2, 4), "b": i64(0, 0)}, output_height=3, output_width=3,
        sampling_ratio=2)
    one(f, "roialign_16", 16, "RoiAlign", np.abs(data(1, 2, 12, 12)),
        {"r": f32(0, 0, 7, 7, 2, 1, 9, 10).reshape(2, 4), "b": i64(0, 0)}, output_height=3, output_width=3,
        sampling_ratio=2)
    for opset in (7, 9, 11):
        one(f, f"gemm_{opset}", opset, "Gemm", data(3, 4), {"b": data(5, 4), "c": data(5)}, transB=1, alpha=0.5)
    one(f, "flatten_7", 7, "Flatten", x, axis=2)
    for opset in (7, 8, 10, 11, 12):
        one(f, f"maxpool_{opset}", opset, "MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 1])
    for opset in (7, 10, 11, 19, 22):
        one(f, f"averagepool_{opset}", opset, "AveragePool", x, kernel_shape=[3, 2], pads=[1, 0, 1, 1],
            count_include_pad=1)
    one(f, "averagepool_10_ceil", 10, "AveragePool", x, kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1)
    one(f, "lppool_2", 7, "LpPool", x, kernel_shape=[2, 2], p=3)
    one(f, "argmax_7", 7, "ArgMax", x, types=[7], axis=2, keepdims=0)
    one(f, "mean_variance_9", 9, "MeanVarianceNormalization", x)
    one(f, "cast_9", 9, "Cast", x, types=[6], to=6)
    one(f, "cast_double", 13, "Cast", x, types=[11], to=11)
    one(f, "prelu_7", 7, "PRelu", x, {"s": data(3, 1, 1)})
    one(f, "add_7", 7, "Add", x, {"b": data(4, 1)})
    one(f, "max_8", 8, "Max", x, {"b": data(4, 1), "c": data(5)})
    one(f, "lstm_7", 7, "LSTM", data(4, 2, 3), {"w": data(1, 20, 3), "r": data(1, 20, 5), "b": data(1, 40)},
        outputs=3, hidden_size=5)
    one(f, "gru_7", 7, "GRU", data(4, 2, 3), {"w": data(1, 15, 3), "r": data(1, 15, 5)}, outputs=2, hidden_size=5)
    slope = helper.make_node("LeakyRelu", ["a"], ["b"])
    slope.attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT))
    leaky = helper.make_function("mine", "Leaky", ["a"], ["b"], [slope], [helper.make_opsetid("", 17)], [],
                                 [helper.make_attribute("slope", 0.3)])
    write(f, "functions", 17,
          [helper.make_node("Leaky", ["x"], ["p"], domain="mine"),
           helper.make_node("Leaky", ["p"], ["q"], domain="mine", slope=0.5), helper.make_node("Neg", ["q"], ["y"])],
          {"x": x}, {"y": 1}, functions=[leaky], domains=["mine"])
    write(f, "double_initializer", 13,
          [helper.make_node("Add", ["x", "w"], ["y"])], {"x": x.astype(np.float64)}, {"y": 11},
          [("w", data(5).astype(np.float64))])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
