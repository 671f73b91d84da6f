"""eval_gates_test.py: quantize-eval as a gate: thresholds, baselines, reports, labels, masks, outside metrics."""

import json
import pathlib
import shutil
import struct
import tempfile
import xml.etree.ElementTree
import zlib

import onnx_wire as wire
import tool_test
from tool_test import BAD_FILE, DIGITS, OK, USAGE

GATE_MISSED = 6
MODEL = DIGITS / "digits.onnx"
NUM_SAMPLES = 20
OFF_BY_CLASSES = 6


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
            self.assert_succeeds("quantize", "--input_list", self.list, "--validate", "0", "--output_path",
                                 self.quantized, MODEL)

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


class Thresholds(OnDigits):
    """Every gate, met and missed."""

    def check(self, option, met, unmet, words, labels=True):
        """A gate with a threshold that is met and one that is not."""
        gate = self.evaluate(option, met, labels=labels)["gates"][0]
        self.assertEqual((gate["option"], gate["passed"], gate["shortfall"]), (option[2:], True, 0))
        gate = self.missed([option, *words], option, unmet, labels=labels)["gates"][0]
        self.assertEqual((gate["option"], gate["passed"]), (option[2:], False))
        self.assertAlmostEqual(gate["shortfall"], abs(gate["threshold"] - gate["actual"]))
        self.assertEqual(gate["threshold"], float(unmet))

    def test_top1_drop(self):
        self.check("--max_top1_drop", "5", "-100", ["points"])

    def test_sqnr(self):
        self.check("--min_sqnr_db", "20", "90", ["dB", "'logits'"], labels=False)

    def test_cosine(self):
        self.check("--min_cosine", "0.9", "1", ["'logits'"], labels=False)

    def test_largest_error(self):
        self.check("--max_abs_error", "100", "0", ["'logits'"], labels=False)

    def test_top1(self):
        self.assertTrue(self.evaluate("--min_top1", "90")["gates"][0]["passed"])
        wrong = self.write("wrong.txt", "9\n" * NUM_SAMPLES)
        finished = self.run_tool("quantize-eval", "--input_list", self.list, "--labels", wrong, "--min_top1", "90",
                                 MODEL, self.quantized)
        self.assertEqual(finished.code, GATE_MISSED, finished)
        self.assertIn("--min_top1: top-1 of the quantized model", finished.stderr)

    def test_agreement(self):
        gate = self.evaluate("--min_top1_agreement", "90", labels=False)["gates"][0]
        self.assertTrue(gate["passed"])
        self.assertGreaterEqual(gate["actual"], 90)

    def test_several_gates_are_judged_in_one_run(self):
        report = self.missed(["--min_sqnr_db", "--max_abs_error"], "--min_top1", "1", "--min_sqnr_db", "90",
                             "--max_abs_error", "0")
        self.assertEqual([gate["passed"] for gate in report["gates"]], [True, False, False])

    def test_dashes_are_underscores(self):
        self.evaluate("--min-top1", "50", "--no-isolated")

    def test_gates_without_labels(self):
        self.misuse(["--min_top1", "--labels"], "--min_top1", "50", labels=False)
        self.misuse(["--max_top1_drop", "--labels"], "--max_top1_drop", "1", labels=False)

    def test_miou_gate_without_metric(self):
        self.misuse(["--min_miou", "--metric miou"], "--min_miou", "50")

    def test_thresholds_out_of_range(self):
        for option, value in (("--min_top1", "101"), ("--min_top1", "-1"), ("--min_top1", "nan"),
                              ("--min_top1_agreement", "1e9"), ("--max_top1_drop", "200"), ("--min_cosine", "1.5"),
                              ("--max_abs_error", "-0.1"), ("--min_sqnr_db", "inf"), ("--min_sqnr_db", "1000")):
            with self.subTest(option=option, value=value):
                self.misuse([option, "must be a number"], f"{option}={value}")

    def test_thresholds_that_are_no_numbers(self):
        self.misuse(["--min_top1"], "--min_top1", "most")
        self.misuse(["--min_sqnr_db"], "--min_sqnr_db", "30dB")


