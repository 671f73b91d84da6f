"""search_test.py: quantize --search: the best of what it prints is written, within the time it is given."""

import json
import re

import tool_test
from tool_test import DIGITS, USAGE

MODEL = DIGITS / "digits.onnx"
NUM_SCHEMES = 10
SAME_DB = 0.1  # Near enough for agreement, then the cheaper scheme.
TRIED = re.compile(r"(?:Searched)? +(-?[0-9.]+) dB +([0-9.]+) % +([0-9.]+) s  (.*?)(  <- kept)?$")
UNTRIED = re.compile(r"(?:Searched)? +(\S.*): no time left$")


class Trial:
    """A line of the table."""

    def __init__(self, line):
        db, agreement, seconds, self.scheme, kept = TRIED.match(line).groups()
        self.db, self.agreement, self.seconds, self.kept = float(db), float(agreement), float(seconds), bool(kept)


class Search(tool_test.ToolTest):
    """What it tries, keeps and writes."""

    def setUp(self):
        super().setUp()
        lines = (DIGITS / "calib.txt").read_text().split()[:40]
        self.samples = self.write("list.txt", "".join(f"{DIGITS / line}\n" for line in lines))

    def quantize(self, stem, *options):
        """Model and encodings that these options give, as bytes, and stdout."""
        done = self.assert_succeeds("quantize", "--quiet", "--input_list", self.samples, "--validate", 1, "--output_path",
                                    f"{stem}.onnx", *options, MODEL)
        return [(self.work / f"{stem}.{kind}").read_bytes() for kind in ("onnx", "encodings.json")], done.stdout

    def search(self, stem, *options):
        """The files, the schemes that were tried and the names of those that were not."""
        files, text = self.quantize(stem, "--search", "true", *options)
        lines = text.splitlines()
        trials = [Trial(line) for line in lines if TRIED.match(line)]
        return files, trials, [match.group(1) for match in map(UNTRIED.match, lines) if match]

    def check_kept(self, trials):
        """One is kept, and none is better than it."""
        (kept,) = (trial for trial in trials if trial.kept)
        for trial in trials:
            self.assertLess(trial.db, kept.db + SAME_DB + 0.01, trial.scheme)
            if trial.db > kept.db - SAME_DB + 0.01:
                self.assertLessEqual(trial.agreement, kept.agreement, trial.scheme)
        return kept

    def options_of(self, stem):
        """The options that the report records, as a command line."""
        options = json.loads((self.work / f"{stem}.report.json").read_text())["options"]
        return [text for name, value in options.items() for text in (f"--{name}", value)]

    def test_keeps_the_best_of_the_table_and_records_it(self):
        for others in ((), ("--weights_bitwidth", 4), ("--use_per_channel_quantization", "false")):
            with self.subTest(options=others):
                files, trials, untried = self.search("q", *others)
                by_channel = "false" not in others  # Grids a channel go with weights by channel.
                self.assertEqual((len(trials), untried), (NUM_SCHEMES if by_channel else NUM_SCHEMES - 3, []))
                self.assertEqual(trials[0].scheme, "min-max")
                self.check_kept(trials)
                # The same files as without a search; what a report leaves out is as --effort fast has it.
                again, _ = self.quantize("again", "--effort", "fast", *self.options_of("q"))
                self.assertEqual(again, files)

    def test_same_bytes_for_any_number_of_threads(self):
        files, trials, _ = self.search("one", "--threads", 1)
        others, _, _ = self.search("two", "--threads", 2)
        self.assertEqual(files, others)
        self.assertGreater(len({trial.db for trial in trials}), 1)

    def test_grids_by_channel_are_for_affine_scales(self):
        _, trials, untried = self.search("q", "--scale", "power_of_two")
        self.check_kept(trials)
        self.assertFalse(untried)
        self.assertFalse([trial.scheme for trial in trials if "by channel" in trial.scheme])

    def test_begins_nothing_that_will_not_end_in_time(self):
        _, trials, untried = self.search("q", "--time_budget", 0.001)
        self.assertEqual([trial.scheme for trial in trials if trial.kept], ["min-max"])
        self.assertEqual((len(trials), len(untried)), (1, NUM_SCHEMES - 1))
        for budget in (0.1, 0.4):
            with self.subTest(budget=budget):
                _, trials, untried = self.search("q", "--time_budget", budget)
                self.assertEqual(len(trials) + len(untried), NUM_SCHEMES)
                self.check_kept(trials)
                # Whatever the last one took, it began within the budget; seconds are printed in tenths.
                self.assertLessEqual(sum(trial.seconds - 0.05 for trial in trials[:-1]), budget)
        _, trials, untried = self.search("q", "--time_budget", 1e6)
        self.assertEqual((len(trials), untried), (NUM_SCHEMES, []))

    def test_what_contradicts_it(self):
        def check(words, *options, samples=self.samples):
            self.assert_fails(USAGE, words, "quantize", "--input_list", samples, *options, MODEL)

        search = ("--search", "true")
        for name, value in (("algorithms", "round"), ("algorithms", "none"), ("effort", "best"),
                            ("act_quantizer_calibration", "mse"), ("param_quantizer_calibration", "mse"),
                            ("act_per_channel", "none"), ("act_per_channel_calibration", "same")):
            with self.subTest(name=name, value=value):
                check([f"--search tries several values of --{name}, and a command line sets it"], *search, f"--{name}",
                      value)
        check(["--search tries several values of --algorithms, and a recipe sets it"], *search, "--config", "int8-affine")
        for value in ("0", "-1", "nan", "soon", ""):
            with self.subTest(budget=value):
                check(["--time_budget", "seconds above 0"], *search, f"--time_budget={value}")
        check(["--time_budget has no effect without --search"], "--time_budget", 5)
        check(["--time_budget has no effect without --search"], "--time_budget", 5, "--search", "false")
        check(["search", "true or false"], "--search", "maybe")
        one = self.write("one.txt", f"{DIGITS / 'calib' / '0000.raw'}\n")
        check(["--search needs at least 2 samples"], *search, samples=one)


if __name__ == "__main__":
    tool_test.main()
