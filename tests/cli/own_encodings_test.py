"""own_encodings_test.py: encodings that quantize wrote, read back: the float model with them computes what the quantized
model does, whatever precision its tensors have, and as overrides they make that model again."""

import json

import tool_test
from tool_test import DIGITS

MODEL = DIGITS / "digits.onnx"
CALIB = DIGITS / "calib.txt"
MIXED = {"version": "0.6.1", "param_encodings": {"0.0.weight": [{"bitwidth": 4, "dtype": "int"}]},
         "activation_encodings": {"image": [{"bitwidth": 16, "dtype": "int"}],
                                  "/1/Add_output_0": [{"bitwidth": 16, "dtype": "float"}],
                                  "/3/Add_output_0": [{"bitwidth": 32, "dtype": "float"}]}}
INT32 = {"version": "0.6.1", "param_encodings": {},
         "activation_encodings": {name: [{"bitwidth": 32, "dtype": "int"}] for name in (
             "/0/0.2/Clip_output_0", "/1/body/body.2/body.2.1/BatchNormalization_output_0", "/1/Add_output_0")}}
RUNS = {
    "plain": [],
    "clipped weights": ["--weights_bitwidth", "4", "--param_quantizer_calibration", "mse"],
    "narrow steps": ["--restrict_quantization_steps", "-64 63", "--param_quantizer_calibration", "percentile"],
    "mixed": ["--quantization_overrides", "mixed.json"],
    "float16": ["--exclude_nodes", "*body.1.0/Conv", "--float_bitwidth", "16"],
    "int32": ["--quantization_overrides", "int32.json"],
    "widths of a target": ["--target", "qnn-htp", "--op_type_bitwidth", "Add=16"],
    "shifts of a target": ["--target", "esp-dl"],
}


class OwnEncodings(tool_test.ToolTest):
    """Each run in every version of the format."""

    def results(self, mode, *what):
        """Outputs of a run over the first samples, by file."""
        folder = self.work / "results"
        self.assert_succeeds("quantize-run", "--quiet", "--mode", mode, "--input_list", self.few, "--output_dir", folder,
                             *what)
        return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.raw"))}

    def setUp(self):
        super().setUp()
        (self.work / "mixed.json").write_text(json.dumps(MIXED))
        (self.work / "int32.json").write_text(json.dumps(INT32))
        lines = CALIB.read_text().splitlines()[:8]
        self.few = self.folder / "few.txt"
        self.few.write_text("".join(f"{CALIB.parent / line}\n" for line in lines))

    def check(self, options, version):
        self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--encodings_version", version, "--input_list",
                             CALIB, *options, "--output_path", "q.onnx", MODEL)
        self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--quantization_overrides", "q.encodings.json",
                             "--output_path", "again.onnx", MODEL)
        for mode in ("simulated", "fixed"):
            expected = self.results(mode, "q.onnx")
            self.assertTrue(expected)
            self.assertEqual(self.results(mode, "--encodings", "q.encodings.json", MODEL), expected, mode)
            self.assertEqual(self.results(mode, "again.onnx"), expected, mode)

    def test_they_come_back_as_they_were(self):
        for name, options in RUNS.items():
            for version in ("0.6.1", "1.0.0", "2.0.0"):
                with self.subTest(run=name, version=version):
                    self.check(options, version)

    def test_files_that_are_read_are_not_written(self):
        self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--input_list", CALIB, "--output_path", "own.onnx",
                             MODEL)
        before = (self.work / "own.encodings.json").read_bytes()
        finished = self.run_tool("quantize", "--quantization_overrides", "own.encodings.json", "--output_path", "own.onnx",
                                 MODEL)
        self.assertEqual(finished.code, tool_test.USAGE, finished)
        self.assertIn("own.encodings.json", finished.stderr)
        self.assertEqual((self.work / "own.encodings.json").read_bytes(), before)

    def test_encodings_of_other_weights_are_refused(self):
        self.assert_succeeds("quantize", "--quiet", "--input_list", CALIB, "--algorithms", "bias-correction",
                             "--output_path", "tuned.onnx", MODEL)
        finished = self.run_tool("quantize", "--quantization_overrides", "tuned.encodings.json", MODEL)
        self.assertEqual(finished.code, tool_test.USAGE, finished)
        self.assertIn("--float_out", finished.stderr)


if __name__ == "__main__":
    tool_test.main()
