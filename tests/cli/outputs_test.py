"""outputs_test.py: disks that are full or read-only, outputs that are links, folders or inputs, and two writers.

Each for the outputs of every tool. Small disks are tmpfs in a mount namespace of the test's own; without the right to
make one these tests are skipped.
"""

import json
import os
import shlex
import shutil
import subprocess
import unittest

import tool_test
from tool_test import BAD_FILE, DIGITS, OK, USAGE

CAN_MOUNT = shutil.which("unshare") and subprocess.run(
    ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False).returncode == 0


class OutputTest(tool_test.ToolTest):
    """Commands by name; outputs go to a folder of choice."""

    def setUp(self):
        super().setUp()
        self.model = self.write("model.onnx", (DIGITS / "digits.onnx").read_bytes())
        lines = [line for line in (DIGITS / "calib.txt").read_text().splitlines() if line.strip()][:4]
        self.samples = self.write("few.txt", "".join(str(DIGITS / line) + "\n" for line in lines))
        self.quantized = self.folder / "quantized.onnx"
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        self.assert_succeeds("quantize", *self.quick, "--output_path", self.quantized, self.model)

    @property
    def quick(self):
        """What makes quantize short."""
        return ["--quiet", "--validate", 0, "--effort", "fast", "--input_list", self.samples]

    def commands(self, folder):
        """Name to (tool, arguments, main output), all outputs in `folder`."""
        pair = ["--quiet", "--input_list", self.samples]
        return {
            "quantize": ("quantize", [*self.quick, "--statistics_out", folder / "s.json", "--float_out",
                                      folder / "f.onnx", "--output_path", folder / "q.onnx", self.model], "q.onnx"),
            "eval": ("quantize-eval", [*pair, "--no_isolated", "--report", folder / "r.json", "--report",
                                       folder / "r.html", self.model, self.quantized], "r.json"),
            "run": ("quantize-run", [*pair, "--output_dir", folder, "--dump_tensors", "all", "--save_inputs",
                                     folder / "inputs", self.model], "Result_0"),
            "sensitivity": ("quantize-sensitivity", [*pair, "--samples", 1, "--no_parts", "--no_cache", "--report",
                                                     folder / "r.json", "--results_out", folder / "s.jsonl",
                                                     self.model, self.quantized], "r.json"),
        }


@unittest.skipUnless(CAN_MOUNT, "needs unshare and the right to make a mount namespace")
class Disks(OutputTest):
    """A disk that takes little, or nothing."""

    def on_disk(self, mount, tool, arguments, before=()):
        """Runs a tool where self.disk is what `mount` mounts. The run, and the files then on the disk with sizes."""
        listing = self.folder / "listing"
        script = [mount.format(disk=shlex.quote(str(self.disk)))]
        script += [f"echo old > {shlex.quote(str(self.disk / name))}" for name in before]
        if "remount" not in mount and "ro" in mount.split():
            script.append(f"mount -o remount,ro {shlex.quote(str(self.disk))}")
        command = shlex.join([os.path.join(self.tools_folder, tool), *map(str, arguments)])
        script.append(f"{command}; code=$?")
        script.append(f"cd {shlex.quote(str(self.disk))} && find . -type f -printf '%P %s\\n' > "
                      f"{shlex.quote(str(listing))}; exit $code")
        finished = subprocess.run(["unshare", "-rm", "sh", "-c", "\n".join(script)], cwd=self.work,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                                  timeout=tool_test.TIMEOUT_SECONDS)
        files = dict(line.rsplit(" ", 1) for line in listing.read_text().splitlines())
        return finished, {name: int(size) for name, size in files.items()}

    def check(self, finished, words):
        """One line, exit code 3."""
        self.assertEqual(finished.returncode, BAD_FILE, finished)
        self.assertIn(": error: ", finished.stderr.splitlines()[-1])
        for word in words:
            self.assertIn(word, finished.stderr.splitlines()[-1])

    def test_full(self):
        for name, (tool, arguments, _) in self.commands(self.disk).items():
            with self.subTest(command=name):
                finished, left = self.on_disk("mount -t tmpfs -o size=8k none {disk}", tool, arguments)
                self.check(finished, ["No space left on device", str(self.disk)])
                # quantize-run writes many files, each whole; others write all or none.
                if tool == "quantize-run":
                    self.assertFalse([file for file in left if ".tmp" in file])
                else:
                    self.assertEqual(left, {})

    def test_full_keeps_what_was_there(self):
        for name in ("quantize", "eval", "sensitivity"):
            tool, arguments, main = self.commands(self.disk)[name]
            with self.subTest(command=name):
                finished, left = self.on_disk("mount -t tmpfs -o size=12k none {disk}", tool, arguments, before=[main])
                self.check(finished, ["No space left on device"])
                self.assertEqual(left, {main: len("old\n")})

    def test_temporary_folder_is_full(self):
        environment = f"export TMPDIR={shlex.quote(str(self.disk))}"
        tool, arguments, _ = self.commands(self.work)["eval"]
        finished, left = self.on_disk("mount -t tmpfs -o size=8k none {disk}\n" + environment, tool,
                                      ["--metric_command=echo 1 1 # {float_dir} {quantized_dir}", *arguments])
        self.check(finished, ["No space left on device", str(self.disk)])
        self.assertEqual(left, {})
        self.assertEqual(tool_test.tree(self.work), [])

    def test_read_only(self):
        for name, (tool, arguments, _) in self.commands(self.disk).items():
            with self.subTest(command=name):
                finished, left = self.on_disk("mount -t tmpfs none {disk}\nmount -o remount,ro {disk}", tool, arguments)
                self.check(finished, ["Read-only file system", str(self.disk)])
                self.assertEqual(left, {})


