"""tool_test.py: what the command-line tests share: running tools, judging failures, small inputs.

Every test file is a program: python3 NAME_test.py TOOLS_FOLDER [unittest options].
"""

import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

import onnx_wire as wire

DIGITS = pathlib.Path(__file__).resolve().parent.parent / "data" / "digits"
TOOLS = ("quantize", "quantize-eval", "quantize-run", "quantize-inspect", "quantize-sensitivity")

# Exit codes, as README.md documents them.
OK, USAGE, BAD_FILE, UNSUPPORTED, CALIBRATION = 0, 2, 3, 4, 5

TIMEOUT_SECONDS = int(os.environ.get("HALFSTEP_TIMEOUT_SECONDS", "60"))  # A hang; sanitizers need longer.
MAX_RSS_BYTES = 1 << 30  # Far above what a failing run may touch, far below what hostile sizes ask for.


class Finished:
    """What a run left: exit code (negative: a signal), texts, peak resident memory, processor time."""

    def __init__(self, code, stdout, stderr, rss_bytes, cpu_seconds=0.0):
        self.code, self.stdout, self.stderr, self.rss_bytes = code, stdout, stderr, rss_bytes
        self.cpu_seconds = cpu_seconds

    def __str__(self):
        return f"exit {self.code}\nstdout: {self.stdout}\nstderr: {self.stderr}"


class ToolTest(unittest.TestCase):
    """A test in a folder of its own: `self.folder` for inputs, `self.work` the tools' working directory."""

    tools_folder = None

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="halfstep_cli_")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name) / "in"
        self.work = pathlib.Path(temporary.name) / "work"
        self.folder.mkdir()
        self.work.mkdir()
        self.use_caches(self.folder / "caches")

    def use_caches(self, folder):
        """What tools keep beyond a run lies in a folder of this test's."""
        before = os.environ.get("XDG_CACHE_HOME")
        os.environ["XDG_CACHE_HOME"] = str(folder)
        self.caches = folder / "halfstep"
        self.addCleanup(lambda: os.environ.pop("XDG_CACHE_HOME") if before is None
                        else os.environ.update(XDG_CACHE_HOME=before))

    def run_tool(self, tool, *args, preexec_fn=None, stdout=None):
        """Runs a tool in `self.work`; `stdout` may be an open file that replaces the pipe."""
        command = [os.path.join(self.tools_folder, tool), *map(str, args)]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(command, cwd=self.work, stdin=subprocess.DEVNULL, stdout=stdout or out,
                                       stderr=err, preexec_fn=preexec_fn)
            killer = threading.Timer(TIMEOUT_SECONDS, process.kill)
            killer.start()
            _, status, usage = os.wait4(process.pid, 0)
            timed_out = not killer.is_alive()
            killer.cancel()
            process.returncode = os.waitstatus_to_exitcode(status)
            texts = []
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read().decode(errors="backslashreplace"))
        self.assertFalse(timed_out, f"{command} did not end within {TIMEOUT_SECONDS} s")
        return Finished(process.returncode, *texts, usage.ru_maxrss * 1024,
                        usage.ru_utime + usage.ru_stime)

    def assert_succeeds(self, tool, *args, **options):
        """Runs a tool that must succeed; what it left."""
        finished = self.run_tool(tool, *args, **options)
        self.assertEqual(finished.code, OK, f"{tool} {args}\n{finished}")
        self.assertNotIn("error:", finished.stderr)
        return finished

    def assert_fails(self, code, words, tool, *args, **options):
        """Runs a tool that must fail with `code` and one line on stderr that holds all `words`.

        Progress and warnings may come before the line; nothing is on stdout and no file is left.
        """
        before = tree(self.work)
        finished = self.run_tool(tool, *args, **options)
        told = f"{tool} {' '.join(map(str, args))}\n{finished}"
        self.assertEqual(finished.code, code, told)
        self.assertEqual(finished.stdout, "", told)
        self.assertTrue(finished.stderr.endswith("\n"), told)
        lines = finished.stderr[:-1].split("\n")
        self.assertTrue(lines[-1].startswith(tool + ": error: "), told)
        for line in lines[:-1]:
            self.assertTrue(line.startswith(tool + ": warning: ") or " samples, " in line, told)
        self.assertFalse(any(ord(c) < 0x20 for c in lines[-1]), "control characters: " + told)
        self.assertLess(len(lines[-1]), 2000, "an endless line: " + told)
        for word in words:
            self.assertIn(word, lines[-1], told)
        self.assertEqual(tree(self.work), before, "files were left: " + told)
        self.assertLess(finished.rss_bytes, MAX_RSS_BYTES, told)
        return finished

    def write(self, name, content):
        """Writes a file into the input folder; its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def write_floats(self, name, values):
        """Writes raw float32 values."""
        return self.write(name, struct.pack(f"<{len(values)}f", *values))

    def write_list(self, text="x.raw\n", name="list.txt"):
        """Writes a sample list and, if missing, the sample x.raw for TINY_DIMS."""
        if not (self.folder / "x.raw").exists():
            self.write_floats("x.raw", TINY_SAMPLE)
        return self.write(name, text)


def tree(folder):
    """Every path under a folder with the sizes of files, hidden ones included."""
    return sorted((str(p.relative_to(folder)), p.stat().st_size if p.is_file() else -1)
                  for p in folder.rglob("*") if p.is_symlink() or p.exists())


TINY_DIMS = [1, 2, 4, 4]
TINY_SAMPLE = [(i % 7) / 3 - 1 for i in range(32)]


def tiny_graph(**changes):
    """x[1,2,4,4] -> Conv 3x3 -> Relu -> y; `changes` replace parts of the graph."""
    parts = {
        "nodes": [
            wire.node("Conv", ["x", "w", "b"], ["conv_out"], name="conv", pads=[1, 1, 1, 1]),
            wire.node("Relu", ["conv_out"], ["y"], name="relu"),
        ],
        "inputs": [wire.value_info("x", TINY_DIMS)],
        "outputs": [wire.value_info("y")],
        "initializers": [
            wire.tensor("w", [3, 2, 3, 3], [(i % 5 - 2) / 4 for i in range(54)]),
            wire.tensor("b", [3], [0.1, -0.2, 0.3]),
        ],
    }
    return wire.graph(**{**parts, **changes})


def tiny_model(opset=17, **changes):
    """The bytes of the tiny model."""
    return wire.model(tiny_graph(**changes), opset=opset)


def main():
    """Runs the tests of the calling file; the first argument is the folder of the tools."""
    if len(sys.argv) < 2 or not os.path.isdir(sys.argv[1]):
        sys.exit("usage: NAME_test.py TOOLS_FOLDER [unittest options]")
    ToolTest.tools_folder = os.path.abspath(sys.argv.pop(1))
    unittest.main(module="__main__")
