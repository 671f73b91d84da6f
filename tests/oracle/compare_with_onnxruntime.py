#!/usr/bin/env python3
"""compare_with_onnxruntime.py: the tools against ONNX Runtime, on real models.

Float runs, simulated and fixed-point runs of the files quantize writes, those
files themselves, and import of files that ONNX Runtime's quantizer wrote. Prints
one table; exit status 1 if anything differs more than it may. run.sh calls it.
"""
import argparse
import dataclasses
import pathlib
import sys
import tempfile

import numpy as np
import onnx

import agreement
import aimet
import cases
import channel_clamps
import channel_grids
import dynamic
import fixed_layers
import fixed_nodes
import formulas
import gemm_biases
import imported_qdq
import layers
import mixed
import photos
import qdq_file
import range_leavers
import weight_only
from halfstep_tools import ToolError, Tools
from qdq_file import QdqFile

# Float: both sides round sums of thousands of terms in float32, so elements near
# zero may be outside of 1e-4 relative or 1e-5 absolute: of blazeface_front128 0.056 %
# are, of yolox_nano 0.029 %, of deeplabv3_mnv2 0.0003 %, elsewhere none. ONNX Runtime
# with and without optimizations: 0.049 %, 0.010 %, 0.0008 % in the same models. Of the range: yolox_nano, whose
# padding makes large areas err alike, is off what float64 gives by up to 0.8e-4 in ONNX Runtime and 0.5e-4 here
# (2 photos), so by up to 1.0e-4 from each other: its limit alone is wider.
MAX_PERCENT_OUTSIDE = 0.1
MAX_OF_RANGE = {"yolox_nano": 1.3e-4}
MAX_OF_RANGE_ELSE = 1e-4
# Quantized, end to end: this share within two steps, or, in models that amplify
# every flipped code (see layers.py), as much as ONNX Runtime agrees with itself.
# A step of 16 bits is so small that the order of sums alone moves outputs by several.
MIN_PERCENT_WITHIN_2 = {"plain": 99.9, "optimized": 99.0}
MIN_PERCENT_WITHIN_2_ACT16 = 97.0
# Both of its runs err in the last bits of float32 sums, ours sums integers: more codes next to a tie part ways, and
# deep networks amplify that. What each layer makes of the same inputs is held to tighter limits below.
SELF_AGREEMENT_MARGIN = {"plain": 6.0, "optimized": 10.0}
# Encoded constants of real models: a byte for each weight, four for each bias.
MAX_WEIGHT_BYTES_RATIO = 0.28
MAX_FILE_RATIO = 0.33
MIN_BYTES_FOR_FILE_RATIO = 2_000_000  # Below, names and nodes weigh as much as weights.

# Ranges alone, but for those that say otherwise.
VARIANTS = {
    "act16": ("--act_bitwidth", "16"),
    "weights4": ("--weights_bitwidth", "4"),
    "weights16": ("--weights_bitwidth", "16"),
    "act16_weights16": ("--act_bitwidth", "16", "--weights_bitwidth", "16"),
    "bias8": ("--bias_bitwidth", "8"),
    "power_of_two": ("--scale", "power_of_two"),
    "power_of_two_act16": ("--scale", "power_of_two", "--act_bitwidth", "16"),
    "per_tensor": ("--use_per_channel_quantization", "false"),
    "symmetric": ("--act_quantizer_schema", "symmetric"),
    "unsignedsymmetric": ("--act_quantizer_schema", "unsignedsymmetric"),
    "asymmetric_weights": ("--param_quantizer_schema", "asymmetric"),
    "unsignedsymmetric_weights": ("--param_quantizer_schema", "unsignedsymmetric"),
    "full_grid": ("--restrict_quantization_steps", "-0x80 0x7F"),
    "encodings_0.6.1": ("--encodings_version", "0.6.1"),
    "encodings_2.0.0": ("--encodings_version", "2.0.0"),
    "best": ("--effort", "best"),
    "per_tensor_best": ("--effort", "best", "--use_per_channel_quantization", "false", "--act_per_channel", "none"),
    "power_of_two_best": ("--effort", "best", "--scale", "power_of_two", "--use_per_channel_quantization", "false"),
}
# Written by ONNX Runtime's quantizer, run in fixed point.
SHARED_IMPORTS = {name: imported_qdq.VARIANTS[:2] for name in ("mobilenetv2_tv", "squeezenet1_1")}
# Quantized by photos, too.
PHOTO_MODEL, PHOTO_COUNT = "mobilenetv2_tv", 200
SHARED_AIMET = ("mobilenetv2_tv",)
# Their tensors are large, and what is checked of mixed precision takes minutes: left to --thorough.
SLOW_MIXED = {"deeplabv3_mnv2", "ppocrv2_det", "yolox_nano"}
WIDE = {"act16", "weights4", "weights16", "act16_weights16", "power_of_two_act16"}