class StandardOutput(OutputTest):
    """What a tool prints is an output, too."""

    def test_full(self):
        commands = {name: (tool, arguments) for name, (tool, arguments, _) in self.commands(self.work).items()}
        commands["inspect"] = ("quantize-inspect", [self.model])
        for name, (tool, arguments) in commands.items():
            if tool == "quantize-run":
                continue  # It prints nothing.
            with self.subTest(command=name), open("/dev/full", "wb") as full:
                finished = self.run_tool(tool, *arguments, stdout=full)
                self.assertEqual(finished.code, BAD_FILE, finished)
                self.assertIn("error: standard output", finished.stderr)


class Places(OutputTest):
    """Links, folders and inputs."""

    def test_links_stay_and_lead_to_the_new_file(self):
        target = self.folder / "target"
        target.mkdir()
        for name, (tool, arguments, main) in self.commands(self.work).items():
            if tool == "quantize-run":
                continue  # Below.
            for old in (b"old", None):
                with self.subTest(command=name, old=old):
                    link = self.work / main
                    link.unlink(missing_ok=True)
                    (target / main).unlink(missing_ok=True)
                    if old is not None:
                        (target / main).write_bytes(old)
                    link.symlink_to(os.path.relpath(target / main, self.work))
                    self.assert_succeeds(tool, *arguments)
                    self.assertTrue(link.is_symlink())
                    self.assertNotEqual((target / main).read_bytes(), b"old")
                    self.assertFalse([p for p in target.iterdir() if p.name.startswith(".")])

    def test_links_of_run(self):
        target = self.folder / "target"
        target.mkdir()
        tool, arguments, _ = self.commands(self.work / "results")["run"]
        (self.work / "results").symlink_to(target)
        self.assert_succeeds(tool, *arguments)
        self.assertTrue((self.work / "results").is_symlink())
        result = next(p for p in (target / "Result_0").iterdir() if p.suffix == ".raw")
        content = result.read_bytes()
        elsewhere = self.folder / "elsewhere.raw"
        elsewhere.write_bytes(b"old")
        result.unlink()
        result.symlink_to(elsewhere)
        self.assert_succeeds(tool, *arguments)
        self.assertTrue(result.is_symlink())
        self.assertEqual(elsewhere.read_bytes(), content)

    def test_folders_are_refused(self):
        for name, (tool, arguments, main) in self.commands(self.work).items():
            if tool == "quantize-run":
                continue
            with self.subTest(command=name):
                (self.work / main).mkdir()
                self.assert_fails(BAD_FILE, [main, "Is a directory"], tool, *arguments)
                (self.work / main).rmdir()

    def test_run_refuses_folders_in_the_place_of_files(self):
        tool, arguments, _ = self.commands(self.work)["run"]
        self.assert_succeeds(tool, *arguments)
        result = next(p for p in (self.work / "Result_0").iterdir() if p.suffix == ".raw")
        result.unlink()
        result.mkdir()
        finished = self.run_tool(tool, *arguments)
        self.assertEqual(finished.code, BAD_FILE, finished)
        self.assertIn("Is a directory", finished.stderr)

    def test_inputs_are_refused(self):
        pair = ["--quiet", "--input_list", self.samples]
        labels = self.write("labels.md", "0\n" * 4)
        listed = self.write("list.json", self.samples.read_text())
        cases = [
            ("quantize", [*self.quick, "--output_path", self.model, self.model], self.model),
            ("quantize", ["--effort", "fast", "--input_list", listed, "--report", listed, self.model], listed),
            ("quantize-eval", [*pair, "--labels", labels, "--report", labels, self.model, self.quantized], labels),
            ("quantize-sensitivity", [*pair, "--labels", labels, "--report", labels, self.model, self.quantized],
             labels),
        ]
        for tool, arguments, path in cases:
            with self.subTest(tool=tool):
                before = path.read_bytes()
                self.assert_fails(USAGE, [path.name, "can't be the same file"], tool, *arguments)
                self.assertEqual(path.read_bytes(), before)

    def test_samples_are_refused(self):
        sample = self.write("s.json", (DIGITS / self.samples.read_text().splitlines()[0]).read_bytes())
        listed = self.write("one.txt", str(sample) + "\n")
        before = sample.read_bytes()
        for tool, arguments in (
                ("quantize", ["--effort", "fast", "--report", sample, self.model]),
                ("quantize-eval", ["--report", sample, self.model, self.quantized]),
                ("quantize-sensitivity", ["--no_cache", "--report", sample, self.model, self.quantized])):
            with self.subTest(tool=tool):
                self.assert_fails(USAGE, ["s.json", "can't be the same file"], tool, "--quiet", "--input_list", listed,
                                  *arguments)
                self.assertEqual(sample.read_bytes(), before)

    def test_run_refuses_to_write_over_its_samples(self):
        # A part of a model run on what an earlier run left, into the same folder.
        tool, arguments, _ = self.commands(self.work)["run"]
        self.assert_succeeds(tool, *arguments)
        result = next(p for p in sorted((self.work / "Result_0").iterdir()) if p.suffix == ".raw")
        content = (DIGITS / self.samples.read_text().splitlines()[0]).read_bytes()
        output = self.output_name()
        sample = self.work / "Result_0" / f"{output}.raw"
        sample.write_bytes(content)
        self.assertTrue(result.exists())
        listed = self.write("one.txt", str(sample) + "\n")
        finished = self.run_tool("quantize-run", "--quiet", "--input_list", listed, "--output_dir", self.work,
                                 self.model)
        self.assertEqual(finished.code, USAGE, finished)
        self.assertIn("can't be the same file", finished.stderr)
        self.assertEqual(sample.read_bytes(), content)

    def output_name(self):
        """The name of the model's output, as its file is called."""
        results = self.folder / "names"
        self.assert_succeeds("quantize-run", "--quiet", "--input_list", self.samples, "--output_dir", results,
                             self.model)
        return next((results / "Result_0").iterdir()).stem


class TwoWriters(OutputTest):
    """The last one wins; no file is a mixture."""

    def test_two_runs_at_once(self):
        for name, (tool, arguments, _) in self.commands(self.work).items():
            with self.subTest(command=name):
                for path in self.work.iterdir():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                self.assert_succeeds(tool, *arguments)
                alone = {path: path.read_bytes() for path in self.work.rglob("*") if path.is_file()}
                command = [os.path.join(self.tools_folder, tool), *map(str, arguments)]
                for _ in range(4):
                    both = [subprocess.Popen(command, cwd=self.work, stdout=subprocess.DEVNULL,
                                             stderr=subprocess.PIPE) for _ in range(2)]
                    for process in both:
                        _, told = process.communicate(timeout=tool_test.TIMEOUT_SECONDS)
                        self.assertEqual(process.returncode, OK, told)
                    after = {path: path.read_bytes() for path in self.work.rglob("*") if path.is_file()}
                    self.assertEqual(after.keys(), alone.keys())
                    for path, content in after.items():
                        if path.suffix == ".json":
                            json.loads(content)
                        elif path.suffix != ".html":
                            self.assertEqual(content, alone[path], path)


if __name__ == "__main__":
    tool_test.main()
