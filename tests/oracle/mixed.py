"""mixed.py: every tensor in a precision of its own, drawn by lot, in ONNX Runtime and in our tools.

An overrides file gives each activation and weight 4, 8 or 16 bits, float16 or float32. What quantize writes is judged
in three ways. Each operator of the file on its own, fed with our tensors, as layers.py does: a rounding that is lost,
or a Cast that is missing, shows in the tensor it belongs to. The file end to end: networks of 4 bits amplify every
flipped code, so only an error of the size of the quantization itself tells something there. And the converts, counted
in the file and in the printed Program against the borders that the precisions of the tensors draw: one for each
tensor and kind of reader.
"""
import collections
import json
import random
import re

import numpy as np
import onnx
from onnx import TensorProto, helper

import agreement
import layers
from halfstep_tools import read_result
from mixed_file import HALF, SINGLE, Borders, MixedFile

SEEDS = (1, 2, 3)
INTEGERS = {"int4": 4, "int8": 8, "int16": 16}
KINDS = (*INTEGERS, HALF, SINGLE)
BIAS_BITS = 32
# Measured: of all models' tensors at most 0.1 % of the codes of 4 and 8 bits, and 1.9 % of those of 16 bits, whose steps
# are next to the last bits of the sums of float32 that they round. Without the rounding to half precision in front of a
# node, a third of the halves behind it differs.
MAX_PERCENT_UNEQUAL, MAX_PERCENT_UNEQUAL_16 = 0.2, 3.0
# In units of the last place of half precision; sums of another order may round the other way, and small values of ONNX
# Runtime's Sigmoid are off by as much as 2 (yunet_n_320). A rounding that is lost makes hundreds.
MAX_HALF_STEPS = 2.0
# End to end the two may differ by this much of what quantization itself changes, or as ONNX Runtime does from itself.
MAX_OF_QUANTIZATION_ERROR = 0.75
SELF_MARGIN = 3.0
# Of fewer values than this one flipped code decides: shown, not judged (ppocr_mobile_v2_cls has two a sample).
MIN_VALUES_JUDGED = 64
# As compare_with_onnxruntime.py has it for float models.
MAX_OF_RANGE = 1e-4


def draw(encodings, seed):
    """A precision for each tensor of the file that `encodings` tells of, but for biases: {name: kind}."""
    lots = random.Random(seed)
    entries = encodings["activation_encodings"] + encodings["param_encodings"]
    return {entry["name"]: lots.choice(KINDS) for entry in sorted(entries, key=lambda entry: entry["name"])
            if entry["dtype"] == "INT" and entry["bw"] != BIAS_BITS}


def entry_of(kind):
    """An entry of version 0.6.1 that sets a precision and leaves the range to calibration."""
    return [{"bitwidth": INTEGERS[kind], "dtype": "int"} if kind in INTEGERS else
            {"bitwidth": int(kind.removeprefix("float")), "dtype": "float"}]


def overrides_of(kinds, encodings):
    """The text of the overrides file."""
    sections = {section: {entry["name"]: entry_of(kinds[entry["name"]]) for entry in encodings[section]
                          if entry["name"] in kinds} for section in ("activation_encodings", "param_encodings")}
    return json.dumps({"version": "0.6.1", **sections}, indent=1)


# --- Each operator on its own.

def fed_name(name):
    return name + "/fed"


def cut_everywhere(quantized, dumped):
    """The model in which every operator reads our tensors, as inputs, and shows what it makes of them.

    Returns {our tensor: (file tensor it is computed as, input that is fed)}, {file tensor: output} and the model. Encoded tensors are
    shown as codes and fed dequantized; real ones are shown and fed in their own format.
    """
    cut = onnx.ModelProto()
    cut.CopyFrom(quantized.proto)
    graph, tensors, feeds = cut.graph, {}, {}
    kept = []
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] not in quantized.constants:
            source = quantized.producers[node.input[0]].input[0]
            tensor = node.output[0] if node.output[0] in quantized.output_names else source
            tensors[tensor], feeds[node.output[0]] = (node.input[0], node.output[0]), node.output[0]
        else:
            kept.append(node)
    for name in quantized.stored_reals():
        if name in dumped and name not in tensors:
            tensors[name], feeds[name] = (name, fed_name(name)), fed_name(name)
    for node in kept:
        for i, name in enumerate(node.input):
            if name in feeds:
                node.input[i] = feeds[name]
    del graph.node[:], graph.output[:], graph.value_info[:]
    graph.node.extend(kept)
    shown = quantized.show(graph, [file_name for file_name, _ in tensors.values()])
    for name, fed in feeds.items():
        graph.input.append(helper.make_tensor_value_info(fed, quantized.types[name], None))
    return tensors, shown, cut


