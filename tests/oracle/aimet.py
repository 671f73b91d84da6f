"""aimet.py: encodings of aimet_onnx in quantize, and those of quantize in aimet_onnx.

Runs only where HALFSTEP_AIMET_PYTHON names a Python that has aimet_onnx (tried: 2.42.0), which needs packages of
several gigabytes: python3 -m venv DIR && DIR/bin/pip install aimet-onnx.
"""
import json
import os
import pathlib
import subprocess

import numpy as np
import onnx
from onnx import numpy_helper

from halfstep_tools import Quantized, ToolError

VERSIONS = ("0.6.1", "1.0.0", "2.0.0")
NUM_SAMPLES = 4
MOVING = ("Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "MaxPool")
TIMEOUT_SECONDS = 600
SCRIPT = pathlib.Path(__file__).resolve().parent / "aimet_sim.py"


def python():
    """The interpreter with aimet_onnx, or an empty text."""
    return os.environ.get("HALFSTEP_AIMET_PYTHON", "")


def call(folder, *arguments):
    """Runs aimet_sim.py."""
    command = [python(), "-B", str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise ToolError(f"{' '.join(command)}: {lines[-1] if lines else done.returncode}")


def grid_of(entry):
    """(bits, scales as float32, offsets on the grid from 0 to 2^bits - 1) of an entry of any version."""
    if isinstance(entry, list):
        return (entry[0]["bitwidth"], np.float32([e["scale"] for e in entry]), [int(e["offset"]) for e in entry])
    if "bw" in entry:
        return entry["bw"], np.float32(entry["scale"]), [int(offset) for offset in entry["offset"]]
    signed = entry["output_dtype"].startswith("int")
    bits = int(entry["output_dtype"].lstrip("uint"))
    scales = np.atleast_1d(np.float32(entry["y_scale"]))
    zero_points = np.broadcast_to(entry.get("y_zero_point", 0), scales.shape)
    return bits, scales, [-int(zero_point) - (2**(bits - 1) if signed else 0) for zero_point in zero_points]


def entries_of(path):
    """Entries by name."""
    document = json.loads(pathlib.Path(path).read_text())
    entries = {}
    for section in ("activation_encodings", "param_encodings", "encodings"):
        found = document.get(section, {})
        entries.update(found if isinstance(found, dict) else {entry["name"]: entry for entry in found})
    return entries


def differs(a, b):
    """Why two grids are not the same; empty if they are. 0.6.1 says min and max as well, which round otherwise."""
    if a[0] != b[0]:
        return f"{a[0]} bits against {b[0]}"
    if a[2] != b[2]:
        return f"offsets {a[2][:3]} against {b[2][:3]}"
    error = np.max(np.abs(a[1] / b[1] - 1)) if a[1].shape == b[1].shape else np.inf
    return "" if error <= 2e-7 else f"scales differ by {error:.1e}"


def needs_no_entry(name, entries, graph):
    """A bound of a Clip, or what a Clip or Relu limits to the grid that it has itself."""
    readers = [node for node in graph.node if name in node.input]
    if any(node.op_type == "Clip" and name in node.input[1:] for node in readers):
        return True
    limits = readers[0].op_type in ("Clip", "Relu") if len(readers) == 1 else False
    return limits and not differs(grid_of(entries[name]), grid_of(entries[readers[0].output[0]]))


def check_obeyed(checks, tools, case, model, theirs, version, folder):
    """quantize --quantization_overrides `theirs`: every entry is in our encodings, and weights are on it."""
    ours = Quantized(*(folder / f"{version}.{kind}" for kind in ("onnx", "encodings.json", "report.json")))
    tools.call("quantize", ["--quantization_overrides", theirs, "--input_list", case.calibration, "--effort", "fast",
                            "--validate", "1", "--output_path", ours.model, "--report", ours.report,
                            "--encodings_out", ours.encodings], [model])
    proto = onnx.load(model)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    codes = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(ours.model).graph.initializer}
    entries, written = entries_of(theirs), entries_of(ours.encodings)
    num_same = 0
    for name, entry in entries.items():
        if name not in written:
            checks.expect(needs_no_entry(name, entries, proto.graph), f"{version}: no encoding for {name}")
            continue
        grid = grid_of(entry)
        why = differs(grid, grid_of(written[name]))
        checks.expect(not why, f"{version}: {name}: {why}")
        num_same += not why
        if constants.get(name, np.float32(0)).ndim > 1 and name + "_quantized" in codes:
            scales = grid_of(written[name])[1]
            shape = [-1] + [1] * (constants[name].ndim - 1)  # Of Conv, and of Gemm with transB.
            want = np.clip(np.rint(constants[name] / scales.reshape(shape)), -128, 127)
            checks.expect(np.array_equal(codes[name + "_quantized"], want), f"{version}: codes of {name}")
    checks.note(f"{version}      {num_same} of {len(entries)} entries, the others are part of a clamp")
    checks.expect(num_same > len(entries) / 2, f"{version}: only {num_same} of {len(entries)} entries were found")


def check_loads(checks, tools, case, model, version, folder):
    """load_encodings_to_sim takes our file, and its quantizers hold our grids."""
    ours = Quantized(*(folder / f"ours{version}.{kind}" for kind in ("onnx", "encodings.json", "report.json")))
    tools.call("quantize", ["--input_list", case.calibration, "--effort", "fast", "--validate", "1",
                            "--encodings_version", version, "--output_path", ours.model, "--report", ours.report,
                            "--encodings_out", ours.encodings], [model])
    loaded = folder / f"loaded{version}.json"
    call(folder, "load", model, ours.encodings, loaded)
    written, held = entries_of(ours.encodings), entries_of(loaded)
    moved = {node.output[0]: node.input[0] for node in onnx.load(model).graph.node if node.op_type in MOVING}
    for name, entry in written.items():
        grid = grid_of(entry)
        if grid[0] == 32:
            continue  # AIMET keeps the grid of a bias and computes with the real values.
        # Of moved data AIMET keeps the quantizer of the input.
        kept = name in held or (name in moved and not differs(grid, grid_of(written[moved[name]])))
        checks.expect(kept, f"{version}: AIMET dropped {name}")
        why = differs(grid, grid_of(held[name])) if name in held else ""
        checks.expect(not why, f"{version}: {name} in AIMET: {why}")
    checks.note(f"{version}      {len(held)} quantizers hold our {len(written)} entries")


def check(checks, tools, case, folder):
    """Both ways, in every version that both sides write."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = []
    for i, feed in enumerate(case.feeds()[:NUM_SAMPLES]):
        samples.append(folder / f"sample{i}.npz")
        np.savez(samples[-1], **feed)
    model = folder / "model.onnx"
    call(folder, "export", case.model, folder, *VERSIONS, "--", *samples)
    for version in VERSIONS:
        check_obeyed(checks, tools, case, model, folder / f"{version}.encodings", version, folder)
        check_loads(checks, tools, case, model, version, folder)