class Modes(OnDigits):
    """Fixed point, simulated, both; rules."""

    def test_fixed_is_the_default(self):
        report = self.evaluate()
        self.assertEqual((report["mode"], report["arithmetic"]), ("fixed", "q31_single"))
        self.assertNotIn("simulated", report)

    def test_simulated(self):
        report = self.evaluate("--mode", "simulated")
        self.assertEqual(report["mode"], "simulated")
        self.assertNotIn("arithmetic", report)

    def test_both(self):
        report = self.evaluate("--mode", "both")
        self.assertEqual(report["simulated"]["outputs"][0]["name"], "logits")
        for layer in report["layers"]:
            self.assertEqual(len(layer["off_by"]), OFF_BY_CLASSES)
            self.assertEqual(sum(layer["off_by"]), layer["num_elements"])
        moved = sum(sum(layer["off_by"][2:]) for layer in report["layers"])
        self.assertLess(moved, 0.01 * sum(layer["num_elements"] for layer in report["layers"]))
        self.assertEqual(sum(report["outputs"][0]["off_by"]), report["outputs"][0]["num_elements"])

    def test_every_rule(self):
        for rule in ("float_half_even", "q31_single", "q31_double"):
            with self.subTest(rule=rule):
                self.assertEqual(self.evaluate("--arithmetic", rule)["arithmetic"], rule)

    def test_shift_rules_need_powers_of_two(self):
        self.misuse(["shift_half_up", "power"], "--arithmetic", "shift_half_up")
        powers = self.work / "p.onnx"
        self.assert_succeeds("quantize", "--input_list", self.list, "--scale", "power_of_two", "--validate", "0",
                             "--output_path", powers, MODEL)
        for rule, options in (("shift_half_up", []), ("shift_half_even", ["--arithmetic", "shift_half_even"])):
            self.assert_succeeds("quantize-eval", "--input_list", self.list, "--report", "p.json", *options, MODEL,
                                 powers)
            self.assertEqual(load(self.work / "p.json")["arithmetic"], rule)

    def test_wrong_mode_and_rule(self):
        self.misuse(["--mode"], "--mode", "float")
        self.misuse(["--arithmetic"], "--arithmetic", "round")
        self.misuse(["--accumulator_bits"], "--accumulator_bits", "48")

    def test_rules_without_fixed_point(self):
        self.misuse(["--arithmetic", "--mode simulated"], "--mode", "simulated", "--arithmetic", "q31_single")
        self.misuse(["--accumulator_bits", "--mode simulated"], "--mode", "simulated", "--accumulator_bits", "32")

    def test_layers_alone(self):
        for mode in ("fixed", "simulated"):
            report = self.evaluate("--mode", mode)
            inputs = [layer for layer in report["layers"] if layer["op"] == ""]
            # Nothing is upstream of the input: rounding it is all its error.
            self.assertEqual(inputs[0]["isolated"]["sqnr_db"], inputs[0]["sqnr_db"])
            by_db = {layer["name"]: (layer["isolated"]["sqnr_db"], layer["sqnr_db"]) for layer in report["layers"]}
            better = [name for name, (isolated, whole) in by_db.items() if isolated >= whole - 0.1]
            self.assertGreater(len(better), 0.9 * len(by_db), by_db)
            output = report["outputs"][0]
            self.assertGreater(output["isolated"]["sqnr_db"], output["sqnr_db"])
        self.assertNotIn("isolated", self.evaluate("--no_isolated")["layers"][0])

    def test_steps_and_clipping(self):
        for layer in self.evaluate("--mode", "simulated")["layers"]:
            self.assertGreater(layer["scale"], 0)
            # The calibration samples are the evaluated ones.
            self.assertEqual(layer["clipped_percent"], 0)
            # Rounding alone errs by at most half a step, by about 0.29 in the mean if values spread evenly.
            self.assertLessEqual(layer["isolated"]["rmse_in_steps"], 2)
            self.assertLessEqual(layer["isolated"]["mse"], layer["mse"] * 1.1 + 1e-12)