def half_steps(ours, theirs):
    """Elementwise distances in units of the last place of the larger number, in half precision."""
    larger = np.maximum(np.abs(ours), np.abs(theirs)).astype(np.float16)
    return np.abs(ours.astype(np.float64) - theirs.astype(np.float64)) / np.spacing(larger).astype(np.float64)


class TensorErrors:
    """The worst of each kind of tensor, and what is beyond its limit."""

    def __init__(self):
        self.worst = collections.defaultdict(float)
        self.failures = []

    def judge(self, what, error, limit, place):
        self.worst[what] = max(self.worst[what], error)
        if not error <= limit:
            self.failures.append(f"{place}: {what} {error:.4g} is more than {limit}")

    def __str__(self):
        return ", ".join(f"{what} {error:.3g}" for what, error in sorted(self.worst.items()))


def compare_tensor(errors, quantized, grid, shown, ours, theirs, tensor):
    """One tensor of one sample: `theirs` is what ONNX Runtime computes, in the form the file keeps it in."""
    if grid is not None:
        distance = np.abs(grid.codes_of(ours) - theirs)
        limit = MAX_PERCENT_UNEQUAL_16 if "16" in str(grid.zero_points.dtype) else MAX_PERCENT_UNEQUAL
        unequal = 100.0 * np.count_nonzero(distance) / max(distance.size, layers.SMALL_TENSOR)
        errors.judge("codes unequal (%)", unequal, limit, tensor)
        errors.judge("codes apart", float(distance.max(initial=0)), 1.0, tensor)
        return
    if quantized.is_half(shown):
        lost = np.count_nonzero(ours.astype(np.float16).astype(np.float32) != ours)
        errors.judge("unrounded halves", lost, 0, tensor)
        theirs = theirs.astype(np.float32)
        # Where terms cancel, the last bits of the terms count.
        near_zero = np.abs(ours - theirs) <= agreement.MAX_RELATIVE * np.abs(ours).max(initial=0)
        errors.judge("halves apart", float(half_steps(ours, theirs)[~near_zero].max(initial=0)), MAX_HALF_STEPS, tensor)
        return
    span = max(float(np.abs(theirs).max(initial=0)), 1e-30)
    errors.judge("of the range", float(np.abs(ours - theirs).max(initial=0)) / span, MAX_OF_RANGE, tensor)


def check_tensors(checks, tools, case, quantized, folder):
    """Every tensor of the file, from our tensors in front of it."""
    tools.run(case, quantized.path, "simulated", folder / "tensors", "--dump_tensors", "all")
    dumped = {path.name for path in (folder / "tensors" / "Result_0").glob("*.raw")}
    names = {name for name in quantized.types if name.replace("/", "_") + ".raw" in dumped}
    tensors, outputs, cut = cut_everywhere(quantized, names)
    shapes = tensor_shapes(quantized, [shown for shown, _ in tensors.values()], case.feeds()[0], folder)
    onnx.save(cut, folder / "cut.onnx")
    session = agreement.open_session(folder / "cut.onnx", optimized=False)
    grids, errors = quantized.grids(), TensorErrors()
    for i, feed in enumerate(case.feeds()):
        feed = {name: value for name, value in feed.items()}
        ours = {}
        for tensor, (shown, fed) in tensors.items():
            ours[tensor] = read_result(folder / "tensors", i, tensor).reshape(shapes[shown])
            feed[fed] = ours[tensor].astype(np.float16) if quantized.is_half(shown) else ours[tensor]
        theirs = agreement.run_session(session, feed)
        for tensor, (shown, _) in tensors.items():
            compare_tensor(errors, quantized, grids.get(tensor), shown, ours[tensor], theirs[outputs[shown]], tensor)
    checks.note(f"tensors    {errors}")
    checks.expect(not errors.failures, "; ".join(errors.failures[:4]))


