"""auto_mixed_precision_test.py: widths that are searched for: aims held, reproduced, and compared with brute force."""

import itertools
import json
import os
import pathlib
import shutil
import subprocess
import time

import tool_test
from ci_example_test import DOCS, shell_blocks
from diagnose_test import CHANNELS, NUM_SAMPLES, Planted
from tool_test import DIGITS

NARROW = ["--weights_bitwidth", "4", "--algorithms", "none", "--effort", "fast", "--validate", NUM_SAMPLES]
PIXELS = 12 * 12
TARGETS = pathlib.Path(__file__).resolve().parents[2] / "configs" / "targets"
MACS = [PIXELS * CHANNELS * (4 if i == 1 else CHANNELS) * 9 for i in range(1, 5)]  # Of conv_1 to conv_4.


class Searches(Planted):
    """Four convolutions with weights of 4 bits; outputs are no classes, so noise is what is lost."""

    def setUp(self):
        super().setUp()
        self.model = self.chain()

    def quantize_narrow(self, name, *options):
        finished = self.assert_succeeds("quantize", "--input_list", self.samples, *NARROW, *options, "--output_path",
                                        name + ".onnx", self.model)
        return json.loads((self.work / (name + ".report.json")).read_text()), finished.stdout

    def search(self, name, *options):
        return self.quantize_narrow(name, "--auto_mixed_precision", *options)

    def chosen(self, report):
        points = [point for point in report["mixed_precision"]["curve"] if point["chosen"]]
        self.assertEqual(len(points), 1)
        return points[0]

    def measured_db(self, report):
        """What quantize's own check at the end found: all calibration samples."""
        return report["outputs"][0]["sqnr_db"]

    def noise(self, db):
        return 100 * 10 ** (-db / 10)

    def allowed(self):
        """A drop that some layers have to be wider for, and not all."""
        report, _ = self.search("base", "--max_latency_factor", "100", "--amp_candidates", "W8A8")
        curve = report["mixed_precision"]["curve"]
        self.assertEqual(len(curve), 5)
        return self.noise((curve[1]["predicted_sqnr_db"] + curve[2]["predicted_sqnr_db"]) / 2)

    def test_the_allowed_drop_holds_and_the_file_makes_the_same_model(self):
        allowed = self.allowed()
        report, stdout = self.search("mixed", "--allowed_accuracy_drop", f"{allowed:.6f}", "--amp_candidates", "W8A8")
        point = self.chosen(report)
        self.assertEqual(report["mixed_precision"]["measure"], "noise")
        self.assertTrue(report["mixed_precision"]["holds"])
        self.assertLessEqual(point["drop"], allowed)
        self.assertAlmostEqual(self.noise(point["sqnr_db"]), point["drop"], places=6)
        self.assertAlmostEqual(point["sqnr_db"], self.measured_db(report), places=9)
        self.assertIn("layers wider", stdout)
        changed = [layer for layer in report["mixed_precision"]["layers"] if layer["candidate"] != "W4A8"]
        self.assertEqual(len(changed), point["num_changed"])
        self.assertIn(len(changed), [1, 2, 3])
        self.quantize_narrow("again", "--quantization_overrides", "mixed.overrides.json")
        for end in [".onnx", ".encodings.json"]:
            self.assertEqual((self.work / ("mixed" + end)).read_bytes(), (self.work / ("again" + end)).read_bytes())

    def test_a_model_that_holds_the_drop_is_left_as_it_is(self):
        report, stdout = self.search("m", "--allowed_accuracy_drop", "100", "--amp_candidates", "W8A8")
        point, = report["mixed_precision"]["curve"]
        self.assertEqual((point["num_changed"], point["cost_factor"], point["chosen"]), (0, 1, True))
        self.assertAlmostEqual(point["sqnr_db"], self.measured_db(report), places=9)
        self.assertEqual({layer["candidate"] for layer in report["mixed_precision"]["layers"]}, {"W4A8"})
        self.assertIn("1 model measured", stdout)
        self.assertEqual(list(self.caches.glob("*/*.f32")), [], "no layer was measured")
        self.search("m", "--allowed_accuracy_drop", "100", "--amp_candidates", "W8A8", "--report", "m.html")
        self.assertIn("The curve", (self.work / "m.html").read_text())

    def test_all_ways_to_search_find_the_same_point_of_a_steady_curve(self):
        allowed = self.allowed()
        costs = set()
        for method, reverse in itertools.product(["binary", "interpolation", "brute-force"], ["false", "true"]):
            report, _ = self.search("m", "--allowed_accuracy_drop", f"{allowed:.6f}", "--amp_candidates", "W8A8",
                                    "--amp_search", method, "--phase2_reverse", reverse)
            self.assertTrue(report["mixed_precision"]["holds"], method)
            self.assertLessEqual(self.chosen(report)["drop"], allowed, method)
            costs.add(self.chosen(report)["bit_operations"])
        self.assertEqual(len(costs), 1)

    def test_larger_budgets_give_better_models(self):
        before_db, before_cost = -1000.0, 0.0
        for factor in ["1", "1.3", "1.7"]:
            report, _ = self.search("m", "--max_latency_factor", factor, "--amp_candidates", "W8A8")
            point = self.chosen(report)
            self.assertLessEqual(point["bit_operations"], report["mixed_precision"]["budget"])
            self.assertGreater(point["sqnr_db"], before_db)
            self.assertGreater(point["bit_operations"], before_cost)
            before_db, before_cost = point["sqnr_db"], point["bit_operations"]

    def test_killed_in_the_middle_and_run_again(self):
        options = ["--amp_candidates", "W8A8,float", "--allowed_accuracy_drop", f"{self.allowed():.6f}"]
        self.assertEqual(len(list(self.caches.glob("mixed-precision-*.jsonl"))), 1)
        undisturbed, _ = self.search("m", *options, "--no_cache", "true")
        files = [self.work / ("m" + end) for end in (".onnx", ".encodings.json", ".overrides.json")]
        contents = [file.read_bytes() for file in files]
        for file in files:
            file.unlink()
        self.assertEqual(len(list(self.caches.glob("mixed-precision-*.jsonl"))), 1)

        stopped = self.folder / "stopped"
        command = [os.path.join(self.tools_folder, "quantize"), "--input_list", self.samples, *NARROW,
                   "--auto_mixed_precision", *options, "--threads", "1", "--cache_dir", stopped, "--output_path",
                   "m.onnx", self.model]
        process = subprocess.Popen([str(word) for word in command], cwd=self.work, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + tool_test.TIMEOUT_SECONDS
        while not sum(file.read_bytes().count(b"\n") for file in stopped.glob("*.jsonl")) > 3:
            self.assertIsNone(process.poll(), "it ended before it could be killed")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.001)
        process.kill()
        process.wait()
        self.assertFalse(any(file.exists() for file in files))
        scores, = stopped.glob("*.jsonl")
        lines = [line for line in scores.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        torn = next(stopped.glob("*/*.f32"))  # It is measured again.
        torn.write_bytes(torn.read_bytes()[:-4])

        report, _ = self.search("m", *options, "--cache_dir", stopped)
        self.assertEqual(report["mixed_precision"], undisturbed["mixed_precision"])
        self.assertEqual([file.read_bytes() for file in files], contents)
        after = scores.read_bytes().splitlines(keepends=True)
        self.assertEqual(after[:len(lines)], lines)
        # All of them once, but for the one of which something was lost.
        forms = [json.loads(line)["form"] for line in after[1:]]
        self.assertLessEqual(len(forms) - len(set(forms)), 1)
        self.search("m", *options, "--cache_dir", stopped)
        self.assertEqual(scores.read_bytes().splitlines(keepends=True), after)
        # Another aim knows the layers; other samples, options and overrides are another search.
        self.search("m", "--amp_candidates", "W8A8,float", "--max_latency_factor", "1.5", "--cache_dir", stopped)
        layers = [form for form in forms if not form.startswith("model/")]
        now = [json.loads(line)["form"] for line in scores.read_bytes().splitlines()[1:]]
        self.assertEqual([form for form in now if not form.startswith("model/")], layers)
        for more in [["--amp_samples", "3"], ["--scale", "power_of_two"]]:
            self.search("m", *options, *more, "--cache_dir", stopped)
        self.assertEqual(len(list(stopped.glob("*.jsonl"))), 3)

    def test_costs_of_the_target_count_as_time(self):
        profile = json.loads((TARGETS / "generic-int8.json").read_text())
        profile["operators"]["*"]["weights"] = ["int4", "int8"]
        profile["costs"] = [{"activations": "int8", "weights": "int4", "cost": 2},
                            {"activations": "int8", "weights": "int8", "cost": 6}]
        target = self.write("t.json", json.dumps(profile))
        for factor, most in [("1.4", 1), ("3", 4)]:
            report, stdout = self.search("m", "--target", target, "--max_latency_factor", factor, "--amp_candidates",
                                         "W8A8")
            found = report["mixed_precision"]
            self.assertEqual((found["counts"], found["budget"]), ("estimated time", float(factor)))
            wider = [layer["candidate"] == "W8A8" for layer in found["layers"] if layer["op"] == "Conv"]
            time = sum(macs * (6 if wide else 2) for macs, wide in zip(MACS, wider, strict=True)) / (2 * sum(MACS))
            self.assertAlmostEqual(self.chosen(report)["cost_factor"], time)
            self.assertLessEqual(time, float(factor))
            self.assertLessEqual(sum(wider), most)
            self.assertIn(f"{time:.2f} times the estimated time", stdout)

    def test_layers_go_back_to_float_until_the_drop_holds(self):
        allowed = self.allowed()
        report, _ = self.search("m", "--allowed_accuracy_drop", f"{allowed:.6f}", "--amp_candidates", "float")
        candidates = [layer["candidate"] for layer in report["mixed_precision"]["layers"]]
        self.assertIn("float", candidates)
        self.assertIn("W4A8", candidates)
        self.assertLessEqual(self.chosen(report)["drop"], allowed)

    def test_a_drop_that_nothing_holds_is_told(self):
        finished = self.assert_succeeds("quantize", "--input_list", self.samples, *NARROW, "--auto_mixed_precision",
                                        "--allowed_accuracy_drop", "0", "--amp_candidates", "W8A8", "--output_path",
                                        "m.onnx", self.model)
        self.assertIn("no assignment of widths holds", finished.stderr)
        report = json.loads((self.work / "m.report.json").read_text())
        self.assertFalse(report["mixed_precision"]["holds"])

    def test_the_search_finds_what_brute_force_finds(self):
        cheapest = sum(macs * 8 * 4 for macs in MACS)
        found = {}
        for bits in itertools.product([4, 8], repeat=4):
            widths = {f"w{i}": [{"bitwidth": b, "dtype": "int"}] for i, b in enumerate(bits, 1) if b == 8}
            overrides = self.write("ov.json", json.dumps({"version": "0.6.1", "activation_encodings": {},
                                                          "param_encodings": widths}))
            report, _ = self.quantize_narrow("one", "--quantization_overrides", overrides)
            found[bits] = self.measured_db(report)
        for factor in [1.0, 1.2, 1.4, 1.6, 1.8, 2.0]:
            report, _ = self.search("m", "--max_latency_factor", str(factor), "--amp_candidates", "W8A8")
            self.assertEqual(report["mixed_precision"]["curve"][0]["bit_operations"], cheapest)
            self.assertAlmostEqual(report["mixed_precision"]["budget"], factor * cheapest)
            affordable = {bits: db for bits, db in found.items()
                          if sum(macs * 8 * b for macs, b in zip(MACS, bits)) <= factor * cheapest}
            widths = json.loads((self.work / "m.overrides.json").read_text())["param_encodings"]
            chosen = tuple(8 if f"w{i}" in widths else 4 for i in range(1, 5))
            self.assertIn(chosen, affordable)
            self.assertAlmostEqual(self.chosen(report)["sqnr_db"], found[chosen], places=9)
            self.assertGreater(found[chosen], max(affordable.values()) - 0.3, f"factor {factor}: {affordable}")

    def test_the_ladder_of_algorithms_stops_where_the_drop_holds(self):
        finished = self.assert_succeeds("quantize", "--input_list", DIGITS / "calib.txt", "--algorithms", "auto",
                                        "--allowed_accuracy_drop", "0", "--output_path", "l.onnx",
                                        DIGITS / "digits.onnx")
        trials = json.loads((self.work / "l.report.json").read_text())["search"]
        self.assertEqual([trial["kept"] for trial in trials], [False] * (len(trials) - 1) + [True])
        self.assertEqual(trials[-1]["drop"], 0)
        self.assertIn("<- kept", finished.stdout)
        self.assertFalse((self.work / "l.overrides.json").exists())

    def test_the_ladder_ends_with_more_bits(self):
        finished = self.assert_succeeds("quantize", "--input_list", self.samples, "--algorithms", "auto",
                                        "--weights_bitwidth", "4", "--allowed_accuracy_drop", "0.01", "--tuning_samples",
                                        "4", "--output_path", "n.onnx", self.model)
        report = json.loads((self.work / "n.report.json").read_text())
        self.assertEqual(len(report["search"]), 4)
        self.assertEqual(sum(trial["kept"] for trial in report["search"]), 1)
        self.assertTrue(report["mixed_precision"]["holds"])
        self.assertLessEqual(self.chosen(report)["drop"], 0.01)
        self.assertIn("n.overrides.json", finished.stdout)

    def test_a_recipe_may_hold_aimets_section(self):
        recipe = self.write("r.json", json.dumps({"amp": {"candidates": [[[8, "int"], [8, "int"]]],
                                                          "allowed_accuracy_drop": self.allowed() / 100}}))
        report, _ = self.quantize_narrow("m", "--config", recipe)
        self.assertTrue(report["mixed_precision"]["holds"])

    def test_mistakes_are_one_line(self):
        cases = {
            ("--auto_mixed_precision",): "needs an aim",
            ("--allowed_accuracy_drop", "1"): "no effect without --auto_mixed_precision",
            ("--auto_mixed_precision", "--allowed_accuracy_drop", "-1"): "percentage points from 0 to 100",
            ("--auto_mixed_precision", "--max_latency_factor", "0.9"): "at least 1",
            ("--auto_mixed_precision", "--max_bit_operations", "x"): "as 60%",
            ("--auto_mixed_precision", "--max_bit_operations", "3"): "below what the cheapest model costs",
            ("--auto_mixed_precision", "--allowed_accuracy_drop", "1", "--amp_candidates", "W9A8"): "W8A16",
            ("--auto_mixed_precision", "--allowed_accuracy_drop", "1", "--amp_candidates", "W4A8"):
                "below the model's own",
            ("--auto_mixed_precision", "--allowed_accuracy_drop", "1", "--eval_labels", "l.txt"): "--eval_input_list",
            ("--algorithms", "auto"): "needs an aim",
            ("--auto_mixed_precision", "--allowed_accuracy_drop", "1", "--no_cache", "true", "--cache_dir", "c"):
                "--cache_dir has no effect with --no_cache",
        }
        for options, words in cases.items():
            finished = self.run_tool("quantize", "--input_list", DIGITS / "calib.txt", "--output_path", "bad.onnx",
                                     *options, DIGITS / "digits.onnx")
            self.assertEqual(finished.code, 2, options)
            self.assertIn(words, finished.stderr)
            self.assertFalse((self.work / "bad.onnx").exists())
            self.assertFalse((self.work / "bad.overrides.json").exists())

    def test_the_commands_of_the_page(self):
        for name, source in {"model.onnx": "digits.onnx", "calib.txt": "calib.txt"}.items():
            shutil.copy(DIGITS / source, self.work / name)
        shutil.copytree(DIGITS / "calib", self.work / "calib")
        for code, commands in shell_blocks((DOCS / "mixed-precision.md").read_text()):
            path = f"PATH={pathlib.Path(self.tools_folder).resolve()}:$PATH; set -e\n"
            finished = subprocess.run(["sh", "-c", path + commands], cwd=self.work, capture_output=True, text=True)
            self.assertEqual(finished.returncode, code, commands + finished.stdout + finished.stderr)
        self.assertEqual((self.work / "mixed.onnx").read_bytes(), (self.work / "again.onnx").read_bytes())


if __name__ == "__main__":
    tool_test.main()
