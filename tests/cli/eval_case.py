"""eval_case.py: what the tests of quantize-eval share: a quantized digits model and labelled samples."""

import json
import pathlib
import tempfile

import tool_test
from tool_test import BAD_FILE, DIGITS, USAGE

GATE_MISSED = 6
MODEL = DIGITS / "digits.onnx"
NUM_SAMPLES = 20


def load(path):
    """A JSON file."""
    return json.loads(path.read_text())


class OnDigits(tool_test.ToolTest):
    """A quantized digits model and twenty labelled samples, made once for the class."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared_folder = tempfile.TemporaryDirectory(prefix="halfstep_gates_")
        cls.shared = pathlib.Path(cls.shared_folder.name)
        lines = (DIGITS / "eval.txt").read_text().split()[:NUM_SAMPLES]
        cls.list = cls.shared / "list.txt"
        cls.list.write_text("".join(f"{DIGITS / line}\n" for line in lines))
        cls.labels = cls.shared / "labels.txt"
        cls.labels.write_text("\n".join((DIGITS / "eval_labels.txt").read_text().split()[:NUM_SAMPLES]) + "\n")
        cls.quantized = cls.shared / "digits.quantized.onnx"

    @classmethod
    def tearDownClass(cls):
        cls.shared_folder.cleanup()
        super().tearDownClass()

    def setUp(self):
        super().setUp()
        if not self.quantized.exists():
            self.assert_succeeds("quantize", "--effort", "fast", "--input_list", self.list, "--validate", "0",
                                 "--output_path", self.quantized, MODEL)

    def arguments(self, *options, labels=True):
        """Arguments of quantize-eval on the digits."""
        labelled = ["--labels", self.labels] if labels else []
        return ["--quiet", "--input_list", self.list, *labelled, *options, MODEL, self.quantized]

    def evaluate(self, *options, labels=True):
        """quantize-eval, which must succeed; its JSON report."""
        self.assert_succeeds("quantize-eval", *self.arguments(*options, "--report", "r.json", labels=labels))
        return load(self.work / "r.json")

    def misuse(self, words, *options, labels=True):
        """quantize-eval, which must refuse before it runs."""
        self.assert_fails(USAGE, words, "quantize-eval", *self.arguments(*options, labels=labels))

    def broken(self, words, *options, labels=True):
        """quantize-eval, which must find a file malformed."""
        self.assert_fails(BAD_FILE, words, "quantize-eval", *self.arguments(*options, labels=labels))

    def missed(self, words, *options, labels=True):
        """quantize-eval, which must miss a gate, say so in one line and write its report all the same."""
        finished = self.run_tool("quantize-eval", *self.arguments(*options, "--report", "r.json", labels=labels))
        self.assertEqual(finished.code, GATE_MISSED, finished)
        last = finished.stderr.rstrip("\n").split("\n")[-1]
        for word in ("quantize-eval: error: gate missed", *words):
            self.assertIn(word, last)
        self.assertIn("FAIL", finished.stdout)
        return load(self.work / "r.json")
