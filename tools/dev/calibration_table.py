#!/usr/bin/env python3
"""calibration_table.py: measures every range estimator and prints the tables of docs/calibration.md.

  calibration_table.py [--tools build/release/tools] [--shared ../shared] [--work FOLDER] [--only MODEL] [--update]

For each model and kind of grid: quantize on the calibration samples, quantize-eval in fixed point on the evaluation
samples. Takes an hour on two cores; at the end quantize is timed again, alone: let nothing else run then. --work keeps
prepared photos (2 GB; needs Pillow and numpy) and results, so that a second call goes on where the first one stopped.
--update writes the tables into docs/calibration.md.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "calibration.md"
BEGIN, END = "<!-- tables: tools/dev/calibration_table.py -->\n", "<!-- end of tables -->\n"

POWER_OF_TWO = ("--scale", "power_of_two", "--arithmetic", "shift_half_even")
PER_TENSOR = ("--use_per_channel_quantization", "false")
GRIDS = {
    "affine, weights per channel": (),
    "affine, weights per channel, activations of depthwise convolutions, too": ("--act_per_channel", "depthwise"),
    "affine, per tensor": PER_TENSOR,
    "power of two, per tensor": (*POWER_OF_TWO, *PER_TENSOR),
    "power of two, weights per channel": POWER_OF_TWO,
}
ACTIVATIONS = ("min-max", "moving-average", "mean-minmax", "mean-std", "percentile", "entropy", "mse", "sqnr")
WEIGHTS = ("min-max", "mean-std", "percentile", "entropy", "mse", "sqnr", "adjusted")
# Nothing but digits and mobilenetv2_tv has depthwise convolutions.
MODELS = {"mobilenetv2_tv": list(GRIDS), "squeezenet1_1": [g for g in GRIDS if "depthwise" not in g],
          "digits": list(GRIDS)}


def methods_for(model, grid):
    """(activations, weights): one varies, the other has what suits the grid; weights where their ranges matter most."""
    weights = "mse" if grid.startswith("power of two") else "min-max"
    pairs = [("min-max", "min-max")] + [(method, weights) for method in ACTIVATIONS]
    if grid.endswith("per tensor") and model == "mobilenetv2_tv":
        pairs += [("percentile", method) for method in WEIGHTS]
    return list(dict.fromkeys(pairs))


class Samples:
    """Model, lists and labels of a model of ../shared; with a `count`, only so many samples of each list."""

    def __init__(self, name, shared, work, count=None):
        if name == "digits":
            folder = shared / "data" / "digits"
            self.model, self.calib = folder / "digits.onnx", folder / "calib.txt"
            self.eval, self.labels = folder / "eval.txt", folder / "eval_labels.txt"
            return
        self.model = shared / "data" / "models" / f"{name}.onnx"
        suffix, limit = (f".{count}", ["--count", str(count)]) if count else ("", [])
        folders = {split: work / f"{name}.{split}{suffix}" for split in ("calib", "eval")}
        for split, folder in folders.items():
            if not (folder / "input_list.txt").exists():
                print(f"preparing {folder}", file=sys.stderr)
                subprocess.run([sys.executable, shared / "tools" / "prepare_inputs.py", name, folder, "--split", split,
                                *limit], check=True, stdout=subprocess.DEVNULL)
        self.calib = folders["calib"] / "input_list.txt"
        self.eval, self.labels = folders["eval"] / "input_list.txt", folders["eval"] / "labels.txt"


def quantize(tools, samples, options, quantized):
    """Seconds of the whole process."""
    start = time.monotonic()
    subprocess.run([tools / "quantize", "--quiet", "--validate", "0", "--input_list", samples.calib, samples.model,
                    "--output_path", quantized, *options], check=True, capture_output=True)
    return time.monotonic() - start


def reports(tools, samples, options, labels):
    """What quantize and quantize-eval report; `labels`: whether those of the samples are those of the output."""
    with tempfile.TemporaryDirectory() as folder:
        quantized, report = f"{folder}/q.onnx", f"{folder}/e.json"
        quantize(tools, samples, options, quantized)
        subprocess.run([tools / "quantize-eval", "--quiet", "--no_isolated", "--input_list", samples.eval,
                        *(("--labels", samples.labels) if labels else ()), "--report", report, samples.model,
                        quantized], check=True, capture_output=True)
        return [json.loads(pathlib.Path(path).read_text()) for path in (f"{folder}/q.report.json", report)]


def measure(tools, samples, options):
    """Top-1 and its drop, agreement, SQNR of the output in dB."""
    found = reports(tools, samples, options, labels=True)[1]
    metrics = found["metrics"]
    return {"top1": metrics["top1"]["quantized"], "drop": metrics["top1"]["drop"],
            "agreement": metrics["top1_agreement"], "sqnr": found["outputs"][0]["sqnr_db"]}


def median_seconds(tools, samples, options, runs=3):
    with tempfile.TemporaryDirectory() as folder:
        return sorted(quantize(tools, samples, options, f"{folder}/q.onnx") for _ in range(runs))[runs // 2]


def table(model, grid, rows):
    lines = [f"**{model}**, {grid}:", "", "| activations | weights | top-1 % | drop | agreement % | SQNR dB | seconds |",
             "|---|---|---|---|---|---|---|"]
    best = max(row["sqnr"] for row in rows.values())
    for (act, param), row in rows.items():
        sqnr = f"**{row['sqnr']:.1f}**" if row["sqnr"] == best else f"{row['sqnr']:.1f}"
        lines.append(f"| {act} | {param} | {row['top1']:.2f} | {row['drop']:+.2f} | {row['agreement']:.2f} | {sqnr} | "
                     f"{row['seconds']:.1f} |")
    return "\n".join(lines) + "\n\n"


def parser_for(description):
    """The options of scripts that measure."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=pathlib.Path, default=ROOT / "build" / "release" / "tools")
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "halfstep_calibration")
    parser.add_argument("--update", action="store_true")
    return parser


