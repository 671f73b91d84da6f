"""diagnose_test.py: quantize-eval --diagnose names the layer that was planted as bad, and why."""

import json
import random
import struct

import onnx_wire as wire
import tool_test
from tool_test import DIGITS, USAGE

NUM_SAMPLES = 8
CHANNELS = 8
GOOD_DB = 30.0


class Planted(tool_test.ToolTest):
    """Four convolutions in a row, conv_1 to conv_4, and samples for them; a subclass breaks something."""

    def setUp(self):
        super().setUp()
        self.random = random.Random(13)
        lines = []
        for i in range(NUM_SAMPLES):
            path = self.folder / f"{i}.raw"
            path.write_bytes(struct.pack(f"<{4 * 144}f", *(self.random.uniform(-1, 1) for _ in range(4 * 144))))
            lines.append(f"{path}\n")
        self.samples = self.folder / "list.txt"
        self.samples.write_text("".join(lines))
        self.weights = {f"w{i}": self.normal(CHANNELS * (4 if i == 1 else CHANNELS) * 9, 0.1) for i in range(1, 5)}
        self.biases = {f"b{i}": self.normal(CHANNELS, 0.05) for i in range(1, 5)}

    def normal(self, count, deviation):
        return [self.random.gauss(0.0, deviation) for _ in range(count)]

    def initializers(self):
        tensors = []
        for i in range(1, 5):
            tensors.append(wire.tensor(f"w{i}", [CHANNELS, 4 if i == 1 else CHANNELS, 3, 3], self.weights[f"w{i}"]))
            tensors.append(wire.tensor(f"b{i}", [CHANNELS], self.biases[f"b{i}"]))
        return tensors

    def conv(self, i, data, output):
        return wire.node("Conv", [data, f"w{i}", f"b{i}"], [output], name=f"conv_{i}", pads=[1, 1, 1, 1])

    def chain(self):
        nodes = []
        data = "x"
        for i in range(1, 5):
            nodes.append(self.conv(i, data, f"c{i}" if i < 4 else "y"))
            if i < 4:
                nodes.append(wire.node("Relu", [f"c{i}"], [f"r{i}"], name=f"relu_{i}"))
            data = f"r{i}"
        return self.write("model.onnx", wire.model(wire.graph(
            nodes, [wire.value_info("x", [1, 4, 12, 12])], [wire.value_info("y", [1, CHANNELS, 12, 12])],
            self.initializers())))

    def grids(self, **ranges):
        """An overrides file with these ranges on 8 bits."""
        entries = {name: [{"bitwidth": 8, "dtype": "int", "is_symmetric": "False", "min": low, "max": high}]
                   for name, (low, high) in ranges.items()}
        return self.write("grids.json", json.dumps(
            {"version": "0.6.1", "activation_encodings": entries, "param_encodings": {}}))

    def quantize(self, model, *options):
        self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--validate", 0, "--input_list", self.samples,
                             *options, "--output_path", "q.onnx", model)

    def diagnose(self, model, *options):
        """The diagnosis of q.onnx, from the JSON report; what stands on the terminal is in self.text."""
        finished = self.assert_succeeds("quantize-eval", "--quiet", "--input_list", self.samples, "--diagnose",
                                        "--report", "r.json", "--report", "r.md", "--report", "r.html", *options,
                                        model, "q.onnx")
        self.text = finished.stdout
        diagnosis = json.loads((self.work / "r.json").read_text())["diagnosis"]
        for page in ("r.md", "r.html"):
            self.assertIn("Diagnosis", (self.work / page).read_text())
        self.assertIn("Verdict: " + diagnosis["verdict"].split()[0], self.text)
        return diagnosis

    def worst(self, diagnosis):
        """Name, part and kinds of causes of the dearest layer."""
        layer = diagnosis["layers"][0]
        self.assertIn(layer["name"], diagnosis["verdict"])
        return layer["name"], layer["part"], {cause["kind"] for cause in layer["causes"]}

    def step(self, diagnosis, options):
        """The step with these options among what to try next."""
        for step in diagnosis["next"]:
            if options in step["options"]:
                return step
        self.fail(f"no step {options} in {json.dumps(diagnosis['next'], indent=1)}")

    def rung(self, diagnosis, question):
        return next(rung for rung in diagnosis["rungs"] if rung["question"] == question)

    def whole_db(self, diagnosis):
        return self.rung(diagnosis, "quantized")["sqnr_db"]

    def assert_true_gain(self, model, diagnosis, options, *more, tolerance=1.5):
        """Carries out a measured step: the outputs win what it says."""
        step = self.step(diagnosis, options)
        self.assertTrue(step["measured"], step)
        self.quantize(model, *step["options"].split(), *more)
        finished = self.evaluate(model)
        self.assertAlmostEqual(finished, step["sqnr_db"], delta=tolerance)
        self.assertAlmostEqual(step["gain_db"], step["sqnr_db"] - self.whole_db(diagnosis), places=6)

    def evaluate(self, model):
        self.assert_succeeds("quantize-eval", "--quiet", "--input_list", self.samples, "--report", "again.json", model,
                             "q.onnx")
        return json.loads((self.work / "again.json").read_text())["outputs"][0]["sqnr_db"]


