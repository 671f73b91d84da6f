"""mutate_test.py: seeded mutations of real models never crash, hang or fill the terminal.

300 mutants of a model's bytes and 300 of encodings files go through
quantize-inspect, which reads, verifies, folds and infers; 300 mutants of a
model's fields go through quantize, which also runs and writes them. Each ends
with a documented exit code.
"""

import random
import time

import tool_test
import wire_mutation

SEED = 20240601
NUM_MUTANTS = 300
MAX_SECONDS = 10


def mutant(content, draw):
    """The model with one to eight bytes changed, a part cut out, repeated, or cut off."""
    data = bytearray(content)
    kind = draw.choice(("set", "set", "flip", "flip", "large", "cut", "repeat", "end"))
    at = draw.randrange(len(data))
    length = draw.randrange(1, 64)
    if kind == "cut":
        del data[at:at + length]
    elif kind == "repeat":
        data[at:at] = data[at:at + length]
    elif kind == "end":
        del data[at:]
    else:
        # Most of the file is weights, where a change means nothing: half of the draws aim at the nodes.
        for _ in range(draw.randrange(1, 9)):
            at = draw.randrange(len(data)) if draw.random() < 0.5 else draw.randrange(min(len(data), 8000))
            data[at] = {"set": draw.randrange(256), "flip": data[at] ^ 1 << draw.randrange(8), "large": 0xFF}[kind]
    return kind, bytes(data)


class Mutations(tool_test.ToolTest):
    """Few tests of many runs each."""

    def setUp(self):
        super().setUp()
        self.codes = {}

    def check(self, told, tool, *args):
        """One run; its exit code is counted."""
        started = time.monotonic()
        finished = self.run_tool(tool, *args)
        told = f"{told}, seed {SEED}:\n{finished}"[:3000]
        self.assertIn(finished.code, (0, 2, 3, 4, 5), told)
        self.assertLess(time.monotonic() - started, MAX_SECONDS, told)
        self.assertLess(finished.rss_bytes, tool_test.MAX_RSS_BYTES, told)
        errors = [line for line in finished.stderr.splitlines() if "error: " in line]
        self.assertEqual(len(errors), 0 if finished.code == 0 else 1, told)
        if finished.code != 0:
            self.assertEqual(finished.stdout, "", told)
        self.codes[finished.code] = self.codes.get(finished.code, 0) + 1

    def assert_codes_vary(self):
        """A generator that only ever breaks, or never breaks, the file tests little."""
        print(f"seed {SEED}, exit codes: {sorted(self.codes.items())}")
        self.assertGreater(self.codes.get(0, 0), NUM_MUTANTS // 30)
        self.assertGreater(self.codes.get(tool_test.BAD_FILE, 0), NUM_MUTANTS // 30)

    def test_bytes_of_digits(self):
        content = (tool_test.DIGITS / "digits.onnx").read_bytes()
        draw = random.Random(SEED)
        for number in range(NUM_MUTANTS):
            kind, data = mutant(content, draw)
            self.check(f"mutant {number} ({kind})", "quantize-inspect", self.write("mutant.onnx", data))
        self.assert_codes_vary()

    def test_bytes_of_encodings(self):
        samples = self.write("list.txt", f"{tool_test.DIGITS}/calib/0000.raw\n")
        model = tool_test.DIGITS / "digits.onnx"
        draw = random.Random(SEED)
        for version in ("0.6.1", "1.0.0", "2.0.0"):
            self.assert_succeeds("quantize", "--quiet", "--input_list", samples, "--encodings_version", version, model)
            content = (self.work / "digits.encodings.json").read_bytes()
            for number in range(NUM_MUTANTS // 3):
                kind, data = mutant(content, draw)
                self.check(f"mutant {number} ({kind}) of {version}", "quantize-inspect", "--encodings",
                           self.write("mutant.json", data), model)
        self.assert_codes_vary()

    def test_fields_of_three_models(self):
        samples = self.write("list.txt", f"{tool_test.DIGITS}/calib/0000.raw\n")
        self.assert_succeeds("quantize", "--input_list", samples, "--output_path", "q.onnx",
                             tool_test.DIGITS / "digits.onnx")
        models = [path.read_bytes() for path in (tool_test.DIGITS / "digits.onnx",
                                                 tool_test.DIGITS / "digits_vit_opset17.onnx", self.work / "q.onnx")]
        draw = random.Random(SEED)
        for number in range(NUM_MUTANTS):
            path = self.write("mutant.onnx", wire_mutation.mutate(models[number % len(models)], draw))
            self.check(f"mutant {number}", "quantize", "--quiet", "--input_list", samples, "--output_path", "m.onnx",
                       path)
        self.assert_codes_vary()


if __name__ == "__main__":
    tool_test.main()
