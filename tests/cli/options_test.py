"""options_test.py: command lines that are wrong, and encodings files that do not fit the model."""

import json

import onnx_wire as wire
import tool_test
from tool_test import BAD_FILE, TOOLS, UNSUPPORTED, USAGE


class WrongOptions(tool_test.ToolTest):
    """Misuse: exit 2, whatever the files hold."""

    def setUp(self):
        super().setUp()
        self.model = self.write("model.onnx", tool_test.tiny_model())
        self.samples = self.write_list()

    def check(self, words, *options):
        """quantize with these options besides the list and the model."""
        self.assert_fails(USAGE, words, "quantize", "--input_list", self.samples, *options, self.model)

    def check_run(self, words, *options):
        """quantize-run with these options."""
        self.assert_fails(USAGE, words, "quantize-run", "--input_list", self.samples, "--output_dir", "results",
                          *options, self.model)

    def check_eval(self, words, *options):
        """quantize-eval with these options and models."""
        self.assert_fails(USAGE, words, "quantize-eval", "--input_list", self.samples, *options)

    def test_no_arguments(self):
        for tool in TOOLS:
            with self.subTest(tool=tool):
                self.assert_fails(USAGE, [], tool)

    def test_unknown_option(self):
        for tool in TOOLS:
            with self.subTest(tool=tool):
                self.assert_fails(USAGE, ["--frobnicate"], tool, "--input_list", self.samples, "--output_dir", "r",
                                  "--frobnicate", self.model)

    def test_missing_list(self):
        for tool, rest in (("quantize-eval", [self.model]), ("quantize-run", ["--output_dir", "r"])):
            with self.subTest(tool=tool):
                self.assert_fails(USAGE, ["--input_list", "--input_images"], tool, *rest, self.model)
        self.assert_fails(USAGE, ["--input_list", "--statistics_in"], "quantize", self.model)

    def test_missing_argument(self):
        self.assert_fails(USAGE, ["--input_list"], "quantize", self.model, "--input_list")

    def test_list_twice(self):
        self.check(["--input_list"], "--input_list", self.samples)

    def test_two_models(self):
        self.check(["not expected", "model.onnx"], "extra.onnx")

    def test_act_bitwidth(self):
        for value in ("7", "0", "-8", "eight", "8x", "99999999999999999999", ""):
            with self.subTest(value=value):
                self.check(["--act_bitwidth"], f"--act_bitwidth={value}" if value else "--act_bitwidth=x")

    def test_weights_bitwidth(self):
        self.check(["--weights_bitwidth"], "--weights_bitwidth", "5")

    def test_bias_bitwidth(self):
        self.check(["--bias_bitwidth"], "--bias_bitwidth", "16")

    def test_schema(self):
        self.check(["--act_quantizer_schema", "lopsided"], "--act_quantizer_schema", "lopsided")

    def test_schema_by_number(self):
        self.check(["--param_quantizer_schema"], "--param_quantizer_schema", "1")

    def test_scale(self):
        self.check(["--scale"], "--scale", "logarithmic")

    def test_per_channel(self):
        self.check(["--use_per_channel_quantization"], "--use_per_channel_quantization=maybe")

    def test_encodings_version(self):
        self.check(["--encodings_version"], "--encodings_version", "3.1.4")

    def test_threads(self):
        for value in ("0", "-1", "100000", "many"):
            with self.subTest(value=value):
                self.check(["--threads"], "--threads", value)

    def test_validate(self):
        self.check(["--validate"], "--validate", "-1")

    def test_validate_too_large(self):
        self.check(["--validate"], "--validate", "99999999999999999999")

    def test_input_dim(self):
        for dims in ("", "1,2,4,", "1,,4", "a,b", "1,2,-4,4", "1,0,4,4", "1 2 4 4", "1,2,4,4.0",
                     "99999999999999999999", "0x10"):
            with self.subTest(dims=dims):
                self.check(["--input_dim", "x"], "--input_dim", "x", dims)

    def test_input_dim_without_dims(self):
        self.assert_fails(USAGE, ["--input_dim"], "quantize", "--input_list", self.samples, self.model, "--input_dim",
                          "x")

    def test_input_dim_of_no_input(self):
        self.check(["--input_dim", "'z'"], "--input_dim", "z", "1,2,4,4")

    def test_input_dim_twice(self):
        self.check(["--input_dim", "'x'", "twice"], "--input_dim", "x", "1,2,4,4", "--input_dim", "x", "1,2,4,4")

    def test_restricted_steps(self):
        for steps in ("-127", "-127 127 3", "a b", "-0xZZ 0x7F", "99999999999 1", "5 -5", "1 127", "-300 300"):
            with self.subTest(steps=steps):
                self.check(["step"], "--restrict_quantization_steps", steps)

    def test_restricted_steps_of_an_asymmetric_schema(self):
        self.check(["steps", "asymmetric"], "--restrict_quantization_steps", "-127 127", "--param_quantizer_schema",
                   "asymmetric")

    def test_power_of_two_with_zero_points(self):
        self.check(["power-of-two", "asymmetric"], "--scale", "power_of_two", "--act_quantizer_schema", "asymmetric")
        self.check(["power-of-two", "asymmetric"], "--scale", "power_of_two", "--param_quantizer_schema",
                   "asymmetric")

    def test_run_mode(self):
        self.check_run(["--mode"], "--mode", "double")

    def test_run_simulated_without_encodings(self):
        self.check_run(["--mode simulated", "no encodings"], "--mode", "simulated")

    def test_run_float_with_encodings(self):
        encodings = self.write("e.json", "{}")
        self.check_run(["--encodings", "--mode float"], "--encodings", encodings)

    def test_dump_of_no_tensor(self):
        self.check_run(["--dump_tensors", "'conv_uot'", "'conv_out'"], "--dump_tensors", "conv_uot")

    def test_eval_of_one_model(self):
        self.check_eval(["quantized model", "--encodings"], self.model)

    def test_eval_of_model_and_encodings(self):
        self.check_eval(["not both"], "--encodings", self.write("e.json", "{}"), self.model, self.model)

    def test_eval_report_over_an_input(self):
        labels = self.write("labels.txt", "1\n")
        for path in (self.model, self.samples, labels):
            with self.subTest(path=path.name):
                before = path.read_bytes()
                self.check_eval([path.name], "--labels", labels, "--report", path, self.model, self.model)
                self.assertEqual(path.read_bytes(), before)

    def test_inspect_of_nothing(self):
        self.assert_fails(USAGE, ["--operators"], "quantize-inspect", "--input_dim", "x", "1,2,4,4")

    def test_inspect_of_model_and_operators(self):
        self.assert_fails(USAGE, ["--operators"], "quantize-inspect", "--operators", self.model)

    def test_eval_of_float_models(self):
        self.assert_fails(BAD_FILE, ["no encodings"], "quantize-eval", "--input_list", self.samples, self.model,
                          self.model)

    def test_eval_of_other_inputs(self):
        self.assert_succeeds("quantize", "--input_list", self.samples, "--output_path", "q.onnx", self.model)
        nodes = [wire.node("Conv", ["z", "w", "b"], ["y"])]
        other = self.write("other.onnx", tool_test.tiny_model(
            nodes=nodes, inputs=[wire.value_info("z", tool_test.TINY_DIMS)]))
        self.assert_fails(BAD_FILE, ["'x'", "'z'"], "quantize-eval", "--quiet", "--input_list", self.samples, other,
                          "q.onnx")

    def test_eval_of_other_outputs(self):
        self.assert_succeeds("quantize", "--input_list", self.samples, "--output_path", "q.onnx", self.model)
        nodes = [wire.node("Conv", ["x", "w", "b"], ["z"], pads=[1, 1, 1, 1])]
        other = self.write("other.onnx", tool_test.tiny_model(nodes=nodes, outputs=[wire.value_info("z")]))
        self.assert_fails(BAD_FILE, ["'z'"], "quantize-eval", "--quiet", "--input_list", self.samples, other,
                          "q.onnx")

    def test_eval_of_other_shapes(self):
        self.assert_succeeds("quantize", "--input_list", self.samples, "--output_path", "q.onnx", self.model)
        nodes = [wire.node("Conv", ["x", "w", "b"], ["y"])]
        other = self.write("other.onnx", tool_test.tiny_model(nodes=nodes))
        self.assert_fails(BAD_FILE, ["'y'", "[1, 3, 2, 2]", "[1, 3, 4, 4]"], "quantize-eval", "--quiet",
                          "--input_list", self.samples, other, "q.onnx")


