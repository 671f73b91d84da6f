"""dynamic_test.py: quantize --dynamic: weights on integers, grids of activations by each run."""

import json

import onnx_wire as wire
import tool_test
from tool_test import DIGITS, OK, UNSUPPORTED, USAGE

MODEL = DIGITS / "digits.onnx"
VIT = DIGITS / "digits_vit_opset13.onnx"
NUM_SAMPLES = 40


class Dynamic(tool_test.ToolTest):
    """What it writes, what the other tools make of that, and what it refuses."""

    def setUp(self):
        super().setUp()
        lines = (DIGITS / "eval.txt").read_text().split()[:NUM_SAMPLES]
        self.samples = self.write("list.txt", "".join(f"{DIGITS / line}\n" for line in lines))

    def quantize(self, model, *options):
        """stdout of quantize --dynamic, which writes q.onnx."""
        return self.assert_succeeds("quantize", "--quiet", "--dynamic", "--output_path", "q.onnx", *options,
                                    model).stdout

    def load(self, name):
        """A JSON file that a tool wrote."""
        return json.loads((self.work / name).read_text())

    def evaluate(self, model, *options):
        """The report of quantize-eval."""
        self.assert_succeeds("quantize-eval", "--quiet", "--input_list", self.samples, "--report", "eval.json",
                             *options, model, "q.onnx")
        return self.load("eval.json")

    def run_codes(self, mode, *options):
        """Output files of quantize-run, as bytes."""
        folder = self.work / mode
        self.assert_succeeds("quantize-run", "--quiet", "--input_list", self.samples, "--mode", mode, "--output_dir",
                             folder, *options, "q.onnx")
        return [path.read_bytes() for path in sorted(folder.rglob("*.raw"))]

    def test_needs_no_samples_and_says_what_it_did(self):
        text = self.quantize(MODEL)
        self.assertIn("dynamic W8A8: activations by each run, weights symmetric per channel, biases float32", text)
        self.assertIn("17 Conv, 1 Gemm, 0 MatMul, which read 18 tensors", text)
        report = self.load("q.report.json")
        self.assertEqual((report["kind"], report["mode"]), ("quantize", "dynamic"))
        self.assertEqual(report["options"]["dynamic"], "true")
        self.assertNotIn("act_bitwidth", report["options"])
        encodings = self.load("q.encodings.json")
        self.assertEqual(encodings["activation_encodings"], [])
        self.assertEqual(len(encodings["param_encodings"]), 18)
        self.assertLess((self.work / "q.onnx").stat().st_size, 0.5 * MODEL.stat().st_size)

    def test_evaluates_layer_by_layer_in_every_mode(self):
        self.quantize(MODEL)
        for mode in ("fixed", "simulated", "both"):
            report = self.evaluate(MODEL, "--mode", mode)
            self.assertGreater(report["outputs"][0]["sqnr_db"], 33, mode)
            self.assertGreater(report["outputs"][0]["isolated"]["sqnr_db"], report["outputs"][0]["sqnr_db"], mode)
            self.assertEqual(report["metrics"]["top1_agreement"], 100.0, mode)
            self.assertGreater(len(report["layers"]), 17, mode)
            self.assertNotIn("arithmetic", report, mode)

    def test_all_modes_of_a_run_and_all_numbers_of_threads_are_the_same(self):
        self.quantize(VIT)
        expected = self.run_codes("float")
        self.assertEqual(len(expected), NUM_SAMPLES)
        self.assertEqual(self.run_codes("fixed", "--threads", 1), expected)
        self.assertEqual(self.run_codes("simulated", "--threads", 3), expected)

    def test_layers_whose_weights_are_computed_stay_float(self):
        text = self.quantize(VIT)
        self.assertIn("1 Conv, 1 Gemm, 18 MatMul", text)
        self.assertIn("6 nodes with weights stay float", text)
        islands = self.load("q.report.json")["float_islands"]
        self.assertEqual({island["reason"] for island in islands}, {"its weight is computed"})
        self.assertGreater(self.evaluate(VIT)["outputs"][0]["sqnr_db"], 38)

    def test_precision_of_weights_is_free(self):
        for options in (("--use_per_channel_quantization", "false"), ("--param_quantizer_schema", "asymmetric"),
                        ("--param_quantizer_schema", "unsignedsymmetric"), ("--param_quantizer_calibration", "mse"),
                        ("--restrict_quantization_steps", "-64 63"), ("--encodings_version", "2.0.0")):
            self.quantize(MODEL, *options)
            self.assertGreater(self.evaluate(MODEL)["outputs"][0]["sqnr_db"], 20, options)

    def test_weights_encodings_serve_the_float_model(self):
        self.quantize(MODEL)
        self.assert_succeeds("quantize-eval", "--quiet", "--input_list", self.samples, "--mode", "simulated",
                             "--report", "w.json", "--encodings", "q.encodings.json", MODEL)
        self.assertGreater(self.load("w.json")["outputs"][0]["sqnr_db"], 35)

    def test_can_be_inspected(self):
        self.quantize(MODEL)
        text = self.assert_succeeds("quantize-inspect", "q.onnx").stdout
        self.assertIn("DynamicQuantizeLinear", text)
        self.assertIn("halfstep.options: dynamic=true weights_bitwidth=8", text)

    def test_refuses_what_would_have_no_effect(self):
        for options in (("--input_list", self.samples), ("--statistics_in", self.samples), ("--statistics_out", "s"),
                        ("--act_bitwidth", 16), ("--act_bitwidth", 8), ("--act_quantizer_calibration", "mse"),
                        ("--act_quantizer_schema", "symmetric"), ("--scale", "power_of_two"), ("--search",),
                        ("--algorithms", "bias-correction"), ("--effort", "best"), ("--validate", 3),
                        ("--calibration_option", 1), ("--arithmetic", "q31_double"), ("--bias_bitwidth", 8),
                        ("--float_out", "f.onnx"), ("--config", "tidl-simple"), ("--trim_flat", "true")):
            given = options[0] if options[0] != "--config" else " of the recipe"
            model = ["--quiet", "--", MODEL] if options[0] == "--statistics_in" else [MODEL]
            self.assert_fails(USAGE, [given, "has no effect with --dynamic"], "quantize", "--dynamic", *options, *model)

    def test_refuses_rules_of_arithmetic(self):
        self.quantize(MODEL)
        rule = ("--quiet", "--arithmetic", "q31_double", "--input_list", self.samples)
        words = ["--arithmetic has no effect on q.onnx", "carries no encodings"]
        run_options = ("--mode", "fixed", "--output_dir", "o", "q.onnx")
        for tool, options in (("quantize-eval", (MODEL, "q.onnx")), ("quantize-run", run_options)):
            finished = self.run_tool(tool, *rule, *options)
            self.assertEqual(finished.code, USAGE, finished)
            for word in words:
                self.assertIn(word, finished.stderr)

    def test_refuses_weights_of_other_widths(self):
        for width in (4, 16):
            self.assert_fails(USAGE, [f"--dynamic has no form for weights of {width} bits", "--weights_bitwidth 8"],
                              "quantize", "--dynamic", "--weights_bitwidth", width, MODEL)

    def test_refuses_a_model_that_carries_encodings(self):
        self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--input_list", self.samples, "--output_path",
                             self.folder / "qdq.onnx", MODEL)
        self.assert_fails(USAGE, ["qdq.onnx", "carries encodings already", "the float model"], "quantize", "--dynamic",
                          self.folder / "qdq.onnx")

    def test_refuses_a_model_without_weights(self):
        relu = wire.graph([wire.node("Relu", ["x"], ["y"])], [wire.value_info("x", [1, 4])],
                          [wire.value_info("y", [1, 4])], [])
        self.assert_fails(UNSUPPORTED, ["nothing to quantize", "no Conv, Gemm or MatMul"], "quantize", "--dynamic",
                          self.write("relu.onnx", wire.model(relu)))

    def test_needs_open_dimensions(self):
        weight = wire.tensor("w", [4, 2], [0.5] * 8)
        graph = wire.graph([wire.node("MatMul", ["x", "w"], ["y"])], [wire.value_info("x", ["N", "T", 4])],
                           [wire.value_info("y", ["N", "T", 2])], [weight])
        model = self.write("open.onnx", wire.model(graph))
        self.assert_fails(USAGE, ["open.onnx", "--input_dim"], "quantize", "--dynamic", model)
        self.assertEqual(self.run_tool("quantize", "--dynamic", "--input_dim", "x", "1,3,4", model).code, OK)


if __name__ == "__main__":
    tool_test.main()
