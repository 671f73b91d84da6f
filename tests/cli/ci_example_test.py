"""ci_example_test.py: the commands of docs/ci.md and of the example pipelines, run on the bundled digits model."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import xml.etree.ElementTree

import tool_test

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
GATE_MISSED = 6
# What a repository holds that copies the example, and the file of the digits it is here.
FILES = {"model.onnx": "digits.onnx", "calib.txt": "calib.txt", "calib": "calib", "eval.txt": "eval.txt",
         "eval": "eval", "eval_labels.txt": "eval_labels.txt"}
# Steps that fetch and build Halfstep: the test uses the tools it was given.
INSTALLING = ("Install git", "Install Halfstep")


def shell_blocks(text):
    """(exit code, commands) of every block of a document that is marked as sh."""
    found = re.findall(r"(<!-- exits with (\d+) -->\n)?```sh\n(.*?)```", text, flags=re.DOTALL)
    return [(int(code or 0), commands) for _, code, commands in found]


def indented(lines, indent):
    """The leading lines that are indented more than that, or empty."""
    block = []
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        block.append(line[indent + 2:])
    return "\n".join(block).strip() + "\n"


def github_steps(text):
    """(name, commands) of every step with commands."""
    steps, name, lines = [], None, text.splitlines()
    for i, line in enumerate(lines):
        if match := re.match(r" +- (name: (.*))?", line):
            name = match.group(2)
        if match := re.match(r"( +)run: \|$", line):
            steps.append((name, indented(lines[i + 1:], len(match.group(1)))))
    return steps


def gitlab_script(text):
    """The commands of `script`, in order."""
    lines = text.splitlines()
    body = indented(lines[lines.index("  script:") + 1:], 2).splitlines()
    commands = []
    for i, line in enumerate(body):
        if line.startswith("- |"):
            commands.append(indented(body[i + 1:], 0))
        elif line.startswith("- "):
            commands.append(line[2:])
    return commands


class CiExample(tool_test.ToolTest):
    """Every command must do what the documents say."""

    def setUp(self):
        super().setUp()
        for name, source in FILES.items():
            copy = shutil.copytree if (tool_test.DIGITS / source).is_dir() else shutil.copy
            copy(tool_test.DIGITS / source, self.work / name)
        self.summary = self.folder / "summary.md"

    def shell(self, commands, code=0):
        """Runs commands as a pipeline's shell does; what they left."""
        environment = {**os.environ, "PATH": self.tools_folder + os.pathsep + os.environ["PATH"],
                       "GITHUB_STEP_SUMMARY": str(self.summary)}
        finished = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", commands], cwd=self.work, env=environment,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        self.assertEqual(finished.returncode, code, f"{commands}\n{finished.stdout}\n{finished.stderr}")
        return finished

    def make_baseline(self):
        """A baseline as docs/ci.md says: the report of an accepted run."""
        self.shell("quantize --quiet --input_list calib.txt model.onnx\n"
                   "quantize-eval --input_list eval.txt --labels eval_labels.txt --no_isolated --report baseline.json "
                   "model.onnx model.quantized.onnx")
        (self.work / "model.quantized.onnx").unlink()

    def check_reports(self):
        """All four forms exist and say the same of the gates."""
        gates = json.loads((self.work / "report.json").read_text())["gates"]
        self.assertTrue(gates)
        suites = xml.etree.ElementTree.parse(self.work / "report.xml").getroot()
        cases = suites.findall("./testsuite[@name='gates']/testcase")
        self.assertEqual([case.get("name").split(":")[0] for case in cases], [gate["option"] for gate in gates])
        self.assertEqual(int(suites.get("tests")), len(suites.findall(".//testcase")))
        self.assertEqual(int(suites.get("failures")), len(suites.findall(".//failure")))
        self.assertEqual(len(suites.findall(".//failure")), sum(not gate["passed"] for gate in gates))
        page = (self.work / "report.html").read_text()
        markdown = (self.work / "report.md").read_text()
        self.assertLess(len(markdown), 60000)
        for gate in gates:
            self.assertIn("--" + gate["option"], page)
            self.assertIn("--" + gate["option"], markdown)

    def test_the_page_of_documentation(self):
        blocks = shell_blocks((DOCS / "ci.md").read_text())
        self.assertEqual([code for code, _ in blocks].count(GATE_MISSED), 1)
        self.assertGreaterEqual(len(blocks), 4)
        for code, commands in blocks:
            with self.subTest(commands=commands):
                finished = self.shell(commands, code)
                if code == GATE_MISSED:
                    self.assertIn("quantize-eval: error: gate missed: --min_sqnr_db: SQNR of output 'logits' is",
                                  finished.stderr)
        self.check_reports()

    def test_the_github_workflow(self):
        self.make_baseline()
        steps = github_steps((DOCS / "examples" / "github-quantization-gate.yml").read_text())
        self.assertEqual([name for name, _ in steps], [*INSTALLING, "Quantize", "Judge", "Show the report"])
        for name, commands in steps:
            if name not in INSTALLING:
                self.shell(commands)
        self.check_reports()
        self.assertEqual(self.summary.read_text(), (self.work / "report.md").read_text())

    def test_the_gitlab_job(self):
        self.make_baseline()
        commands = gitlab_script((DOCS / "examples" / "gitlab-quantization-gate.yml").read_text())
        self.assertEqual([command.split()[0] for command in commands], ["quantize", "quantize-eval"])
        for command in commands:
            self.shell(command)
        self.check_reports()

    def test_a_missed_gate_leaves_its_reports(self):
        self.shell("quantize --quiet --input_list calib.txt model.onnx")
        self.shell("quantize-eval --input_list eval.txt --labels eval_labels.txt --min_top1 100 --min_cosine 0.5 "
                   "--report report.json --report report.md --report report.xml --report report.html "
                   "model.onnx model.quantized.onnx", GATE_MISSED)
        self.check_reports()
        self.assertIn("**failed**", (self.work / "report.md").read_text())
        self.assertIn("missed by", (self.work / "report.xml").read_text())


if __name__ == "__main__":
    tool_test.main()
