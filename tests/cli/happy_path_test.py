"""happy_path_test.py: what the tools write and print when all is well, on the bundled digits models."""

import json
import struct

import onnx_wire as wire
import tool_test
from tool_test import DIGITS, TOOLS

MODEL = DIGITS / "digits.onnx"
CALIB = DIGITS / "calib.txt"
EVAL = DIGITS / "eval.txt"
LABELS = DIGITS / "eval_labels.txt"
OUTPUT = "logits"
NUM_CLASSES = 10


def load(path):
    """A JSON file."""
    return json.loads(path.read_text())


class Quantize(tool_test.ToolTest):
    """The main job."""

    def names(self):
        """Files of the working directory."""
        return sorted(str(p.relative_to(self.work)) for p in self.work.rglob("*") if p.is_file())

    def quantize(self, *options, model=MODEL):
        """quantize on the digits' calibration samples."""
        return self.assert_succeeds("quantize", "--input_list", CALIB, *options, model)

    def test_three_files_with_default_names_in_the_working_directory(self):
        finished = self.quantize()
        self.assertEqual(self.names(), ["digits.encodings.json", "digits.quantized.onnx", "digits.report.json"])
        for name in self.names():
            self.assertIn(name, finished.stdout)
        self.assertLess((self.work / "digits.quantized.onnx").stat().st_size, 0.6 * MODEL.stat().st_size)

    def test_files_follow_output_path(self):
        (self.work / "out").mkdir()
        self.quantize("--output_path", "out/small.onnx")
        self.assertEqual(self.names(), ["out/small.encodings.json", "out/small.onnx", "out/small.report.json"])

    def test_named_files(self):
        self.quantize("--output_path", "a.onnx", "--encodings_out", "b.json", "--report", "c.json")
        self.assertEqual(self.names(), ["a.onnx", "b.json", "c.json"])

    def test_older_files_are_replaced(self):
        self.quantize()
        first = (self.work / "digits.quantized.onnx").read_bytes()
        self.quantize()
        self.assertEqual((self.work / "digits.quantized.onnx").read_bytes(), first)
        self.assertEqual(len(self.names()), 3)

    def test_report_and_summary_say_what_it_cost(self):
        finished = self.quantize()
        report = load(self.work / "digits.report.json")
        self.assertEqual(report["schema"], "halfstep.report")
        self.assertEqual(report["kind"], "quantize")
        self.assertEqual(report["num_calibration_samples"], 100)
        self.assertEqual(report["options"]["act_bitwidth"], "8")
        self.assertEqual(report["outputs"][0]["name"], OUTPUT)
        self.assertGreater(report["outputs"][0]["sqnr_db"], 20)
        for word in ("SQNR", OUTPUT, "100 samples"):
            self.assertIn(word, finished.stdout)

    def test_default_effort_corrects_biases_and_says_so(self):
        finished = self.quantize()
        self.assertIn("Tuned       bias-correction: 18 layers", finished.stdout)
        options = (report := load(self.work / "digits.report.json"))["options"]
        self.assertEqual((options["act_per_channel"], options["algorithms"]), ("depthwise", "bias-correction"))
        self.assertEqual(load(self.work / "digits.encodings.json")["halfstep"]["options"], options)
        self.assertIn(b"algorithms=bias-correction", (self.work / "digits.quantized.onnx").read_bytes())
        self.assertEqual(report["tuning"][-1]["algorithms"], "bias-correction")
        # Percentiles are for what another layer reads.
        (output,) = (entry for entry in report["ranges"] if entry["name"] == OUTPUT)
        self.assertEqual((output["by"], output["clipped_percent"]), ("calibrated (min-max)", 0))

    def test_effort_fast_is_ranges_alone(self):
        self.assertNotIn("Tuned", self.quantize("--effort", "fast").stdout)
        options = (report := load(self.work / "digits.report.json"))["options"]
        self.assertNotIn("tuning", report)
        self.assertEqual((options["act_quantizer_calibration"], options["algorithms"]), ("min-max", "none"))

    def test_report_says_what_was_observed_chosen_and_clipped(self):
        self.quantize("--act_quantizer_calibration", "percentile", "--percentile_calibration_value", "99")
        report = load(self.work / "digits.report.json")
        file = load(self.work / "digits.encodings.json")
        encodings = {e["name"]: e for e in file["activation_encodings"] + file["param_encodings"]}
        for entry in report["ranges"]:
            # The file counts codes from 0 to 2^bw - 1: real = scale * (code + offset).
            encoding = encodings[entry["name"]]
            grids = list(zip(encoding["scale"], encoding["offset"]))
            highest = max(scale * (2 ** encoding["bw"] - 1 + offset) for scale, offset in grids)
            lowest = min(scale * offset for scale, offset in grids)
            narrow = entry["role"] == "weight" and encoding["is_sym"]  # [-127, 127], which the file does not keep.
            self.assertEqual(entry["chosen"], [-highest if narrow else lowest, highest], entry["name"])
        activations = [entry for entry in report["ranges"] if entry["role"] == "activation"]
        weights = [entry for entry in report["ranges"] if entry["role"] == "weight"]
        self.assertGreater(len(activations), 10)
        self.assertEqual(len(weights), report["encodings"]["weights"])
        calibrated = [entry for entry in activations if entry["by"] == "calibrated (percentile)"]
        self.assertGreater(len(calibrated), 10)
        self.assertTrue(any(entry["clipped_percent"] > 0 for entry in calibrated))
        self.assertEqual(len(report["histograms"]), 12)

    def test_report_in_every_form(self):
        for name, start in (("r.json", "{"), ("r.md", "## "), ("r.xml", "<?xml"), ("r.HTML", "<!DOCTYPE html>")):
            for options in ([], ["--validate", "0"]):
                with self.subTest(name=name, options=options):
                    self.quantize("--report", name, *options)
                    self.assertTrue((self.work / name).read_text().startswith(start))
        self.assertIn('id="ranges"', (self.work / "r.HTML").read_text())
        self.assertIn("ends in .json", self.run_tool("quantize", "--input_list", CALIB, "--report", "r.txt", MODEL).stderr)

    def test_no_validation(self):
        finished = self.quantize("--validate", "0")
        self.assertNotIn("SQNR", finished.stdout)
        self.assertNotIn("outputs", load(self.work / "digits.report.json"))

    def test_encodings_of_every_version(self):
        for version, sections in (("0.6.1", ("activation_encodings", "param_encodings")),
                                  ("1.0.0", ("activation_encodings", "param_encodings")), ("2.0.0", ("encodings",))):
            with self.subTest(version=version):
                self.quantize("--encodings_version", version)
                encodings = load(self.work / "digits.encodings.json")
                self.assertEqual(encodings["version"], version)
                for section in sections:
                    self.assertGreater(len(encodings[section]), 10)

    def test_encodings_evaluate_like_the_model(self):
        self.quantize("--effort", "fast")
        for name, options in (("model", ["digits.quantized.onnx"]), ("json", ["--encodings", "digits.encodings.json"])):
            self.assert_succeeds("quantize-eval", "--input_list", CALIB, "--report", name + ".json", MODEL, *options)
        by_model, by_json = load(self.work / "model.json"), load(self.work / "json.json")
        self.assertAlmostEqual(by_model["outputs"][0]["sqnr_db"], by_json["outputs"][0]["sqnr_db"], delta=0.1)

    def test_encodings_of_shared_parameters_evaluate(self):
        nodes = [wire.node("Conv", ["x", "w", "b"], ["first"], pads=[1, 1, 1, 1]),
                 wire.node("Conv", ["first", "v", "b"], ["y"])]
        parameters = [*tool_test.tiny_graph()["initializer"], wire.tensor("v", [3, 3, 1, 1], 0.7)]
        model = self.write("shared.onnx", tool_test.tiny_model(nodes=nodes, initializers=parameters))
        samples = self.write_list()
        self.assert_succeeds("quantize", "--input_list", samples, model)
        for form in (["shared.quantized.onnx"], ["--encodings", "shared.encodings.json"]):
            self.assert_succeeds("quantize-eval", "--input_list", samples, model, *form)
        self.assert_succeeds("quantize-inspect", "--encodings", "shared.encodings.json", model)

    def test_every_precision_ends_with_a_usable_model(self):
        for options in (["--act_bitwidth", "16"], ["--weights_bitwidth", "4"], ["--weights_bitwidth", "16"],
                        ["--bias_bitwidth", "8"], ["--use_per_channel_quantization", "false"],
                        ["--scale", "power_of_two"], ["--act_quantizer_schema", "symmetric"],
                        ["--act_quantizer_schema", "unsignedsymmetric"], ["--param_quantizer_schema", "asymmetric"],
                        ["--restrict_quantization_steps", "-0x80 0x7F"],
                        ["--restrict-quantization-steps=-127 127"]):
            with self.subTest(options=options):
                self.quantize(*options)
                finished = self.assert_succeeds("quantize-eval", "--input_list", CALIB, MODEL,
                                                "digits.quantized.onnx")
                self.assertIn("SQNR", finished.stdout)

    def test_transformers(self):
        for opset in (13, 17):
            with self.subTest(opset=opset):
                self.quantize(model=DIGITS / f"digits_vit_opset{opset}.onnx")
                report = load(self.work / f"digits_vit_opset{opset}.report.json")
                self.assertGreater(report["outputs"][0]["sqnr_db"], 10)

    def test_same_files_for_every_number_of_threads(self):
        for method in ("min-max", "percentile"):
            kept = []
            for threads in ("1", "2", "7"):
                self.quantize("--threads", threads, "--act_quantizer_calibration", method)
                kept.append([(self.work / name).read_bytes() for name in self.names()])
            self.assertEqual(kept[0], kept[1])
            self.assertEqual(kept[0], kept[2])

    def test_dashes_stand_for_underscores(self):
        self.assert_succeeds("quantize", "--input-list", CALIB, "--act-bitwidth=16", "--output-path", "d.onnx", MODEL)
        self.assertEqual(load(self.work / "d.report.json")["options"]["act_bitwidth"], "16")

    def test_progress_on_stderr_results_on_stdout(self):
        finished = self.quantize()
        self.assertIn("100 of 100 samples", finished.stderr)
        self.assertNotIn("100 of 100 samples", finished.stdout)
        self.assertEqual(self.quantize("--quiet").stderr, "")

    def test_quantizing_a_quantized_model_keeps_its_encodings(self):
        self.quantize()
        self.quantize("--output_path", "again.onnx", model=self.work / "digits.quantized.onnx")

        def grids(name):
            encodings = load(self.work / name)
            return {e["name"]: (e["bw"], e["scale"], e["offset"]) for e in encodings["activation_encodings"]}

        self.assertEqual(grids("digits.encodings.json"), grids("again.encodings.json"))

    def test_models_that_only_move_data(self):
        dims = [1, 2, 4, 4]
        for op_type, attributes in (("Transpose", {"perm": [0, 2, 3, 1]}), ("MaxPool", {"kernel_shape": [2, 2]})):
            with self.subTest(op_type=op_type):
                model = self.write("m.onnx", wire.model(wire.graph(
                    [wire.node(op_type, ["x"], ["y"], **attributes)], [wire.value_info("x", dims)],
                    [wire.value_info("y")])))
                finished = self.assert_succeeds("quantize", "--input_list", self.write_list(), "--output_path",
                                                "q.onnx", model)
                self.assertIn("2 activations", finished.stdout)
                report = json.loads((self.work / "q.report.json").read_text())
                self.assertEqual(report["float_islands"], [])
                self.assertGreater(report["outputs"][0]["sqnr_db"], 30)

    def test_input_lists_in_every_form(self):
        tiny = self.write("tiny.onnx", wire.model(wire.graph(
            [wire.node("Add", ["left", "the right"], ["y"])],
            [wire.value_info("left", [4]), wire.value_info("the right", [4])], [wire.value_info("y")])))
        self.write_floats("a b.raw", [1, 2, 3, 4])
        self.write_floats("c.raw", [5, 6, 7, 8])
        for text in ('"a b.raw" c.raw\r\n\r\n', "left:='a b.raw' 'the right':=c.raw\n",
                     '"the right":=c.raw left:="a b.raw"', "%y\n\n\"a b.raw\" c.raw\n",
                     "\ufeff'a b.raw'\tc.raw\n"):
            with self.subTest(text=text):
                samples = self.write("forms.txt", text)
                self.assert_succeeds("quantize-run", "--input_list", samples, "--output_dir", "forms", tiny)
                self.assertEqual((self.work / "forms" / "Result_0" / "y.raw").read_bytes(),
                                 struct.pack("<4f", 6, 8, 10, 12))