class CauseTest(Planted):
    """One model for each cause."""

    def test_a_healthy_model_is_called_healthy(self):
        model = self.chain()
        self.quantize(model, "--act_bitwidth", 16, "--weights_bitwidth", 16)
        diagnosis = self.diagnose(model)
        self.assertTrue(diagnosis["verdict"].startswith("healthy"))
        self.assertEqual(([rung["question"] for rung in diagnosis["rungs"]], diagnosis["layers"], diagnosis["next"]),
                         (["quantized"], [], []))
        self.assertGreater(self.whole_db(diagnosis), GOOD_DB)

    def test_a_weight_outlier(self):
        # It multiplies what is never there: conv_2's input channel 0.
        self.biases["b1"][0] = -20.0
        self.weights["w2"][3 * CHANNELS * 9 + 4] = 9.0
        model = self.chain()
        self.quantize(model, "--use_per_channel_quantization", "false")
        diagnosis = self.diagnose(model)
        self.assertEqual(self.worst(diagnosis)[:2], ("conv_2", "weights"))
        self.assertIn("weight-outlier", self.worst(diagnosis)[2])
        self.assertIn("in channel 3", diagnosis["layers"][0]["causes"][0]["sentence"])
        self.assertLess(self.whole_db(diagnosis), GOOD_DB)
        self.assertGreater(self.rung(diagnosis, "16-bit")["sqnr_db"], GOOD_DB)
        self.assertIn("weights cost most", self.rung(diagnosis, "parts")["answer"])
        self.assert_true_gain(model, diagnosis, "--params_16bit_names_list conv_2", "--use_per_channel_quantization",
                              "false")
        self.assert_true_gain(model, diagnosis, "--use_per_channel_quantization true")

    def test_a_dead_scale(self):
        model = self.chain()
        self.quantize(model, "--quantization_overrides", self.grids(r2=(0.0, 300.0)))
        diagnosis = self.diagnose(model)
        self.assertEqual(self.worst(diagnosis), ("conv_2", "activations", {"wide-grid"}))
        self.assertEqual(diagnosis["layers"][0]["causes"][0]["tensor"], "r2")
        self.assertIn("activations cost most", self.rung(diagnosis, "parts")["answer"])
        self.assert_true_gain(model, diagnosis, "--act_quantizer_calibration min-max")

    def test_a_joint_grid(self):
        # conv_1 gives small values, conv_2 large ones; conv_3 makes up for it.
        self.weights["w1"] = [w / 100.0 for w in self.weights["w1"]]
        self.biases["b1"] = [b / 100.0 for b in self.biases["b1"]]
        self.weights["w2"] = self.normal(CHANNELS * 4 * 9, 0.1)
        self.weights["w3"] = self.normal(CHANNELS * 2 * CHANNELS * 9, 0.1)
        for i in range(len(self.weights["w3"])):
            self.weights["w3"][i] *= 10.0 if i // 9 % (2 * CHANNELS) < CHANNELS else 0.01
        nodes = [self.conv(1, "x", "a"), self.conv(2, "x", "b"),
                 wire.node("Concat", ["a", "b"], ["both"], name="concat", axis=1), self.conv(3, "both", "y")]
        shapes = {1: [CHANNELS, 4, 3, 3], 2: [CHANNELS, 4, 3, 3], 3: [CHANNELS, 2 * CHANNELS, 3, 3]}
        tensors = [wire.tensor(f"w{i}", shape, self.weights[f"w{i}"]) for i, shape in shapes.items()]
        tensors += [wire.tensor(f"b{i}", [CHANNELS], self.biases[f"b{i}"]) for i in shapes]
        model = self.write("concat.onnx", wire.model(wire.graph(
            nodes, [wire.value_info("x", [1, 4, 12, 12])], [wire.value_info("y", [1, CHANNELS, 12, 12])], tensors)))
        joint = (-4.0, 4.0)
        self.quantize(model, "--quantization_overrides", self.grids(a=joint, b=joint, both=joint))
        diagnosis = self.diagnose(model)
        name, part, kinds = self.worst(diagnosis)
        self.assertEqual((name, part), ("concat", "activations"))
        self.assertEqual(kinds, {"joint-grid"})
        self.assertIn("activations cost most", self.rung(diagnosis, "parts")["answer"])
        joint_causes = [cause for cause in diagnosis["layers"][0]["causes"] if cause["kind"] == "joint-grid"]
        self.assertEqual([cause["tensor"] for cause in joint_causes], ["a"])
        self.assert_true_gain(model, diagnosis, "--output_feature_16bit_names_list a,b,both")

    def test_saturation_is_no_matter_of_bits(self):
        model = self.chain()
        self.quantize(model, "--quantization_overrides", self.grids(r3=(0.0, 0.05)))
        diagnosis = self.diagnose(model)
        self.assertEqual(self.worst(diagnosis), ("conv_3", "activations", {"saturation"}))
        self.assertLess(self.rung(diagnosis, "16-bit")["sqnr_db"], GOOD_DB)
        self.assertIn("not the bit width", self.rung(diagnosis, "16-bit")["answer"])
        self.assertTrue(self.step(diagnosis, "--act_quantizer_calibration mse")["measured"])

    def test_a_mask_that_softmax_reads(self):
        mask = [-1e9 if i % 3 == 0 else 0.0 for i in range(CHANNELS)]
        self.weights["w1"] = [20.0 * w for w in self.weights["w1"]]
        nodes = [self.conv(1, "x", "c1"), wire.node("Add", ["c1", "mask"], ["masked"], name="add_mask"),
                 wire.node("Softmax", ["masked"], ["p"], name="softmax", axis=1), self.conv(2, "p", "y")]
        model = self.write("mask.onnx", wire.model(wire.graph(
            nodes, [wire.value_info("x", [1, 4, 12, 12])], [wire.value_info("y", [1, CHANNELS, 12, 12])],
            [*self.initializers()[:4], wire.tensor("mask", [CHANNELS, 1, 1], mask)])))
        self.quantize(model, "--quantization_overrides", self.grids(masked=(-1e9, 10.0)))
        diagnosis = self.diagnose(model)
        # The mask is part of the convolution's bias by then.
        self.assertEqual(self.worst(diagnosis), ("conv_1", "activations", {"exponentials"}))
        self.assertEqual(diagnosis["layers"][0]["causes"][0]["tensor"], "masked")
        step = self.step(diagnosis, "--exclude_nodes conv_1")
        self.assertFalse(step["measured"])
        self.quantize(model, *step["options"].split())
        self.assertGreater(self.evaluate(model), self.whole_db(diagnosis) + 20.0)
        self.assertLess(self.evaluate(model), step["sqnr_db"] + 0.5)
        self.assertIn("about -30", diagnosis["layers"][0]["causes"][0]["sentence"])

    def test_another_float_model_is_told(self):
        self.quantize(self.chain())
        self.weights["w3"] = self.normal(len(self.weights["w3"]), 0.1)
        diagnosis = self.diagnose(self.chain())
        self.assertEqual(self.worst(diagnosis), ("conv_3", "weights", {"other-weights"}))


    def test_a_model_of_another_function_ends_the_ladder(self):
        self.quantize(self.chain())
        text = self.chain().read_bytes()
        self.assertEqual(text.count(b"Relu"), 3)
        diagnosis = self.diagnose(self.write("other.onnx", text.replace(b"Relu", b"Tanh")))
        self.assertEqual([rung["question"] for rung in diagnosis["rungs"]], ["quantized", "16-bit"])
        self.assertIn("different things", diagnosis["verdict"])
        self.assertEqual((diagnosis["layers"], diagnosis["next"]), ([], []))

    def test_four_bits_are_few_for_all_layers(self):
        model = self.chain()
        self.quantize(model, "--weights_bitwidth", 4)
        diagnosis = self.diagnose(model)
        self.assertIn("weights cost most", self.rung(diagnosis, "parts")["answer"])
        self.assertEqual([layer["causes"] for layer in diagnosis["layers"]], [[]] * len(diagnosis["layers"]))
        self.assertIn("Nothing stands out", self.rung(diagnosis, "causes")["answer"])
        self.assert_true_gain(model, diagnosis, "--weights_bitwidth 8")


