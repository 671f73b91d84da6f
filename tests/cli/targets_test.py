"""targets_test.py: quantize --target: the shipped profiles, what they refuse, what they do, and the page about them."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import tool_test
from tool_test import BAD_FILE, DIGITS, USAGE

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = sorted(path.stem for path in (ROOT / "configs" / "targets").glob("*.json"))
MODEL = DIGITS / "digits.onnx"
VIT = DIGITS / "digits_vit_opset17.onnx"
CALIB = DIGITS / "calib.txt"


class TargetTest(tool_test.ToolTest):
    """Runs of quantize with a target."""

    def quantize(self, stem, *options, model=MODEL):
        """Encodings by tensor name, and the document."""
        self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--validate", 1, "--input_list", CALIB,
                             "--output_path", stem + ".onnx", *options, model)
        document = json.loads((self.work / (stem + ".encodings.json")).read_text())
        entries = document["activation_encodings"] + document["param_encodings"]
        return {entry["name"]: entry for entry in entries}, document

    def refuse(self, words, *options, code=USAGE, model=MODEL):
        """The run fails and leaves nothing."""
        self.assert_fails(code, words, "quantize", "--effort", "fast", "--input_list", CALIB, *options, model)

    def profile(self, **changes):
        """A file with the profile of docs/targets.md's kind."""
        document = {"description": "d", "known": ["k"], "assumed": ["a"], "options": {"act_per_channel": "none"},
                    "scales": ["affine"], "activation_schemas": ["asymmetric"], "weight_schemas": ["symmetric"],
                    "weights_per_channel": "all", "arithmetics": ["q31_single"],
                    "operators": {"*": {"activations": ["int8"], "weights": ["int8"], "biases": ["int32"]}}, **changes}
        return self.write("mine.json", json.dumps(document))


class Shipped(TargetTest):
    """The files of configs/targets."""

    def test_every_target_quantizes_the_digits(self):
        self.assertEqual(len(TARGETS), 8)
        for name in TARGETS:
            with self.subTest(name=name):
                _, document = self.quantize(name, "--target", name)
                asked = json.loads((ROOT / "configs" / "targets" / f"{name}.json").read_text())["options"]
                options = document["halfstep"]["options"]
                self.assertEqual(options["target"], name)
                self.assertEqual(json.loads((self.work / f"{name}.report.json").read_text())["options"], options)
                for key in ("act_bitwidth", "bias_bitwidth", "scale", "act_quantizer_schema"):
                    self.assertEqual(options[key], str(asked[key]), key)
                self.assertEqual(document["halfstep"]["arithmetic"], asked["arithmetic"])

    def test_tidl_is_its_calibration_options(self):
        for bits in (0, 1, 7, 13, 16, 32, 23, 47):
            with self.subTest(bits=bits):
                tidl, _ = self.quantize("tidl", "--target", "tidl", "--calibration_option", bits)
                plain, _ = self.quantize("plain", "--calibration_option", bits)
                self.assertEqual(tidl, plain)

    def test_pair_sums_of_x86(self):
        entries, _ = self.quantize("x86", "--target", "onnxruntime-x86")
        full, _ = self.quantize("vnni", "--target", "onnxruntime-x86-vnni")
        weights = [name for name in entries if name.endswith(".weight")]
        self.assertTrue(weights)
        for name in weights:
            if max(full[name]["scale"]) > 0:
                ratio = entries[name]["scale"][0] / full[name]["scale"][0]
                self.assertAlmostEqual(ratio, 127 / 63, delta=0.05)
        self.refuse(["Conv", "in one row", "--restrict_quantization_steps \"-64 63\""], "--target", "onnxruntime-x86",
                    "--restrict_quantization_steps", "-127 127")