class Evaluate(tool_test.ToolTest):
    """quantize-eval on the labelled digits."""

    def setUp(self):
        super().setUp()
        self.assert_succeeds("quantize", "--effort", "fast", "--input_list", CALIB, MODEL)

    def test_table_and_report(self):
        finished = self.assert_succeeds("quantize-eval", "--input_list", EVAL, "--labels", LABELS, "--report",
                                        "eval.json", MODEL, "digits.quantized.onnx")
        for word in ("top-1", "top-5", "agreement", "SQNR dB", OUTPUT, "497 samples"):
            self.assertIn(word, finished.stdout)
        self.assertIn("497 of 497 samples", finished.stderr)
        report = load(self.work / "eval.json")
        self.assertEqual(report["kind"], "eval")
        self.assertEqual(report["num_samples"], 497)
        for metric in ("top1", "top5"):
            values = report["metrics"][metric]
            self.assertAlmostEqual(values["drop"], values["float"] - values["quantized"], places=9)
        self.assertGreater(report["metrics"]["top1"]["float"], 99)
        self.assertLessEqual(report["metrics"]["top1"]["drop"], 0.4)
        self.assertGreater(report["metrics"]["top1_agreement"], 99)
        output = report["outputs"][0]
        self.assertEqual(output["name"], OUTPUT)
        self.assertEqual(output["num_elements"], 497 * NUM_CLASSES)
        self.assertGreater(output["sqnr_db"], 30)
        self.assertGreater(output["cosine"], 0.999)
        self.assertGreater(output["max_abs_error"], 0)
        worst_first = [layer["sqnr_db"] for layer in report["layers"]]
        self.assertEqual(worst_first, sorted(worst_first))
        self.assertTrue(all(layer["name"] for layer in report["layers"]))

    def test_without_labels(self):
        self.assert_succeeds("quantize-eval", "--input_list", CALIB, "--report", "eval.json", MODEL,
                             "digits.quantized.onnx")
        metrics = load(self.work / "eval.json")["metrics"]
        self.assertNotIn("top1", metrics)
        self.assertIn("top1_agreement", metrics)

    def test_same_report_for_every_number_of_threads(self):
        reports = []
        for threads in ("1", "2", "5"):
            self.assert_succeeds("quantize-eval", "--input_list", CALIB, "--threads", threads, "--report", "r.json",
                                 MODEL, "digits.quantized.onnx")
            reports.append((self.work / "r.json").read_bytes())
        self.assertEqual(reports[0], reports[1])
        self.assertEqual(reports[0], reports[2])

    def test_options_may_stand_before_the_models(self):
        self.assert_succeeds("quantize-eval", "--input_list", CALIB, "--input_dim", "image", "1,1,16,16", MODEL,
                             "digits.quantized.onnx")


