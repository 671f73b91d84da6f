#!/usr/bin/env python3
"""golden_test.py: the exact encodings and weights of the bundled model.

    golden_test.py TOOLS_DIR            compare
    golden_test.py TOOLS_DIR --update   write the golden files anew

Runs on the portable kernels (HALFSTEP_ISA=baseline), whose float results do not
depend on the processor, so the files are the same on every machine, under both
compilers and at every optimisation level. A change of a golden file is a change
of output bits: say so in CHANGELOG.md under "Numerics".
"""
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
DIGITS = HERE.parent / "data" / "digits"
CASES = {
    "digits": ["--effort", "fast"],
    "digits_power_of_two": ["--effort", "fast", "--scale", "power_of_two"],
    "digits_w4a16": ["--effort", "fast", "--weights_bitwidth", "4", "--act_bitwidth", "16"],
}


def made(tools: pathlib.Path, name: str, options: list[str], folder: pathlib.Path) -> dict[str, str]:
    """Quantizes the digits model; the golden texts by file name."""
    model = folder / f"{name}.onnx"
    subprocess.run(
        [tools / "quantize", "--quiet", "--validate", "0", "--input_list", DIGITS / "calib.txt", "--output_path", model,
         *options, DIGITS / "digits.onnx"],
        check=True, stdout=subprocess.DEVNULL, env={**os.environ, "HALFSTEP_ISA": "baseline"})
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    return {f"{name}.encodings.json": (folder / f"{name}.encodings.json").read_text(), f"{name}.onnx.sha256": digest + "\n"}


def main() -> int:
    tools = pathlib.Path(sys.argv[1])
    failed = 0
    for name, options in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            for file, text in made(tools, name, options, pathlib.Path(folder)).items():
                golden = HERE / file
                if "--update" in sys.argv:
                    golden.write_text(text)
                elif golden.read_text() != text:
                    print(f"{file} differs from tests/golden/{file}")
                    failed += 1
    print(f"{len(CASES)} models, {failed} files differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
