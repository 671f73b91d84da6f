#!/usr/bin/env python3
"""fixed_point_golden_test.py: the exact codes of fixed-point runs.

    fixed_point_golden_test.py TOOLS_DIR            compare
    fixed_point_golden_test.py TOOLS_DIR --isa NAME compare on that instruction set only, with one thread
    fixed_point_golden_test.py TOOLS_DIR --update   write fixed_point_codes.json anew

Encodings are files, so that only the integer run is tested: one SHA-256 over the
codes of all tensors for each model and requantization rule. It must be the same
with one thread and two, for every instruction set this processor has, under both
compilers and at every optimisation level. A change of fixed_point_codes.json is
a change of output bits: say so in CHANGELOG.md under "Numerics".
"""
import hashlib
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
DIGITS = HERE.parent / "data" / "digits"
GOLDEN = HERE / "fixed_point_codes.json"
NUM_SAMPLES = 3

AFFINE = ("float_half_even", "q31_single", "q31_double")
SHIFTS = ("shift_half_up", "shift_half_even", "shift_half_away")
# Float model, encodings, rules, further options.
CASES = {
    "w8a8": ("digits", "digits", AFFINE, ()),
    "w8a8_accumulator32": ("digits", "digits", ("q31_single",), ("--accumulator_bits", "32")),
    "w8a8_per_tensor": ("digits", "fixed_point/digits_per_tensor", AFFINE, ()),
    "power_of_two": ("digits", "digits_power_of_two", SHIFTS + AFFINE, ()),
    "w8a16": ("digits", "fixed_point/digits_w8a16", AFFINE, ()),
    "w16a16": ("digits", "fixed_point/digits_w16a16", AFFINE, ()),
    "w16a16_accumulator32": ("digits", "fixed_point/digits_w16a16", ("q31_single",), ("--accumulator_bits", "32")),
    "w4a8": ("digits", "fixed_point/digits_w4a8", AFFINE, ()),
    "vit_opset13": ("digits_vit_opset13", "fixed_point/digits_vit_opset13", AFFINE, ()),
    "vit_opset17": ("digits_vit_opset17", "fixed_point/digits_vit_opset17", AFFINE, ()),
}
# What /proc/cpuinfo calls the extensions an instruction set of ours needs.
CPU_FLAGS = {
    "baseline": set(),
    "avx2": {"avx2", "fma"},
    "avxvnni": {"avx2", "fma", "avx_vnni"},
    "avx512": {"avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"},
    "avx512vnni": {"avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512vbmi"},
    "neondot": {"asimddp"},
}


def instruction_sets() -> list[str]:
    """Those this processor has, the portable one first."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    flags = set(next((line.split(":", 1)[1] for line in lines if line.startswith(("flags", "Features"))), "").split())
    return [name for name, needed in CPU_FLAGS.items() if needed <= flags]


def digest(folder: pathlib.Path) -> str:
    """SHA-256 over the names and contents of all files of codes, sorted by name."""
    files = sorted(folder.glob("Result_*/*.codes.raw"), key=lambda file: file.relative_to(folder).as_posix())
    if not files:
        raise SystemExit(f"{folder}: no codes were written")
    total = hashlib.sha256()
    for file in files:
        total.update(file.relative_to(folder).as_posix().encode() + b"\0")
        total.update(file.read_bytes())
    return total.hexdigest()


def run(tools: pathlib.Path, case: str, rule: str, isa: str, threads: int, samples: pathlib.Path) -> str:
    """The digest of one fixed-point run."""
    model, encodings, _, options = CASES[case]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [tools / "quantize-run", "--quiet", "--mode", "fixed", "--arithmetic", rule, "--threads", str(threads),
             *options, "--encodings", HERE / f"{encodings}.encodings.json", "--dump_tensors", "all", "--input_list", samples,
             "--output_dir", folder, DIGITS / f"{model}.onnx"],
            check=True, stdout=subprocess.DEVNULL, env={**os.environ, "HALFSTEP_ISA": isa})
        return digest(pathlib.Path(folder))


def main() -> int:
    tools = pathlib.Path(sys.argv[1])
    update = "--update" in sys.argv
    golden = {} if update else json.loads(GOLDEN.read_text())
    chosen = sys.argv[sys.argv.index("--isa") + 1] if "--isa" in sys.argv else None
    isas = [chosen] if chosen else instruction_sets()
    thread_counts = (1,) if chosen else (1, 2)
    num_runs = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        samples = pathlib.Path(folder) / "samples.txt"
        lines = (DIGITS / "eval.txt").read_text().split()[:NUM_SAMPLES]
        samples.write_text("".join(f"{DIGITS / line}\n" for line in lines))
        for case, (_, _, rules, _) in CASES.items():
            for rule, isa, threads in itertools.product(rules, isas, thread_counts):
                found = run(tools, case, rule, isa, threads, samples)
                expected = golden.setdefault(case, {}).setdefault(rule, found) if update else golden[case][rule]
                num_runs += 1
                if found != expected:
                    print(f"{case}, {rule}, {isa}, {threads} threads: codes differ from {GOLDEN.name}")
                    failed += 1
    if update and not failed:
        GOLDEN.write_text(json.dumps(golden, indent=2) + "\n")
    print(f"{num_runs} runs on {', '.join(isas)}, {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
