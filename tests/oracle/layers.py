"""layers.py: each layer of a quantized model on its own, fed with our tensors.

End to end, one code that is rounded the other way (the order of a float sum
suffices) moves other codes in the next layer, and deep models of low SQNR
amplify that until outputs are many steps apart: ONNX Runtime disagrees with
itself as much, with and without its optimizations. Cut at the activations, the
error has nowhere to grow: every code must then be the same or next to it.
"""
import numpy as np
import onnx
from onnx import helper

import agreement
from halfstep_tools import read_result
from qdq_file import QdqFile

# Measured: of all models' activations at most 0.06 % of a tensor's codes differ, by one.
# A weight that is wrong by 3 steps makes 0.3 %, a bias wrong by 5 % makes 1.3 %.
MAX_PERCENT_UNEQUAL = 0.1
MAX_PERCENT_UNEQUAL_ACT16 = 0.3  # Sums of products of 16-bit codes exceed 24 bits: (Q3) and reals round differently.
MIN_PERCENT_WITHIN_1 = 99.9999
SMALL_TENSOR = 2000


def stored_activations(quantized):
    """The outputs of all QuantizeLinear nodes, declared as a model's outputs."""
    return [helper.make_tensor_value_info(node.output[0], quantized.constants[node.input[2]].data_type, None)
            for node in quantized.nodes("QuantizeLinear")]


def cut_at_activations(quantized):
    """The model with encoded activations as inputs and their stored integers as outputs.

    Returns [(tensor, stored integers, dequantized)], names all three, and the model.
    """
    cut = onnx.ModelProto()
    cut.CopyFrom(quantized.proto)
    tensors, kept = [], []
    for node in quantized.proto.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] not in quantized.constants:
            source = quantized.producers[node.input[0]].input[0]
            is_output = node.output[0] in quantized.output_names
            tensors.append((node.output[0] if is_output else source, node.input[0], node.output[0]))
        else:
            kept.append(node)
    graph = cut.graph
    del graph.node[:], graph.output[:]
    graph.node.extend(kept)
    graph.output.extend(stored_activations(quantized))
    graph.input.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for _, _, name in tensors)
    return tensors, cut


def activation_shapes(quantized, feed, folder):
    """The shape of every stored activation, from a run of ONNX Runtime."""
    whole = onnx.ModelProto()
    whole.CopyFrom(quantized.proto)
    del whole.graph.output[:]
    whole.graph.output.extend(stored_activations(quantized))
    path = folder / "all_outputs.onnx"
    onnx.save(whole, path)
    return {name: codes.shape for name, codes in agreement.run_onnxruntime(path, [feed], optimized=False)[0].items()}


def percent_unequal(shares):
    """Of one tensor's codes; small tensors count as large enough to forgive one or two."""
    return 100.0 * (shares.total - shares.within_half) / max(shares.total, SMALL_TENSOR)


def is_interpolated(quantized, stored):
    """Whether Resize computes the activation whose integers are called `stored`."""
    producer = quantized.producers.get(quantized.producers[stored].input[0])
    return producer is not None and producer.op_type == "Resize"


def layer_shares(tools, case, model, folder):
    """Codes of every activation against ONNX Runtime's, each layer fed with ours.

    StepShares over all tensors, and those of the tensor that differs most.
    Interpolation is left out of the latter: of codes on one grid it makes ties,
    which the last bit of a sum decides (0.5 % of the output of deeplabv3_mnv2).
    """
    quantized = QdqFile(model)
    tensors, cut = cut_at_activations(quantized)
    cut_path = folder / "cut.onnx"
    onnx.save(cut, cut_path)
    feeds = case.feeds()
    shapes = activation_shapes(quantized, feeds[0], folder)
    tools.run(case, model, "simulated", folder / "layers", "--dump_tensors", "all")
    grids = quantized.grids()
    ours, theirs = [], []
    for i, feed in enumerate(feeds):
        feed = dict(feed)
        our_codes = {}
        for tensor, stored, dequantized in tensors:
            real = read_result(folder / "layers", i, tensor).reshape(shapes[stored])
            feed[dequantized] = real
            our_codes[stored] = grids[tensor].codes_of(real)
        ours.append(our_codes)
        theirs.append(agreement.run_onnxruntime(cut_path, [feed], optimized=False)[0])
    steps = dict.fromkeys(shapes, 1.0)
    by_tensor = [agreement.step_shares(ours, [{name: sample[name]} for sample in theirs], steps) for name in shapes
                 if not is_interpolated(quantized, name)]
    worst = max(by_tensor, key=percent_unequal)
    return agreement.step_shares(ours, theirs, steps), worst


def check_layers(checks, tools, case, model, folder, label, act16=False):
    """Notes and judges layer_shares()."""
    shares, worst = layer_shares(tools, case, model, folder)
    unequal = percent_unequal(worst)
    checks.note(f"{label:10} {shares}, most unequal {unequal:.3f} {worst.place}")
    checks.expect(shares.percent(shares.within_1) >= MIN_PERCENT_WITHIN_1, f"{label}: {shares} at {shares.place}")
    limit = MAX_PERCENT_UNEQUAL_ACT16 if act16 else MAX_PERCENT_UNEQUAL
    checks.expect(unequal <= limit, f"{label}: {worst} at {worst.place}")
