"""auto_mixed_precision_test.py: widths that are searched for: aims held, reproduced, and compared with brute force."""

import itertools
import json
import pathlib
import shutil
import subprocess

import tool_test
from ci_example_test import DOCS, shell_blocks
from tool_test import DIGITS

NARROW = ["--weights_bitwidth", "4", "--algorithms", "none", "--effort", "fast", "--validate", "100"]


class Searches(tool_test.ToolTest):
    def search(self, name, *options, narrow=NARROW):
        finished = self.assert_succeeds("quantize", "--input_list", DIGITS / "calib.txt", *narrow,
                                        "--auto_mixed_precision", *options, "--output_path", name + ".onnx",
                                        DIGITS / "digits.onnx")
        report = json.loads((self.work / (name + ".report.json")).read_text())
        return report, finished.stdout

    def chosen(self, report):
        points = [point for point in report["mixed_precision"]["curve"] if point["chosen"]]
        self.assertEqual(len(points), 1)
        return points[0]

    def measured_db(self, report):
        """What quantize's own check at the end found: all calibration samples."""
        return report["outputs"][0]["sqnr_db"]

    def test_the_allowed_drop_holds_and_the_file_makes_the_same_model(self):
        report, stdout = self.search("mixed", "--allowed_accuracy_drop", "0", "--amp_candidates", "W8A8")
        point = self.chosen(report)
        self.assertEqual(report["mixed_precision"]["measure"], "agreement")
        self.assertTrue(report["mixed_precision"]["holds"])
        self.assertEqual(point["drop"], 0)
        self.assertEqual(report["metrics"]["top1_agreement"], 100)
        self.assertAlmostEqual(point["sqnr_db"], self.measured_db(report), places=9)
        self.assertIn("layers wider", stdout)
        changed = [layer for layer in report["mixed_precision"]["layers"] if layer["candidate"] != "W4A8"]
        self.assertEqual(len(changed), point["num_changed"])
        self.assert_succeeds("quantize", "--input_list", DIGITS / "calib.txt", *NARROW, "--quantization_overrides",
                             "mixed.overrides.json", "--output_path", "again.onnx", DIGITS / "digits.onnx")
        for end in [".onnx", ".encodings.json"]:
            self.assertEqual((self.work / ("mixed" + end)).read_bytes(), (self.work / ("again" + end)).read_bytes())

    def test_all_ways_to_search_find_points_that_hold(self):
        for method, reverse in itertools.product(["binary", "interpolation", "brute-force"], ["false", "true"]):
            report, _ = self.search("m", "--allowed_accuracy_drop", "0", "--amp_candidates", "W8A8", "--amp_search",
                                    method, "--phase2_reverse", reverse)
            self.assertTrue(report["mixed_precision"]["holds"], method)
            self.assertEqual(self.chosen(report)["drop"], 0, method)

    def test_larger_budgets_give_better_models(self):
        before_db, before_cost = -1000.0, 0.0
        for factor in ["1", "1.3", "1.7"]:
            report, _ = self.search("m", "--max_latency_factor", factor, "--amp_candidates", "W8A8")
            point = self.chosen(report)
            self.assertLessEqual(point["bit_operations"], report["mixed_precision"]["budget"])
            self.assertGreater(point["sqnr_db"], before_db)
            self.assertGreater(point["bit_operations"], before_cost)
            before_db, before_cost = point["sqnr_db"], point["bit_operations"]

    def test_float_is_the_last_resort(self):
        report, _ = self.search("m", "--allowed_accuracy_drop", "0", "--amp_candidates", "float")
        layers = report["mixed_precision"]["layers"]
        self.assertTrue(any(layer["candidate"] == "float" for layer in layers))
        self.assertFalse(all(layer["candidate"] == "float" for layer in layers))

    def test_brute_force_over_five_layers_is_not_far_from_what_is_found(self):
        base, _ = self.search("base", "--max_latency_factor", "1", "--amp_candidates", "W8A8")
        narrow = json.loads((self.work / "base.encodings.json").read_text())
        names = [entry["name"] for entry in narrow["param_encodings"] if entry["bw"] == 4]
        free = names[1::4][:4] + names[-1:]
        self.assertEqual(len(set(free)), 5)

        def overrides(widths):
            text = {"version": "0.6.1", "activation_encodings": {},
                    "param_encodings": {name: [{"bitwidth": bits, "dtype": "int"}] for name, bits in widths.items()}}
            (self.work / "ov.json").write_text(json.dumps(text))

        fixed = {name: 4 for name in names if name not in free}
        # All that differs is which of the five have 8 bits: every choice, measured.
        found = {}
        for bits in itertools.product([4, 8], repeat=5):
            overrides(fixed | dict(zip(free, bits)))
            self.assert_succeeds("quantize", "--input_list", DIGITS / "calib.txt", *NARROW, "--quantization_overrides",
                                 "ov.json", "--output_path", "one.onnx", DIGITS / "digits.onnx")
            found[bits] = self.measured_db(json.loads((self.work / "one.report.json").read_text()))
        overrides(fixed)
        # Budgets at which exactly so many bit operations fit as the choice at hand needs.
        for factor in ["1.1", "1.3", "1.6"]:
            report, _ = self.search("m", "--quantization_overrides", "ov.json", "--max_latency_factor", factor,
                                    "--amp_candidates", "W8A8")
            budget = report["mixed_precision"]["budget"]
            widths = json.loads((self.work / "m.overrides.json").read_text())["param_encodings"]
            self.assertLessEqual(set(widths), set(free))
            # What each of the five adds to the cost, from the curve's first points.
            base_cost = report["mixed_precision"]["curve"][0]["bit_operations"]
            costs = self.costs_of(free, report, base_cost)
            affordable = [bits for bits in found
                          if base_cost + sum(c for c, b in zip(costs, bits) if b == 8) <= budget * 1.000001]
            best = max(found[bits] for bits in affordable)
            has = self.chosen(report)["sqnr_db"]
            self.assertIn(tuple(8 if name in widths else 4 for name in free), affordable)
            self.assertGreater(has, best - 0.5, f"factor {factor}: best of all is {best}")

    def costs_of(self, free, report, base_cost):
        """Of 8 instead of 4 bits for each weight: curves of one free weight each have two points."""
        costs = []
        everything = json.loads((self.work / "ov.json").read_text())
        for name in free:
            one = json.loads(json.dumps(everything))
            for other in free:
                if other != name:
                    one["param_encodings"][other] = [{"bitwidth": 4, "dtype": "int"}]
            (self.work / "one.json").write_text(json.dumps(one))
            alone, _ = self.search("alone", "--quantization_overrides", "one.json", "--max_latency_factor", "4",
                                   "--amp_candidates", "W8A8")
            curve = alone["mixed_precision"]["curve"]
            self.assertEqual(curve[0]["bit_operations"], base_cost)
            self.assertEqual(len(curve), 2)
            costs.append(curve[1]["bit_operations"] - base_cost)
        return costs

    def test_the_ladder_of_algorithms_stops_where_the_drop_holds(self):
        finished = self.assert_succeeds("quantize", "--input_list", DIGITS / "calib.txt", "--algorithms", "auto",
                                        "--allowed_accuracy_drop", "0", "--output_path", "l.onnx",
                                        DIGITS / "digits.onnx")
        trials = json.loads((self.work / "l.report.json").read_text())["search"]
        self.assertEqual([trial["kept"] for trial in trials], [False] * (len(trials) - 1) + [True])
        self.assertEqual(trials[-1]["drop"], 0)
        self.assertIn("<- kept", finished.stdout)
        self.assertFalse((self.work / "l.overrides.json").exists())
        # At 4 bits with a drop that no algorithm holds, layers get more bits on top.
        self.assert_succeeds("quantize", "--input_list", DIGITS / "calib.txt", "--algorithms", "auto",
                             "--weights_bitwidth", "4", "--use_per_channel_quantization", "false", "--tuning_samples",
                             "16", "--allowed_accuracy_drop", "0", "--eval_input_list", DIGITS / "eval.txt",
                             "--output_path", "n.onnx", DIGITS / "digits.onnx")
        report = json.loads((self.work / "n.report.json").read_text())
        if "mixed_precision" in report:
            self.assertEqual(len(report["search"]), 4)
            self.assertTrue((self.work / "n.overrides.json").exists())

    def test_mistakes_are_one_line(self):
        cases = {
            ("--auto_mixed_precision",): "needs an aim",
            ("--allowed_accuracy_drop", "1"): "no effect without --auto_mixed_precision",
            ("--auto_mixed_precision", "--allowed_accuracy_drop", "-1"): "percentage points from 0 to 100",
            ("--auto_mixed_precision", "--max_latency_factor", "0.9"): "at least 1",
            ("--auto_mixed_precision", "--max_bit_operations", "x"): "as 60%",
            ("--auto_mixed_precision", "--max_bit_operations", "3"): "below what the cheapest model costs",
            ("--auto_mixed_precision", "--allowed_accuracy_drop", "1", "--amp_candidates", "W9A8"): "W8A16",
            ("--auto_mixed_precision", "--allowed_accuracy_drop", "1", "--amp_candidates", "W4A8"): "below the model's own",
            ("--auto_mixed_precision", "--allowed_accuracy_drop", "1", "--eval_labels", "l.txt"): "--eval_input_list",
            ("--algorithms", "auto"): "needs an aim",
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