def tensor_shapes(quantized, names, feed, folder):
    """The shapes of file tensors, from a run of ONNX Runtime."""
    whole = onnx.ModelProto()
    whole.CopyFrom(quantized.proto)
    del whole.graph.output[:]
    shown = quantized.show(whole.graph, names)
    onnx.save(whole, folder / "all_outputs.onnx")
    outputs = agreement.run_onnxruntime(folder / "all_outputs.onnx", [feed], optimized=False)[0]
    return {name: outputs[shown[name]].shape for name in names}


# --- Converts, counted.

def count_converts(quantized):
    """The converts of the file."""
    return {"QuantizeLinear": len(quantized.nodes("QuantizeLinear")), "Cast": len(real_casts(quantized))}


def outputs_of_steps(program, kind):
    """What the steps of one kind write in a printed Program: names and grids."""
    steps = re.split(r"\n(?=\d+  )", program)
    return [re.search(r"      out (.*)", step).group(1) for step in steps if step.split()[1:2] == [kind]]


def real_casts(quantized):
    real = (TensorProto.FLOAT, TensorProto.FLOAT16)
    return [node for node in quantized.nodes("Cast") if quantized.types.get(node.input[0]) in real and
            quantized.types[node.output[0]] in real]


def check_converts(checks, tools, case, quantized, folder, encodings, uniform_islands=frozenset()):
    """The number of converts, and that none is there twice. Returns the Borders."""
    program = tools.program(quantized.path, *case.dims_options())
    codes = {entry["name"] for entry in encodings["activation_encodings"] if entry["dtype"] == "INT"}
    dumped = {path.name for path in (folder / "tensors" / "Result_0").glob("*.raw")}
    names = {name for name in quantized.types if name.replace("/", "_") + ".raw" in dumped}
    borders = Borders(quantized, codes, names, uniform_islands)
    least, found = borders.count(), count_converts(quantized)
    for kind in ("quantize", "dequantize", "requantize"):
        written = outputs_of_steps(program, kind)
        found[kind] = len(written)
        checks.expect(len(set(written)) == len(written), f"a tensor is written by two steps of kind {kind}")
    checks.note("converts   " + ", ".join(f"{kind} {count}" for kind, count in found.items()))
    for kind in ("QuantizeLinear", "Cast"):
        checks.expect(found[kind] == least[kind], f"{found[kind]} times {kind}, {least[kind]} are needed")
    # Reading the file lets codes pass through what only moves them, also where a tensor behind was to be real: fewer
    # quantize steps, but perhaps two dequantize steps where one in front of the move would do.
    moved = [name for name in borders.tensors if name not in codes and f"out '{name}' uint" in program]
    checks.expect(found["quantize"] <= least["quantize"], f"{found['quantize']} quantize, not {least['quantize']}")
    checks.expect(found["dequantize"] <= least["dequantize"] + len(moved),
                  f"{found['dequantize']} dequantize, not {least['dequantize']} and {len(moved)} moved")
    same = collections.Counter((node.input[0], quantized.types[node.output[0]]) for node in real_casts(quantized))
    checks.expect(all(count == 1 for count in same.values()), f"{same.most_common(1)} is cast twice")
    check_islands(checks, borders, program)
    return borders


def check_islands(checks, borders, program):
    """Everything that was not ordered to be real, and can be computed on integers, is."""
    for name, line in islands_of(program).items():
        unexplained = [node for node in borders.nodes if node.name == name and name not in borders.islands and
                       borders.form_of_node(node) == "codes" and
                       not (borders.moves(node) and borders.moves_reals(node))]
        checks.expect(not unexplained, f"a float island without an order: {line}")


def islands_of(program):
    """{name of the node: reason}, from a printed Program."""
    lines = program.partition("Float islands\n")[2].splitlines()
    return {line.split("'")[1]: line for line in lines if "'" in line}


# --- What was ordered, and the whole network.

