"""weight_only_test.py: weights on grids, activations in float32: options, files, packed codes."""

import json
import math

import onnx_wire as wire
import tool_test
from tool_test import BAD_FILE, DIGITS, UNSUPPORTED, USAGE

VIT = DIGITS / "digits_vit_opset17.onnx"
WEIGHT_ONLY = ("--quiet", "--act_bitwidth", "32", "--output_path", "q.onnx")


class WeightOnly(tool_test.ToolTest):
    def quantize(self, *options, model=VIT):
        """Without samples; the encodings file."""
        self.assert_succeeds("quantize", *WEIGHT_ONLY, *options, model)
        return json.loads((self.work / "q.encodings.json").read_text())

    def sqnr_db(self):
        """Of the written model's output against the float model."""
        self.assert_succeeds("quantize-eval", "--quiet", "--mode", "simulated", "--input_list", DIGITS / "eval.txt",
                             "--report", "e.json", VIT, "q.onnx")
        return json.loads((self.work / "e.json").read_text())["outputs"][0]["sqnr_db"]

    def test_activations_and_biases_have_no_encodings(self):
        written = self.quantize()
        self.assertEqual(written["activation_encodings"], [])
        names = {entry["name"] for entry in written["param_encodings"]}
        self.assertIn("fc.weight", names)
        self.assertNotIn("fc.bias", names)
        self.assertGreater(self.sqnr_db(), 45.0)

    def test_blocks_are_written_and_read_in_both_forms(self):
        sqnr = {}
        for form in ("false", "true"):
            written = self.quantize("--weights_bitwidth", "4", "--block_size", "32", "--matmul_nbits", form)
            entry = next(e for e in written["param_encodings"] if e["name"] == "fc.weight")
            self.assertEqual((entry["enc_type"], entry["block_size"], entry["bw"]), ("PER_BLOCK", 32, 4))
            self.assertEqual(len(entry["scale"]), 10 * 2)  # 48 inputs: a block of 32 and one of 16.
            sqnr[form] = self.sqnr_db()
        self.assertGreater(sqnr["false"], 20.0)
        self.assertAlmostEqual(sqnr["true"], sqnr["false"], places=3)

    def test_version_2_nests_scales_as_the_weight_lies(self):
        written = self.quantize("--block_size", "32", "--encodings_version", "2.0.0")
        entry = next(e for e in written["encodings"] if e["name"] == "fc.weight")
        self.assertEqual((entry["axis"], entry["block_size"]), (1, 32))
        self.assertEqual((len(entry["y_scale"]), len(entry["y_scale"][0])), (10, 2))

    def test_samples_serve_the_comparison_only(self):
        options = ("--weights_bitwidth", "4", "--block_size", "32")
        self.quantize(*options)
        alone = (self.work / "q.onnx").read_bytes()
        self.quantize(*options, "--input_list", DIGITS / "calib.txt")
        self.assertEqual((self.work / "q.onnx").read_bytes(), alone)
        self.assertTrue(json.loads((self.work / "q.report.json").read_text())["outputs"])

    def test_products_of_blocks_are_islands_that_say_so(self):
        self.quantize("--block_size", "32")
        program = self.assert_succeeds("quantize-inspect", "--program", "fixed", "q.onnx").stdout
        self.assertIn("weights on a grid for each block", program)

    def test_the_summary_is_about_weights(self):
        text = self.assert_succeeds("quantize", *WEIGHT_ONLY, "--weights_bitwidth", "4", "--block_size", "32", VIT).stdout
        self.assertIn("W4A32: activations and biases float32, weights symmetric per channel, in blocks of 32", text)
        self.assertNotIn("Calibrated", text)

    def test_open_extents_need_a_shape(self):
        model = self.write("m.onnx", wire.model(wire.graph(
            [wire.node("MatMul", ["x", "w"], ["y"])], [wire.value_info("x", [1, "T", 4])], [wire.value_info("y")],
            [wire.tensor("w", [4, 2], 0.5)])))
        self.assert_fails(USAGE, ["input 'x'", "--input_dim"], "quantize", "--quiet", "--act_bitwidth", "32", model)
        self.quantize("--input_dim", "x", "1,3,4", model=model)

    def test_options_that_contradict_each_other(self):
        cases = [
            (["--block_size", "32"], ["--block_size", "needs --act_bitwidth 32", "one scale"]),
            (["--act_bitwidth", "32", "--block_size", "48"], ["--block_size", "48"]),
            (["--act_bitwidth", "32", "--block_size", "32", "--weights_bitwidth", "16"], ["--weights_bitwidth 4 or 8"]),
            (["--act_bitwidth", "32", "--block_size", "32", "--encodings_version", "0.6.1"], ["0.6.1", "--block_size"]),
            (["--act_bitwidth", "32", "--algorithms", "round"], ["--algorithms", "weights alone"]),
            (["--act_bitwidth", "32", "--search", "true"], ["--search", "weights alone"]),
            (["--act_bitwidth", "32", "--statistics_out", "s.json"], ["--statistics_out", "no effect"]),
            (["--act_bitwidth", "32", "--matmul_nbits", "true"], ["--matmul_nbits needs --block_size"]),
            (["--matmul_nbits", "true"], ["--matmul_nbits needs --act_bitwidth 32"]),
            (["--act_bitwidth", "32", "--pack_4_bit_weights", "true"], ["--pack_4_bit_weights has no effect"]),
        ]
        for options, words in cases:
            with self.subTest(options=options):
                self.assert_fails(USAGE, words, "quantize", "--quiet", "--input_list", DIGITS / "calib.txt", *options,
                                  VIT)

    def test_packed_weights_are_the_codes(self):
        values = [math.sin(i) for i in range(54)]
        model = self.write("m.onnx", wire.model(wire.graph(
            [wire.node("Conv", ["x", "w"], ["y"])], [wire.value_info("x", [1, 3, 4, 4])], [wire.value_info("y")],
            [wire.tensor("w", [2, 3, 3, 3], values)])))
        options = ("--weights_bitwidth", "4", "--param_quantizer_calibration", "min-max")
        written = self.quantize(*options, "--pack_4_bit_weights", "true", model=model)
        self.assertEqual(written["halfstep"]["packed_4_bit_weights"],
                         {"w": {"offset": 0, "bytes": 28, "channels": 2, "axis": 0, "shape": [2, 3, 3, 3]}})
        packed = (self.work / "q.packed4.bin").read_bytes()
        self.assertEqual(len(packed), 28)
        scales = written["param_encodings"][0]["scale"]
        for channel in range(2):
            for i in range(27):
                nibble = packed[channel * 14 + i // 2] >> (i % 2 * 4) & 0xF
                code = nibble - 16 if nibble > 7 else nibble
                self.assertLessEqual(abs(code * scales[channel] - values[channel * 27 + i]), scales[channel] * 0.5001)
        self.quantize(*options, model=model)
        self.assertNotIn("packed_4_bit_weights", json.loads((self.work / "q.encodings.json").read_text())["halfstep"])


class PackedProducts(tool_test.ToolTest):
    """Files with a MatMulNBits that cannot be read."""

    def model(self, inputs=("x", "b", "s"), codes=16, scales=1, **attributes):
        attributes = {"K": 16, "N": 1, "bits": 4, "block_size": 32, **attributes}
        product = wire.node("MatMulNBits", list(inputs), ["y"], name="p", domain="com.microsoft", **attributes)
        constants = [wire.tensor("b", [codes], bytes([0x88] * codes), 2), wire.tensor("s", [scales], 0.5),
                     wire.tensor("g", [16], [0] * 16, 6)]
        return self.write("m.onnx", wire.model(wire.graph([product], [wire.value_info("x", [1, 16])],
                                                          [wire.value_info("y")], constants)))

    def test_what_does_not_fit_is_named(self):
        cases = [(BAD_FILE, ["'p'", "15 bytes"], {"codes": 15}), (BAD_FILE, ["'p'", "2 scales", "1"], {"scales": 2}),
                 (BAD_FILE, ["'p'", "positive"], {"K": 0}), (BAD_FILE, ["'p'", "block_size"], {"block_size": 24}),
                 (UNSUPPORTED, ["'p'", "2 bits"], {"bits": 2}),
                 (UNSUPPORTED, ["'p'", "g_idx"], {"inputs": ("x", "b", "s", "", "g")}),
                 (UNSUPPORTED, ["'p'", "constants"], {"inputs": ("x", "b", "x")})]
        for code, words, changes in cases:
            with self.subTest(words=words):
                self.assert_fails(code, words, "quantize", "--quiet", "--act_bitwidth", "32", self.model(**changes))


if __name__ == "__main__":
    tool_test.main()