class Refusals(TargetTest):
    """One line each, and nothing is written."""

    def test_options(self):
        self.refuse(["--act_bitwidth 16: target generic-int8 has activations of 8 bits only; leave it out, or use 8"],
                    "--target", "generic-int8", "--act_bitwidth", 16)
        self.refuse(["--scale power_of_two (by --calibration_option): target tflite has scales of kind affine only"],
                    "--target", "tflite", "--calibration_option", 1)
        self.refuse(["the recipe sets --scale affine: target esp-dl has scales of kind power_of_two only"], "--target",
                    "esp-dl", "--config", "tflite-int8")
        self.refuse(["--act_quantizer_schema unsignedsymmetric (implied by --scale): target esp-dl"], "--target",
                    "esp-dl", "--config", "int8-affine", "--scale", "power_of_two")
        self.refuse(["--target has no effect with --dynamic"], "--target", "tflite", "--dynamic")

    def test_names_and_files(self):
        self.refuse(["there is no target 'tidle', did you mean 'tidl'? Targets: " + ", ".join(TARGETS)], "--target",
                    "tidle")
        self.refuse(["absent.json", "No such file"], "--target", "absent.json", code=BAD_FILE)
        self.refuse(["mine.json: 'operators.Covn' is no operator, did you mean 'Conv'?"], "--target",
                    self.profile(operators={"Covn": {"activations": ["int8"]}}), code=BAD_FILE)
        self.refuse(["mine.json: options: targets have no option 'act_bits'"], "--target",
                    self.profile(options={"act_bits": 8}), code=BAD_FILE)
        self.refuse(["mine.json: options: act_bitwidth 16: target ", "has activations of 8 bits only"], "--target",
                    self.profile(options={"act_bitwidth": 16, "act_per_channel": "none"}), code=BAD_FILE)

    def test_operators_the_device_lacks(self):
        operators = {"Conv": {"activations": ["int8"], "weights": ["int8"], "biases": ["int32"]}}
        self.refuse(["node ", "(Add)", "has no such operator"], "--target", self.profile(operators=operators))
        self.refuse(["node ", "has no float32 to compute it in"], "--target", "generic-int8", "--quantization_overrides",
                    self.write("o.json", json.dumps({"activation_encodings": {"logits": [{"bitwidth": 32, "dtype":
                                                                                          "float"}]},
                                                     "param_encodings": {}})))

    def test_overrides_are_checked(self):
        grid = {"bitwidth": 8, "min": -1.0, "max": 1.0, "is_symmetric": "False", "dtype": "int"}
        overrides = {"activation_encodings": {"logits": [grid]}, "param_encodings": {}}
        self.refuse(["(Gemm): 'logits' has a scale that is no power of two, and target esp-dl only shifts"], "--target",
                    "esp-dl", "--quantization_overrides",
                    self.write("o.json", json.dumps(overrides)))
        wide = {"activation_encodings": {"logits": [{"bitwidth": 16, "dtype": "int"}]}, "param_encodings": {}}
        self.refuse(["(Gemm): its output 'logits' has 16 bits, and target generic-int8 takes 8 bits there", "o.json"],
                    "--target", "generic-int8", "--quantization_overrides", self.write("o.json", json.dumps(wide)))

    def test_accumulators_and_biases(self):
        self.refuse(["its sums may reach", "accumulators of 18 bits"], "--target", self.profile(
            accumulator_bits=18, options={"act_per_channel": "none", "accumulator_bits": 32}))
        self.refuse(["has the integer", "10 bits for biases"], "--target", self.profile(bias_code_bits=10))

    def test_shifts(self):
        profile = json.loads((ROOT / "configs" / "targets" / "vitis-dpu.json").read_text())
        profile["shifts"]["cut"] = [0, 3]
        self.refuse(["needs a shift of", "behind its products", "shifts from 0 to 3 there"], "--target",
                    self.write("mine.json", json.dumps(profile)))


