"""tuned_models_test.py: what algorithms changed is recorded, and no file is used with the model as it was before."""

import array
import json
import math

import onnx_wire as wire
import tool_test
from tool_test import DIGITS, USAGE

MODEL = DIGITS / "digits.onnx"
CALIB = DIGITS / "calib.txt"
QUANTIZED, ENCODINGS, REPORT = "q.onnx", "q.encodings.json", "q.report.json"
FLOAT = "f.onnx"
ALL = "equalize,round,bias-correction"
PER_TENSOR = ("--use_per_channel_quantization", "false")  # Equalizing pays.


class TunedModels(tool_test.ToolTest):
    """What the tests below share."""

    def quantize(self, algorithms, *options, model=MODEL, samples=CALIB):
        """The report's steps that were kept."""
        said = self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--input_list", samples, "--algorithms",
                                    algorithms,
                                    "--validate", 4, "--output_path", QUANTIZED, "--float_out", FLOAT, *options, model)
        self.assertIn(f"{ENCODINGS}, {REPORT}, {FLOAT}\n", said.stdout)
        self.report = json.loads((self.work / REPORT).read_text())
        return [step["algorithms"] for step in self.report.get("tuning", []) if not step["undone"]]

    def evaluate(self, *models, mode="fixed"):
        """The report of quantize-eval, and what it warns of."""
        finished = self.assert_succeeds("quantize-eval", "--quiet", "--input_list", self.three(), "--mode", mode, "--report",
                                        "e.json", *models)
        return json.loads((self.work / "e.json").read_text()), finished.stderr

    def three(self):
        return self.write("three.txt", "".join(f"{DIGITS}/calib/000{n}.raw\n" for n in range(3)))

    def bits(self, folder, *model, samples=None):
        """File to bytes: every tensor, in real numbers and codes."""
        samples = samples or self.three()
        self.assert_succeeds("quantize-run", "--quiet", "--input_list", samples, "--mode", "fixed", "--dump_tensors",
                             "all", "--output_dir", folder, *model)
        root = self.work / folder
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.raw")}

    def recorded(self, key, file=QUANTIZED):
        """The names under this key of the metadata; None if there is no such entry."""
        data = (self.work / file).read_bytes()
        at = data.find(b"\n" + bytes([len(key)]) + key.encode() + b"\x12")
        if at < 0:
            return None
        return json.JSONDecoder().raw_decode(data[data.index(b"[", at):].split(b"]")[0].decode() + "]")[0]


class ScaledTensors(TunedModels):
    """They are in other units than the float model's."""

    def layers(self, report):
        return {layer["name"] for layer in report["layers"]}

    def test_are_recorded_and_not_compared(self):
        self.assertEqual(self.quantize("equalize"), ["equalize"])
        scaled = self.recorded("halfstep.rescaled")
        self.assertGreater(len(scaled), 10)
        self.assertEqual(self.recorded("halfstep.rescaled", FLOAT), scaled)
        self.assertIsNone(self.recorded("halfstep.shifted"))
        for mode in ("fixed", "simulated", "both"):
            report, warned = self.evaluate(MODEL, QUANTIZED, mode=mode)
            line = f"{len(scaled)} tensors are scaled by channel (equalize) and are not compared one by one"
            self.assertEqual(warned.count(line), 1)
            self.assertIn(line, report["warnings"])
            self.assertEqual(self.layers(report) & set(scaled), set())
            self.assertGreater(min(layer["sqnr_db"] for layer in report["layers"]), 20)
            self.assertGreater(min(layer["isolated"]["sqnr_db"] for layer in report["layers"]), 20)

    def test_are_compared_with_the_model_in_the_same_units(self):
        self.quantize("equalize")
        scaled = set(self.recorded("halfstep.rescaled"))
        self.assertLess(scaled, self.layers(self.report))  # quantize's own check.
        self.assertGreater(min(layer["sqnr_db"] for layer in self.report["layers"]), 20)
        for models in ((FLOAT, QUANTIZED), (FLOAT, "--encodings", ENCODINGS)):
            report, warned = self.evaluate(*models)
            self.assertNotIn("not compared", warned)
            self.assertLess(scaled, self.layers(report))
            self.assertGreater(min(layer["sqnr_db"] for layer in report["layers"]), 20)

    def test_nothing_is_recorded_without_them(self):
        for algorithms in ("none", "bias-correction"):
            self.quantize(algorithms)
            self.assertNotIn(b"halfstep.rescaled", (self.work / QUANTIZED).read_bytes())
            self.assertNotIn("not compared", self.evaluate(MODEL, QUANTIZED)[1])

    def test_an_undone_step_leaves_no_names(self):
        self.assertEqual(self.quantize("cle"), [])  # Its clamps became Relu.
        self.assertNotIn(b"halfstep.rescaled", (self.work / QUANTIZED).read_bytes())

    def test_a_quantized_model_that_is_quantized_again_keeps_them(self):
        self.quantize("equalize")
        scaled = self.recorded("halfstep.rescaled")
        self.assert_succeeds("quantize", "--quiet", "--input_list", CALIB, "--output_path", "again.onnx", QUANTIZED)
        self.assertEqual(self.recorded("halfstep.rescaled", "again.onnx"), scaled)


