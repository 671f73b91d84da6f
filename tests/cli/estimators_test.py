"""estimators_test.py: every method for every kind of grid, the same for any number of threads, and what is refused."""

import itertools
import json
import unittest

import tool_test
from tool_test import DIGITS, USAGE

MODEL = DIGITS / "digits.onnx"
METHODS = ("min-max", "moving-average", "mean-minmax", "mean-std", "percentile", "entropy", "mse", "sqnr")
GRIDS = (("--act_quantizer_schema", "asymmetric", "--param_quantizer_schema", "asymmetric"),
         ("--act_quantizer_schema", "symmetric"),
         ("--act_quantizer_schema", "unsignedsymmetric", "--param_quantizer_schema", "unsignedsymmetric"),
         ("--scale", "power_of_two"))


class Estimators(tool_test.ToolTest):
    def setUp(self):
        super().setUp()
        lines = (DIGITS / "calib.txt").read_text().split()[:6]
        self.samples = self.folder / "six.txt"
        self.samples.write_text("".join(f"{DIGITS / line}\n" for line in lines))

    def quantize(self, *options):
        """The encodings of a run: its text, and its document."""
        self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--validate", 1, "--input_list", self.samples,
                             "--output_path", "q.onnx", *options, MODEL)
        text = (self.work / "q.encodings.json").read_text()
        return text, json.loads(text)

    def test_every_method_for_every_grid(self):
        turn = itertools.cycle([("8", "8", "true"), ("16", "8", "false"), ("8", "4", "depthwise")])
        for method, grid in itertools.product((*METHODS, "adjusted"), GRIDS):
            act, weights, per_channel = next(turn)
            options = (*grid, "--param_quantizer_calibration", method, "--act_bitwidth", act, "--weights_bitwidth", weights,
                       "--use_per_channel_quantization", per_channel)
            if method != "adjusted":
                options += ("--act_quantizer_calibration", method)
            with self.subTest(options=options):
                one, document = self.quantize(*options, "--threads", 1)
                self.assertEqual(one, self.quantize(*options, "--threads", 3)[0])
                self.assertEqual(document["halfstep"]["options"].get("param_quantizer_calibration", "min-max"), method)

    def test_methods_differ(self):
        for kind in ("act", "param"):
            seen = {method: self.quantize(f"--{kind}_quantizer_calibration", method)[1]["activation_encodings"
                                                                                        if kind == "act" else
                                                                                        "param_encodings"]
                    for method in METHODS}
            # A weight is one sample: averages over samples are its extremes.
            same = {"moving-average", "mean-minmax", "percentile"} if kind == "param" else set()
            different = [method for method in METHODS if method not in same]
            for one, other in itertools.combinations(different, 2):
                self.assertNotEqual(seen[one], seen[other], f"{kind}: {one}, {other}")

    def test_channels_are_estimated_one_by_one(self):
        encodings = {method: self.quantize("--act_per_channel", "depthwise", "--act_quantizer_calibration", method)[1]
                     for method in METHODS}
        for method, document in encodings.items():
            with self.subTest(method=method):
                channels = [e for e in document["activation_encodings"] if len(e["scale"]) > 1]
                self.assertTrue(channels)
                self.assertTrue(any(len(set(e["scale"])) > 1 for e in channels))

    def test_older_spellings(self):
        pairs = {("--act_quantizer", "enhanced"): ("--act_quantizer_calibration", "sqnr"),
                 ("--act_quantizer", "symmetric"): ("--act_quantizer_schema", "symmetric"),
                 ("--param_quantizer", "adjusted"): ("--param_quantizer_calibration", "adjusted",
                                                     "--param_quantizer_schema", "asymmetric"),
                 ("--percentile_act_range_shrink", "0.5", "--act_quantizer_calibration", "percentile"):
                     ("--percentile_calibration_value", "99.5", "--act_quantizer_calibration", "percentile")}
        for older, newer in pairs.items():
            with self.subTest(older=older):
                self.assertEqual(self.quantize(*older)[0], self.quantize(*newer)[0])

    def test_what_is_refused(self):
        for options, words in {
            ("--percentile_calibration_value", "101"): ["101", "90 to 100"],
            ("--percentile_calibration_value", "nan"): ["nan", "90 to 100"],
            ("--effort", "fast", "--percentile_calibration_value", "99.9"): ["no effect", "--act_quantizer_calibration percentile"],
            ("--act_quantizer_calibration", "sqrn"): ["sqrn", "did you mean 'sqnr'"],
            ("--act_quantizer_calibration", "adjusted"): ["adjusted is not one of"],
            ("--moving_average_constant", "0"): ["0.01"],
            ("--mean_std_factor", "-3"): ["-3", "above 0"],
            ("--act_quantizer", "enhanced", "--act_quantizer_calibration", "mse"): ["same thing"],
            ("--use_per_channel_quantization", "maybe"): ["true, false or depthwise"],
        }.items():
            with self.subTest(options=options):
                self.assert_fails(USAGE, words, "quantize", "--input_list", self.samples, *options, MODEL)


if __name__ == "__main__":
    tool_test.main()