class Run(tool_test.ToolTest):
    """quantize-run."""

    def run_digits(self, *options, model=MODEL, folder="results"):
        """Runs the first three calibration samples."""
        samples = self.write("three.txt", "".join(f"{DIGITS}/calib/000{i}.raw\n" for i in range(3)))
        return self.assert_succeeds("quantize-run", "--input_list", samples, "--output_dir", folder, *options, model)

    def results(self, folder="results"):
        """Result files of sample 0 and their sizes."""
        return {p.name: p.stat().st_size for p in (self.work / folder / "Result_0").iterdir()}

    def test_one_folder_a_sample(self):
        finished = self.run_digits()
        folders = sorted(p.name for p in (self.work / "results").iterdir())
        self.assertEqual(folders, ["Result_0", "Result_1", "Result_2"])
        self.assertEqual(self.results(), {OUTPUT + ".raw": 4 * NUM_CLASSES})
        self.assertIn("3 samples, 3 files", finished.stdout)

    def test_every_tensor(self):
        self.run_digits("--dump_tensors", "all")
        self.assertGreater(len(self.results()), 20)
        self.assertEqual(self.results()["image.raw"], 4 * 256)

    def test_named_tensors(self):
        self.run_digits("--dump_tensors", "image,/1/Add_output_0")
        self.assertEqual(sorted(self.results()), ["_1_Add_output_0.raw", "image.raw", OUTPUT + ".raw"])

    def test_names_no_file_can_have(self):
        names = ["n" * 5000, "n" * 5000 + "m", "../../escape", "a\nb\x1b[31m", "nul\0nul", b"\xff\xfe"]
        nodes = [wire.node("Abs" if i % 2 else "Neg", [before], [name])
                 for i, (before, name) in enumerate(zip(["x", *names], [*names, "y"]))]
        model = self.write("names.onnx", wire.model(wire.graph(
            nodes, [wire.value_info("x", tool_test.TINY_DIMS)], [wire.value_info("y")])))
        self.assert_succeeds("quantize-run", "--input_list", self.write_list(), "--output_dir", "results",
                             "--dump_tensors", "all", model)
        self.assertEqual(len(self.results()), len(names) + 2)
        self.assertEqual(set(self.results().values()), {4 * 32})
        self.assertEqual([p.name for p in self.work.parent.iterdir() if p.name not in ("in", "work")], [])

    def test_batch_from_the_command_line(self):
        sample = b"".join((DIGITS / "calib" / f"000{i}.raw").read_bytes() for i in range(2))
        self.write("two.raw", sample)
        samples = self.write("batch.txt", "two.raw\n")
        self.assert_succeeds("quantize-run", "--input_list", samples, "--output_dir", "results", "--input_dim",
                             "image", "2,1,16,16", MODEL)
        self.assertEqual(self.results(), {OUTPUT + ".raw": 2 * 4 * NUM_CLASSES})

    def test_simulated_lies_on_the_grid(self):
        self.assert_succeeds("quantize", "--effort", "fast", "--input_list", CALIB, MODEL)
        quantized = self.work / "digits.quantized.onnx"
        self.run_digits("--mode", "simulated", model=quantized, folder="by_model")
        self.run_digits("--mode", "simulated", "--encodings", "digits.encodings.json", folder="by_encodings")
        self.run_digits(model=quantized, folder="float")
        by_model, by_encodings, as_float = (
            struct.unpack(f"<{NUM_CLASSES}f", (self.work / folder / "Result_0" / (OUTPUT + ".raw")).read_bytes())
            for folder in ("by_model", "by_encodings", "float"))
        encodings = load(self.work / "digits.encodings.json")["activation_encodings"]
        scale = next(e["scale"][0] for e in encodings if e["name"] == OUTPUT)
        for value, other, exact in zip(by_model, by_encodings, as_float):
            self.assertAlmostEqual(value / scale, round(value / scale), places=3)
            self.assertLessEqual(abs(value - other), 1.01 * scale)
            self.assertLess(abs(value - exact), 0.5)
        self.assertNotEqual(by_model, as_float)

    def test_same_results_for_every_number_of_threads(self):
        for threads in ("1", "3"):
            self.run_digits("--threads", threads, "--dump_tensors", "all", folder=threads)
        for path in sorted((self.work / "1").rglob("*.raw")):
            self.assertEqual(path.read_bytes(), (self.work / "3" / path.relative_to(self.work / "1")).read_bytes())


