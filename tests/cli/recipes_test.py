"""recipes_test.py: quantize --config, --calibration_option and --explain."""

import json
import pathlib

import tool_test
from tool_test import BAD_FILE, DIGITS, USAGE

MODEL = DIGITS / "digits.onnx"
CALIB = DIGITS / "calib.txt"
CONFIGS = pathlib.Path(__file__).resolve().parents[2] / "configs"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.json"))


def explained(text):
    """Option: (value, source), of what --explain prints."""
    lines = [line.split(None, 2) for line in text.splitlines()]
    start = lines.index(["option", "value", "from"]) + 1
    return {name: (value, source) for name, value, source in lines[start:]}


class Recipes(tool_test.ToolTest):
    """The recipes of the repository, and files of options."""

    def quantize(self, stem, *options):
        """The encodings that these options give for the digits, as bytes."""
        self.assert_succeeds("quantize", "--quiet", "--input_list", CALIB, "--validate", 1, "--output_path",
                             stem + ".onnx", *options, MODEL)
        return (self.work / (stem + ".encodings.json")).read_bytes()

    def options_of(self, stem):
        """The options that a report records."""
        return json.loads((self.work / (stem + ".report.json")).read_text())["options"]

    def test_every_recipe_quantizes_the_digits(self):
        self.assertGreaterEqual(len(NAMES), 10)
        for name in NAMES:
            with self.subTest(name=name):
                self.quantize(name, "--config", name)
                asked = json.loads((CONFIGS / f"{name}.json").read_text())["options"]
                options = self.options_of(name)
                for key in ("act_bitwidth", "weights_bitwidth", "bias_bitwidth", "scale", "act_quantizer_schema",
                            "param_quantizer_schema", "act_quantizer_calibration"):
                    self.assertEqual(options[key], str(asked[key]), key)
                encodings = json.loads((self.work / f"{name}.encodings.json").read_text())
                if "arithmetic" in asked:
                    self.assertEqual(encodings["halfstep"]["arithmetic"], asked["arithmetic"])

    def test_int8_affine_is_effort_fast(self):
        self.assertEqual(self.quantize("recipe", "--config", "int8-affine"), self.quantize("plain", "--effort", "fast"))

    def test_tidl_recipes_are_its_calibration_options(self):
        for name, bits in (("tidl-simple", 0), ("tidl-histogram", 1), ("tidl-advanced", 7), ("tidl-depthwise", 13)):
            with self.subTest(name=name):
                self.assertEqual(self.quantize(name, "--config", name),
                                 self.quantize(f"bits{bits}", "--calibration_option", bits))

    def test_command_line_wins_on_either_side(self):
        want = self.quantize("plain", "--effort", "fast", "--weights_bitwidth", 4)
        self.assertEqual(self.quantize("a", "--config", "int8-affine", "--weights_bitwidth", 4), want)
        self.assertEqual(self.quantize("b", "--weights_bitwidth", 4, "--config", "int8-affine"), want)

    def test_file_of_ones_own(self):
        path = self.write("mine.json", '{"options": {"weights_bitwidth": "4", "use_per_channel_quantization": false}}')
        self.assertEqual(self.quantize("file", "--config", path),
                         self.quantize("plain", "--weights_bitwidth", 4, "--use_per_channel_quantization=false"))
        (self.work / "no_suffix").write_bytes(path.read_bytes())
        self.assertEqual(self.quantize("bare", "--config", "no_suffix"),
                         (self.work / "file.encodings.json").read_bytes())

    def test_encodings_version_of_a_recipe(self):
        path = self.write("mine.json", '{"options": {"encodings_version": "2.0.0"}}')
        self.assertEqual(json.loads(self.quantize("file", "--config", path))["version"], "2.0.0")