class Baselines(OnDigits):
    """--baseline and --max_regression."""

    def baseline(self, **changes):
        """A report of this run, changed."""
        report = {**self.evaluate(), **changes}
        return self.write("old.json", json.dumps(report))

    def test_same_quality(self):
        gate = self.evaluate("--baseline", self.baseline(), "--max_regression", "0")["gates"][0]
        self.assertEqual((gate["option"], gate["actual"], gate["passed"]), ("max_regression", 0, True))
        self.assertIn("top-1", gate["subject"])

    def test_top1_fell(self):
        metrics = {"top1": {"float": 100, "quantized": 130, "drop": -30}, "top1_agreement": 100}
        old = self.baseline(metrics=metrics)
        self.missed(["--max_regression", "points"], "--baseline", old, "--max_regression", "1")

    def test_agreement_without_labels(self):
        old = self.baseline()
        gate = self.evaluate("--baseline", old, "--max_regression", "0.5", labels=False)["gates"][0]
        self.assertIn("agreement", gate["subject"])

    def test_each_needs_the_other(self):
        self.misuse(["--baseline"], "--max_regression", "1")
        self.misuse(["--max_regression"], "--baseline", self.baseline())
        self.misuse(["--max_regression", "number"], "--baseline", self.baseline(), "--max_regression=-1")

    def test_of_another_run(self):
        report = self.evaluate()
        outputs = [{**report["outputs"][0], "name": "scores"}]
        for changes, word in (({"outputs": outputs}, "'scores'"), ({"outputs": []}, "outputs"),
                              ({"num_samples": 7}, "7 samples"), ({"input_list": "other.txt"}, "other.txt"),
                              ({"kind": "quantize"}, "'quantize'"), ({"schema_version": 2}, "schema version"),
                              ({"schema": "x"}, "not a report")):
            with self.subTest(changes=word):
                self.broken(["old.json", word], "--baseline", self.baseline(**changes), "--max_regression", "1")

    def test_malformed(self):
        self.evaluate()
        for text in ("", "{", "[]", "7", "{}", '{"schema": "halfstep.report", "kind": "eval"}', "\xff", "[" * 100000,
                     '{"schema": "halfstep.report", "kind": "eval", "schema_version": 1, "num_samples": "many"}'):
            old = self.write("old.json", text.encode("latin-1"))
            with self.subTest(text=text[:40]):
                self.broken(["old.json"], "--baseline", old, "--max_regression", "1")
        for changes in ({"metrics": {"top1": {"quantized": "all"}}}, {"outputs": [{"name": "logits"}]},
                        {"outputs": 7}):
            with self.subTest(changes=changes):
                self.broken(["old.json"], "--baseline", self.baseline(**changes), "--max_regression", "1")

    def test_missing(self):
        self.broken(["absent.json"], "--baseline", "absent.json", "--max_regression", "1")

    def test_of_another_mode_is_warned_about(self):
        old = self.baseline(mode="simulated")
        finished = self.assert_succeeds("quantize-eval", *self.arguments("--baseline", old, "--max_regression", "1"))
        self.assertIn("warning", finished.stderr)
        self.assertIn("'simulated'", finished.stderr)


class Reports(OnDigits):
    """--report in every format."""

    def test_all_formats_at_once(self):
        names = ("r.json", "r.md", "r.xml", "r.html")
        options = [part for name in names for part in ("--report", name)]
        finished = self.run_tool("quantize-eval", *self.arguments(*options, "--min_sqnr_db", "90", "--min_top1", "5"))
        self.assertEqual(finished.code, GATE_MISSED, finished)
        self.assertEqual(sorted(p.name for p in self.work.iterdir()), sorted(names))
        self.assertIn("min_sqnr_db", (self.work / "r.md").read_text())
        suite = xml.etree.ElementTree.parse(self.work / "r.xml").getroot()
        self.assertEqual(len(suite.findall(".//failure")), 1)
        html = (self.work / "r.html").read_text()
        self.assertIn("min_sqnr_db", html)
        self.assertIn("<svg", html)

    def test_capital_extension(self):
        self.assert_succeeds("quantize-eval", *self.arguments("--report", "R.JSON"))
        self.assertEqual(load(self.work / "R.JSON")["kind"], "eval")

    def test_unknown_extension(self):
        for name in ("r.txt", "r", "r.json.gz", ".json"):
            with self.subTest(name=name):
                self.misuse([name, ".json"], "--report", name)

    def test_unwritable_place(self):
        self.broken(["absent/r.json"], "--report", "absent/r.json")
        self.broken(["absent/r.html"], "--report", "r.json", "--report", "absent/r.html")

    def test_one_file_twice(self):
        self.misuse(["r.json"], "--report", "r.json", "--report", "./r.json")

    def test_over_the_baseline(self):
        old = self.write("old.json", "{}")
        self.misuse(["old.json"], "--report", old, "--baseline", old, "--max_regression", "1")


class Labels(OnDigits):
    """Class labels that do not fit."""

    def check(self, words, text):
        """quantize-eval with these labels."""
        labels = self.write("l.txt", text)
        self.broken(words, "--labels", labels, labels=False)

    def test_wrong_count(self):
        self.check(["19", "20"], "1\n" * 19)
        self.check(["21", "20"], "1\n" * 21)

    def test_out_of_range(self):
        self.check(["label 10", "10 classes"], "1\n" * 19 + "10\n")

    def test_no_indices(self):
        for text in ("cat\n" * 20, "-1\n" * 20, "1.5\n" * 20, "1 2\n" * 20, "", "9" * 30 + "\n"):
            with self.subTest(text=text[:10]):
                self.check(["l.txt"], text)

    def test_masks_as_labels(self):
        self.check(["l.txt", "mask.png"], "mask.png\n" * 20)

    def test_of_no_classifier(self):
        model = self.write("tiny.onnx", tool_test.tiny_model())
        samples = self.write_list()
        self.assert_succeeds("quantize", "--input_list", samples, "--output_path", "q.onnx", model)
        labels = self.write("l.txt", "1\n")
        self.assert_fails(BAD_FILE, ["labels", "[1, 3, 4, 4]"], "quantize-eval", "--quiet", "--input_list", samples,
                          "--labels", labels, model, "q.onnx")
        self.assert_fails(USAGE, ["agreement", "[1, 3, 4, 4]"], "quantize-eval", "--quiet", "--input_list", samples,
                          "--min_top1_agreement", "50", model, "q.onnx")


