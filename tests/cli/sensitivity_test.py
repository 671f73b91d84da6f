"""sensitivity_test.py: quantize-sensitivity: reports, scores that outlive a killed run, shards, planted faults."""

import html
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time

import onnx_wire as wire
import tool_test
from tool_test import BAD_FILE, DIGITS, USAGE

MODEL = DIGITS / "digits.onnx"
NUM_SAMPLES = 8
FORMS = ("json", "md", "html")


def load(path):
    """A JSON file."""
    return json.loads(path.read_text())


class Sensitivity(tool_test.ToolTest):
    """What the tests share; the cache of scores lies in the test's own folder."""

    quantized = "digits.quantized.onnx"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared_folder = tempfile.TemporaryDirectory(prefix="halfstep_sensitivity_")
        cls.shared = pathlib.Path(cls.shared_folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.shared_folder.cleanup()
        super().tearDownClass()

    def setUp(self):
        super().setUp()
        self.list = self.list_of(NUM_SAMPLES)
        made = self.shared / "digits.quantized.onnx"
        if not made.exists():
            self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--validate", 0, "--input_list",
                                 DIGITS / "calib.txt", "--output_path", made, MODEL)
        shutil.copy(made, self.work / self.quantized)
        shutil.copy(self.shared / "digits.encodings.json", self.work / "digits.encodings.json")

    def list_of(self, count):
        """A list of the first samples to judge by."""
        lines = (DIGITS / "eval.txt").read_text().split()[:count]
        return self.write(f"list{count}.txt", "".join(f"{DIGITS / line}\n" for line in lines))

    def arguments(self, *options, samples=None):
        """Arguments for the digits."""
        return ["--quiet", "--input_list", samples or self.list, *options, MODEL, self.quantized]

    def measure(self, *options, samples=None):
        """A run that must succeed; its stdout."""
        return self.assert_succeeds("quantize-sensitivity", *self.arguments(*options, samples=samples)).stdout

    def report(self, *options, name="r.json", samples=None):
        """The JSON report of such a run."""
        self.measure("--report", name, *options, samples=samples)
        return load(self.work / name)

    def misuse(self, words, *options):
        """A run that must be refused."""
        self.assert_fails(USAGE, words, "quantize-sensitivity", *self.arguments(*options))

    def cached(self):
        """The files of scores."""
        return sorted(self.caches.glob("sensitivity-*.jsonl"))