class Errors(tool_test.ToolTest):
    """Each one line, and nothing is written."""

    def check(self, code, words, *options):
        """quantize with these options, with and without --explain."""
        self.assert_fails(code, words, "quantize", "--input_list", CALIB, *options, MODEL)
        self.assert_fails(code, words, "quantize", "--explain", *options, MODEL)

    def check_file(self, words, text):
        """A recipe of this text."""
        self.check(BAD_FILE, ["mine.json", *words], "--config", self.write("mine.json", text))

    def test_misspelt_name(self):
        self.check(USAGE, ["there is no recipe 'tidl-simpel', did you mean 'tidl-simple'? Recipes: ", *NAMES],
                   "--config", "tidl-simpel")

    def test_missing_file(self):
        for name in ("absent.json", "./tidl-simple", "/nonexistent/x"):
            with self.subTest(name=name):
                self.check(BAD_FILE, [name, "No such file"], "--config", name)

    def test_folder(self):
        self.check(BAD_FILE, [str(self.folder), "cannot be read"], "--config", self.folder)

    def test_malformed(self):
        for text, position in (("", "byte 1, line 1"), ('{"options": {\n"scale": affine}}', "line 2"),
                               ("{} {}", "byte 4")):
            with self.subTest(text=text):
                self.check_file(["not valid JSON at", position], text)

    def test_keys(self):
        self.check_file(["not 'optoins'", "did you mean 'options'?"], '{"optoins": {}}')
        self.check_file(["no key 'options'"], '{"description": "x"}')
        self.check_file(["'act_bitwith'", "did you mean 'act_bitwidth'?"], '{"options": {"act_bitwith": 8}}')
        self.check_file(["'output_path'"], '{"options": {"output_path": "x.onnx"}}')
        self.check_file(["'scale' occurs twice"], '{"options": {"scale": "affine", "scale": "affine"}}')

    def test_values(self):
        self.check_file([" act_bitwidth: 7 is not one of 8, 16, 32"], '{"options": {"act_bitwidth": 7}}')
        self.check_file([" scale: power-of-two is not one of", "did you mean 'power_of_two'?"],
                        '{"options": {"scale": "power-of-two"}}')
        self.check_file(["'scale'"], '{"options": {"scale": null}}')
        self.check_file(["align_inputs"], '{"options": {"align_inputs": 2}}')

    def test_options_that_do_not_go_together(self):
        self.check_file(["mean_std_factor has no effect"], '{"options": {"mean_std_factor": 3}}')
        self.check_file(["power-of-two", "asymmetric"],
                        '{"options": {"scale": "power_of_two", "act_quantizer_schema": "asymmetric"}}')
        self.check(USAGE, ["percentile_calibration_value has no effect"], "--config", "tidl-histogram",
                   "--act_quantizer_calibration", "mse", "--percentile_calibration_value", 99)

    def test_what_a_recipe_forbids(self):
        self.check(USAGE, ["--act_per_channel depthwise: recipe tflite-int8 forbids it: TensorFlow Lite has one scale for "
                           "an activation"], "--config", "tflite-int8", "--act_per_channel", "depthwise")
        text = '{"options": {"bias_bitwidth": 8}, "forbids": {"bias_bitwidth": "the device has no 32"}}'
        self.check(USAGE, ["--bias_bitwidth 32: recipe ", "mine.json forbids it: the device has no 32"], "--config",
                   self.write("mine.json", text), "--bias_bitwidth", 32)
        for forbids, words in (('{"scales": "why"}', ["'scales', which 'options' does not set"]),
                               ('{"scale": 1}', ["'forbids' gives no line of text for 'scale'"]),
                               ('["scale"]', ["'forbids' is not an object"])):
            self.check_file(words, f'{{"options": {{}}, "forbids": {forbids}}}')

    def test_config_twice(self):
        self.check(USAGE, ["--config"], "--config", "tidl-simple", "--config", "w4a8")

    def test_calibration_option(self):
        self.check(USAGE, ["103 asks for bias range (64), which this version does not have; use 39"],
                   "--calibration_option", 103)
        self.check(USAGE, ["(64), which this version does not have; use 0"], "--calibration_option", 64)
        for value in ("128", "advanced", "-1", "1e1"):
            with self.subTest(value=value):
                self.check(USAGE, [f"{value} is not a sum of TIDL's"], f"--calibration_option={value}")

    def test_arithmetic_that_no_scale_fits(self):
        self.assert_fails(USAGE, ["shift_half_up", "powers of two"], "quantize", "--explain", "--arithmetic",
                          "shift_half_up", MODEL)