class MetricCommands(OnDigits):
    """--metric_command."""

    def test_scores_are_reported(self):
        script = self.write("score.sh", 'ls $1 | wc -l; cat $2/Result_*/logits.raw | wc -c\n')
        report = self.evaluate("--metric_command", f"sh {script} {{float_dir}} {{quantized_dir}}")
        self.assertEqual(report["metrics"]["metric_command"],
                         {"float": NUM_SAMPLES, "quantized": NUM_SAMPLES * 40, "drop": -39 * NUM_SAMPLES})

    def test_outputs_differ_and_are_removed(self):
        report = self.evaluate("--metric_command", "cmp -s {float_dir}/Result_0/logits.raw "
                               "{quantized_dir}/Result_0/logits.raw; echo $? 5; echo {float_dir} > place.txt")
        self.assertEqual(report["metrics"]["metric_command"]["float"], 1)
        place = pathlib.Path((self.work / "place.txt").read_text().strip())
        self.assertFalse(place.exists() or place.parent.exists())

    def test_failing(self):
        for command, words in (("exit 3 # {float_dir} {quantized_dir}", ["exit status 3"]),
                               ("absent-program {float_dir} {quantized_dir} 2>/dev/null", ["exit status 127"]),
                               ("kill -9 $$ # {float_dir} {quantized_dir}", ["signal 9"]),
                               ("true {float_dir} {quantized_dir}", ["nothing", "two numbers"]),
                               ("echo 5 # {float_dir} {quantized_dir}", ["two numbers"]),
                               ("echo 1 2 3 # {float_dir} {quantized_dir}", ["two numbers"]),
                               ("echo nan 1 # {float_dir} {quantized_dir}", ["two numbers"]),
                               ("echo good bad # {float_dir} {quantized_dir}", ["'good bad", "two numbers"])):
            with self.subTest(command=command):
                self.broken(["--metric_command", *words], "--metric_command", command)

    def test_without_folders(self):
        self.misuse(["{quantized_dir}"], "--metric_command", "score {float_dir}")
        self.misuse(["{float_dir}"], "--metric_command", "score")


