"""overrides_test.py: quantize --quantization_overrides: each example of the formats does what its text says.

The examples are those of AIMET's encoding specification and of QNN's documentation, adapted to a small model whose
tensors have their names. What they do shows in the printed Program and in the file.
"""

import json
import re
import struct

import onnx_wire as wire
import tool_test
from onnx_read import Model
from tool_test import BAD_FILE, USAGE

FC_INPUTS = 128  # Two blocks of 64.


def values(count, shift=0.0):
    return [(i * 37 + 11) % 101 / 50 - 1 + shift for i in range(count)]


def examples_model():
    """x -> conv_1 -> add_1 (with x) -> conv_3 with relu_3 -> conv_7 -> gelu_2 -> Flatten -> fc -> y."""
    nodes = [
        wire.node("Conv", ["x", "w1", "b1"], ["conv_1_out"], name="conv_1"),
        wire.node("Add", ["conv_1_out", "x"], ["add_1"], name="add"),
        wire.node("Conv", ["add_1", "conv_3.w", "b3"], ["conv_3_out"], name="conv_3"),
        wire.node("Relu", ["conv_3_out"], ["relu_3"], name="relu"),
        wire.node("Conv", ["relu_3", "w7", "b7"], ["conv_7_out"], name="conv_7", pads=[1, 1, 1, 1]),
        wire.node("Gelu", ["conv_7_out"], ["gelu_2"], name="gelu"),
        wire.node("Flatten", ["gelu_2"], ["flat"], name="flatten"),
        wire.node("Gemm", ["flat", "fc.w", "fc.b"], ["y"], name="fc", transB=1),
    ]
    constants = [
        wire.tensor("w1", [2, 2, 1, 1], values(4)), wire.tensor("b1", [2], [0.1, -0.2]),
        wire.tensor("conv_3.w", [2, 2, 1, 1], values(4, 0.1)), wire.tensor("b3", [2], [0.3, 0.1]),
        wire.tensor("w7", [2, 2, 3, 3], values(36)), wire.tensor("b7", [2], [0.0, 0.1]),
        wire.tensor("fc.w", [2, FC_INPUTS], values(2 * FC_INPUTS)), wire.tensor("fc.b", [2], [0.1, 0.2]),
    ]
    graph = wire.graph(nodes, [wire.value_info("x", [1, 2, 8, 8])], [wire.value_info("y", [1, 2])], constants)
    return wire.model(graph, opset=20, ir_version=9)


ADD_1 = {"bitwidth": 8, "is_symmetric": "False", "min": -1.0039216, "max": 2.9960784, "offset": -64,
         "scale": 0.0156862745}
W1 = [{"bitwidth": 8, "is_symmetric": "True", "min": -1.28, "max": 1.27, "offset": -128, "scale": 0.01},
      {"bitwidth": 8, "is_symmetric": "True", "min": -0.64, "max": 0.635, "offset": -128, "scale": 0.005}]


class OverridesTest(tool_test.ToolTest):
    """Runs quantize with overrides and looks at what it wrote."""

    def setUp(self):
        super().setUp()
        self.model = self.write("m.onnx", examples_model())
        sample = self.write_floats("x.raw", [(i * 29 % 127) / 60 - 1 for i in range(128)])
        self.samples = self.write("list.txt", f"{sample}\n")

    def overrides(self, content, name="ov.json"):
        """Writes an overrides file; its path."""
        return self.write(name, json.dumps(content, indent=1))

    def both(self, activations=None, params=None, version="0.6.1", name="ov.json"):
        """An overrides file of the versions with two sections."""
        return self.overrides({"version": version, "activation_encodings": activations or {},
                               "param_encodings": params or {}}, name)

    def quantize(self, *options, model=None, samples=True, output="q"):
        """quantize --effort fast; what it printed. Writes <output>.onnx."""
        effort = [] if "--effort" in options or not samples else ["--effort", "fast"]
        inputs = ["--input_list", self.samples] if samples else []
        return self.assert_succeeds("quantize", "--quiet", *effort, *inputs, "--output_path", f"{output}.onnx",
                                    *options, model or self.model)

    def program(self, name="q.onnx"):
        """{step: its lines} of the printed fixed-point Program."""
        return self.assert_succeeds("quantize-inspect", "--program", "fixed", name).stdout

    def step(self, label, kind=None):
        """The step of the printed Program whose first line holds `label`, of this kind if given."""
        steps = re.split(r"\n(?=\d+  )", self.program())
        found = [step for step in steps if label in step.split("\n")[0] and kind in (None, step.split()[1])]
        self.assertTrue(found, f"{label} is no step")
        return found[0]

    def file(self, name="q.onnx"):
        return Model((self.work / name).read_bytes())

    def encodings(self, name="q.encodings.json"):
        """{tensor: entry} of an encodings file of version 1.0.0."""
        content = json.loads((self.work / name).read_text())
        return {entry["name"]: entry for entry in content["activation_encodings"] + content["param_encodings"]}


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