class Reports(Sensitivity):
    """What is measured, and how it is told."""

    def test_three_forms_of_one_report(self):
        table = self.measure(*(word for form in FORMS for word in ("--report", f"r.{form}")))
        report = load(self.work / "r.json")
        self.assertEqual(report["kind"], "sensitivity")
        self.assertEqual(report["num_samples"], NUM_SAMPLES)
        groups = report["groups"]
        self.assertEqual(groups[0]["name"], "input 'image'")
        entries = load(self.work / "digits.encodings.json")
        tensors = [name for group in groups for name in group["activations"]]
        self.assertEqual(sorted(tensors), sorted(e["name"] for e in entries["activation_encodings"]))
        weights = [name for group in groups for name in group["weights"]]
        self.assertEqual(sorted(weights), sorted(e["name"] for e in entries["param_encodings"] if e["bw"] == 8))
        for group in groups:
            for direction in ("enable_one", "disable_one"):
                self.assertIn("sqnr_db", group[direction]["both"])
                self.assertEqual("weights" in group[direction], bool(group["weights"]), group["name"])
            self.assertAlmostEqual(group["gain_db"],
                                   group["disable_one"]["both"]["sqnr_db"] - report["whole"]["both"]["sqnr_db"])
        by_gain = [g["name"] for g in sorted(groups, key=lambda g: -g["gain_db"])]
        self.assertEqual(report["by_cost"], by_gain)
        markdown = (self.work / "r.md").read_text()
        self.assertIn("## Sensitivity of `digits.onnx`", markdown)
        rows = [line for line in markdown.split("\n") if line.startswith("| `")]
        self.assertEqual([row.split("`")[1] for row in rows], by_gain[:20])
        page = html.unescape((self.work / "r.html").read_text().replace("<wbr>", ""))
        self.assertEqual([name for name in by_gain if f">{name}</th>" not in page], [])
        self.assertIn("everything", table)
        lines = [line.split(" ")[0] for line in table.split("\n")]
        places = [lines.index(name) for name in by_gain[:5] if " " not in name and len(name) <= 36]
        self.assertEqual(places, sorted(places))

    # Another tool's word.
    def test_the_whole_model_is_what_quantize_eval_says(self):
        report = self.report()
        self.assert_succeeds("quantize-eval", "--quiet", "--no_isolated", "--input_list", self.list, "--report",
                             "e.json", MODEL, self.quantized)
        evaluated = load(self.work / "e.json")
        self.assertAlmostEqual(report["whole"]["both"]["sqnr_db"], evaluated["outputs"][0]["sqnr_db"], 6)
        self.assertEqual(report["whole"]["both"]["top1_agreement"], evaluated["metrics"]["top1_agreement"])

    def test_labels_add_their_measures(self):
        labels = self.write("labels.txt", "\n".join((DIGITS / "eval_labels.txt").read_text().split()[:NUM_SAMPLES]))
        options = ("--labels", labels, "--direction", "disable-one", "--no_parts")
        report = self.report(*options)
        self.assertEqual(set(report["float"]), {"top1", "top5"})
        self.assertIn("top1", report["groups"][3]["disable_one"]["both"])
        self.assertIn("top-1 %", self.measure(*options))
        self.assertEqual(len(self.cached()), 1)
        self.report()
        self.assertEqual(len(self.cached()), 2, "scores without labels are others")

    # What the command says is known from the figures beside it: how many outputs are the same bytes, how many samples.
    def test_a_command_scores_every_run(self):
        script = self.write("score.sh", """
            echo run >> runs.txt
            same=0
            for i in $(seq 0 $(($(ls $1 | wc -l) - 1))); do
              cmp -s $1/Result_$i/logits.raw $2/Result_$i/logits.raw && same=$((same + 1))
            done
            echo $(ls $1 | wc -l) $same""")
        command = f"sh {script} {{float_dir}} {{quantized_dir}}"
        options = ("--metric_command", command, "--no_parts", "--direction", "enable-one")
        report = self.report(*options)
        self.assertEqual(report["float"], {"metric_command": NUM_SAMPLES})
        self.assertEqual(report["whole"]["both"]["metric_command"], 0)
        for group in report["groups"]:
            figures = group["enable_one"]["both"]
            self.assertEqual(figures["metric_command"] == NUM_SAMPLES, figures["sqnr_db"] == 200, group["name"])
        num_runs = len(report["groups"]) + 1
        self.assertEqual((self.work / "runs.txt").read_text().count("run"), num_runs)
        # Known by the cache, the float model's as well; the table, the page and Markdown show it.
        table = self.measure(*options, *(word for form in FORMS for word in ("--report", f"again.{form}")))
        self.assertEqual((self.work / "runs.txt").read_text().count("run"), num_runs)
        self.assertEqual(load(self.work / "again.json"), report)
        self.assertRegex(table, rf"float +{NUM_SAMPLES}\n")
        self.assertIn("| float |  | 8 |", (self.work / "again.md").read_text())
        self.assertIn("score of the command", (self.work / "again.html").read_text())
        self.report("--no_parts", "--direction", "enable-one")
        self.assertEqual(len(self.cached()), 2, "scores without the command are others")

    def test_a_command_that_fails(self):
        for command, words in (("exit 3 # {float_dir} {quantized_dir}", ["--metric_command", "exit status 3"]),
                               ("echo 5 # {float_dir} {quantized_dir}", ["--metric_command", "two numbers"])):
            with self.subTest(command=command):
                self.assert_fails(BAD_FILE, words, "quantize-sensitivity",
                                  *self.arguments("--metric_command", command, "--report", "r.json"))
                self.assertFalse((self.work / "r.json").exists())
        self.misuse(["{quantized_dir}"], "--metric_command", "score {float_dir}")

    def test_one_direction_without_parts(self):
        report = self.report("--direction", "enable-one", "--no_parts")
        for group in report["groups"]:
            self.assertNotIn("disable_one", group)
            self.assertNotIn("gain_db", group)
            self.assertEqual(list(group["enable_one"]), ["both"])
        self.assertEqual(list(report["whole"]), ["both"])
        alone = {g["name"]: g["enable_one"]["both"]["sqnr_db"] for g in report["groups"]}
        self.assertEqual(report["by_cost"], sorted(alone, key=alone.get))

    def test_encodings_for_the_float_model(self):
        self.assert_succeeds("quantize", "--quiet", "--algorithms", "none", "--validate", 0, "--input_list",
                             DIGITS / "calib.txt", "--output_path", "plain.onnx", MODEL)
        self.quantized = "plain.onnx"
        model = self.report("--no_cache")
        self.assert_succeeds("quantize-sensitivity", "--quiet", "--no_cache", "--input_list", self.list, "--encodings",
                             "plain.encodings.json", "--report", "e.json", MODEL)
        encodings = load(self.work / "e.json")
        self.assertEqual(encodings["whole"], model["whole"])
        self.assertEqual([g["enable_one"] for g in encodings["groups"]], [g["enable_one"] for g in model["groups"]])

    def test_neither_memory_nor_threads_change_a_byte(self):
        self.measure("--no_cache", "--report", "a.json", "--threads", 1)
        self.measure("--no_cache", "--report", "b.json", "--threads", 3, "--memory_mb", 0)
        self.assertEqual((self.work / "a.json").read_bytes(), (self.work / "b.json").read_bytes())


