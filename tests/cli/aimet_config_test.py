"""aimet_config_test.py: quantize --aimet_config."""

import json
import pathlib

import tool_test
from tool_test import BAD_FILE, DIGITS, USAGE

MODEL = DIGITS / "digits.onnx"
CALIB = DIGITS / "calib.txt"
CONFIGS = pathlib.Path(__file__).resolve().parent.parent / "data" / "aimet_configs"
DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
PLAIN = CONFIGS / "plain.json"
DEVICE = CONFIGS / "device.json"
CONV = "/0/0.2/Clip_output_0"  # Of the first Conv, with its Clip.
POOL = "/7/GlobalAveragePool_output_0"


class AimetConfig(tool_test.ToolTest):
    """What a configuration does to the digits' model."""

    def quantize(self, stem, *options):
        """The grids that these options give, by name (entries of real numbers left out); the finished run."""
        finished = self.assert_succeeds("quantize", "--input_list", CALIB, "--validate", 1, "--effort", "fast",
                                        "--output_path", stem + ".onnx", *options, MODEL)
        document = json.loads((self.work / (stem + ".encodings.json")).read_text())
        entries = {e["name"]: e for e in document["activation_encodings"] + document["param_encodings"]
                   if e["dtype"] == "INT"}
        self.rules = document["halfstep"].get("rules", {})
        return entries, finished

    def changed(self, change, source=PLAIN, name="config.json"):
        """A configuration after `change`(document)."""
        document = json.loads(source.read_text())
        change(document)
        return self.write(name, json.dumps(document, indent=1))

    def islands(self, stem):
        """Names of the nodes that a report lists as computed in float."""
        report = json.loads((self.work / (stem + ".report.json")).read_text())
        return [island["node"] if isinstance(island, dict) else island for island in report["float_islands"]]

    def test_plain_is_the_default_but_for_full_grids(self):
        ours, _ = self.quantize("ours", "--strict_symmetric", "none")
        theirs, finished = self.quantize("theirs", "--aimet_config", PLAIN)
        self.assertEqual(ours, theirs)
        self.assertNotIn("warning", finished.stderr)

    def test_defaults_become_options(self):
        def change(document):
            document["defaults"] = {"ops": {"is_output_quantized": "True", "is_symmetric": "True"},
                                    "params": {"is_quantized": "True"}, "unsigned_symmetric": "True"}
        config = self.changed(change)
        theirs, _ = self.quantize("theirs", "--aimet_config", config)
        ours, _ = self.quantize("ours", "--act_quantizer_schema", "unsignedsymmetric", "--param_quantizer_schema",
                                "asymmetric", "--use_per_channel_quantization=false", "--strict_symmetric", "none")
        self.assertEqual(ours, theirs)
        # The command line wins, and so does a recipe.
        theirs, _ = self.quantize("cli", "--aimet_config", config, "--use_per_channel_quantization=true")
        self.assertEqual(theirs["0.0.weight"]["enc_type"], "PER_CHANNEL")
        recipe = self.write("recipe.json", '{"options": {"act_quantizer_schema": "asymmetric"}}')
        theirs, _ = self.quantize("recipe", "--aimet_config", config, "--config", recipe)
        self.assertFalse(theirs["image"]["is_sym"])
        self.assertEqual(theirs["0.0.weight"]["enc_type"], "PER_TENSOR")

    def test_explain_names_the_source(self):
        finished = self.assert_succeeds("quantize", "--explain", "--aimet_config", PLAIN, MODEL)
        lines = [line.split(None, 2) for line in finished.stdout.splitlines()]
        self.assertIn(["strict_symmetric", "none", "AIMET configuration"], lines)

    def test_strict_symmetric_activations(self):
        def change(document):
            document["defaults"]["ops"]["is_symmetric"] = "True"
            document["defaults"]["strict_symmetric"] = "True"
        strict, _ = self.quantize("strict", "--aimet_config", self.changed(change))
        ours, _ = self.quantize("ours", "--act_quantizer_schema", "symmetric", "--strict_symmetric", "all")
        self.assertEqual(strict, ours)
        self.assertTrue(strict["image"]["is_sym"])

    def test_operators_have_their_own_rules(self):
        entries, _ = self.quantize("device", "--aimet_config", DEVICE)
        self.assertEqual(entries["image"]["bw"], 16)  # The first kernel.
        self.assertEqual(entries["0.0.weight"]["bw"], 8)
        self.assertEqual(entries["0.0.weight"]["enc_type"], "PER_CHANNEL")
        self.assertNotIn("logits", entries)  # model_output, and so the whole Gemm is in float.
        self.assertNotIn("9.weight", entries)
        self.assertIn("/9/Gemm", json.dumps(self.islands("device")))

    def test_an_operator_without_output_quantizer_is_real(self):
        config = self.changed(lambda d: d["op_type"].update(GlobalAveragePool={"is_output_quantized": "False"}))
        entries, _ = self.quantize("pool", "--aimet_config", config)
        self.assertNotIn(POOL, entries)
        # Moved data has the grid of its data, whatever the file says of it.
        self.assertIn("/8/Flatten_output_0", self.quantize("flat", "--aimet_config", PLAIN)[0])

    def test_an_operator_without_quantized_weights_is_real(self):
        config = self.changed(lambda d: d["op_type"].update(Gemm={"params": {"weight": {"is_quantized": "False"}}}))
        entries, _ = self.quantize("gemm", "--aimet_config", config)
        for name in ("9.weight", "9.bias", "logits"):
            self.assertNotIn(name, entries)

    def test_biases_without_quantizer_are_derived(self):
        entries, _ = self.quantize("bias", "--aimet_config", PLAIN)
        self.assertEqual(entries["9.bias"]["bw"], 32)

    def test_constraints_are_ranges(self):
        config = self.changed(lambda d: d["op_type"].update(Gemm={"encoding_constraints": {"min": -51, "max": 204}}))
        entries, _ = self.quantize("range", "--aimet_config", config)
        self.assertEqual((entries["logits"]["scale"], entries["logits"]["offset"]), ([1.0], [-51]))

    def test_kernels_of_operators(self):
        kernels = [{"activation": {"bitwidth": 16, "dtype": "int"}, "param": {"bitwidth": 8, "dtype": "int"}}]
        config = self.changed(lambda d: d["op_type"].update(Gemm={"supported_kernels": kernels}))
        entries, finished = self.quantize("kernels", "--aimet_config", config)
        self.assertEqual(entries["logits"]["bw"], 16)
        self.assertIn("not for int8 activations with int8 parameters", finished.stderr)
        self.assert_fails(USAGE, ["config.json:", "op_type 'Gemm'", "int8 activations"], "quantize", "--input_list",
                          CALIB, "--aimet_config", config, "--op_type_bitwidth", "Gemm=8", MODEL)

    def test_widths_without_kernel_are_refused(self):
        self.assert_fails(USAGE, ["device.json:", "--act_bitwidth 8 --weights_bitwidth 4"], "quantize", "--input_list",
                          CALIB, "--aimet_config", DEVICE, "--act_bitwidth", 8, "--weights_bitwidth", 4, MODEL)
        entries, _ = self.quantize("eight", "--aimet_config", DEVICE, "--act_bitwidth", 8)
        self.assertEqual((entries["image"]["bw"], entries["0.0.weight"]["bw"]), (8, 8))
        self.assert_fails(USAGE, ["device.json:", "int16 activations with int16 parameters", "params_16bit"],
                          "quantize", "--input_list", CALIB, "--aimet_config", DEVICE, "--params_16bit_names_list",
                          "/0/0.0/Conv", MODEL)

    def test_supergroups(self):
        # Fused anyway: nothing changes. Not fused: what is inside stays real, with a warning.
        config = self.changed(lambda d: d["supergroups"].append({"op_list": ["GlobalAveragePool", "Flatten", "Gemm"]}))
        entries, finished = self.quantize("group", "--aimet_config", config)
        self.assertNotIn(POOL, entries)
        self.assertIn(CONV, entries)
        self.assertIn("supergroup 'GlobalAveragePool+Flatten+Gemm': no single step here", finished.stderr)

    def test_model_input(self):
        config = self.changed(lambda d: d["model_input"].update(is_input_quantized="False"))
        entries, _ = self.quantize("input", "--aimet_config", config)
        self.assertNotIn("image", entries)
        self.assertIn("image_converted", entries)

    def test_overrides_win(self):
        config = self.changed(lambda d: d["op_type"].update(GlobalAveragePool={"is_output_quantized": "False"}))
        overrides = self.write("ov.json", json.dumps({"activation_encodings": {POOL: [{"bitwidth": 16}]},
                                                      "param_encodings": {}}))
        entries, _ = self.quantize("ov", "--aimet_config", config, "--quantization_overrides", overrides)
        self.assertEqual(entries[POOL]["bw"], 16)

    def test_names_of_other_frameworks_are_ignored(self):
        def change(document):
            document["op_type"]["ChannelShuffle"] = {"is_output_quantized": "False"}
            document["params"]["gamma"] = {"is_quantized": "True"}
        entries, finished = self.quantize("foreign", "--aimet_config", self.changed(change))
        self.assertEqual(entries, self.quantize("plain", "--aimet_config", PLAIN)[0])
        self.assertIn("'ChannelShuffle'", finished.stderr)
        self.assertIn("'gamma' is ignored", finished.stderr)

    def test_malformed_files(self):
        def put(section, value):
            return lambda document: document.update({section: value})

        def put_default(key, value):
            return lambda document: document["defaults"].update({key: value})

        def put_op(value):
            return lambda document: document["op_type"].update(Conv=value)
        kernel = {"activation": {"bitwidth": 8, "dtype": "int"}}
        cases = (
            (lambda d: d.pop("op_type"), ["there is no section 'op_type'"]),
            (put("op_types", {}), ["unknown section 'op_types'", "did you mean 'op_type'"]),
            (put("defaults", []), [":2: defaults is not an object"]),
            (lambda d: d["defaults"].pop("ops"), ["defaults: field 'ops' is missing"]),
            (put_default("per_channel", "True"), ["unknown key 'per_channel'"]),
            (put_default("strict_symmetric", "yes"), ["'strict_symmetric' is neither true nor false"]),
            (lambda d: d["defaults"].update(strict_symmetric=True, unsigned_symmetric=True), ["exclude each other"]),
            (put_default("hw_version", 73), ["hw_version is not a text"]),
            (put_default("supported_kernels", [kernel]), ["entry 0: field 'param' is missing"]),
            (put_op({"supported_kernels": [{"activation": {"bitwidth": 6, "dtype": "int"}}]}), ["6 bits"]),
            (put_op({"supported_kernels": [{"activation": {"bitwidth": 8, "dtype": "real"}}]}), ["'dtype'"]),
            (put_op({"encoding_constraints": {"min": 1, "max": 0}}), ["op_type 'Conv'", "min is not below max"]),
            (put_op({"params": {"weight": {"bits": 8}}}), ["'weight': unknown key 'bits'"]),
            (put_op("False"), ["op_type 'Conv' is not an object"]),
            (put("supergroups", [{"op_list": ["Conv"]}]), ["supergroups, entry 0", "two operators"]),
            (put("supergroups", {}), ["supergroups is not a list"]),
            (put("model_input", {"is_output_quantized": "True"}), ["model_input: unknown key"]),
            (put("model_output", {"is_output_quantized": 1}), ["neither true nor false"]),
        )
        for change, words in cases:
            with self.subTest(words=words):
                self.assert_fails(BAD_FILE, ["config.json:", *words], "quantize", "--input_list", CALIB,
                                  "--aimet_config", self.changed(change), MODEL)
        for text, word in (("", "not valid JSON"), ("[]", "not an object"), ('{"params": 1, "params": 2}', "twice")):
            self.assert_fails(BAD_FILE, ["bad.json", word], "quantize", "--input_list", CALIB, "--aimet_config",
                              self.write("bad.json", text), MODEL)
        self.assert_fails(BAD_FILE, ["none.json"], "quantize", "--input_list", CALIB, "--aimet_config", "none.json",
                          MODEL)

    def test_example_of_the_docs(self):
        text = (DOCS / "overrides.md").read_text()
        block = text[text.index("An example that pins Softmax"):].split("\n\n")[1]
        entries, finished = self.quantize("docs", "--aimet_config", self.write("docs.json", block))
        self.assertNotIn("logits", entries)
        self.assertNotIn("warning", finished.stderr)

    def test_dynamic_has_no_use_for_it(self):
        self.assert_fails(USAGE, ["--aimet_config"], "quantize", "--dynamic", "--aimet_config", PLAIN, MODEL)