class UseTest(Planted):
    """What --diagnose goes with."""

    def test_digits_are_healthy(self):
        self.samples = self.folder / "digits.txt"
        lines = (DIGITS / "calib.txt").read_text().split()[:40]
        self.samples.write_text("".join(f"{DIGITS / line}\n" for line in lines))
        self.quantize(DIGITS / "digits.onnx")
        diagnosis = self.diagnose(DIGITS / "digits.onnx")
        self.assertTrue(diagnosis["verdict"].startswith("healthy"), diagnosis)
        self.assertEqual(diagnosis["num_samples"], 32)

    def test_it_needs_fixed_point_and_grids(self):
        model = self.chain()
        self.quantize(model)
        common = ["--input_list", self.samples, "--diagnose"]
        self.assert_fails(USAGE, ["--diagnose", "--mode fixed"], "quantize-eval", *common, "--mode", "simulated", model,
                          "q.onnx")
        self.assert_succeeds("quantize", "--quiet", "--dynamic", "true", "--output_path", "d.onnx", model)
        self.assert_fails(USAGE, ["--diagnose", "dynamically"], "quantize-eval", *common, model, "d.onnx")

    def test_without_it_reports_say_nothing(self):
        model = self.chain()
        self.quantize(model)
        self.evaluate(model)
        self.assertNotIn("diagnosis", json.loads((self.work / "again.json").read_text()))


if __name__ == "__main__":
    tool_test.main()