class Going(Sensitivity):
    """Scores that were found are not found again."""

    def test_killed_in_the_middle_and_run_again(self):
        samples = self.list_of(60)
        reports = [word for form in FORMS for word in ("--report", f"r.{form}")]
        self.measure("--no_cache", *reports, samples=samples)
        undisturbed = [(self.work / f"r.{form}").read_bytes() for form in FORMS]
        self.assertEqual(self.cached(), [])
        for form in FORMS:
            (self.work / f"r.{form}").unlink()

        command = [os.path.join(self.tools_folder, "quantize-sensitivity"),
                   *map(str, self.arguments("--threads", 1, *reports, samples=samples))]
        process = subprocess.Popen(command, cwd=self.work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + tool_test.TIMEOUT_SECONDS
        while not (self.cached() and self.cached()[0].read_bytes().count(b"\n") > 12):
            self.assertIsNone(process.poll(), "it ended before it could be killed")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.002)
        process.kill()
        process.wait()
        for form in FORMS:
            self.assertFalse((self.work / f"r.{form}").exists())
        scores = self.cached()[0]
        scores.write_bytes(scores.read_bytes() + b'{"form":"only/wei')  # What a kill amid a write leaves.
        num_known = scores.read_bytes().count(b"\n") - 1
        self.assertGreaterEqual(num_known, 12)

        story = self.measure(*reports, samples=samples)
        self.assertIn(f", {num_known} more were known", story)
        self.assertFalse(story.strip().split("\n")[-1].startswith("0 runs"), "nothing was left to do")
        self.assertEqual([(self.work / f"r.{form}").read_bytes() for form in FORMS], undisturbed)
        self.assertTrue(self.measure(*reports, samples=samples).strip().split("\n")[-1].startswith("0 runs, "))
        self.assertEqual([(self.work / f"r.{form}").read_bytes() for form in FORMS], undisturbed)

    def test_other_samples_are_another_key(self):
        self.measure("--direction", "enable-one", "--no_parts")
        self.measure("--direction", "enable-one", "--no_parts", "--samples", 3)
        self.assertEqual(len(self.cached()), 2)
        own = self.folder / "own"
        self.measure("--direction", "enable-one", "--no_parts", "--cache_dir", own)
        self.assertEqual([p.name for p in own.iterdir()],
                         [p.name for p in self.cached() if p.name in {q.name for q in own.iterdir()}])

    # Shards on several machines have their files in several places.
    def test_the_same_files_elsewhere_are_the_same_key(self):
        self.assert_succeeds("quantize", "--quiet", "--algorithms", "none", "--validate", 0, "--input_list",
                             DIGITS / "calib.txt", "--output_path", "plain.onnx", MODEL)
        short = ("quantize-sensitivity", "--quiet", "--samples", 2, "--no_parts", "--direction", "enable-one")
        for given, name in ((("--encodings", "plain.encodings.json"), "one"), (("q.onnx",), "two")):
            shutil.copy(self.work / "plain.onnx", self.work / "q.onnx")
            own = self.folder / name
            own.mkdir()
            for file in ("plain.encodings.json", "q.onnx"):
                shutil.copy(self.work / file, own / f"other_{file}")
            shutil.copy(MODEL, own / "model.onnx")
            places = [*given[:-1], own / f"other_{given[-1]}"]
            options = ("--cache_dir", own / "cache", "--input_list", self.list)
            self.assert_succeeds(*short, *options, MODEL, *given)
            story = self.assert_succeeds(*short, *options, own / "model.onnx", *places).stdout
            self.assertIn("\n0 runs, ", story)

    def test_a_direction_goes_on_from_the_other(self):
        self.measure("--direction", "enable-one")
        story = self.measure().strip().split("\n")[-1]
        self.assertNotIn("0 runs,", story)
        self.assertIn("more were known", story)

    def test_shards_together_give_the_bytes_of_one_run(self):
        self.measure("--no_cache", "--report", "one.json", "--results_out", "one.jsonl")
        for shard in range(3):
            before = tool_test.tree(self.work)
            told = self.measure("--no_cache", "--shard", f"{shard}/3", "--results_out", f"s{shard}.jsonl")
            self.assertIn("are left to others", told)
            self.assertNotIn("layer", told.split("\n")[0], "a share is no report")
            new = {name for name, _ in tool_test.tree(self.work)} - {name for name, _ in before}
            self.assertEqual(new, {f"s{shard}.jsonl"})
        inputs = [f"s{shard}.jsonl" for shard in (2, 0, 1)]
        story = self.measure("--no_cache", "--results_in", *inputs, "--report", "all.json", "--results_out",
                             "all.jsonl")
        self.assertIn("\n0 runs, ", story)
        for name in ("json", "jsonl"):
            self.assertEqual((self.work / f"all.{name}").read_bytes(), (self.work / f"one.{name}").read_bytes())
        self.assertNotIn("\n0 runs, ", self.measure("--results_in", *inputs[:2], "--no_cache"))

    def test_results_that_are_none_or_others(self):
        self.measure("--no_cache", "--samples", 3, "--results_out", "three.jsonl")

        def refuse(words, path):
            self.assert_fails(BAD_FILE, words, "quantize-sensitivity",
                              *self.arguments("--results_in", path, "--no_cache"))

        refuse(["three.jsonl", "other models, samples or options"], "three.jsonl")
        refuse(["no results of quantize-sensitivity"], MODEL)
        refuse(["no results of quantize-sensitivity", "empty.jsonl"], self.write("empty.jsonl", ""))
        refuse(["absent.jsonl"], "absent.jsonl")
        self.measure("--no_cache", "--results_out", "good.jsonl")
        lines = (self.work / "good.jsonl").read_text().split("\n")
        lines[4] = '{"form": "only/both/x"}'
        refuse(["broken.jsonl:5", "sqnr_db"], self.write("broken.jsonl", "\n".join(lines)))
        lines[4] = '{"form": "only/both/x", "sqnr_db": 3, "top1_percent": "many"}'
        refuse(["broken.jsonl:5", "top1_percent"], self.write("broken.jsonl", "\n".join(lines)))

    def test_a_cache_that_cannot_be_kept(self):
        blocked = self.write("blocked", "a file")
        self.assert_fails(BAD_FILE, ["blocked", "--cache_dir", "--no_cache"], "quantize-sensitivity",
                          *self.arguments("--cache_dir", blocked))


