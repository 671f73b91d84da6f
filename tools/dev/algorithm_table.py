#!/usr/bin/env python3
"""algorithm_table.py: measures levels of effort, recipes and single algorithms, and prints the tables of
docs/calibration.md, chapter Algorithms.

  algorithm_table.py [--tools build/release/tools] [--shared ../shared] [--work FOLDER] [--count N] [--update]

As calibration_table.py, whose prepared photos it uses if --work is the same: quantize, then quantize-eval in fixed
point; at the end quantize is timed again, alone. --count N takes the first N samples of each list only, to try the
script. A second call goes on where the first one stopped. --update writes the tables into docs/calibration.md.
"""
import json
import sys

import calibration_table as table

BEGIN, END = "<!-- algorithms: tools/dev/algorithm_table.py -->\n", "<!-- end of algorithms -->\n"

SCHEMES = ("--effort fast", "", "--effort best", "--effort best --use_per_channel_quantization false",
           "--config power-of-two", "--config power-of-two --use_per_channel_quantization true", "--config w8a16",
           "--config w4a8", "--config tidl-advanced", "--config tidl-depthwise", "--config qnn-enhanced-cle")
ALGORITHMS = ("none", "cle", "hba", "weight-clip", "bias-correction", "equalize", "round", "equalize,bias-correction",
              "equalize,round,bias-correction")
ABLATION_SAMPLES = 100


def measure_scheme(tools, samples, scheme):
    return table.measure(tools, samples, scheme.split())


def measure_algorithms(tools, samples, algorithms):
    """SQNR of the output in dB, and what became of each step on the held-out samples."""
    options = ("--effort", "fast", "--algorithms", algorithms)
    made, judged = table.reports(tools, samples, options, labels=False)
    steps = [{"algorithms": step["algorithms"], "undone": step["undone"]} for step in made.get("tuning", [])]
    return {"sqnr": judged["outputs"][0]["sqnr_db"], "steps": steps}


def judgement(algorithms, steps):
    """"kept", or each step with what became of it; a step that a model cannot have is in no report."""
    if algorithms == "none":
        return ""
    words = [(step["algorithms"], "undone" if step["undone"] else "kept") for step in steps]
    if len(words) == 1 and words[0][0] == algorithms:
        return words[0][1]
    return ", ".join(f"{name} {word}" for name, word in words) or "left out"


def sqnr_text(rows, row):
    text = f"{row['sqnr']:.1f}"
    return f"**{text}**" if row["sqnr"] == max(other["sqnr"] for other in rows.values()) else text


def scheme_table(rows):
    lines = ["**mobilenetv2_tv**, levels of effort and recipes:", "",
             "| options | top-1 % | drop | agreement % | SQNR dB | seconds |", "|---|---|---|---|---|---|"]
    for scheme, row in rows.items():
        name = f"`{scheme}`" if scheme else "none (the default)"
        lines.append(f"| {name} | {row['top1']:.2f} | {row['drop']:+.2f} | {row['agreement']:.2f} | "
                     f"{sqnr_text(rows, row)} | {row['seconds']:.1f} |")
    return "\n".join(lines) + "\n\n"


def ablation_table(rows):
    lines = ["**mobilenetv2_gluon_features**, `--effort fast` (min-max, weights per channel) and algorithms:", "",
             "| `--algorithms` | SQNR dB | held-out samples |", "|---|---|---|"]
    for algorithms, row in rows.items():
        lines.append(f"| {algorithms} | {sqnr_text(rows, row)} | {judgement(algorithms, row['steps'])} |")
    return "\n".join(lines) + "\n\n"


def main():
    parser = table.parser_for(__doc__)
    parser.add_argument("--count", type=int)
    args = parser.parse_args()
    if args.count and args.update:
        parser.error("--update needs all samples")
    args.work.mkdir(parents=True, exist_ok=True)
    kept = args.work / (f"algorithms.{args.count}.json" if args.count else "algorithms.json")
    results = json.loads(kept.read_text()) if kept.exists() else {}

    def samples_of(model, count):
        return table.Samples(model, args.shared.resolve(), args.work.resolve(), count)

    def keep(name, figures):
        results.setdefault(name, {}).update(figures)
        kept.write_text(json.dumps(results, indent=1))
        print(name, results[name], file=sys.stderr)

    photos = samples_of("mobilenetv2_tv", args.count)
    features = samples_of("mobilenetv2_gluon_features", args.count or ABLATION_SAMPLES)
    for scheme in SCHEMES:
        if f"scheme {scheme}" not in results:
            keep(f"scheme {scheme}", measure_scheme(args.tools, photos, scheme))
    for algorithms in ALGORITHMS:
        if f"ablation {algorithms}" not in results:
            keep(f"ablation {algorithms}", measure_algorithms(args.tools, features, algorithms))
    for scheme in SCHEMES:
        if "seconds" not in results[f"scheme {scheme}"]:
            keep(f"scheme {scheme}", {"seconds": table.median_seconds(args.tools, photos, scheme.split())})

    text = (scheme_table({scheme: results[f"scheme {scheme}"] for scheme in SCHEMES}) +
            ablation_table({algorithms: results[f"ablation {algorithms}"] for algorithms in ALGORITHMS}))
    if args.update:
        table.put_into_document(BEGIN, END, text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
