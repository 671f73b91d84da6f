"""halfstep_test.py: the Python package, with the tools on PATH or as a wheel installs them.

    PYTHONPATH=python python3 tests/python/halfstep_test.py TOOLS_FOLDER     the package of the sources
    VENV/bin/python tests/python/halfstep_test.py                            the installed wheel
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import sysconfig
import tempfile
import unittest

import halfstep

DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "digits"
MODEL = DATA / "digits.onnx"
IS_INSTALLED = halfstep.__version__ != "unknown"


class Package(unittest.TestCase):
    """quantize() and evaluate() on the bundled digits model."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="halfstep_python_")
        self.addCleanup(temporary.cleanup)
        self.work = pathlib.Path(temporary.name)

    def quantize(self, **options):
        return halfstep.quantize(MODEL, cwd=self.work, **{"input_list": DATA / "calib.txt", **options})

    def evaluate(self, **options):
        return halfstep.evaluate(MODEL, "digits.quantized.onnx", cwd=self.work, input_list=DATA / "eval.txt",
                                 labels=DATA / "eval_labels.txt", no_isolated=True, **options)

    def files(self):
        return sorted(path.name for path in self.work.iterdir())

    def test_quantizes_and_evaluates(self):
        report = self.quantize(effort="fast")
        self.assertEqual(report["kind"], "quantize")
        self.assertEqual(report["num_calibration_samples"], 100)
        self.assertEqual(self.files(), ["digits.encodings.json", "digits.quantized.onnx"])
        report = self.evaluate(min_top1=99, report="eval.md")
        self.assertEqual(report["num_samples"], 497)
        self.assertEqual([gate["passed"] for gate in report["gates"]], [True])
        self.assertIn("eval.md", self.files())

    def test_the_report_is_the_one_that_is_written(self):
        report = self.quantize(report="mine.json", scale="power_of_two", effort="fast")
        self.assertEqual(json.loads((self.work / "mine.json").read_text()), report)
        self.assertIn("power_of_two", json.dumps(report["options"]))

    def test_a_missed_gate_has_its_report(self):
        self.quantize(effort="fast")
        with self.assertRaises(halfstep.GateMissed) as caught:
            self.evaluate(min_sqnr_db=90, report=["a.xml", self.work / "b.html"])
        self.assertEqual(caught.exception.exit_code, 6)
        self.assertRegex(str(caught.exception), r"gate missed: --min_sqnr_db: .* missed by")
        self.assertEqual([gate["passed"] for gate in caught.exception.report["gates"]], [False])
        self.assertTrue({"a.xml", "b.html"} <= set(self.files()))

    def test_booleans_lists_and_dicts(self):
        report = self.quantize(effort="fast", use_per_channel_quantization=False, trim_flat=True, bias_bitwidth=None,
                               exclude_nodes=["/0/0.0/Conv", "/6/6.0/Conv"], input_dim={"image": "1,1,16,16"})
        text = json.dumps(report["options"])
        self.assertRegex(text, r'use_per_channel_quantization"?[:,] *"?false')
        self.assertRegex(text, r'trim_flat"?[:,] *"?true')
        self.assertIn("/0/0.0/Conv", text)
        self.assertIn("/6/6.0/Conv", text)

    def test_errors_are_those_of_the_tools(self):
        for options, code, words in (({"act_bitwidth": 7}, 2, "--act_bitwidth"), ({"frobnicate": 1}, 2, "frobnicate"),
                                     ({"input_list": "missing.txt"}, 3, "missing.txt")):
            with self.subTest(options=options), self.assertRaises(halfstep.ToolError) as caught:
                self.quantize(**options)
            self.assertEqual(caught.exception.exit_code, code)
            self.assertIn(words, str(caught.exception))
            self.assertEqual(len(str(caught.exception).splitlines()), 1)
        self.assertEqual(self.files(), [])

    def test_a_report_in_another_form_is_refused(self):
        with self.assertRaisesRegex(ValueError, "report='r.html': must end in .json"):
            self.quantize(report="r.html")

    def test_the_example_of_readme(self):
        text = (DATA.parents[2] / "README.md").read_text()
        (example,) = re.findall(r"```python\n(import halfstep\n.*?)```", text, flags=re.DOTALL)
        for name, source in (("model.onnx", "digits.onnx"), ("labels.txt", "eval_labels.txt"), ("calib.txt",) * 2,
                             ("eval.txt",) * 2, ("calib",) * 2, ("eval",) * 2):
            (self.work / name).symlink_to(DATA / source)
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.work)
        names = {}
        exec(example, names)  # pylint: disable=exec-used
        self.assertEqual([gate["option"] for gate in names["report"]["gates"]], ["max_top1_drop"])

    def test_run_tool(self):
        self.assertIn("Conv", halfstep.run_tool("quantize-inspect", "--operators"))
        with self.assertRaises(FileNotFoundError):
            halfstep.tool_path("quantize-nothing")

    @unittest.skipUnless(IS_INSTALLED, "not installed")
    def test_the_installed_tools_are_the_wheels(self):
        scripts = sysconfig.get_path("scripts")
        tools = sorted(name for name in os.listdir(scripts) if name.startswith("quantize"))
        self.assertIn("quantize-inspect", tools)
        for tool in tools:
            self.assertEqual(halfstep.tool_path(tool), os.path.join(scripts, tool))
            printed = subprocess.run([os.path.join(scripts, tool), "--version"], capture_output=True, text=True,
                                     check=True).stdout
            self.assertEqual(printed.splitlines()[0], f"halfstep {halfstep.__version__}")
        # A recipe, which lies beside the tools.
        self.assertEqual(self.quantize(config="tflite-int8", effort="fast")["kind"], "quantize")


if __name__ == "__main__":
    if len(sys.argv) > 1 and os.path.isdir(sys.argv[1]):
        os.environ["PATH"] = os.path.abspath(sys.argv.pop(1)) + os.pathsep + os.environ["PATH"]
    unittest.main()