class Checks:
    """Expectations; those that fail are printed and counted, none stops the others."""

    def __init__(self):
        self.num_failed = 0
        self.num_done = 0
        self.place = ""

    def expect(self, condition, message):
        self.num_done += 1
        if not condition:
            self.num_failed += 1
            print(f"FAILED {self.place}: {message}", flush=True)

    def note(self, text):
        print(f"{self.place:28} {text}", flush=True)

    def run(self, place, check, *arguments):
        """check(self, *arguments); a tool's failure is one failed expectation."""
        self.place = place
        try:
            check(self, *arguments)
        except ToolError as error:
            self.expect(False, str(error))
        except Exception as error:  # ONNX Runtime and numpy raise many types; the other models go on.
            self.expect(False, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")


def check_float(checks, tools, case, folder):
    """quantize-run --mode float against ONNX Runtime."""
    ours = tools.outputs(case, case.model, "float", folder / "float")
    errors = agreement.float_errors(ours, agreement.run_onnxruntime(case.model, case.feeds(), True, tools.num_threads))
    checks.note(f"float      {errors}")
    limit = MAX_OF_RANGE.get(case.name, MAX_OF_RANGE_ELSE)
    checks.expect(errors.percent_outside <= MAX_PERCENT_OUTSIDE and errors.worst_of_range <= limit,
                  f"float: {errors}; {errors.place}")


def check_simulated(checks, tools, case, written, folder, act16=False):
    """The quantized file in ONNX Runtime against quantize-run --mode simulated."""
    model = QdqFile(written.model)
    ours = tools.outputs(case, written.model, "simulated", folder / "simulated")
    steps, implied = model.output_steps(ours)
    if implied:
        checks.note(f"outputs without a grid, in steps of 1/255 of their range: {', '.join(implied)}")
    feeds = case.feeds()
    theirs = {kind: agreement.run_onnxruntime(written.model, feeds, kind == "optimized", tools.num_threads)
              for kind in ("plain", "optimized")}
    itself = agreement.step_shares(theirs["plain"], theirs["optimized"], steps)
    for kind, outputs in theirs.items():
        shares = agreement.step_shares(ours, outputs, steps)
        checks.note(f"{kind:10} {shares}")
        limit = min(MIN_PERCENT_WITHIN_2_ACT16 if act16 else MIN_PERCENT_WITHIN_2[kind],
                    itself.percent_within_2 - SELF_AGREEMENT_MARGIN[kind])
        checks.expect(shares.percent_within_2 >= limit,
                      f"{kind}: {shares} at {shares.place}; at least {limit:.2f} % must be within two steps")
    if itself.percent_within_2 < MIN_PERCENT_WITHIN_2["plain"]:
        checks.note(f"itself     {itself}   (ONNX Runtime with and without optimizations)")
    layers.check_layers(checks, tools, case, written.model, folder, "layers", act16)
    if not act16:  # ONNX Runtime has no kernels for 16-bit activations.
        fixed_layers.check_fixed_layers(checks, tools, case, written.model, folder, "fixed")


def check_quantized(checks, tools, case, folder):
    """The files of a default run, and that a second run and other thread counts give the same bytes."""
    written = tools.quantize(case, folder)
    model = QdqFile(written.model)
    qdq_file.check_structure(checks, model, case.proto, wide=False)
    qdq_file.check_encodings(checks, model, written.read_encodings(), "1.0.0")
    qdq_file.check_report(checks, written.read_report(), "quantize")
    qdq_file.check_report(checks, tools.evaluate(case, folder / "eval.json", quantized=written.model), "eval")
    ratio = qdq_file.weight_bytes_ratio(model)
    checks.expect(ratio <= MAX_WEIGHT_BYTES_RATIO, f"encoded constants take {ratio:.3f} of their float size")
    file_ratio = written.model.stat().st_size / case.model.stat().st_size
    checks.note(f"size       {file_ratio:.3f} of the float file, encoded constants {ratio:.3f}")
    if case.model.stat().st_size >= MIN_BYTES_FOR_FILE_RATIO:
        checks.expect(file_ratio <= MAX_FILE_RATIO, f"the file is {file_ratio:.3f} of the float file")
    for num_threads in (1, 2):
        again = tools.quantize(case, folder / f"threads{num_threads}", "--threads", num_threads)
        checks.expect(again.encodings.read_bytes() == written.encodings.read_bytes(),
                      f"--threads {num_threads} gives other encodings")
        checks.expect(again.model.read_bytes() == written.model.read_bytes(),
                      f"--threads {num_threads} gives another model")
    check_simulated(checks, tools, case, written, folder)


def check_option(checks, tools, case, name, folder):
    """One set of options of quantize."""
    options = VARIANTS[name]
    described = case  # By the encodings: where algorithms change the float model, what they make of it.
    if "--effort" in options:
        described = dataclasses.replace(case, model=folder / "float.onnx")
        written = tools.quantize(case, folder, "--float_out", described.model, *options)
        check_tuned(checks, written.read_report())
    else:
        written = tools.quantize(case, folder, "--effort", "fast", *options)
    model = QdqFile(written.model)
    qdq_file.check_structure(checks, model, case.proto, wide=name in WIDE)
    version = name.removeprefix("encodings_") if name.startswith("encodings_") else "1.0.0"
    qdq_file.check_encodings(checks, model, written.read_encodings(), version)
    check_option_grids(checks, name, model)
    check_simulated(checks, tools, case, written, folder, act16="act16" in name)
    # The same encodings on the float model give the same results.
    by_model = tools.evaluate(described, folder / "eval.json", quantized=written.model)
    by_encodings = tools.evaluate(described, folder / "eval_encodings.json", "--encodings", written.encodings)
    for a, b in zip(by_model["outputs"], by_encodings["outputs"], strict=True):
        checks.expect(abs(a["sqnr_db"] - b["sqnr_db"]) < 0.1,
                      f"{a['name']}: {a['sqnr_db']} dB from the model, {b['sqnr_db']} dB from the encodings")


def check_tuned(checks, report):
    """That algorithms changed the model; otherwise the run says nothing about what they write."""
    kept = [step["algorithms"] for step in report.get("tuning", []) if not step["undone"]]
    checks.note(f"tuned      {', '.join(kept)}")
    checks.expect("round,bias-correction" in kept, f"of --effort best only {kept} is kept")


def check_option_grids(checks, name, model):
    """That the option did to the grids what it says."""
    grids = model.grids().values()
    activations = [grid for grid in grids if not grid.is_constant]
    weights = [grid for grid in grids if grid.is_constant and str(grid.dtype) != "int32"]
    if "act16" in name:
        checks.expect(all("16" in str(grid.dtype) for grid in activations), "an activation has no 16-bit grid")
    if "weights16" in name:
        checks.expect(any(str(grid.dtype) == "int16" for grid in weights), "no weight has a 16-bit grid")
    if name == "weights4":
        checks.expect(any(str(grid.dtype) == "int4" for grid in weights), "no weight has a 4-bit grid")
    if name.startswith("power_of_two"):
        checks.expect(all(np.all(np.frexp(grid.scales)[0] == 0.5) for grid in grids), "a scale is no power of two")
    if name.startswith("power_of_two") or name in ("symmetric", "unsignedsymmetric"):
        checks.expect(all(np.all(grid.zero_points == 0) for grid in activations), "an activation has a zero point")
    if name.startswith("per_tensor"):
        checks.expect(all(grid.scales.ndim == 0 for grid in grids), "a tensor has a scale a channel")


def check_batch(checks, tools, case, folder):
    """A model with a symbolic batch, quantized at batch 1, runs at batch 3 in ONNX Runtime."""
    written = tools.quantize(case, folder)
    feeds = case.feeds()[:3]
    name = case.input.name
    together = agreement.run_onnxruntime(written.model, [{name: np.concatenate([feed[name] for feed in feeds])}], False)
    apart = agreement.run_onnxruntime(written.model, feeds, False)
    joined = [{output: np.concatenate([sample[output] for sample in apart]) for output in together[0]}]
    steps, _ = QdqFile(written.model).output_steps(apart)
    shares = agreement.step_shares(together, joined, steps)
    checks.note(f"batch of 3 {shares}")
    checks.expect(shares.percent_within_2 >= 99.9, f"batch of 3 against one by one: {shares} at {shares.place}")


def check_labels(checks, tools, case, folder):
    """quantize-eval with labels, on all held-out digits."""
    written = tools.quantize(case, folder)
    whole = dataclasses.replace(case, evaluation=cases.DIGITS / "eval.txt")
    report = tools.evaluate(whole, folder / "labels.json", "--labels", cases.DIGITS / "eval_labels.txt",
                            quantized=written.model)
    qdq_file.check_report(checks, report, "eval", with_labels=True)
    top1 = report["metrics"]["top1"]
    checks.note(f"top-1      float {top1['float']:.2f} %, quantized {top1['quantized']:.2f} %")
    checks.expect(top1["drop"] <= 0.4, f"top-1 drops by {top1['drop']:.2f}")


def run_all(checks, tools, work, shared, only, thorough):
    """Every check; `only` restricts it to models by name, `thorough` is of SLOW_MIXED and of all seeds of mixed.py."""
    chosen = cases.shared_cases(shared, work) if shared else cases.digits_cases(work)
    if not shared and not only:
        checks.run("ONNX node tests", fixed_nodes.check_node_cases, tools, work / "nodes")
        checks.run("photos", photos.check, tools, work / "photos")
    for case in chosen:
        if only and case.name not in only:
            continue
        folder = work / case.name
        checks.run(case.name, check_float, tools, case, folder)
        checks.run(case.name, check_quantized, tools, case, folder / "default")
        if thorough or case.name not in SLOW_MIXED:
            seeds = mixed.SEEDS if thorough or not shared else mixed.SEEDS[:1]
            checks.run(f"{case.name} mixed", mixed.check, tools, case, folder / "mixed", seeds)
        if shared:
            if aimet.python() and case.name in SHARED_AIMET:
                checks.run(f"{case.name} AIMET", aimet.check, tools, case, folder / "aimet")
            if case.name == PHOTO_MODEL:
                checks.run(f"{case.name} photos", photos.check_encodings, tools, case, shared, folder / "photos",
                           PHOTO_COUNT)
            for variant in SHARED_IMPORTS.get(case.name, ()):
                checks.run(f"{case.name} from ORT", imported_qdq.check_fixed, tools, case, variant, folder / "imported")
            continue
        checks.run(case.name, check_batch, tools, case, folder / "batch")
        checks.run(f"{case.name} dynamic", dynamic.check, tools, case, folder / "dynamic")
        if case.name != "digits":
            continue
        if aimet.python():
            checks.run("digits AIMET", aimet.check, tools, case, folder / "aimet")
        else:
            print("SKIPPED: AIMET, HALFSTEP_AIMET_PYTHON names no Python that has aimet_onnx", flush=True)
        checks.run(case.name, check_labels, tools, case, folder / "labels")
        for name in VARIANTS:
            checks.run(f"{case.name} {name}", check_option, tools, case, name, folder / name)
        (folder / "imported").mkdir(parents=True, exist_ok=True)
        checks.run("biases of Gemm", gemm_biases.check, tools, folder / "gemm_biases")
        checks.run("dynamic products", dynamic.check_products, tools, folder / "dynamic_products")
        checks.run("formulas", formulas.check, tools, folder / "formulas")
        checks.run("clamps by channel", channel_clamps.check, tools, folder / "channel_clamps")
        checks.run("grids by channel", channel_grids.check, tools, folder / "channel_grids")
        checks.run("weights alone", weight_only.check, tools, folder / "weight_only")
        checks.run("outputs beyond inputs", range_leavers.check, tools, folder / "range_leavers")
        for variant in imported_qdq.VARIANTS:
            checks.run(f"{case.name} from ORT", imported_qdq.check_variant, tools, case, variant, folder / "imported")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=pathlib.Path, required=True, help="folder of the built tools")
    parser.add_argument("--shared", type=pathlib.Path, help="a ../shared folder: its models, not ours")
    parser.add_argument("--work", type=pathlib.Path, help="folder for all files made; a temporary one by default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", default=[], metavar="MODEL", help="only these models, by file stem")
    parser.add_argument("--thorough", action="store_true", help="also what takes long")
    arguments = parser.parse_args()

    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="halfstep_oracle_") as temporary:
        work = (arguments.work or pathlib.Path(temporary)).resolve()
        print("percent of output elements within half a step, one, two steps of ONNX Runtime's:", flush=True)
        run_all(checks, Tools(arguments.tools, arguments.threads), work, arguments.shared, arguments.only,
                arguments.thorough)
    print(f"{checks.num_done} checks, {checks.num_failed} failed (onnxruntime {agreement.onnxruntime.__version__}, "
          f"onnx {onnx.__version__}, numpy {np.__version__})")
    return 1 if checks.num_failed or not checks.num_done else 0


if __name__ == "__main__":
    sys.exit(main())