def put_into_document(begin, end, text):
    """Replaces what stands between two markers."""
    head, rest = DOCUMENT.read_text().split(begin)
    DOCUMENT.write_text(head + begin + "\n" + text + end + rest.split(end)[1])


def main():
    parser = parser_for(__doc__)
    parser.add_argument("--only", choices=MODELS)
    args = parser.parse_args()
    if args.only and args.update:
        parser.error("--update needs the tables of all models")
    args.work.mkdir(parents=True, exist_ok=True)
    kept = args.work / "results.json"
    results = json.loads(kept.read_text()) if kept.exists() else {}

    todo = [(model, grid, act, param) for model, grids in MODELS.items() if args.only in (None, model)
            for grid in grids for act, param in methods_for(model, grid)]
    samples = {model: Samples(model, args.shared.resolve(), args.work.resolve()) for model, *_ in todo}
    for part in ("sqnr", "seconds"):
        for model, grid, act, param in todo:
            row = results.setdefault(f"{model}: {grid}: {act}: {param}", {})
            if part in row:
                continue
            options = ("--effort", "fast", *GRIDS[grid], "--act_quantizer_calibration", act,
                       "--param_quantizer_calibration", param)
            if part == "sqnr":
                row.update(measure(args.tools, samples[model], options))
            else:
                row["seconds"] = median_seconds(args.tools, samples[model], options)
            kept.write_text(json.dumps(results, indent=1))
            print(model, grid, act, param, row, file=sys.stderr)

    text = ""
    for model, grid in dict.fromkeys((model, grid) for model, grid, *_ in todo):
        text += table(model, grid, {(act, param): results[f"{model}: {grid}: {act}: {param}"]
                                    for act, param in methods_for(model, grid)})
    if not args.update:
        print(text, end="")
        return
    put_into_document(BEGIN, END, text)


if __name__ == "__main__":
    main()
