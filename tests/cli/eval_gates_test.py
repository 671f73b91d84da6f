"""eval_gates_test.py: quantize-eval as a gate: thresholds, modes, baselines and reports."""

import json
import xml.etree.ElementTree

import eval_case
import onnx_wire as wire
import tool_test
from eval_case import GATE_MISSED, MODEL, NUM_SAMPLES, load

OFF_BY_CLASSES = 6


class Thresholds(eval_case.OnDigits):
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


class NotFinite(tool_test.ToolTest):
    """Outputs that are NaN in one run only."""

    def test_every_gate_fails_in_words(self):
        dims = [1, 4]
        shared = {"inputs": [wire.value_info("x", dims)], "outputs": [wire.value_info("y", dims)]}
        double = self.write("double.onnx", wire.model(wire.graph([wire.node("Add", ["x", "x"], ["y"])], **shared)))
        log = self.write("log.onnx", wire.model(wire.graph(
            [wire.node("QuantizeLinear", ["x", "scale", "zero"], ["codes"]),
             wire.node("DequantizeLinear", ["codes", "scale", "zero"], ["real"]), wire.node("Log", ["real"], ["y"])],
            initializers=[wire.tensor("scale", [], [0.05]), wire.tensor("zero", [], [128], wire.UINT8)], **shared)))
        self.write_floats("s.raw", [1.0, 2.0, 3.0, -1.0])
        samples = self.write("list.txt", "s.raw\n")
        for gate, bound in (("--min_cosine", "-1"), ("--min_sqnr_db", "-900"), ("--max_abs_error", "1e30")):
            with self.subTest(gate=gate):
                finished = self.run_tool("quantize-eval", "--quiet", "--input_list", samples, gate, bound,
                                         "--report", "r.json", "--report", "r.md", "--report", "r.xml", "--report",
                                         "r.html", double, log)
                self.assertEqual(finished.code, GATE_MISSED, finished)
                last = finished.stderr.rstrip("\n").split("\n")[-1]
                words = "has no figure: 1 of 4 values is NaN or infinite in one of the two runs only"
                self.assertIn(words, last)
                self.assertNotIn("999", last)
                found = json.loads((self.work / "r.json").read_text(), parse_constant=self.fail)["gates"][0]
                self.assertEqual((found["passed"], found["actual"], found["shortfall"]), (False, None, None))
                self.assertIn("1 of 4 values", found["unmeasured"])
                for name in ("r.md", "r.xml", "r.html"):
                    self.assertIn("1 of 4 values", (self.work / name).read_text(), name)


class Modes(eval_case.OnDigits):
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
        self.assertGreaterEqual(report["metrics"]["simulated_agreement"], 90)

    def test_every_rule(self):
        for rule in ("float_half_even", "q31_single", "q31_double"):
            with self.subTest(rule=rule):
                self.assertEqual(self.evaluate("--arithmetic", rule)["arithmetic"], rule)

    def test_shift_rules_need_powers_of_two(self):
        self.misuse(["shift_half_up", "power"], "--arithmetic", "shift_half_up")
        powers = self.work / "p.onnx"
        self.assert_succeeds("quantize", "--effort", "fast", "--input_list", self.list, "--scale", "power_of_two",
                             "--validate", "0", "--output_path", powers, MODEL)
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


class Baselines(eval_case.OnDigits):
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


class Reports(eval_case.OnDigits):
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


if __name__ == "__main__":
    tool_test.main()