class PrecisionTest(OverridesTest):
    """Widths and formats, by files and by options."""

    def widths(self):
        return {name: entry["bw"] for name, entry in self.encodings().items() if not name.startswith(("b", "fc.b"))}

    def assert_same_but_for_names_of_options(self, a, b):
        """Models by their bytes without metadata; encodings without what tells how they came about."""
        def told_apart(name):
            content = json.loads((self.work / f"{name}.encodings.json").read_text())
            return content["activation_encodings"], content["param_encodings"], content["halfstep"].get("grids")

        self.assertEqual(told_apart(a), told_apart(b))
        models = [Model((self.work / f"{name}.onnx").read_bytes()) for name in (a, b)]
        self.assertEqual(models[0].graph_bytes, models[1].graph_bytes)

    def test_empty_sections_change_nothing(self):
        for options in (["--effort", "fast"], []):
            self.quantize(*options, output="plain")
            self.quantize(*options, "--quantization_overrides", self.both(), output="empty")
            self.assert_same_but_for_names_of_options("plain", "empty")

    def test_all_at_16_bits_is_the_16_bit_run(self):
        digits, samples = tool_test.DIGITS / "digits.onnx", self.digits_list(16)
        for effort in ("fast", "default"):
            common = ["--quiet", "--effort", effort, "--input_list", samples, "--validate", 0]
            self.assert_succeeds("quantize", *common, "--act_bitwidth", 16, "--weights_bitwidth", 16, "--output_path",
                                 "wide.onnx", digits)
            content = json.loads((self.work / "wide.encodings.json").read_text())
            sections = {section: {entry["name"]: [{"bitwidth": 16, "dtype": "int"}] for entry in content[section]
                                  if entry["bw"] != 32} for section in ("activation_encodings", "param_encodings")}
            ordered = self.overrides({"version": "0.6.1", **sections})
            self.assert_succeeds("quantize", *common, "--quantization_overrides", ordered, "--output_path",
                                 "ordered.onnx", digits)
            self.assert_same_but_for_names_of_options("wide", "ordered")

    def digits_list(self, count):
        lines = (tool_test.DIGITS / "calib.txt").read_text().split()[:count]
        return self.write("digits.txt", "".join(f"{tool_test.DIGITS / line}\n" for line in lines))

    def test_a_complete_file_needs_no_samples(self):
        self.quantize()
        (self.work / "q.encodings.json").rename(self.folder / "whole.json")
        before = (self.work / "q.onnx").read_bytes()
        self.quantize("--quantization_overrides", self.folder / "whole.json", samples=False)
        self.assertEqual(Model(before).graph_bytes, self.file().graph_bytes)

    def test_a_partial_file_needs_samples_or_float_fallback(self):
        partial = self.both({"add_1": [ADD_1], "x": [ADD_1]}, {"w1": W1})
        self.assert_fails(USAGE, ["--input_list", "--float_fallback"], "quantize", "--quantization_overrides", partial,
                          self.model)
        self.quantize("--quantization_overrides", partial, "--float_fallback", samples=False)
        self.assertEqual(self.file().grid_type("add_1"), "uint8")
        self.assertIsNone(self.file().grid_type("relu_3"))
        self.assertIn("float", self.step("'conv_7'"))

    def test_later_files_win(self):
        narrow = self.both({"add_1": [{"bitwidth": 4, "dtype": "int"}], "relu_3": [{"bitwidth": 4, "dtype": "int"}]},
                           name="narrow.json")
        wide = self.both({"add_1": [{"bitwidth": 16, "dtype": "int"}]}, name="wide.json")
        self.quantize("--quantization_overrides", narrow, "--quantization_overrides", wide)
        self.assertEqual((self.widths()["add_1"], self.widths()["relu_3"]), (16, 4))
        self.assertEqual((self.file().grid_type("add_1"), self.file().grid_type("relu_3")), ("uint16", "uint4"))

    def test_unknown_names_are_errors_unless_lenient(self):
        wrong = self.both({"add_2": [ADD_1], "relu_3": [{"bitwidth": 16, "dtype": "int"}]})
        self.assert_fails(BAD_FILE, ["ov.json:", "'add_2'", "'add_1'"], "quantize", "--effort", "fast", "--input_list",
                          self.samples, "--quantization_overrides", wrong, self.model)
        told = self.quantize("--quantization_overrides", wrong, "--overrides_lenient").stderr
        self.assertIn("'add_2'", told)
        self.assertEqual(self.widths()["relu_3"], 16)

    def test_patterns(self):
        self.quantize("--quantization_overrides", self.both({"conv_*_out": [{"bitwidth": 16, "dtype": "int"}]}))
        widths = self.widths()
        self.assertEqual((widths["conv_1_out"], widths["conv_7_out"], widths["add_1"]), (16, 16, 8))

    def test_names_that_fusing_removed_are_understood(self):
        self.quantize("--quantization_overrides", self.both({"conv_3_out": [{"bitwidth": 16, "dtype": "int"}]}))
        self.assertEqual(self.widths()["relu_3"], 16)

    def test_an_add_on_int32_between_neighbours_of_8_bits(self):
        """QNN's: Dequantize, Cast to int32, the operator, Cast back, Quantize."""
        weights = [wire.tensor(name, [2, 2, 1, 1], values(4, shift)) for name, shift in (("v", 0.1), ("w", 0.2))]
        nodes = [wire.node("Conv", ["x", "v"], ["a"], name="conv_a"), wire.node("Conv", ["x", "w"], ["b"], name="conv_b"),
                 wire.node("Add", ["a", "b"], ["s"], name="add"), wire.node("Conv", ["s", "v"], ["y"], name="conv_y")]
        model = self.write("add.onnx", wire.model(wire.graph(
            nodes, [wire.value_info("x", [1, 2, 8, 8])], [wire.value_info("y")], weights)))
        wide = [{"bitwidth": 32, "dtype": "int"}]
        self.quantize("--quantization_overrides", self.both({"a": wide, "b": wide, "s": wide}), model=model)
        file = self.file()
        self.assertEqual(sorted(file.casts()), [("a_dequantized", "a_as_int32", "int32"),
                                                ("b_dequantized", "b_as_int32", "int32"), ("s_int32", "s", "float32")])
        self.assertEqual([file.grid_type(name) for name in "absy"], ["uint8"] * 4)
        self.assertEqual(file.producer("s_int32").inputs, ["a_as_int32", "b_as_int32"])
        for name in ("conv_a", "conv_b", "conv_y"):
            self.step(f"'{name}'", "integer")
        self.assertIn("in  'a_as_int32' int32", self.step("'add'", "float"))
        self.step("tensor 'a'", "dequantize")

    def test_int32_is_for_all_sides_of_operators_without_weights(self):
        wide = [{"bitwidth": 32, "dtype": "int"}]
        for tensors, words in ((("conv_1_out", "add_1"), ["'add'", "'x'"]),
                               (("add_1", "relu_3"), ["'conv_3'", "weights"]), (("gelu_2",), ["'gelu_2'"])):
            self.assert_fails(USAGE, ["ov.json:", *words], "quantize", "--effort", "fast", "--input_list", self.samples,
                              "--quantization_overrides", self.both(dict.fromkeys(tensors, wide)), self.model)

    def test_float_output_by_nature_is_left_alone_with_a_line(self):
        graph = wire.graph([wire.node("Conv", ["x", "w"], ["c"], name="conv"),
                            wire.node("Einsum", ["c"], ["y"], name="einsum", equation="abij->abji")],
                           [wire.value_info("x", [1, 1, 4, 4])], [wire.value_info("y")],
                           [wire.tensor("w", [1, 1, 1, 1], [1.0])])
        model = self.write("einsum.onnx", wire.model(graph))
        sample = self.write_floats("einsum.raw", [i / 8 - 1 for i in range(16)])
        self.samples = self.write("einsum.txt", f"{sample}\n")
        told = self.quantize("--output_feature_16bit_names_list", "einsum", model=model).stderr
        self.assertIn("warning: tensor 'y' stays float", told)
        self.assertIsNone(self.file().grid_type("y"))