class Inspect(tool_test.ToolTest):
    """quantize-inspect, and what every tool answers about itself."""

    def test_float_model(self):
        text = self.assert_succeeds("quantize-inspect", MODEL).stdout
        for word in ("image", OUTPUT, "float32[N, 1, 16, 16]", "Conv", "Gemm"):
            self.assertIn(word, text)

    def test_graph_as_read(self):
        text = self.assert_succeeds("quantize-inspect", "--as_read", MODEL).stdout
        self.assertIn("BatchNormalization", text)
        self.assertIn("52 nodes", text)

    def test_options_may_stand_before_the_model(self):
        text = self.assert_succeeds("quantize-inspect", "--input_dim", "image", "4,1,16,16", MODEL).stdout
        self.assertIn("float32[4, 16, 16, 16]", text)

    def test_quantized_model(self):
        self.assert_succeeds("quantize", "--effort", "fast", "--input_list", CALIB, MODEL)
        text = self.assert_succeeds("quantize-inspect", "digits.quantized.onnx").stdout
        for word in ("Encodings", "uint8", "int8", "int32", "scale", "q31_single", "0.1."):
            self.assertIn(word, text)

    def test_encodings_beside_a_float_model(self):
        self.assert_succeeds("quantize", "--effort", "fast", "--input_list", CALIB, MODEL)
        text = self.assert_succeeds("quantize-inspect", "--encodings", "digits.encodings.json", MODEL).stdout
        self.assertIn("uint8", text)

    def test_operators(self):
        table = self.assert_succeeds("quantize-inspect", "--operators").stdout.split("\n\n")[0]
        names = [line.split()[0] for line in table.splitlines()[1:]]
        for name in ("Conv", "Gemm", "MatMul", "Resize", "LSTM", "NonMaxSuppression", "Attention"):
            self.assertIn(name, names)
        self.assertEqual(names, sorted(names))

    def test_help_and_version(self):
        for tool in TOOLS:
            with self.subTest(tool=tool):
                self.assertIn("Usage: " + tool, self.assert_succeeds(tool, "--help").stdout)
                self.assertRegex(self.assert_succeeds(tool, "--version").stdout, r"^halfstep \d+\.\d+\.\d+\ncommit ")


if __name__ == "__main__":
    tool_test.main()