def png(height, width, pixels, colours=0, bits=8, palette=None):
    """A PNG file of raw scan lines without filters."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    lines = b"".join(b"\0" + bytes(pixels[y * width:(y + 1) * width]) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)) +
            (chunk(b"PLTE", bytes(palette)) if palette else b"") + chunk(b"IDAT", zlib.compress(lines)) +
            chunk(b"IEND", b""))


class Segmentation(tool_test.ToolTest):
    """--metric miou on a model of three classes and 4 x 4 pixels."""

    def setUp(self):
        super().setUp()
        self.model = self.write("seg.onnx", tool_test.tiny_model())
        self.samples = self.write_list()
        self.assert_succeeds("quantize", "--input_list", self.samples, "--output_path", "q.onnx", self.model)
        self.assert_succeeds("quantize-run", "--input_list", self.samples, "--output_dir", "out", self.model)
        scores = struct.unpack("<48f", (self.work / "out/Result_0/y.raw").read_bytes())
        self.truth = [max(range(3), key=lambda c: (scores[16 * c + i], -c)) for i in range(16)]
        shutil.rmtree(self.work / "out")

    def arguments(self, mask, *options, name="mask.png"):
        """Arguments of quantize-eval with one mask."""
        self.write(name, mask)
        labels = self.write("masks.txt", name + "\n")
        return ["--quiet", "--input_list", self.samples, "--metric", "miou", "--labels", labels, *options, self.model,
                "q.onnx"]

    def measure(self, mask, name="mask.png"):
        """Mean IoU of the float model."""
        self.assert_succeeds("quantize-eval", *self.arguments(mask, "--report", "r.json", name=name))
        return load(self.work / "r.json")["metrics"]["miou"]["float"]

    def broken(self, words, mask, name="mask.png"):
        """A mask that must be refused."""
        self.assert_fails(BAD_FILE, words, "quantize-eval", *self.arguments(mask, name=name))

    def test_png(self):
        self.assertEqual(self.measure(png(4, 4, self.truth)), 100)
        self.assertEqual(self.measure(png(4, 4, self.truth, colours=3, palette=range(9))), 100)

    def test_raw(self):
        self.assertEqual(self.measure(bytes(self.truth), "mask.raw"), 100)
        self.assertEqual(self.measure(struct.pack("<16q", *self.truth), "mask.raw"), 100)

    def test_by_hand(self):
        # All labelled 0: one class, whose intersection is where the model says 0; predictions do not matter elsewhere.
        hits = self.truth.count(0)
        self.assertAlmostEqual(self.measure(bytes(16), "mask.raw"), 100 * hits / 16)
        # Only two pixels count.
        ignored = [255] * 16
        ignored[3], ignored[9] = self.truth[3], self.truth[9]
        self.assertEqual(self.measure(bytes(ignored), "mask.raw"), 100)

    def test_gate(self):
        self.assert_succeeds("quantize-eval", *self.arguments(bytes(self.truth), "--min_miou", "20", name="m.raw"))
        wrong = bytes((c + 1) % 3 for c in self.truth)
        finished = self.run_tool("quantize-eval", *self.arguments(wrong, "--min_miou", "50", name="m.raw"))
        self.assertEqual(finished.code, GATE_MISSED, finished)
        self.assertIn("--min_miou", finished.stderr)

    def test_wrong_sizes(self):
        self.broken(["mask.png", "5 x 4", "4 x 4"], png(5, 4, [0] * 20))
        self.broken(["m.raw", "17 bytes"], bytes(17), "m.raw")
        self.broken(["m.raw", "0 bytes"], b"", "m.raw")

    def test_wrong_classes(self):
        self.broken(["class 3", "3 classes"], bytes([3] * 16), "m.raw")
        self.broken(["-1"], struct.pack("<16q", *[-1] * 16), "m.raw")

    def test_broken_png(self):
        good = png(4, 4, self.truth)
        for name, data in (("cut", good[:50]), ("header", good[:20]), ("checksum", good[:30] + b"\0" + good[31:]),
                           ("colours", png(4, 4, [0] * 16 * 3, colours=2))):
            with self.subTest(name=name):
                self.broken(["mask.png", "PNG"], data)

    def test_missing_masks(self):
        labels = self.write("masks.txt", "absent.png\n")
        self.assert_fails(BAD_FILE, ["masks.txt:1", "'absent.png'"], "quantize-eval", "--input_list", self.samples,
                          "--metric", "miou", "--labels", labels, self.model, "q.onnx")
        labels.write_text("mask.png\nmask.png\n")
        self.write("mask.png", png(4, 4, self.truth))
        self.assert_fails(BAD_FILE, ["2 masks", "1 samples"], "quantize-eval", "--input_list", self.samples, "--metric",
                          "miou", "--labels", labels, self.model, "q.onnx")

    def test_misuse(self):
        self.assert_fails(USAGE, ["--metric miou", "--labels"], "quantize-eval", "--input_list", self.samples,
                          "--metric", "miou", self.model, "q.onnx")
        for option in ("--min_top1", "--max_top1_drop", "--min_top1_agreement"):
            self.assert_fails(USAGE, [option, "miou"], "quantize-eval",
                              *self.arguments(png(4, 4, self.truth), option, "1"))


class NoOutputsToMeasure(tool_test.ToolTest):
    """Models without a float32 output."""

    def test_gate(self):
        nodes = [wire.node("Conv", ["x", "w", "b"], ["scores"], pads=[1, 1, 1, 1]),
                 wire.node("ArgMax", ["scores"], ["y"], axis=1)]
        model = self.write("map.onnx", tool_test.tiny_model(nodes=nodes, outputs=[wire.value_info("y", None, 7)]))
        samples = self.write_list()
        self.assert_succeeds("quantize", "--input_list", samples, "--output_path", "q.onnx", model)
        self.assert_fails(USAGE, ["--min_sqnr_db", "float32 output"], "quantize-eval", "--quiet", "--input_list",
                          samples, "--min_sqnr_db", "10", model, "q.onnx")
        mask = self.write("m.raw", bytes(16))
        labels = self.write("masks.txt", f"{mask}\n")
        self.assertEqual(self.run_tool("quantize-eval", "--input_list", samples, "--metric", "miou", "--labels",
                                       labels, model, "q.onnx").code, OK)


if __name__ == "__main__":
    tool_test.main()
