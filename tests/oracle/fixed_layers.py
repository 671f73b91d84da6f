"""fixed_layers.py: each layer of the fixed-point run against ONNX Runtime's int8 kernels, on the codes.

A model is cut at its stored integers: every one of them becomes an input and an
output. ONNX Runtime, optimizations on, makes QLinearConv and its like of what lies
between; both sides are fed with the same codes, ours, so an error has nowhere to grow.
"""
import collections
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

import agreement
from halfstep_tools import read_codes
from layers import activation_shapes, stored_activations
from qdq_file import QdqFile

ARITHMETIC = ("--arithmetic", "float_half_even")
# Measured on 13 models: no code is further off than one. QLinearConv and (R5) agree in every code; sums and
# functions that ONNX Runtime computes in float32 are one off in at most 0.12 % of a layer's codes, convolutions that it
# runs in float because of --bias_bitwidth 8 in 0.28 %.
MIN_PERCENT_WITHIN_1 = 99.99
MIN_PERCENT_EQUAL = 99.5
# One off more often: QLinearSoftmax multiplies by floor(1 / s_y), and interpolation makes ties.
EXEMPT = {"Softmax", "Resize"}
SMALL_TENSOR = 2000  # Smaller ones count as large as this, so as to forgive one or two codes.


@dataclass
class CodeShares:
    """How many codes of one layer, over all samples, are equal, one step off, further off."""

    op: str
    layer: str
    total: int = 0
    one_off: int = 0
    beyond: int = 0
    furthest: int = 0
    place: str = ""

    def add(self, sample, ours, theirs):
        if ours.size != theirs.size:
            raise ValueError(f"{self.layer}: {ours.size} codes against {theirs.size}")
        distance = np.abs(ours.astype(np.int64).reshape(-1) - theirs.astype(np.int64).reshape(-1))
        self.total += distance.size
        self.one_off += int(np.count_nonzero(distance == 1))
        self.beyond += int(np.count_nonzero(distance > 1))
        if distance.size and (far := int(distance.max())) > self.furthest:
            self.furthest, self.place = far, f"[{int(np.argmax(distance))}], sample {sample}"

    def percent(self, count):
        return 100.0 * count / max(self.total, SMALL_TENSOR)

    @property
    def percent_equal(self):
        return 100.0 - self.percent(self.one_off + self.beyond)

    @property
    def percent_within_1(self):
        return 100.0 - self.percent(self.beyond)

    def __str__(self):
        return (f"{self.percent_equal:8.4f} equal {self.percent(self.one_off):7.4f} one off "
                f"{self.percent(self.beyond):7.4f} beyond of {self.total}: {self.op} {self.layer}")


def cut_at_codes(quantized):
    """The model with the stored integers of activations as inputs, under other names, and as outputs.

    Returns [(tensor, stored integers, input)], names all three, and the model.
    """
    cut = onnx.ModelProto()
    cut.CopyFrom(quantized.proto)
    graph = cut.graph
    tensors = {}
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] in quantized.constants:
            continue
        stored, fed = node.input[0], node.input[0] + "_fed"
        is_output = node.output[0] in quantized.output_names
        tensor = node.output[0] if is_output else quantized.producers[stored].input[0]
        if stored not in tensors:
            dtype = quantized.constants[node.input[2]].data_type
            graph.input.append(helper.make_tensor_value_info(fed, dtype, None))
        tensors[stored] = (tensor, stored, fed)
        node.input[0] = fed
    del graph.output[:]
    graph.output.extend(stored_activations(quantized))
    del graph.value_info[:]
    return list(tensors.values()), cut


def operator_of(quantized, stored):
    """The operator that makes the activation; a Relu or Clip is part of what stands before it."""
    node = quantized.producers.get(quantized.producers[stored].input[0])
    while node is not None and node.op_type in ("Relu", "Clip") and node.input[0] in quantized.producers:
        node = quantized.producers[node.input[0]]
    return node.op_type if node is not None else "input"


def layer_codes(tools, case, model, folder, arithmetic=ARITHMETIC):
    """One CodeShares a layer, and the operators ONNX Runtime ran."""
    quantized = QdqFile(model)
    tensors, cut = cut_at_codes(quantized)
    folder.mkdir(parents=True, exist_ok=True)
    cut_path = folder / "cut_codes.onnx"
    onnx.save(cut, cut_path)
    feeds = case.feeds()
    shapes = activation_shapes(quantized, feeds[0], folder)
    results = folder / "fixed"
    tools.run(case, model, "fixed", results, "--dump_tensors", "all", *arithmetic)
    layers = {stored: CodeShares(operator_of(quantized, stored), stored) for _, stored, _ in tensors}
    ran = folder / "cut_codes_optimized.onnx"
    session = agreement.open_session(cut_path, True, tools.num_threads, keep=ran)
    taken = {value.name for value in session.get_inputs()}
    for i, feed in enumerate(feeds):
        ours = {}
        for tensor, stored, fed in tensors:
            dtype = quantized.array(quantized.producers[stored].input[2]).dtype
            ours[stored] = read_codes(results, i, tensor, dtype).reshape(shapes[stored])
            feed[fed] = ours[stored]
        theirs = agreement.run_session(session, {name: array for name, array in feed.items() if name in taken})
        for stored, shares in layers.items():
            shares.add(i, ours[stored], theirs[stored])
    operators = collections.Counter(node.op_type for node in onnx.load(ran).graph.node)
    return list(layers.values()), operators


def check_fixed_layers(checks, tools, case, model, folder, label):
    """Judges layer_codes() and notes the layer that differs most."""
    layers, operators = layer_codes(tools, case, model, folder)
    num_int8 = sum(count for op, count in operators.items() if op.startswith("QLinear") or op == "QGemm")
    worst = min(layers, key=lambda layer: (layer.percent_within_1, layer.percent_equal))
    checks.note(f"{label:10} {len(layers)} layers, {num_int8} int8 kernels, worst {worst}")
    checks.expect(num_int8 > 0, f"{label}: ONNX Runtime ran no int8 kernel but {dict(operators)}")
    all_int8 = operators["Conv"] + operators["FusedConv"] == 0
    for layer in layers:
        checks.expect(layer.percent_equal == 100 or layer.op != "Conv" or not all_int8, f"{label}: not exact: {layer}")
        close = layer.percent_within_1 >= MIN_PERCENT_WITHIN_1
        equal = layer.op in EXEMPT or layer.percent_equal >= MIN_PERCENT_EQUAL
        checks.expect(close and equal, f"{label}: {layer}; furthest {layer.furthest} at {layer.place}")