class ShiftedTensors(TunedModels):
    """High-bias absorption moves them."""

    def test_are_recorded_and_not_compared(self):
        nodes = [wire.node("Conv", ["x", "w1", "b1"], ["c"], name="first"), wire.node("Relu", ["c"], ["a \"1\""]),
                 wire.node("Conv", ["a \"1\"", "w2", "b2"], ["y"], name="second")]
        model = self.write("m.onnx", wire.model(wire.graph(
            nodes, [wire.value_info("x", [1, 2, 5, 5])], [wire.value_info("y")],
            [wire.tensor("w1", [3, 2, 1, 1], [math.sin(i) for i in range(6)]), wire.tensor("b1", [3], [9.0, 5.0, 7.0]),
             wire.tensor("w2", [2, 3, 1, 1], [math.cos(i) for i in range(6)]), wire.tensor("b2", [2], [0.5, -0.5])])))
        for n in range(8):
            self.write_floats(f"{n}.raw", [math.sin(0.37 * k + n) for k in range(50)])
        samples = self.write("list.txt", "".join(f"{n}.raw\n" for n in range(8)))
        self.assertEqual(self.quantize("hba", model=model, samples=samples), ["hba"])
        self.assertEqual(self.recorded("halfstep.shifted"), ["a \"1\""])
        warning = "1 tensor is shifted by channel (hba) and is not compared one by one"
        self.assertIn(warning, self.report["warnings"])  # The function may differ: the model that came is the measure.
        said = self.assert_succeeds("quantize-eval", "--input_list", samples, model, QUANTIZED)
        self.assertIn(warning, said.stderr)
        self.assertEqual(self.bits("q", QUANTIZED, samples=samples),
                         self.bits("e", "--encodings", ENCODINGS, FLOAT, samples=samples))


class FloatOut(TunedModels):
    """quantize --float_out."""

    def test_with_the_encodings_it_is_the_quantized_model(self):
        for algorithms, options in ((ALL, ()), (ALL, PER_TENSOR), ("bias-correction", PER_TENSOR), ("none", ()),
                                    (ALL, ("--scale", "power_of_two", "--encodings_version", "0.6.1")),
                                    (ALL, ("--weights_bitwidth", 4, "--encodings_version", "2.0.0"))):
            with self.subTest(algorithms=algorithms, options=options):
                kept = self.quantize(algorithms, *options)
                self.assertEqual(bool(kept), algorithms != "none")
                self.assertEqual(self.bits("q", QUANTIZED), self.bits("e", "--encodings", ENCODINGS, FLOAT))
                self.assertNotIn(b"QuantizeLinear", (self.work / FLOAT).read_bytes())

    def test_equalizing_leaves_its_function(self):
        self.quantize("equalize")
        for folder, model in (("before", MODEL), ("after", FLOAT)):
            self.assert_succeeds("quantize-run", "--quiet", "--input_list", self.three(), "--output_dir", folder, model)
        for n in range(3):
            before, after = (array.array("f", (self.work / folder / f"Result_{n}" / "logits.raw").read_bytes())
                             for folder in ("before", "after"))
            for x, y in zip(before, after):
                self.assertAlmostEqual(x, y, delta=1e-4 * max(map(abs, before)))

    def test_is_written_only_if_asked_for(self):
        self.assert_succeeds("quantize", "--quiet", "--input_list", CALIB, "--output_path", QUANTIZED, MODEL)
        self.assertEqual(sorted(path.name for path in self.work.iterdir()), [ENCODINGS, QUANTIZED, REPORT])

    def test_files_that_get_in_its_way(self):
        for path, words in ((QUANTIZED, ["the float model", "the quantized model"]), (MODEL, ["the float model"])):
            self.assert_fails(USAGE, words, "quantize", "--input_list", CALIB, "--output_path", QUANTIZED,
                              "--float_out", path, MODEL)
        self.assert_fails(USAGE, ["--shard", "--float_out"], "quantize", "--input_list", CALIB, "--shard", "0/2",
                          "--statistics_out", "s.json", "--float_out", FLOAT, MODEL)