class Options(Sensitivity):
    """Options that contradict each other or mean nothing."""

    def test_refused_before_anything_runs(self):
        self.misuse(["--shard needs --results_out"], "--shard", "0/2")
        for shard in ("2/2", "x", "1", "-1/2", "0/0"):
            self.misuse(["--shard takes I/N"], "--shard=" + shard, "--results_out", "r.jsonl")
        self.misuse(["--shard", "--report"], "--shard", "0/2", "--results_out", "r.jsonl", "--report", "r.json")
        self.misuse(["--cache_dir has no effect with --no_cache"], "--no_cache", "--cache_dir", "c")
        self.misuse(["r.xml", ".json, .md or .html"], "--report", "r.xml")
        self.misuse(["--samples"], "--samples", 0)
        self.misuse(["--direction"], "--direction", "sideways")
        self.misuse(["--metric miou needs --labels"], "--metric", "miou")
        self.misuse(["r.json"], "--report", "r.json", "--report", "r.json")
        self.misuse(["encodings"], "--encodings", "digits.encodings.json")
        self.assert_fails(USAGE, ["quantized model"], "quantize-sensitivity", "--quiet", "--input_list", self.list,
                          MODEL)
        self.assertEqual(self.cached(), [])

    def test_models_without_encodings(self):
        shutil.copy(MODEL, self.work / self.quantized)
        self.assert_fails(BAD_FILE, ["encodings"], "quantize-sensitivity", *self.arguments())