class Effects(TargetTest):
    """What targets do to single tensors."""

    def test_fixed_grids(self):
        entries, _ = self.quantize("v", "--target", "tflite", model=VIT)
        grids = [(e["bw"], e["scale"], e["offset"]) for name, e in entries.items() if "Softmax" in name]
        self.assertTrue(grids)
        self.assertEqual(set(map(str, grids)), {str((8, [1 / 256], [0]))})
        wide, _ = self.quantize("w", "--target", "tflite", "--op_type_bitwidth", "Softmax=16", model=VIT)
        softmax = {name: e for name, e in wide.items() if "Softmax" in name}
        self.assertEqual({(e["bw"], e["scale"][0]) for e in softmax.values()}, {(16, 1 / 32768), (8, 1 / 256)})

    def test_one_width_converts_each_tensor_once(self):
        plain, _ = self.quantize("p", "--target", "qnn-htp")
        entries, _ = self.quantize("q", "--target", "qnn-htp", "--output_feature_16bit_names_list", "/5/Add")
        self.assertEqual(entries["/5/Add_output_0"]["bw"], 16)
        made = {name: e["bw"] for name, e in entries.items() if name not in plain}
        self.assertEqual(sorted(made.values()), [8, 16, 16])
        self.assertEqual(made["/5/Add_output_0_8bit"], 8)

    def test_precision_is_kept_upwards(self):
        entries, _ = self.quantize("t", "--target", "tidl", "--output_feature_16bit_names_list", "logits")
        wide = sorted(name for name, e in entries.items() if e["bw"] == 16)
        self.assertEqual(wide, ["/7/GlobalAveragePool_output_0", "/8/Flatten_output_0", "logits"])

    def test_widths_of_operators(self):
        rule = {"activations": ["int8"], "weights": ["int8"], "biases": ["int32"]}
        entries, _ = self.quantize("a", "--target", self.profile(
            operators={"*": rule, "Add": {"activations": ["int16"], "one_width": True}}))
        adds = [e["bw"] for name, e in entries.items() if re.fullmatch(r".*Add_output_0", name)]
        self.assertEqual(set(adds), {16})

    def test_clamps_that_are_not_fused(self):
        fused, _ = self.quantize("f", "--target", self.profile())
        split, _ = self.quantize("s", "--target", self.profile(fused=[["Add", "Relu"]]))
        self.assertGreater(len(split), len(fused))

    def test_what_the_device_lacks_stays_float(self):
        rule = {"activations": ["int8"], "weights": ["int8"], "biases": ["int32"]}
        path = self.profile(host=["float32"], operators={"Conv": rule, "Gemm": rule, "Flatten": rule,
                                                         "GlobalAveragePool": rule})
        finished = self.assert_succeeds("quantize", "--effort", "fast", "--validate", 1, "--input_list", CALIB,
                                        "--output_path", "h.onnx", "--target", path, MODEL)
        self.assertIn("(Add) stays float: target", finished.stderr)
        report = json.loads((self.work / "h.report.json").read_text())
        self.assertEqual({island["op"] for island in report["float_islands"]}, {"Add"})

    def test_explain(self):
        finished = self.assert_succeeds("quantize", "--explain", "--target", "tidl", MODEL)
        self.assertRegex(finished.stdout, r"(?m)^scale +power_of_two +target tidl$")
        self.assertRegex(finished.stdout, r"(?m)^target +tidl +command line$")
        self.assertRegex(finished.stdout, r"(?m)^arithmetic +shift_half_up +target tidl$")


class Page(TargetTest):
    """Every command of docs/targets.md does what the page says."""

    def test_the_page(self):
        for name, source in (("model.onnx", "digits.onnx"), ("calib.txt", "calib.txt"), ("calib", "calib"),
                             ("eval.txt", "eval.txt"), ("eval", "eval"), ("eval_labels.txt", "eval_labels.txt")):
            copy = shutil.copytree if (DIGITS / source).is_dir() else shutil.copy
            copy(DIGITS / source, self.work / name)
        text = (ROOT / "docs" / "targets.md").read_text()
        blocks = re.findall(r"(<!-- exits with (\d+) -->\n)?```sh\n(.*?)```", text, flags=re.DOTALL)
        self.assertGreaterEqual(len(blocks), 7)
        environment = {**os.environ, "PATH": self.tools_folder + os.pathsep + os.environ["PATH"]}
        for _, code, commands in blocks:
            with self.subTest(commands=commands):
                finished = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", commands], cwd=self.work,
                                          env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                          timeout=300)
                self.assertEqual(finished.returncode, int(code or 0), finished.stderr)
                if code and "generic-int8" in commands:
                    self.assertIn("    " + finished.stderr, text)
        table = re.findall(r"^\| `([a-z0-9-]+)` \|", text.split("## Examples")[0], flags=re.MULTILINE)
        self.assertEqual(sorted(table), TARGETS)


if __name__ == "__main__":
    tool_test.main()
