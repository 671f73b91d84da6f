#!/usr/bin/env python3
"""Prints how near the layers of mobilenetv2 come to the peak of the processor, as a Markdown table.

  roofline.py BUILD_DIR [--isa NAME] [--min_time SECONDS] [--repeat N]

BUILD_DIR is a release build with -DHALFSTEP_BUILD_BENCHMARKS=ON. Each figure is the fastest of N runs of halfstep_bench;
the peak is measured in the same run: multiply-add instructions back to back on registers (peak_bench.cpp). One thread.
"""
import argparse
import json
import os
import pathlib
import subprocess


def run_benchmarks(args):
    """Operations a second by name, and the instruction set that ran."""
    environment = dict(os.environ, HALFSTEP_ISA=args.isa) if args.isa else None
    command = [args.build / "tests/bench/halfstep_bench", "--benchmark_format=json",
               f"--benchmark_min_time={args.min_time}", f"--benchmark_repetitions={args.repeat}",
               "--benchmark_filter=^(peak|float_product|float_depthwise|float_conv|byte_product|byte_depthwise)/"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    result = json.loads(done.stdout)
    speeds = {}
    for row in result["benchmarks"]:
        if row.get("run_type") == "iteration":
            speeds[row["run_name"]] = max(speeds.get(row["run_name"], 0.0), row["items_per_second"])
    return speeds, result["context"]["halfstep_isa"]


def cell(speed, unit, peak=None):
    if speed is None:
        return "-"
    share = f" ({100 * speed / peak:.0f}%)" if peak else ""
    return f"{speed / unit:.1f}{share}"


def print_table(speeds, isa):
    giga_flops, giga_macs = 1e9, 2e9
    float_peak, byte_peak, pair_peak = (speeds.get(f"peak/{kind}/{isa}") for kind in ("float", "bytes", "pairs"))
    print(f"Peak of `{isa}`: float {cell(float_peak, giga_flops)} GFLOP/s, bytes {cell(byte_peak, giga_macs)} GMAC/s, "
          f"16 bits {cell(pair_peak, giga_macs)} GMAC/s.\n")
    print("| layer | float GFLOP/s (of peak) | Eigen | naive | int8 GMAC/s (of peak) | widened to 16 bits | naive |")
    print("|---|---|---|---|---|---|---|")
    layers = dict.fromkeys(name.split("/")[1] for name in speeds if name.split("/")[0] in ("float_product", "float_depthwise"))
    for layer in layers:
        kind = "product" if f"float_product/{layer}/ours" in speeds else "depthwise"
        floats = {who: speeds.get(f"float_{kind}/{layer}/{who}") for who in ("ours", "eigen", "naive")}
        codes = {who: speeds.get(f"byte_{kind}/{layer}/{who}") for who in ("quads", "pairs", "naive")}
        print(f"| {kind} {layer} | {cell(floats['ours'], giga_flops, float_peak)} | {cell(floats['eigen'], giga_flops)} | "
              f"{cell(floats['naive'], giga_flops)} | {cell(codes['quads'], giga_macs, byte_peak)} | "
              f"{cell(codes['pairs'], giga_macs, pair_peak)} | {cell(codes['naive'], giga_macs)} |")
    print("\n| 3x3 convolution, float | direct GFLOP/s (of peak) | Winograd, counted as direct | im2col and Eigen |")
    print("|---|---|---|---|")
    for layer in dict.fromkeys(name.split("/")[1] for name in speeds if name.startswith("float_conv/")):
        ours, winograd, eigen = (speeds.get(f"float_conv/{layer}/{who}") for who in ("ours", "winograd", "eigen"))
        print(f"| {layer} | {cell(ours, giga_flops, float_peak)} | {cell(winograd, giga_flops)} | "
              f"{cell(eigen, giga_flops)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--isa", help="as HALFSTEP_ISA")
    parser.add_argument("--min_time", type=float, default=0.05)
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    print_table(*run_benchmarks(args))


if __name__ == "__main__":
    main()
