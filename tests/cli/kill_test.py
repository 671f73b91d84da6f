"""kill_test.py: tools killed at random moments leave every output whole, old or new, and nothing that stays.

HALFSTEP_KILLS=N sets how many kills there are in all, spread over the tools; by default few, for continuous
integration. The moments are drawn from a fixed seed between 0 and a run's normal time, a third of them from its last
fifth, where files are written.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time

import tool_test
from tool_test import DIGITS

NUM_KILLS = int(os.environ.get("HALFSTEP_KILLS", "30"))
SEED = 14
OLD = b"what was there before\n"
TEMPORARY = re.compile(r"\.halfstep-\d+-\d+\.tmp")


def files_in(folder):
    """Relative path to content of every file."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def is_temporary(path):
    """A part of the path says so."""
    return any(TEMPORARY.fullmatch(part) for part in path.split(os.sep))


def is_whole(name, content, new):
    """New bytes, or, where a report tells times, a report from its first to its last character."""
    if content == new:
        return True
    if name.endswith(".jsonl"):  # Grows by lines; the next run cuts off half a one.
        return all(json.loads(line) for line in content.splitlines()[:-1])
    if name.endswith(".json"):
        return json.loads(content).keys() == json.loads(new).keys()
    ends = {".html": b"</html>\n", ".md": new[-1:], ".xml": new[-14:]}
    ending = ends.get(os.path.splitext(name)[1])
    return ending is not None and content.startswith(new[:20]) and content.endswith(ending)


class Kills(tool_test.ToolTest):
    """A subject is a command whose outputs lie in `self.work`, temporary files in `self.temporary`."""

    def setUp(self):
        super().setUp()
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()
        self.model = DIGITS / "digits.onnx"
        lines = [line for line in (DIGITS / "calib.txt").read_text().splitlines() if line.strip()][:16]
        self.samples = self.write("few.txt", "".join(str(DIGITS / line) + "\n" for line in lines))
        made = self.folder / "made"
        made.mkdir()
        self.quantized = made / "q.onnx"
        self.assert_succeeds("quantize", "--quiet", "--validate", 0, "--input_list", self.samples, "--output_path",
                             self.quantized, self.model)

    def start(self, tool, arguments):
        """The tool, at work."""
        command = [os.path.join(self.tools_folder, tool), *map(str, arguments)]
        return subprocess.Popen(command, cwd=self.work, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(self.temporary)})

    def run_once(self, tool, arguments):
        """Runs it to its end; the seconds that took."""
        start = time.monotonic()
        process = self.start(tool, arguments)
        self.assertEqual(process.wait(timeout=tool_test.TIMEOUT_SECONDS), 0, (tool, arguments))
        return time.monotonic() - start

    def fill(self, names):
        """Puts an old file in the place of every output."""
        shutil.rmtree(self.work)
        for name in names:
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(OLD)
        self.work.mkdir(exist_ok=True)

    def check(self, share, tool, *arguments, grows=()):
        """Kills the command NUM_KILLS * share times; outputs that start with one of `grows` start empty."""
        times = []
        for _ in range(2):
            self.fill([])
            times.append(self.run_once(tool, arguments))
        seconds = min(times)
        new = files_in(self.work)
        self.assertFalse([name for name in new if is_temporary(name)])
        chance = random.Random(f"{SEED} {tool} {arguments[0]}")
        told = {"old": 0, "new": 0, "absent": 0, "temporary": 0}
        wanted = max(1, round(NUM_KILLS * share))
        kills = ended = 0
        late = True
        while kills < wanted and ended <= 3 * wanted:
            i = kills
            before = [name for name in new if i % 2 == 0 and not name.startswith(tuple(grows))]
            self.fill(before)
            process = self.start(tool, arguments)
            time.sleep(seconds * (chance.uniform(0.8, 1.0) if i % 3 == 2 and late else chance.random()))
            process.send_signal(signal.SIGKILL)
            late = process.wait() != 0  # Else it was faster this time: no kill.
            kills += late
            ended += not late
            left = files_in(self.work)
            for name, content in left.items():
                if is_temporary(name):
                    told["temporary"] += 1
                    continue
                self.assertIn(name, new, f"{tool} left a file of another name after kill {i}")
                whole = content == OLD or is_whole(name, content, new[name])
                self.assertTrue(whole, f"{tool} left half of {name} after kill {i}")
                told["old" if content == OLD else "new"] += 1
            self.assertFalse([name for name in before if name not in left], "an old file is gone")
            told["absent"] += len([name for name in new if name not in left])
            in_temporary = os.listdir(self.temporary)
            self.assertTrue(all(map(is_temporary, in_temporary)), in_temporary)
            told["temporary"] += len(in_temporary)
            # What is left does not disturb the next run, which sweeps it.
            if kills % 5 == 0 or kills == wanted:
                self.run_once(tool, arguments)
                after = files_in(self.work)
                self.assertEqual(after.keys(), new.keys())
                for name, content in after.items():
                    self.assertTrue(is_whole(name, content, new[name]), name)
        print(f"{tool} {arguments[0]}: {kills} kills at work within {seconds:.2f} s, files: {told}", flush=True)
        self.assertEqual(kills, wanted)

    def test_quantize(self):
        self.check(0.25, "quantize", "--statistics_out=s.json", "--quiet", "--input_list", self.samples,
                   "--output_path", "q.onnx", "--report", "r.html", "--float_out", "f.onnx", self.model)

    def test_quantize_trials(self):
        self.check(0.15, "quantize", "--auto_mixed_precision", "--quiet", "--input_list", self.samples,
                   "--allowed_accuracy_drop", "1", "--output_path", "q.onnx", self.model)
        self.assertEqual(os.listdir(self.temporary), [], "temporary folders are swept where another is made")

    def test_quantize_eval(self):
        reports = [f"--report=r{ending}" for ending in (".json", ".md", ".xml", ".html")]
        self.check(0.25, "quantize-eval", "--metric_command=echo 1 1 # {float_dir} {quantized_dir}", "--quiet",
                   "--input_list", self.samples, *reports, self.model, self.quantized)
        self.assertEqual(os.listdir(self.temporary), [], "temporary folders are swept where another is made")

    def test_quantize_run(self):
        self.check(0.15, "quantize-run", "--output_dir=results", "--quiet", "--input_list", self.samples,
                   "--dump_tensors", "all", "--mode", "fixed", "--save_inputs", "inputs", self.quantized)

    def test_quantize_sensitivity(self):
        self.check(0.15, "quantize-sensitivity", "--cache_dir=cache", "--quiet", "--input_list", self.samples,
                   "--samples", 2, "--no_parts", "--report", "r.json", "--report", "r.html", "--results_out", "s.jsonl",
                   self.model, self.quantized, grows=("cache",))

    def test_quantize_inspect(self):
        self.check(0.05, "quantize-inspect", "--program=fixed", self.quantized)


if __name__ == "__main__":
    tool_test.main()