class EncodingsInFrontOfClamps(tool_test.ToolTest):
    """x -> Conv -> conv_out -> Relu -> y: what AIMET writes of conv_out, which is no tensor once Relu is fused."""

    def quantize(self, front_scale, front_offset):
        """Names of the activations that get encodings; the finished run."""
        entries = {"x": (0.02, -128), "conv_out": (front_scale, front_offset), "y": (0.0125, 0)}
        overrides = {"version": "1.0.0", "param_encodings": [], "activation_encodings": [
            {"name": name, "enc_type": "PER_TENSOR", "dtype": "INT", "bw": 8, "is_sym": False, "scale": [scale],
             "offset": [offset]} for name, (scale, offset) in entries.items()]}
        finished = self.assert_succeeds("quantize", "--quantization_overrides",
                                        self.write("ov.json", json.dumps(overrides)), "--output_path", "m.onnx",
                                        self.write("m.onnx", tool_test.tiny_model()))
        document = json.loads((self.work / "m.encodings.json").read_text())
        return {entry["name"]: entry["scale"] for entry in document["activation_encodings"]}, finished

    def test_the_grid_behind_it_needs_no_place(self):
        scales, finished = self.quantize(0.0125, 0)
        self.assertEqual(sorted(scales), ["x", "y"])
        self.assertNotIn("warning", finished.stderr)

    def test_another_grid_keeps_the_clamp_apart(self):
        scales, finished = self.quantize(0.025, -100)
        self.assertEqual(sorted(scales), ["conv_out", "x", "y"])
        self.assertAlmostEqual(scales["conv_out"][0], 0.025, 6)
        self.assertIn("'conv_out' a grid of its own in front of a Relu or Clip", finished.stderr)


if __name__ == "__main__":
    tool_test.main()