class Explain(tool_test.ToolTest):
    """Every option, its value and what decided it."""

    def explain(self, *options, model=MODEL):
        """The options that quantize --explain shows; it writes no file."""
        before = tool_test.tree(self.work)
        finished = self.assert_succeeds("quantize", "--explain", *options, model)
        self.assertEqual(finished.stderr, "")
        self.assertEqual(tool_test.tree(self.work), before)
        return explained(finished.stdout)

    def test_defaults(self):
        options = self.explain()
        self.assertEqual({source for _, source in options.values()}, {"default", "effort"})
        self.assertEqual(options["arithmetic"], ("q31_single", "default"))
        self.assertEqual(options["effort"], ("default", "default"))
        self.assertEqual(options["act_quantizer_calibration"], ("percentile", "effort"))
        self.assertEqual(options["param_quantizer_calibration"], ("min-max", "effort"))
        self.assertEqual(options["act_per_channel"], ("depthwise", "effort"))
        self.assertEqual(options["act_per_channel_calibration"], ("min-max", "effort"))
        self.assertEqual(options["algorithms"], ("bias-correction", "effort"))
        self.assertEqual(self.explain("--effort", "default")["algorithms"], options["algorithms"])

    def test_efforts(self):
        fast = self.explain("--effort", "fast")
        self.assertEqual({source for name, (_, source) in fast.items() if name != "effort"}, {"default"})
        self.assertEqual(fast["act_quantizer_calibration"], ("min-max", "default"))
        self.assertEqual(fast["act_per_channel"], ("none", "default"))
        self.assertEqual(fast["algorithms"], ("none", "default"))
        self.assertNotIn("bias_correction_method", fast)
        best = self.explain("--effort", "best")
        self.assertEqual(best["effort"], ("best", "command line"))
        self.assertEqual(best["algorithms"], ("equalize,round,bias-correction", "effort"))
        self.assertEqual(best["tuning_samples"], ("64", "effort"))
        shifts = self.explain("--effort", "best", "--scale", "power_of_two", "--act_quantizer_calibration", "sqnr")
        self.assertEqual(shifts["param_quantizer_calibration"], ("mse", "effort"))
        self.assertEqual(shifts["act_quantizer_calibration"], ("sqnr", "command line"))
        self.assertEqual(shifts["act_per_channel"], ("none", "effort"))

    def test_a_search_decides_what_is_left_open(self):
        options = self.explain("--search", "true", "--time_budget", 5, "--weights_bitwidth", 4)
        self.assertEqual(options["search"], ("true", "command line"))
        self.assertEqual(options["time_budget"], ("5", "command line"))
        for name in ("algorithms", "act_quantizer_calibration", "param_quantizer_calibration", "act_per_channel",
                     "act_per_channel_calibration"):
            self.assertEqual(options[name], ("several", "search"), name)
        self.assertNotIn("effort", options)

    def test_sources(self):
        options = self.explain("--config", "w4a8", "--scale", "power_of_two", "--encodings_version", "0.6.1")
        self.assertEqual(options["weights_bitwidth"], ("4", "recipe w4a8"))
        self.assertEqual(options["scale"], ("power_of_two", "command line"))
        self.assertEqual(options["encodings_version"], ("0.6.1", "command line"))
        self.assertEqual(options["act_quantizer_schema"], ("unsignedsymmetric", "implied by scale"))
        self.assertEqual(options["arithmetic"], ("shift_half_up", "implied by scale"))
        self.assertEqual(options["accumulator_bits"], ("64", "default"))

    def test_options_that_stand_for_others(self):
        options = self.explain("--calibration_option", 9, "--act_quantizer_calibration", "mse")
        self.assertEqual(options["use_per_channel_quantization"], ("depthwise", "command line (calibration_option)"))
        self.assertEqual(options["act_quantizer_calibration"], ("mse", "command line"))
        self.assertNotIn("calibration_option", options)

    def test_arithmetic_of_the_model(self):
        self.assert_succeeds("quantize", "--quiet", "--input_list", CALIB, "--config", "tflite-int8", "--output_path",
                             "q.onnx", MODEL)
        self.assertEqual(self.explain(model="q.onnx")["arithmetic"], ("q31_double", "model"))
        self.assertEqual(self.explain("--arithmetic", "q31_single", model="q.onnx")["arithmetic"],
                         ("q31_single", "command line"))
        self.assertEqual(self.explain("--config", "onnxruntime", model="q.onnx")["arithmetic"],
                         ("float_half_even", "recipe onnxruntime"))
        self.assert_fails(USAGE, ["shift_half_up", "powers of two"], "quantize", "--explain", "--config", "tidl-simple",
                          "q.onnx")

    def test_description_comes_first(self):
        finished = self.assert_succeeds("quantize", "--explain", "--config", "qnn-default", MODEL)
        description = json.loads((CONFIGS / "qnn-default.json").read_text())["description"]
        self.assertTrue(finished.stdout.startswith(f"Recipe qnn-default: {description}\n\noption "))

    def test_columns(self):
        finished = self.assert_succeeds("quantize", "--explain", "--config", "tidl-histogram", MODEL)
        lines = finished.stdout.splitlines()[2:]
        value, source = lines[0].index("value"), lines[0].index("from")
        for line in lines:
            self.assertEqual(line[value - 2:value] + line[source - 2:source], "    ", line)
            self.assertNotIn(" ", (line[value], line[source]), line)

    def test_needs_a_model_and_quantizing_a_list(self):
        self.assert_fails(USAGE, ["model"], "quantize", "--explain")
        self.assert_fails(BAD_FILE, ["absent.onnx"], "quantize", "--explain", "absent.onnx")
        self.assert_fails(USAGE, ["--input_list"], "quantize", "--config", "w4a8", MODEL)


if __name__ == "__main__":
    tool_test.main()