ENTRY = {"name": "y", "enc_type": "PER_TENSOR", "dtype": "INT", "bw": 8, "is_sym": False, "scale": [0.1],
         "offset": [0]}
WEIGHT = {"name": "w", "enc_type": "PER_CHANNEL", "dtype": "INT", "bw": 8, "is_sym": True, "scale": [0.1] * 3,
          "offset": [-128] * 3}


def document(*activations, params=()):
    """An encodings file of version 1.0.0."""
    return json.dumps({"version": "1.0.0", "activation_encodings": activations, "param_encodings": params})


class WrongEncodings(tool_test.ToolTest):
    """Encodings files through quantize-eval, quantize-run and quantize-inspect."""

    def check(self, words, text, code=BAD_FILE):
        """Encodings of this text for the tiny model."""
        model = self.write("model.onnx", tool_test.tiny_model())
        samples = self.write_list()
        path = self.write("e.json", text)
        words = ["e.json", *words]
        self.assert_fails(code, words, "quantize-eval", "--input_list", samples, "--report", "r.json", "--encodings",
                          path, model)
        self.assert_fails(code, words, "quantize-run", "--input_list", samples, "--output_dir", "r", "--mode",
                          "simulated", "--encodings", path, model)
        self.assert_fails(code, words, "quantize-inspect", "--encodings", path, model)

    def test_missing(self):
        model = self.write("model.onnx", tool_test.tiny_model())
        self.assert_fails(BAD_FILE, ["absent.json"], "quantize-inspect", "--encodings", "absent.json", model)

    def test_folder(self):
        model = self.write("model.onnx", tool_test.tiny_model())
        self.assert_fails(BAD_FILE, [str(self.folder)], "quantize-inspect", "--encodings", self.folder, model)

    def test_not_json(self):
        for text in ("", "{", "[1,", '{"a": nan}', "\xff\xfe", "{} {}", '{"a": 1e999}'):
            with self.subTest(text=text):
                self.check(["JSON"], text.encode("latin-1"))

    def test_nested_a_million_deep(self):
        self.check([], "[" * 1000000)
        self.check([], '{"a":' * 200000 + "1" + "}" * 200000)

    def test_not_an_object(self):
        self.check(["not an object"], "[1, 2]")

    def test_nothing_known(self):
        self.check(["activation_encodings"], "{}")

    def test_same_name_twice(self):
        self.check(["twice"], '{"activation_encodings": {}, "activation_encodings": {}}')

    def test_section_of_a_wrong_type(self):
        self.check(["activation_encodings"], '{"activation_encodings": 7, "param_encodings": []}')

    def test_unknown_tensor(self):
        self.check(["'yy'", "'y'"], document({**ENTRY, "name": "yy"}))

    def test_tensor_twice(self):
        self.check(["'y'", "already"], document(ENTRY, ENTRY))

    def test_entry_without_name(self):
        self.check(["no name"], document({k: v for k, v in ENTRY.items() if k != "name"}))

    def test_entry_without_field(self):
        for field in ("is_sym", "scale", "offset"):
            with self.subTest(field=field):
                self.check(["'y'", field], document({k: v for k, v in ENTRY.items() if k != field}))

    def test_wrong_values(self):
        for changes, word in (({"bw": 77}, "77"), ({"bw": "eight"}, "bw"), ({"bw": 8.5}, "bw"),
                              ({"scale": [0]}, "scale"), ({"scale": [-0.1]}, "scale"), ({"scale": []}, "scale"),
                              ({"scale": ["a"]}, "scale"), ({"offset": [-256]}, "-256"), ({"offset": [5]}, "5"),
                              ({"offset": [0.5]}, "offset"), ({"offset": [0, 0]}, "offset"),
                              ({"is_sym": "perhaps"}, "is_sym"), ({"dtype": "COMPLEX"}, "dtype")):
            with self.subTest(changes=changes):
                self.check(["'y'", word], document({**ENTRY, **changes}))

    def test_blocks(self):
        self.check(["'y'", "block_size"], document({**ENTRY, "enc_type": "PER_BLOCK"}))

    def test_channel_count(self):
        self.check(["'w'", "5", "3"], document(params=[{**WEIGHT, "scale": [0.1] * 5, "offset": [-128] * 5}]))

    def test_legacy_min_above_max(self):
        entry = {"bitwidth": 8, "min": 3.0, "max": -3.0, "is_symmetric": "False"}
        self.check(["'y'", "min"], json.dumps({"version": "0.6.1", "activation_encodings": {"y": [entry]},
                                               "param_encodings": {}}))

    def test_version_2_axis(self):
        entry = {"name": "w", "output_dtype": "int8", "y_scale": [0.1] * 3, "axis": 9}
        self.check(["'w'", "axis"], json.dumps({"version": "2.0.0", "encodings": [entry]}))

    def test_version_2_zero_point(self):
        entry = {"name": "y", "output_dtype": "uint8", "y_scale": 0.1, "y_zero_point": 300}
        self.check(["'y'", "300"], json.dumps({"version": "2.0.0", "encodings": [entry]}))


if __name__ == "__main__":
    tool_test.main()
