"""algorithms_test.py: quantize --algorithms: the same files for any number of threads, and lines for what is wrong."""

import json

import tool_test
from tool_test import DIGITS, USAGE

MODEL = DIGITS / "digits.onnx"
CALIB = DIGITS / "calib.txt"
SAMPLES = [str(DIGITS / line) for line in CALIB.read_text().split()]
ALL = "equalize,round,bias-correction"


class Algorithms(tool_test.ToolTest):
    """What they write."""

    def quantize(self, stem, *options, samples=CALIB):
        """The three files that these options give, as bytes; each run is in a folder of its own, `stem`."""
        folder = self.work / stem
        folder.mkdir()
        before = self.work
        self.work = folder
        try:
            self.assert_succeeds("quantize", "--quiet", "--input_list", samples, "--validate", 4, "--output_path",
                                 "q.onnx", *options, MODEL)
        finally:
            self.work = before
        return [(folder / name).read_bytes() for name in ("q.onnx", "q.encodings.json", "q.report.json")]

    def test_same_bytes_for_any_number_of_threads(self):
        for algorithms in (ALL, "cle,hba,weight-clip", "round", "bias-correction"):
            with self.subTest(algorithms=algorithms):
                first, *others = [self.quantize(f"{algorithms}{n}", "--algorithms", algorithms, "--threads", n)
                                  for n in (1, 2, 3)]
                for other in others:
                    self.assertEqual(other, first)

    def test_they_change_the_model_and_none_does_not(self):
        plain = self.quantize("plain", "--effort", "fast")
        self.assertEqual(self.quantize("none", "--effort", "fast", "--algorithms", "none"), plain)
        tuned = self.quantize("all", "--algorithms", ALL)
        self.assertNotEqual(tuned[0], plain[0])
        self.assertNotEqual(tuned[1], plain[1])

    def test_report_names_no_sample(self):
        list_file = self.write("mine.txt", "\n".join(SAMPLES) + "\n")
        report = self.quantize("all", "--algorithms", ALL, samples=list_file)[2].decode()
        json.loads(report)
        self.assertNotIn(str(DIGITS / "calib") + "/", report)

    def test_two_samples_are_enough(self):
        two = self.write("two.txt", "\n".join(SAMPLES[:2]) + "\n")
        self.quantize("two", "--algorithms", ALL, samples=two)

    def test_statistics_need_no_algorithm(self):
        want = self.quantize("plain", "--statistics_out", self.folder / "s.json")[:2]
        self.assert_succeeds("quantize", "--quiet", "--statistics_in", self.folder / "s.json", "--algorithms", "none",
                             "--output_path", "q.onnx", MODEL)
        self.assertEqual([(self.work / name).read_bytes() for name in ("q.onnx", "q.encodings.json")], want)

    def test_tidls_iterations(self):
        options = ("--algorithms", "bias-correction", "--bias_calibration_iterations", 3)
        self.assertNotEqual(self.quantize("iterated", *options)[0],
                            self.quantize("newton", "--algorithms", "bias-correction")[0])
        self.assertEqual(self.quantize("named", *options, "--bias_correction_method", "iterative"),
                         self.quantize("again", *options))


class Errors(tool_test.ToolTest):
    """Each one line and exit code 2."""

    def check(self, words, *options, samples=CALIB):
        """quantize with these options."""
        self.assert_fails(USAGE, words, "quantize", "--input_list", samples, *options, MODEL)

    def test_no_sample_to_judge_by(self):
        one = self.write("one.txt", SAMPLES[0] + "\n")
        self.check(["--algorithms needs at least 2 samples, one of them to judge by: the input list has 1"],
                   "--algorithms", "round", samples=one)

    def test_names(self):
        self.check(["no algorithm 'equalise', did you mean 'equalize'? Algorithms: cle, equalize"], "--algorithms",
                   "equalise")
        self.check(["no algorithm ''"], "--algorithms", "round,")
        self.check(["names round twice"], "--algorithms", "round,round")
        self.check(["cle changes the float model, and round", "put it last"], "--algorithms", "round,cle")

    def test_numbers(self):
        for value in ("-0.5", "nan", "2"):
            self.check(["equalize_alpha", "from 0 to 1"], "--algorithms", "equalize", f"--equalize_alpha={value}")
        self.check(["bias_calibration_factor", "above 0"], "--algorithms", "bias-correction",
                   "--bias_calibration_factor", 0)
        for name in ("bias_calibration_iterations", "bias_calibration_frames", "tuning_samples"):
            self.check([name, "from 1"], "--algorithms", "bias-correction", f"--{name}", 0)

    def test_parameters_of_what_does_not_run(self):
        frames = ("--bias_calibration_frames", 5)
        self.check(["--bias_calibration_frames has no effect with --algorithms round"], *frames, "--algorithms", "round")
        self.check(["--bias_calibration_frames has no effect with --algorithms none"], *frames, "--effort", "fast")
        self.check(["--bias_calibration_frames has no effect with --bias_correction_method empirical"], *frames,
                   "--bias_correction_method", "empirical")
        self.check(["--equalize_alpha has no effect with --algorithms bias-correction"], "--equalize_alpha", 0.5)
        self.check(["--tuning_samples has no effect with --algorithms cle"], "--tuning_samples", 5, "--algorithms", "cle")

    def test_words(self):
        self.check(["bias_correction_method", "did you mean 'analytic'"], "--bias_correction_method", "analytical")
        self.check(["weight_clip_method", "median, percentile"], "--weight_clip_method", "mean")
        self.check(["effort", "default, fast, best"], "--effort", "most")


if __name__ == "__main__":
    tool_test.main()