class Encodings(TunedModels):
    """They fit the weights they were made for."""

    def test_of_changed_weights_are_for_no_other_model(self):
        self.quantize("bias-correction", *PER_TENSOR)
        self.assertEqual(len(json.loads((self.work / ENCODINGS).read_text())["halfstep"]["weights"]), 16)
        words = [f"{ENCODINGS}: made for a model whose weights algorithms changed, not for {MODEL}; write that model "
                 "with quantize --float_out, or use the quantized model itself"]
        self.assert_fails(USAGE, words, "quantize-run", "--input_list", CALIB, "--output_dir", "out", "--mode", "fixed",
                          "--encodings", ENCODINGS, MODEL)
        self.assert_fails(USAGE, words, "quantize-eval", "--input_list", CALIB, "--encodings", ENCODINGS, MODEL)
        self.assert_fails(USAGE, words, "quantize-inspect", "--encodings", ENCODINGS, MODEL)
        self.assert_succeeds("quantize-inspect", "--encodings", ENCODINGS, FLOAT)

    def quantize_without_bias(self, held_out):
        """Bias correction of one 4-bit Conv without a bias, by one sample, judged by that sample times `held_out`."""
        nodes = [wire.node("Conv", ["x", "w"], ["y"], name="conv", pads=[1, 1, 1, 1])]
        weights = [wire.tensor("w", [3, 2, 3, 3], [(i % 5 - 2) / 4 + i / 500 for i in range(54)])]
        self.model = self.write("m.onnx", tool_test.tiny_model(nodes=nodes, initializers=weights))
        sample = [1.5 + math.sin(0.9 * k) / 2 for k in range(32)]
        self.write_floats("0.raw", sample)
        self.write_floats("1.raw", [held_out * x for x in sample])
        kept = self.quantize("bias-correction", "--weights_bitwidth", 4, model=self.model,
                             samples=self.write("list.txt", "0.raw\n1.raw\n"))
        names = [entry["name"] for entry in json.loads((self.work / ENCODINGS).read_text())["param_encodings"]]
        return kept, names

    def test_are_checked_before_their_names(self):
        kept, names = self.quantize_without_bias(1)
        self.assertEqual((kept, len(names)), (["bias-correction"], 2))
        self.assert_fails(USAGE, ["made for a model whose weights algorithms changed"], "quantize-inspect",
                          "--encodings", ENCODINGS, self.model)
        self.assert_succeeds("quantize-inspect", "--encodings", ENCODINGS, FLOAT)

    def test_a_bias_added_in_vain_is_taken_back(self):
        kept, names = self.quantize_without_bias(-1)
        self.assertEqual((kept, names), ([], ["w"]))
        self.assert_succeeds("quantize-inspect", "--encodings", ENCODINGS, self.model)

    def test_of_the_weights_as_they_were_are_for_that_model(self):
        for algorithms in ("none", "cle"):
            self.assertEqual(self.quantize(algorithms), [])  # cle is undone.
            self.assertNotIn("weights", json.loads((self.work / ENCODINGS).read_text())["halfstep"])
            self.assertEqual(self.bits("q", QUANTIZED), self.bits("e", "--encodings", ENCODINGS, MODEL))


if __name__ == "__main__":
    tool_test.main()