def check_obeyed(checks, borders, kinds, warnings):
    """That every tensor has the precision that its lot, or QNN's rule for linear operators, says."""
    linear = {}
    for node in borders.nodes:
        if node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
            group = [borders.prepared_name(node.output[0]), *map(borders.constant_name, node.input[1:3])]
            if any(kinds.get(name) in (HALF, SINGLE) for name in group):
                linear.update({name: group for name in group})
    told = " ".join(warnings)
    for name, kind in kinds.items():
        found = borders.kind_of(name)
        allowed = {kind} if kind in INTEGERS else {kind, SINGLE} if name in borders.inputs else {kind}
        if name in linear and kind in INTEGERS:
            allowed = {kinds[other] for other in linear[name] if kinds.get(other) in (HALF, SINGLE)}
        if found is not None and f"'{name}' stays float" not in told:
            checks.expect(found in allowed, f"{name} is {found}, ordered {kind}")


def relative_error(ours, theirs, reference):
    """Over all outputs of all samples, the norm of the difference over that of `reference`."""
    a, b, c = (np.concatenate([sample[name].reshape(-1) for sample in outputs for name in sorted(reference[0])])
               .astype(np.float64) for outputs in (ours, theirs, reference))
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(c), 1e-30))


def equal_top1(ours, theirs):
    """The share of samples whose largest element of the first output is the same."""
    name = next(iter(theirs[0]))
    return float(np.mean([np.argmax(a[name]) == np.argmax(b[name]) for a, b in zip(ours, theirs, strict=True)]))


def check_whole(checks, tools, case, model, folder, label):
    """The file end to end: ours against ONNX Runtime's, in proportion to what quantization changes."""
    real = tools.outputs(case, case.model, "float", folder / "float")
    ours = tools.outputs(case, model, "simulated", folder / "simulated")
    tools.outputs(case, model, "fixed", folder / "fixed")
    feeds = case.feeds()
    plain = agreement.run_onnxruntime(model, feeds, False)
    optimized = agreement.run_onnxruntime(model, feeds, True)
    lost, itself = relative_error(ours, real, real), relative_error(optimized, plain, real)
    apart = {"plain": relative_error(ours, plain, real), "optimized": relative_error(ours, optimized, real)}
    checks.note(f"{label:10} of float {lost:.3g}; of ONNX Runtime plain {apart['plain']:.2g}, optimized "
                f"{apart['optimized']:.2g}, itself {itself:.2g}; equal top-1 {equal_top1(ours, plain):.2f}")
    if sum(output.size for outputs in real for output in outputs.values()) < MIN_VALUES_JUDGED:
        return
    limit = max(MAX_OF_QUANTIZATION_ERROR * lost, SELF_MARGIN * itself)
    for kind, error in apart.items():
        checks.expect(error <= limit, f"{label} {kind}: {error:.3g} apart, {limit:.3g} allowed")


def check(checks, tools, case, folder, seeds=SEEDS):
    """The uniform run, then one run for each seed, and one with 4 bits everywhere, which must only load."""
    uniform = tools.quantize(case, folder / "uniform", "--effort", "fast")
    check_whole(checks, tools, case, uniform.model, folder / "uniform", "uniform")
    encodings = uniform.read_encodings()
    islands = set(islands_of(tools.program(uniform.model, *case.dims_options())))
    for seed in seeds:
        check_lot(checks, tools, case, folder / f"seed{seed}", encodings, draw(encodings, seed), islands)
    narrow = write_mixed(tools, case, folder / "narrow", encodings, dict.fromkeys(draw(encodings, 1), "int4"))
    agreement.run_onnxruntime(narrow.model, case.feeds()[:1], True)


def write_mixed(tools, case, folder, encodings, kinds):
    """quantize with the overrides file of `kinds`."""
    folder.mkdir(parents=True, exist_ok=True)
    overrides = folder / "overrides.json"
    overrides.write_text(overrides_of(kinds, encodings))
    return tools.quantize(case, folder, "--effort", "fast", "--quantization_overrides", overrides)


def check_lot(checks, tools, case, folder, encodings, kinds, islands):
    """One assignment."""
    written = write_mixed(tools, case, folder, encodings, kinds)
    onnx.checker.check_model(str(written.model), full_check=True)
    quantized = MixedFile(written.model)
    check_tensors(checks, tools, case, quantized, folder)
    borders = check_converts(checks, tools, case, quantized, folder, written.read_encodings(), islands)
    check_obeyed(checks, borders, kinds, written.read_report()["warnings"])
    check_whole(checks, tools, case, written.model, folder, "whole")
