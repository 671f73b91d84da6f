"""fixed_point_test.py: runs on integers, what they leave, and how their Programs are shown."""

import json
import struct

import tool_test
from tool_test import DIGITS, USAGE

CALIB, MODEL, OUTPUT = DIGITS / "calib.txt", DIGITS / "digits.onnx", "logits"
QUANTIZED, ENCODINGS = "digits.quantized.onnx", "digits.encodings.json"


class FixedPoint(tool_test.ToolTest):
    """digits.onnx, quantized with default options unless a test says otherwise."""

    def quantize(self, *options):
        self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--validate", "0", "--input_list", CALIB, *options,
                             MODEL)

    def run_model(self, mode, *options, folder="out"):
        """What quantize-run says of three samples; its results are in `self.work / folder`."""
        samples = self.write("three.txt", "".join(f"{DIGITS}/calib/000{i}.raw\n" for i in range(3)))
        args = ("--quiet", "--input_list", samples, "--output_dir", folder, "--mode", mode, *options, QUANTIZED)
        return self.assert_succeeds("quantize-run", *args).stdout

    def run_fixed(self, *options, folder="out"):
        """run_model() on integers."""
        return self.run_model("fixed", *options, folder=folder)

    def result(self, name, folder="out"):
        return (self.work / folder / "Result_0" / name).read_bytes()

    def logits_encoding(self):
        text = (self.work / ENCODINGS).read_text()
        return next(e for e in json.loads(text)["activation_encodings"] if e["name"] == OUTPUT)

    def test_codes_stand_beside_the_real_values(self):
        self.quantize()
        said = self.run_fixed("--dump_tensors", "all")
        self.assertIn("arithmetic q31_single", said)
        encoding = self.logits_encoding()
        scale, offset = encoding["scale"][0], encoding["offset"][0]
        codes = self.result(OUTPUT + ".codes.raw")  # 8 bits on an unsigned grid: one byte each.
        self.assertEqual(len(codes), 10)
        reals = struct.unpack(f"<{len(codes)}f", self.result(OUTPUT + ".raw"))
        for code, real in zip(codes, reals):
            self.assertAlmostEqual(real, (code + offset) * scale, delta=scale / 1000)
        with_codes = [p.name for p in (self.work / "out" / "Result_0").glob("*.codes.raw")]
        self.assertEqual(len(with_codes), 24)

    def test_codes_of_16_bits_take_two_bytes(self):
        self.quantize("--act_bitwidth", "16")
        self.run_fixed()
        self.assertEqual(len(self.result(OUTPUT + ".codes.raw")), 20)
        self.assertEqual(len(self.result(OUTPUT + ".raw")), 40)

    def test_float_and_simulated_runs_write_no_codes(self):
        self.quantize()
        for mode in ("float", "simulated"):
            self.run_model(mode, "--dump_tensors", "all", folder=mode)
            self.assertEqual(list((self.work / mode).rglob("*.codes.raw")), [])

    def test_same_bytes_for_every_number_of_threads(self):
        self.quantize()
        for threads in ("1", "3"):
            self.run_fixed("--threads", threads, "--dump_tensors", "all", folder=threads)
        for path in sorted((self.work / "1").rglob("*.raw")):
            self.assertEqual(path.read_bytes(), (self.work / "3" / path.relative_to(self.work / "1")).read_bytes())

    def test_shift_rules_demand_powers_of_two(self):
        self.quantize()
        for source in ((QUANTIZED,), ("--encodings", ENCODINGS, MODEL)):
            for rule in ("shift_half_up", "shift_half_even", "shift_half_away"):
                self.assert_fails(USAGE, ["--arithmetic " + rule, "powers of two", "tensor '", "--scale power_of_two"],
                                  "quantize-run", "--quiet", "--input_list", CALIB, "--output_dir", ".",
                                  "--mode", "fixed", "--arithmetic", rule, *source)

    def test_powers_of_two_are_shifted(self):
        self.quantize("--scale", "power_of_two")
        self.assertIn("arithmetic shift_half_up", self.run_fixed())
        text = self.assert_succeeds("quantize-inspect", "--program", "fixed", QUANTIZED).stdout
        self.assertIn("Arithmetic shift_half_up", text)

    def test_recorded_rule_is_used_and_overruled(self):
        self.quantize("--arithmetic", "q31_double")
        self.assertEqual(json.loads((self.work / ENCODINGS).read_text())["halfstep"]["arithmetic"], "q31_double")
        self.assertIn("arithmetic q31_double", self.run_fixed())
        self.assertIn("arithmetic float_half_even", self.run_fixed("--arithmetic", "float_half_even"))

    def test_program_is_printed_with_its_proofs(self):
        self.quantize()
        args = ("quantize-inspect", "--program", "fixed")
        text = self.assert_succeeds(*args, QUANTIZED).stdout
        for word in ("Arithmetic q31_single", "convolution 3x3", "sum of 2 operands", "factor: ", "accumulator: int32",
                     "worst case", "cannot overflow", "dequantize  tensor 'logits'", "No float islands"):
            self.assertIn(word, text)
        beside = self.assert_succeeds(*args, "--encodings", ENCODINGS, MODEL).stdout
        self.assertIn("No float islands", beside)


if __name__ == "__main__":
    tool_test.main()
