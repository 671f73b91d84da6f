"""parts_test.py: parts of a model run alone (--from, --to) and give the bits of the whole; quantized up to a tensor."""

import json

import onnx_wire as wire
import tool_test
from tool_test import BAD_FILE, DIGITS, USAGE

CALIB, MODEL, OUTPUT, INPUT = DIGITS / "calib.txt", DIGITS / "digits.onnx", "logits", "image"
QUANTIZED, ENCODINGS = "digits.quantized.onnx", "digits.encodings.json"
SHAPE = ("--input_dim", INPUT, "1,1,16,16")  # The model leaves the batch open.
MODES = ("float", "simulated", "fixed")
NUM_SAMPLES = 2


class Parts(tool_test.ToolTest):
    """digits.quantized.onnx, cut at its tensors."""

    found_starts = None

    def setUp(self):
        super().setUp()
        self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--validate", "0", "--input_list", CALIB, MODEL)
        self.samples = self.write("two.txt", "".join(f"{DIGITS}/calib/000{i}.raw\n" for i in range(NUM_SAMPLES)))
        entries = json.loads((self.work / ENCODINGS).read_text())["activation_encodings"]
        self.tensors = [entry["name"] for entry in entries if entry["name"] not in (INPUT, OUTPUT)]

    def run_model(self, mode, folder, *options, samples=None, model=QUANTIZED):
        """Runs two samples; the results are in `self.work / folder`."""
        self.assert_succeeds("quantize-run", "--quiet", "--input_list", samples or self.samples, "--output_dir", folder,
                             "--mode", mode, *SHAPE, *options, model)

    def results(self, folder):
        """File name, with the sample's folder, to bytes."""
        root = self.work / folder
        return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*.raw"))}

    def assert_same_files(self, part, whole, at_least=1):
        """All files of the folder `part` are in the folder `whole`, and the same."""
        ours, theirs = self.results(part), self.results(whole)
        self.assertGreaterEqual(len(ours), at_least * NUM_SAMPLES)
        for name, data in ours.items():
            self.assertEqual(data, theirs[name], f"{name} of {part} and {whole}")

    def list_of(self, tensors, folder):
        """A list that names the tensors' files of an earlier run."""
        lines = (" ".join(f'"{t}":="{self.work}/{folder}/Result_{i}/{t.replace("/", "_")}.raw"' for t in tensors)
                 for i in range(NUM_SAMPLES))
        return self.write(f"from_{abs(hash((tuple(tensors), folder)))}.txt", "\n".join(lines) + "\n")

    def starts(self):
        """Tensors that cut the whole model: no way around them leads from the input to the output."""
        if Parts.found_starts:
            return Parts.found_starts
        cutting = Parts.found_starts = []
        for tensor in self.tensors:
            done = self.run_tool("quantize-run", "--quiet", "--input_list", self.samples, "--output_dir", "probe",
                                 *SHAPE, "--from", tensor, QUANTIZED)
            # The list holds images: either they do not fit the tensor, or the cut is none.
            if "not cut off" in done.stderr:
                self.assertEqual(done.code, USAGE, done.stderr)
            else:
                cutting.append(tensor)
        return cutting

    def test_from_any_tensor_on_the_model_is_the_same(self):
        starts = self.starts()
        self.assertGreaterEqual(len(starts), 8)
        self.assertLess(len(starts), len(self.tensors))  # There are branches.
        for mode in MODES:
            self.run_model(mode, mode, "--dump_tensors", "all")
            for k, tensor in enumerate(starts):
                with self.subTest(mode=mode, tensor=tensor):
                    folder = f"{mode}{k}"
                    self.run_model(mode, folder, "--dump_tensors", "all", "--from", tensor,
                                   samples=self.list_of([tensor], mode))
                    self.assert_same_files(folder, mode, at_least=2)

    def test_codes_without_an_encoding_of_their_own_go_on_as_codes(self):
        flat = next(t for t in self.tensors if "Flatten" in t)
        text = json.loads((self.work / ENCODINGS).read_text())
        entries = text["activation_encodings"]
        text["activation_encodings"] = [e for e in entries if e["name"] != flat]
        encodings = self.write("fewer.json", json.dumps(text))
        self.run_model("fixed", "whole", "--dump_tensors", "all", "--encodings", encodings, model=MODEL)
        codes = f"Result_0/{flat.replace('/', '_')}.codes.raw"
        self.assertIn(codes, self.results("whole"))  # Moved on from the tensor before.
        self.run_model("fixed", "part", "--dump_tensors", "all", "--from", flat, "--encodings", encodings, model=MODEL,
                       samples=self.list_of([flat], "whole"))
        self.assertIn(codes, self.results("part"))
        self.assert_same_files("part", "whole", at_least=4)

    def test_between_tensors_within_a_branch(self):
        inner = [t for t in self.tensors if t not in self.starts()]
        for mode in MODES:
            self.run_model(mode, mode, "--dump_tensors", "all")
            part = ("--from", inner[0], "--to", inner[1])
            self.run_model(mode, mode + "_part", *part, samples=self.list_of(inner[:1], mode))
            self.assert_same_files(mode + "_part", mode)
            self.assertEqual(len([n for n in self.results(mode + "_part") if "codes" not in n]), NUM_SAMPLES)

    def test_up_to_a_tensor(self):
        middle = self.tensors[len(self.tensors) // 2]
        for mode in MODES:
            self.run_model(mode, mode, "--dump_tensors", "all")
            self.run_model(mode, mode + "_to", "--dump_tensors", "all", "--to", middle)
            self.assert_same_files(mode + "_to", mode, at_least=3)
            self.assertNotIn(f"Result_0/{OUTPUT}.raw", self.results(mode + "_to"))

    def test_quantized_until_a_tensor_is_the_quantized_half_and_the_float_rest(self):
        for mode in ("simulated", "fixed"):
            self.run_model(mode, mode, "--dump_tensors", "all")
            for k, tensor in enumerate([INPUT, *self.starts()[::3]]):
                with self.subTest(mode=mode, tensor=tensor):
                    # Pinned in both: a tensor that somebody asks for is not fused away.
                    self.run_model(mode, f"until{k}{mode}", "--quantized_until", tensor)
                    self.run_model("float", f"rest{k}{mode}", "--from", tensor, samples=self.list_of([tensor], mode))
                    self.assert_same_files(f"rest{k}{mode}", f"until{k}{mode}")
        self.run_model("fixed", "all", "--quantized_until", OUTPUT)
        self.assert_same_files("all", "fixed")

    def test_shapes_that_the_model_leaves_open_are_given(self):
        model = self.write("open.onnx", wire.model({
            "node": [wire.node("Relu", ["x"], ["a"]), wire.node("Neg", ["a"], ["y"])], "name": "open",
            "input": [wire.value_info("x", ["N", 3])], "output": [wire.value_info("y", ["N", 3])]}))
        self.write("a.raw", bytes(24))
        samples = self.write("a.txt", f"{self.folder}/a.raw\n")
        run = ("quantize-run", "--quiet", "--input_list", samples, "--output_dir", "open", "--from", "a")
        self.assert_fails(BAD_FILE, ["input 'x' has no fixed shape", "--input_dim"], *run, model)
        self.assert_succeeds(*run, "--input_dim", "x", "2,3", model)
        self.assertEqual(len(self.results("open")["Result_0/y.raw"]), 24)

    def check_misuse(self, words, *options, mode="fixed"):
        """quantize-run with these options fails before it leaves a file."""
        self.assert_fails(USAGE, words, "quantize-run", "--input_list", self.samples, "--output_dir", "results",
                          "--mode", mode, *SHAPE, *options, QUANTIZED)

    def test_errors(self):
        first, last = self.tensors[0], self.tensors[-1]
        inner = next(t for t in self.tensors if t not in self.starts())
        for option in ("--from", "--to", "--quantized_until"):
            self.check_misuse([option, "no tensor 'logit'", "did you mean 'logits'?"], option, "logit")
        self.check_misuse([f"--from: output '{OUTPUT}' depends on the model's input 'image', which is not cut off"],
                          "--from", inner)
        self.check_misuse([f"--from, --to: output '{first}' depends on none of the inputs"], "--from", last, "--to",
                          first)
        self.check_misuse(["--from", "is a constant"], "--from", "0.0.weight")
        self.check_misuse(["--from", "is given twice"], "--from", f"{last},{last}")
        self.check_misuse([f"no output of the part depends on '{first}'"], "--from", f"{first},{last}")
        self.check_misuse([f"'{OUTPUT}' is not in the part of the model that --from and --to leave"],
                          "--to", first, "--dump_tensors", OUTPUT)
        self.check_misuse(["--quantized_until has no effect with --mode float"], "--quantized_until", first,
                          mode="float")

    def test_samples_must_be_of_the_tensors(self):
        self.assert_fails(BAD_FILE, [f"input '{self.tensors[-1]}'"], "quantize-run", "--input_list", self.samples,
                          "--output_dir", "results", *SHAPE, "--from", self.tensors[-1], QUANTIZED)


if __name__ == "__main__":
    tool_test.main()