class NodesTest(OverridesTest):
    """Options about nodes, names and operators."""

    def test_a_concat_of_16_bits_makes_its_inputs_16_bits(self):
        nodes = [wire.node("Conv", ["x", "w"], ["a"], name="conv_a"), wire.node("Conv", ["x", "w"], ["b"], name="conv_b"),
                 wire.node("MaxPool", ["b"], ["p"], name="pool", kernel_shape=[1, 1]),
                 wire.node("Concat", ["a", "p"], ["y"], name="join", axis=1)]
        model = self.write("concat.onnx", wire.model(wire.graph(
            nodes, [wire.value_info("x", [1, 2, 8, 8])], [wire.value_info("y")],
            [wire.tensor("w", [2, 2, 1, 1], values(4))])))
        self.quantize("--output_feature_16bit_names_list", "join", model=model)
        entries = self.encodings()
        self.assertEqual({name: entries[name]["bw"] for name in "abpyx"},
                         {"a": 16, "b": 16, "p": 16, "y": 16, "x": 8})

    def test_lists_with_commas_and_patterns(self):
        self.quantize("--output_feature_16bit_names_list", "conv_1,ge*", "--params_16bit_names_list", "fc,c*7")
        entries = self.encodings()
        self.assertEqual({name: entries[name]["bw"] for name in ("conv_1_out", "gelu_2", "relu_3", "fc.w", "w7", "w1")},
                         {"conv_1_out": 16, "gelu_2": 16, "relu_3": 8, "fc.w": 16, "w7": 16, "w1": 8})

    def test_excluded_nodes_and_operators_compute_in_float(self):
        for options, floats in ((("--exclude_nodes", "conv_*"), {"conv_1", "conv_3", "conv_7"}),
                                (("--exclude_op_types", "Gelu"), {"gelu"}),
                                (("--exclude_nodes", "relu"), {"conv_3"}),
                                (("--op_type_bitwidth", "Conv=float32"), {"conv_1", "conv_3", "conv_7"})):
            self.quantize(*options)
            for node in ("conv_1", "add", "conv_3", "conv_7", "gelu", "fc"):
                self.assertEqual(self.step(f"'{node}' (").split()[1], "float" if node in floats else "integer",
                                 (options, node))

    def test_bits_of_operators(self):
        self.quantize("--op_type_bitwidth", "Gelu=16", "--op_type_bitwidth", "Add=4")
        entries = self.encodings()
        self.assertEqual((entries["gelu_2"]["bw"], entries["add_1"]["bw"]), (16, 4))
        self.assertEqual((self.file().grid_type("gelu_2"), self.file().grid_type("add_1")), ("uint16", "uint4"))

    def test_unknown_nodes_and_operators(self):
        for option, value, nearest in (("--exclude_nodes", "conv_4", "conv_"), ("--exclude_op_types", "Gellu", "Gelu"),
                                       ("--op_type_bitwidth", "Convv=16", "Conv"),
                                       ("--output_feature_16bit_names_list", "conv_1,gelo", "gelu"),
                                       ("--params_16bit_names_list", "fd", "fc")):
            self.assert_fails(USAGE, [option, f"'{value.split('=')[0].split(',')[-1]}'", f"'{nearest}"], "quantize",
                              "--effort", "fast", "--input_list", self.samples, option, value, self.model)

    def test_whole_model_in_half_precision(self):
        self.quantize("--float_bitwidth", 16, samples=False)
        file = self.file()
        self.assertEqual((file.count("QuantizeLinear"), file.count("DequantizeLinear")), (0, 0))
        self.assertEqual({kind for name, kind in file.constants.items()}, {"float16"})
        self.assertEqual([(source, to) for source, _, to in file.casts()],
                         [("x", "float16"), ("y_float16", "float32")])

    def test_ignored_encodings_are_those_of_the_float_model(self):
        """Of the model that is left, that is: its weights are those that the first run rounded."""
        self.quantize(output="first")
        self.quantize("--ignore_encodings", model="first.onnx", output="again")
        first, again = (self.encodings(f"{name}.encodings.json") for name in ("first", "again"))
        self.assertEqual(list(first), list(again))
        for name in ("w1", "conv_3.w", "w7", "fc.w", "x"):
            self.assertEqual(first[name], again[name])
        for name, entry in first.items():
            self.assertEqual(len(entry["scale"]), len(again[name]["scale"]))
            for before, after in zip(entry["scale"], again[name]["scale"]):
                self.assertAlmostEqual(before, after, delta=0.02 * before)


if __name__ == "__main__":
    tool_test.main()
