"""action_test.py: the shell steps of action.yml, run as GitHub runs them, with an archive of the tools under test."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile

import tool_test
from tool_test import BAD_FILE, DIGITS, OK, TOOLS, USAGE

ROOT = pathlib.Path(__file__).resolve().parents[2]
GATE_MISSED = 6


def below(lines, indent):
    """The leading lines that are indented by at least that much, or empty."""
    taken = []
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) < indent:
            break
        taken.append(line)
    return taken


def read_action(text):
    """Defaults of the inputs, and the steps: dicts of their keys, env a dict, run the commands; no more YAML than that."""
    lines = text.splitlines()
    defaults, name = {}, None
    for line in below(lines[lines.index("inputs:") + 1:], 2):
        if match := re.match(r"  (\w+):$", line):
            name = match.group(1)
        elif match := re.match(r"    default: (.*)", line):
            defaults[name] = match.group(1).strip('"')
    steps = []
    body = below(lines[lines.index("  steps:") + 1:], 4)
    for i, line in enumerate(body):
        if match := re.match(r"    (- |  )(\w+): ?(.*)", line):
            if match.group(1) == "- ":
                steps.append({})
            value = match.group(3)
            block = below(body[i + 1:], 8)
            if match.group(2) == "env":
                value = dict(re.match(r" {8}(\w+): (.*)", entry).groups() for entry in block)
            elif value == "|":
                value = "\n".join(entry[8:] for entry in block) + "\n"
            steps[-1][match.group(2)] = value
    return defaults, steps


class Action(tool_test.ToolTest):
    """All steps in order; a step after a failed one runs if it says always()."""

    @classmethod
    def setUpClass(cls):
        cls.text = (ROOT / "action.yml").read_text()
        cls.defaults, cls.steps = read_action(cls.text)
        temporary = tempfile.TemporaryDirectory(prefix="halfstep_action_")
        cls.addClassCleanup(temporary.cleanup)
        cls.archive = pathlib.Path(temporary.name) / "release.tar.gz"
        with tarfile.open(cls.archive, "w:gz", compresslevel=0) as archive:
            for tool in TOOLS:
                archive.add(pathlib.Path(cls.tools_folder) / tool, f"halfstep-0.0.0/bin/{tool}")
            archive.add(ROOT / "configs", "halfstep-0.0.0/share/halfstep/configs")

    def setUp(self):
        super().setUp()
        for name in ("digits.onnx", "calib.txt", "eval.txt", "eval_labels.txt"):
            shutil.copy(DIGITS / name, self.work)
        for name in ("calib", "eval"):
            (self.work / name).symlink_to(DIGITS / name)
        self.files = {name: self.folder / name for name in ("GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}

    def act(self, code=OK, **inputs):
        """Runs the action; its outputs, and what it printed."""
        known = {"github.server_url": "file:///nowhere", "github.action_repository": "owner/halfstep"}
        for name, default in {**self.defaults, "archive": str(self.archive), "model": "digits.onnx",
                              "eval_list": "eval.txt", **inputs}.items():
            known["inputs." + name] = default
        environment = {"HOME": os.environ.get("HOME", "/"), "PATH": "/usr/bin:/bin", "RUNNER_TEMP": str(self.folder),
                       **{name: str(path) for name, path in self.files.items()}}
        for path in self.files.values():
            path.write_text("")
        status, printed = OK, ""
        for step in self.steps:
            self.assertEqual(step["shell"], "bash")
            if status != OK and step.get("if") != "always()":
                continue
            self.files["GITHUB_OUTPUT"].write_text("")
            path = ":".join([*reversed(self.files["GITHUB_PATH"].read_text().split()), environment["PATH"]])
            values = {key: re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda m: known[m.group(1)], value)
                      for key, value in step["env"].items()}
            finished = subprocess.run(["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
                                      cwd=self.work, env={**environment, **values, "PATH": path}, text=True,
                                      stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False)
            printed += finished.stdout + finished.stderr
            status = status or finished.returncode
            for line in self.files["GITHUB_OUTPUT"].read_text().splitlines():
                key, value = line.split("=", 1)
                known[f"steps.{step['id']}.outputs.{key}"] = value
        self.assertEqual(status, code, printed)
        return {
            "quantized": known.get("steps.quantize.outputs.quantized"),
            "report": known.get("steps.judge.outputs.report")}, printed

    def test_no_input_reaches_a_shell_as_code(self):
        for step in self.steps:
            self.assertNotIn("${{", step["run"], step["name"])

    def test_it_names_this_version(self):
        version = re.search(r'kVersion = "(.*)"', (ROOT / "include/halfstep/version.hpp").read_text()).group(1)
        self.assertEqual(self.steps[0]["env"]["VERSION"], version)
        self.assertIn(f"halfstep@v{version}\n", self.text)

    def test_gates_that_pass(self):
        outputs, printed = self.act(input_list="calib.txt", labels="eval_labels.txt",
                                    quantize_options="--effort fast\n--exclude_nodes '/0/0.0/Conv'",
                                    gates="--min_top1 95 --max_top1_drop 1\n--no_isolated")
        self.assertIn("halfstep ", printed)
        self.assertEqual(outputs, {"quantized": "halfstep/digits.quantized.onnx", "report": "halfstep/report.json"})
        self.assertTrue((self.work / outputs["quantized"]).is_file())
        self.assertTrue((self.work / "halfstep/digits.encodings.json").is_file())
        report = json.loads((self.work / outputs["report"]).read_text())
        self.assertEqual([gate["passed"] for gate in report["gates"]], [True, True])
        self.assertIn("/0/0.0/Conv", (self.work / "halfstep/digits.report.json").read_text())
        for form in ("xml", "html"):
            self.assertTrue((self.work / f"halfstep/report.{form}").is_file())
        summary = self.files["GITHUB_STEP_SUMMARY"].read_text()
        self.assertEqual(summary, (self.work / "halfstep/report.md").read_text())
        self.assertIn("--min_top1", summary)

    def test_a_missed_gate_fails_and_shows_its_report(self):
        _, printed = self.act(GATE_MISSED, input_list="calib.txt", quantize_options="--effort fast",
                              gates="--min_sqnr_db 90 --no_isolated", output_dir="my reports")
        self.assertIn("gate missed: --min_sqnr_db", printed)
        self.assertIn("**failed**", self.files["GITHUB_STEP_SUMMARY"].read_text())
        self.assertTrue((self.work / "my reports/report.json").is_file())

    def test_a_quantized_model_of_ones_own(self):
        self.assert_succeeds("quantize", "--effort", "fast", "--input_list", "calib.txt", "--output_path", "own.onnx",
                             "digits.onnx")
        outputs, _ = self.act(quantized="own.onnx", gates="--no_isolated")
        self.assertEqual(outputs["quantized"], "own.onnx")
        self.assertNotIn("digits.quantized.onnx", os.listdir(self.work / "halfstep"))
        _, printed = self.act(USAGE, quantized="own.onnx", input_list="calib.txt")
        self.assertIn("::error::input_list and quantize_options have no effect with quantized", printed)

    def test_a_failed_step_stops_the_action(self):
        _, printed = self.act(BAD_FILE, input_list="missing.txt")
        self.assertIn("missing.txt", printed)
        self.assertEqual(self.files["GITHUB_STEP_SUMMARY"].read_text(), "")

    def test_the_archive_is_checked(self):
        digest = hashlib.sha256(self.archive.read_bytes()).hexdigest()
        _, printed = self.act(BAD_FILE, input_list="calib.txt", sha256="0" * 64)
        self.assertIn("its SHA-256 is not 000", printed)
        self.act(input_list="calib.txt", sha256=digest, archive=f"file://{self.archive}",
                 quantize_options="--effort fast", gates="--no_isolated")

    def test_a_release_that_cannot_be_had(self):
        _, printed = self.act(BAD_FILE, input_list="calib.txt", archive="")
        self.assertRegex(printed, r"::error::file:///nowhere/owner/halfstep/releases/download/v[\d.]+/"
                                  r"halfstep-[\d.]+-linux-x86_64.tar.gz: cannot be had; give ")


if __name__ == "__main__":
    tool_test.main()
