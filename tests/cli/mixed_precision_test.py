"""mixed_precision_test.py: widths and formats of single tensors, by overrides files and by options about nodes."""

import json

import onnx_wire as wire
import tool_test
from onnx_read import Model
from overrides_case import ADD_1, W1, OverridesTest, values
from tool_test import BAD_FILE, USAGE


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
