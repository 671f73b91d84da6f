"""overrides_test.py: quantize --quantization_overrides: each example of the formats does what its text says.

The examples are those of AIMET's encoding specification and of QNN's documentation, adapted to a small model whose
tensors have their names. What they do shows in the printed Program and in the file.
"""

import onnx_wire as wire
import tool_test
from overrides_case import ADD_1, W1, OverridesTest


class FormatsTest(OverridesTest):
    """An example for each version."""

    def test_0_4_0(self):
        self.quantize("--quantization_overrides", self.both(
            {"relu_3": [{"bitwidth": 8, "is_symmetric": "False", "min": 0.0, "max": 5.1, "offset": 0, "scale": 0.02}]},
            {"conv_3.w": [{"bitwidth": 8, "is_symmetric": "True", "min": -0.64, "max": 0.635, "offset": -128,
                           "scale": 0.005}]}, version="0.4.0"))
        step = self.step("'conv_3'", "integer")
        self.assertIn("out 'relu_3' uint8[1, 2, 8, 8], scale 0.02, zero point 0, grid [0, 255]", step)
        self.assertIn("in  'conv_3.w' int8[2, 2, 1, 1], scale 0.005, zero point 0", step)
        self.assertNotIn("by axis", step.split("'conv_3.w'")[1].split("\n")[0])
        self.assertEqual(self.file().grid_type("relu_3"), "uint8")

    def test_0_5_0_float_makes_the_whole_operator_float(self):
        self.quantize("--quantization_overrides",
                      self.both({"conv_7_out": [{"dtype": "float", "bitwidth": 16}]}, version="0.5.0"))
        self.check_conv_7_is_half()

    def test_a_float_weight_makes_output_and_bias_float(self):
        self.quantize("--quantization_overrides",
                      self.both(params={"w7": [{"dtype": "float", "bitwidth": 16}]}, version="0.5.0"))
        self.check_conv_7_is_half()

    def check_conv_7_is_half(self):
        """Output, weight and bias; converts at both borders and nowhere else."""
        file = self.file()
        self.assertEqual((file.constants["w7"], file.constants["b7"]), ("float16", "float16"))
        self.assertEqual(file.casts(), [("relu_3_dequantized", "relu_3_float16", "float16"),
                                        ("conv_7_out", "conv_7_out_converted", "float32")])
        self.assertEqual(file.grid_type("conv_7_out_converted"), "uint8")
        self.assertIsNone(file.grid_type("conv_7_out"))
        self.assertIn("float32", self.step("tensor 'relu_3'", "dequantize"))
        self.assertIn("rounds to float16", self.program())
        self.assertIn("in  'relu_3_float16' float32", self.step("'conv_7'", "float"))
        self.assertIn("out 'conv_7_out_converted' uint8", self.step("'conv_7_out_converted'", "quantize"))
        self.assertIn("integer", self.step("'gelu'"))

    def test_0_6_1(self):
        add_1 = [{**ADD_1, "dtype": "int"}]
        w1 = [{**channel, "dtype": "int"} for channel in W1]
        self.quantize("--quantization_overrides", self.overrides(
            {"version": "0.6.1", "activation_encodings": {"add_1": add_1}, "param_encodings": {"w1": w1},
             "quantizer_args": {"activation_bitwidth": 8, "param_bitwidth": 8, "dtype": "int", "is_symmetric": True,
                                "per_channel_quantization": True, "quant_scheme": "post_training_tf"}}))
        self.check_add_1_and_w1()

    def check_add_1_and_w1(self):
        self.assertIn("out 'add_1' uint8[1, 2, 8, 8], scale 0.01568627, zero point 64, grid [0, 255]",
                      self.step("'add'", "integer"))
        self.assertIn("in  'w1' int8[2, 2, 1, 1], scale 0.005..0.01, zero point 0, grid [-128, 127], by axis 0",
                      self.step("'conv_1'", "integer"))
        entries = self.encodings()
        self.assertEqual((entries["add_1"]["bw"], entries["add_1"]["offset"]), (8, [-64]))
        self.assertEqual((self.rounded(entries["w1"]["scale"]), entries["w1"]["offset"]), ([0.01, 0.005], [-128, -128]))
        self.assertEqual((self.file().grid_type("add_1"), self.file().grid_type("w1")), ("uint8", "int8"))

    def test_1_0_0(self):
        self.quantize("--quantization_overrides", self.overrides(
            {"version": "1.0.0", "excluded_layers": [],
             "activation_encodings": [
                 {"name": "add_1", "enc_type": "PER_TENSOR", "dtype": "INT", "bw": 8, "is_sym": False,
                  "scale": [0.0156862745], "offset": [-64]},
                 {"name": "gelu_2", "enc_type": "PER_TENSOR", "dtype": "FLOAT", "bw": 16}],
             "param_encodings": [
                 {"name": "w1", "enc_type": "PER_CHANNEL", "dtype": "INT", "bw": 8, "is_sym": True,
                  "scale": [0.01, 0.005], "offset": [-128, -128]}]}))
        self.check_add_1_and_w1()
        self.assertIn("float", self.step("'gelu'"))
        self.assertIn(("conv_7_out_dequantized", "conv_7_out_float16", "float16"), self.file().casts())

    def test_1_0_0_lpbq(self):
        self.quantize("--quantization_overrides", self.overrides(
            {"version": "1.0.0", "activation_encodings": [], "param_encodings": [
                {"name": "fc.w", "enc_type": "LPBQ", "dtype": "INT", "bw": 8, "compressed_bw": 4, "block_size": 64,
                 "is_sym": True, "scale": [0.00125, 0.002], "offset": [-128, -128],
                 "per_block_int_scale": [16, 9, 16, 4]}]}))
        self.check_blocks()

    def check_blocks(self):
        """fc.w has 4 bits, and a scale for each of 2 x 2 blocks of 64."""
        dequantize = self.file().producer("fc.w")
        self.assertEqual((dequantize.op_type, dequantize.integers["block_size"], dequantize.integers["axis"]),
                         ("DequantizeLinear", 64, 1))
        self.assertEqual(self.file().constants[dequantize.inputs[0]], "int4")
        entry = self.encodings()["fc.w"]
        self.assertEqual((entry["enc_type"], entry["block_size"], entry["bw"]), ("PER_BLOCK", 64, 4))
        self.assertEqual(self.rounded(entry["scale"]), [0.02, 0.01125, 0.032, 0.008])

    @staticmethod
    def rounded(scales):
        """Scales are float32."""
        return [float(f"{scale:.7g}") for scale in scales]

    def test_2_0_0(self):
        told = self.quantize("--quantization_overrides", self.overrides({"version": "2.0.0", "encodings": [
            {"name": "add_1", "output_dtype": "uint8", "y_scale": 0.0156862745, "y_zero_point": 64},
            {"name": "w1", "output_dtype": "int8", "y_scale": [0.01, 0.005], "axis": 0},
            {"name": "b1", "output_dtype": "int32", "y_scale": [1.5e-4, 7.8e-5], "axis": 0},
            {"name": "fc.w", "output_dtype": "int4", "y_scale": [[0.02, 0.01125], [0.032, 0.008]], "axis": 1,
             "block_size": 64}]})).stderr
        # Integers need the bias on input scale times weight scale.
        self.assertIn("warning: node 'conv_1' (Conv): the encoding that came with its bias is not on input scale times",
                      told)
        self.check_add_1_and_w1()
        self.check_blocks()

    def test_2_1_0_with_quantized_scales(self):
        self.quantize("--quantization_overrides", self.overrides({"version": "2.1.0", "encodings": [
            {"name": "fc.w", "output_dtype": "int4", "axis": 1, "block_size": 64,
             "y_scale": {"x": [[16, 9], [16, 4]], "x_scale": [0.00125, 0.002], "axis": 0}}]}))
        self.check_blocks()

    def test_qnn_computes_the_grid_from_the_range(self):
        """{-1.8, -1, 0, 0.5}: the range slides so that 0 is on the grid; scale and offset of the file are not read."""
        conv = wire.graph([wire.node("Conv", ["x", "w"], ["y"], name="conv")], [wire.value_info("x", [1, 1, 1, 4])],
                          [wire.value_info("y")], [wire.tensor("w", [1, 1, 1, 1], [1.0])])
        model = self.write("range.onnx", wire.model(conv))
        sample = self.write_floats("range.raw", [-1.8, -1.0, 0.0, 0.5])
        samples = self.write("range.txt", f"{sample}\n")
        entry = {"bitwidth": 8, "min": -1.8, "max": 0.5, "scale": 1.0, "offset": 0}
        told = self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--input_list", samples,
                                    "--quantization_overrides", self.both({"x": [entry]}), "--output_path", "q.onnx",
                                    model).stderr
        self.assertIn("activation_encodings 'x'", told)
        step = self.step("input 'x'", "quantize")
        self.assertIn("scale 0.009019608, zero point 200, grid [0, 255]", step)
        self.assert_succeeds("quantize-run", "--quiet", "--mode", "fixed", "--input_list", samples, "--output_dir", "o",
                             "--dump_tensors", "all", "q.onnx")
        self.assertEqual(list((self.work / "o/Result_0/x.codes.raw").read_bytes()), [0, 89, 200, 255])

if __name__ == "__main__":
    tool_test.main()