class PlantedFaults(Sensitivity):
    """The layer that was broken is the one whose absence helps most."""

    def setUp(self):
        super().setUp()
        self.random = random.Random(7)

    def draw(self, count, deviation):
        """Normal numbers."""
        return [self.random.gauss(0, deviation) for _ in range(count)]

    def chain(self, weights=None, biases=None):
        """x[1,4,8,8], five convolutions with Relu, y; `weights` and `biases`, by number, replace those drawn."""
        weights, biases = weights or {}, biases or {}
        nodes, initializers, before = [], [], "x"
        for i in range(1, 6):
            after = "y" if i == 5 else f"c{i}"
            nodes.append(wire.node("Conv", [before, f"w{i}", f"b{i}"], [after], name=f"conv{i}", pads=[1, 1, 1, 1]))
            if i < 5:
                nodes.append(wire.node("Relu", [after], [f"r{i}"], name=f"relu{i}"))
            before = f"r{i}"
            initializers.append(wire.tensor(f"w{i}", [4, 4, 3, 3], weights.get(i) or self.draw(144, 0.25)))
            initializers.append(wire.tensor(f"b{i}", [4], biases.get(i) or self.draw(4, 0.1)))
        return self.write("net.onnx", wire.model(wire.graph(
            nodes, [wire.value_info("x", [1, 4, 8, 8])], [wire.value_info("y", [1, 4, 8, 8])], initializers)))

    def samples(self):
        """A list of random samples."""
        for i in range(6):
            self.write_floats(f"s{i}.raw", self.draw(256, 1.0))
        return self.write("samples.txt", "".join(f"s{i}.raw\n" for i in range(6)))

    def dearest(self, model, samples, *options):
        """Quantizes and measures; the names by cost, and the report."""
        self.assert_succeeds("quantize", "--quiet", "--algorithms", "none", "--effort", "fast", "--validate", 0,
                             "--input_list", samples, "--output_path", "q.onnx", *options, model)
        self.assert_succeeds("quantize-sensitivity", "--quiet", "--no_cache", "--input_list", samples, "--direction",
                             "disable-one", "--report", "r.json", model, "q.onnx")
        report = load(self.work / "r.json")
        return report["by_cost"], report

    # One weight of 40 makes the steps of its tensor 0.3: the others, of 0.25, round away. It multiplies a channel that
    # is always 0, so that nothing else is wrong.
    def test_an_outlier_among_the_weights(self):
        samples = self.samples()
        for layer in (2, 4):
            weights = self.draw(144, 0.25)
            weights[2 * 36 + 1 * 9 + 4] = 40.0
            model = self.chain({layer: weights}, {layer - 1: [0.1, -100.0, 0.1, 0.2]})
            names, report = self.dearest(model, samples, "--use_per_channel_quantization", "false")
            self.assertEqual(names[0], f"conv{layer}")
            group = next(g for g in report["groups"] if g["name"] == names[0])
            self.assertGreater(group["gain_db"], 10)
            parts = group["disable_one"]
            self.assertGreater(parts["weights"]["sqnr_db"], parts["activations"]["sqnr_db"] + 10)

    def test_a_dead_scale(self):
        samples = self.samples()
        model = self.chain()
        for layer in (1, 3):
            entry = {"bitwidth": 8, "scale": 100.0, "offset": 0, "dtype": "int", "is_symmetric": "False",
                     "min": 0.0, "max": 25500.0}
            overrides = self.write("dead.json", json.dumps(
                {"version": "0.6.1", "activation_encodings": {f"r{layer}": [entry]}, "param_encodings": {}}))
            names, report = self.dearest(model, samples, "--quantization_overrides", overrides)
            self.assertEqual(names[0], f"conv{layer}")
            group = next(g for g in report["groups"] if g["name"] == names[0])
            self.assertGreater(group["gain_db"], 10)
            parts = group["disable_one"]
            self.assertGreater(parts["activations"]["sqnr_db"], parts["weights"]["sqnr_db"] + 10)

    # A branch of 100 and one of 0.1 share the grid of their Concat; what follows lives on the small one.
    def test_a_joint_grid_of_a_concat(self):
        samples = self.samples()
        after = [w * (0.001 if (i // 9) % 8 < 4 else 10.0) for i, w in enumerate(self.draw(288, 1.0))]
        model = self.write("net.onnx", wire.model(wire.graph(
            [wire.node("Conv", ["x", "w0"], ["c0"], name="first", pads=[1, 1, 1, 1]),
             wire.node("Conv", ["c0", "w1"], ["large"], name="large_conv", pads=[1, 1, 1, 1]),
             wire.node("Conv", ["c0", "w2"], ["small"], name="small_conv", pads=[1, 1, 1, 1]),
             wire.node("Concat", ["large", "small"], ["joined"], name="concat", axis=1),
             wire.node("Conv", ["joined", "w3"], ["y"], name="last", pads=[1, 1, 1, 1])],
            [wire.value_info("x", [1, 4, 8, 8])], [wire.value_info("y", [1, 4, 8, 8])],
            [wire.tensor("w0", [4, 4, 3, 3], self.draw(144, 0.2)), wire.tensor("w1", [4, 4, 3, 3], self.draw(144, 8.0)),
             wire.tensor("w2", [4, 4, 3, 3], self.draw(144, 0.008)), wire.tensor("w3", [4, 8, 3, 3], after)])))
        entry = {"bitwidth": 8, "scale": 1.0, "offset": -128, "dtype": "int", "is_symmetric": "False", "min": -128.0,
                 "max": 127.0}
        overrides = self.write("joint.json", json.dumps(
            {"version": "0.6.1", "activation_encodings": {name: [entry] for name in ("large", "small", "joined")},
             "param_encodings": {}}))
        names, report = self.dearest(model, samples, "--quantization_overrides", overrides)
        self.assertEqual(names[0], "concat")
        group = next(g for g in report["groups"] if g["name"] == "concat")
        self.assertEqual(sorted(group["activations"]), ["joined", "large", "small"])
        self.assertEqual(group["weights"], [])
        self.assertGreater(group["gain_db"], 10)


if __name__ == "__main__":
    tool_test.main()
