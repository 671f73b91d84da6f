"""broken_overrides_test.py: files that steer quantize, each with one mistake: overrides, targets, AIMET configurations.

Every case ends with its exit code and one line that names the file, the place in it and what is wrong there.
"""

import random

import broken_device_cases as devices
import broken_override_cases as overrides
import mutate_test
import tool_test
from tool_test import BAD_FILE, DIGITS

SEED = 20261130
MODEL = DIGITS / "digits.onnx"
SAMPLES = ["--input_list", DIGITS / "calib.txt", "--effort", "fast", "--validate", 1]


class SteeringFiles(tool_test.ToolTest):
    """quantize with one file that it cannot obey."""

    def check(self, code, words, option, path, inputs):
        """quantize refuses; the line starts with the file if the file alone is at fault."""
        finished = self.assert_fails(code, words, "quantize", "--quiet", *inputs, option, path, MODEL)
        if code != tool_test.USAGE:
            error = finished.stderr.splitlines()[-1]
            self.assertRegex(error, f"^quantize: error: (target )?{path}:", finished)

    def check_file(self, case, option, inputs):
        name, content, code, words = case[:4]
        with self.subTest(case=name, inputs=inputs[:1]):
            self.check(code, words, option, self.write("bad.json", content), inputs)

    def check_paths(self, option):
        """Missing files, folders and devices."""
        for path, word in ((self.folder / "absent.json", "No such file"), (self.folder, ""), ("/dev/zero", ""),
                           (self.folder / "x" / "y.json", "No such file")):
            with self.subTest(path=path):
                self.check(BAD_FILE, [word], option, path, SAMPLES)


class Overrides(SteeringFiles):
    """--quantization_overrides."""

    def test_with_samples(self):
        for case in overrides.CASES:
            self.check_file(case, "--quantization_overrides", SAMPLES)

    def test_without_samples(self):
        for case in overrides.CASES:
            self.check_file(case, "--quantization_overrides", [])

    def test_in_the_second_of_two_files(self):
        good = self.write("good.json", overrides.of_add('[{"bitwidth": 16}]'))
        for case in overrides.ENTRIES:
            self.check_file(case, "--quantization_overrides", [*SAMPLES, "--quantization_overrides", good])

    def test_lenient(self):
        for name, content, code, words, outcome in overrides.CASES:
            path = self.write("bad.json", content)
            options = [*SAMPLES, "--quiet", "--overrides_lenient", "--quantization_overrides", path]
            with self.subTest(case=name):
                if outcome == overrides.ERROR:
                    self.assert_fails(code, words, "quantize", *options, MODEL)
                    continue
                finished = self.assert_succeeds("quantize", *options, "--output_path", "lenient.onnx", MODEL)
                warnings = [line for line in finished.stderr.splitlines()
                            if line.startswith(f"quantize: warning: {path}:")]
                self.assertEqual(len(warnings), 1, finished)
                for word in words:
                    self.assertIn(word, warnings[0])

    def test_unreadable_file_is_an_error_if_lenient(self):
        self.assert_fails(BAD_FILE, ["absent.json"], "quantize", *SAMPLES, "--overrides_lenient",
                          "--quantization_overrides", self.folder / "absent.json", MODEL)


class Devices(SteeringFiles):
    """--target and --aimet_config, whose files are read before anything is said of samples."""

    def test_paths(self):
        for option in ("--quantization_overrides", "--target", "--aimet_config"):
            self.check_paths(option)

    def test_targets(self):
        for case in devices.TARGETS:
            self.check_file(case, "--target", SAMPLES)

    def test_targets_without_samples(self):
        for case in devices.TARGETS:
            self.check_file(case, "--target", [])

    def test_aimet_configurations(self):
        for case in devices.CONFIGS:
            self.check_file(case, "--aimet_config", SAMPLES)

    def test_aimet_configurations_without_samples(self):
        for case in devices.CONFIGS:
            self.check_file(case, "--aimet_config", [])

    def test_what_the_cases_start_from_is_valid(self):
        target = self.write("target.json", devices.target())
        config = self.write("config.json", devices.config())
        self.assert_succeeds("quantize", *SAMPLES, "--target", target, "--output_path", "t.onnx", MODEL)
        self.assert_succeeds("quantize", *SAMPLES, "--aimet_config", config, "--output_path", "c.onnx", MODEL)

class Mutants(SteeringFiles):
    """Valid files with some bytes changed, moved or cut: whatever comes of it, no crash, no hang, nothing left."""

    def test_mutants(self):
        draw = random.Random(SEED)
        files = (("--quantization_overrides", overrides.grid_0()),
                 ("--quantization_overrides", overrides.parameter_1(overrides.LPBQ_1)),
                 ("--quantization_overrides", overrides.blocks_2()),
                 ("--target", devices.target()), ("--aimet_config", devices.config()))
        codes = set()
        for number in range(100):
            option, content = files[number % len(files)]
            kind, data = mutate_test.mutant(content.encode(), draw)
            command = [*SAMPLES, "--quiet", option, self.write("mutant.json", data), "--output_path", "m.onnx", MODEL]
            finished = self.run_tool("quantize", *command)
            told = f"mutant {number} ({kind}), seed {SEED}: {option}\n{finished}"
            self.assertIn(finished.code, (0, 2, 3, 4), told)
            codes.add(finished.code)
            if finished.code != 0:
                self.assertEqual(sum(": error: " in line for line in finished.stderr.splitlines()), 1, told)
                self.assertEqual(tool_test.tree(self.work), [], told)
            for path in self.work.iterdir():
                path.unlink()
        self.assertLessEqual({0, BAD_FILE}, codes)


if __name__ == "__main__":
    tool_test.main()
