"""eval_metrics_test.py: what quantize-eval measures by: labels, masks, outside metrics."""

import pathlib
import shutil
import struct
import zlib

import eval_case
import onnx_wire as wire
import tool_test
from eval_case import GATE_MISSED, NUM_SAMPLES, load
from tool_test import BAD_FILE, OK, USAGE


class Labels(eval_case.OnDigits):
    """Class labels that do not fit."""

    def check(self, words, text):
        """quantize-eval with these labels."""
        labels = self.write("l.txt", text)
        self.broken(words, "--labels", labels, labels=False)

    def test_wrong_count(self):
        self.check(["19", "20"], "1\n" * 19)
        self.check(["21", "20"], "1\n" * 21)

    def test_out_of_range(self):
        self.check(["label 10", "10 classes"], "1\n" * 19 + "10\n")

    def test_no_indices(self):
        for text in ("cat\n" * 20, "-1\n" * 20, "1.5\n" * 20, "1 2\n" * 20, "", "9" * 30 + "\n"):
            with self.subTest(text=text[:10]):
                self.check(["l.txt"], text)

    def test_masks_as_labels(self):
        self.check(["l.txt", "mask.png"], "mask.png\n" * 20)

    def test_of_no_classifier(self):
        model = self.write("tiny.onnx", tool_test.tiny_model())
        samples = self.write_list()
        self.assert_succeeds("quantize", "--input_list", samples, "--output_path", "q.onnx", model)
        labels = self.write("l.txt", "1\n")
        self.assert_fails(BAD_FILE, ["labels", "[1, 3, 4, 4]"], "quantize-eval", "--quiet", "--input_list", samples,
                          "--labels", labels, model, "q.onnx")
        self.assert_fails(USAGE, ["agreement", "[1, 3, 4, 4]"], "quantize-eval", "--quiet", "--input_list", samples,
                          "--min_top1_agreement", "50", model, "q.onnx")


class TopOne(tool_test.ToolTest):
    """Which outputs hold class scores."""

    def report_of(self, *outputs, options=()):
        """The report on a model with these outputs: name and dims of reshaped copies of 12 scores."""
        nodes = [wire.node("Gemm", ["x", "w"], ["s"])]
        shapes = []
        for name, dims in outputs:
            shapes.append(wire.tensor(name + "_dims", [len(dims)], dims, wire.INT64))
            nodes.append(wire.node("Reshape", ["s", name + "_dims"], [name]))
        weights = wire.tensor("w", [4, 12], [(i * 7 % 11 - 5) / 5 for i in range(48)])
        model = self.write("m.onnx", wire.model(wire.graph(
            nodes, [wire.value_info("x", [1, 4])], [wire.value_info(name, dims) for name, dims in outputs],
            [weights, *shapes])))
        self.write_floats("s.raw", [1.0, -2.0, 3.0, -1.0])
        samples = self.write("list.txt", "s.raw\n")
        self.assert_succeeds("quantize", "--input_list", samples, "--output_path", "q.onnx", model)
        finished = self.assert_succeeds("quantize-eval", "--quiet", "--input_list", samples, "--report", "r.json",
                                        *options, model, "q.onnx")
        return load(self.work / "r.json")["metrics"], finished.stdout

    def test_a_classifier_names_its_output(self):
        for dims in ([12], [1, 12], [1, 12, 1, 1]):
            metrics, text = self.report_of(("y", dims))
            self.assertEqual((metrics["top1_agreement"], metrics["classes_of"]), (100, "y"))
            self.assertIn("highest score in output 'y'", text)

    def test_a_detector_has_none(self):
        for outputs in ([("y", [1, 12, 1])], [("y", [12, 1])], [(f"y{i}", [1, 12]) for i in range(12)]):
            metrics, text = self.report_of(*outputs)
            self.assertEqual(metrics, {})
            self.assertNotIn("top-1", text)

    def test_who_asks_gets_the_first_output(self):
        metrics, _ = self.report_of(("y", [1, 12, 1]), ("z", [1, 12]), options=["--min_top1_agreement", "50"])
        self.assertEqual((metrics["top1_agreement"], metrics["classes_of"]), (100, "y"))


class MetricCommands(eval_case.OnDigits):
    """--metric_command."""

    def test_scores_are_reported(self):
        script = self.write("score.sh", 'ls $1 | wc -l; cat $2/Result_*/logits.raw | wc -c\n')
        report = self.evaluate("--metric_command", f"sh {script} {{float_dir}} {{quantized_dir}}")
        self.assertEqual(report["metrics"]["metric_command"],
                         {"float": NUM_SAMPLES, "quantized": NUM_SAMPLES * 40, "drop": -39 * NUM_SAMPLES})

    def test_outputs_differ_and_are_removed(self):
        report = self.evaluate("--metric_command", "cmp -s {float_dir}/Result_0/logits.raw "
                               "{quantized_dir}/Result_0/logits.raw; echo $? 5; echo {float_dir} > place.txt")
        self.assertEqual(report["metrics"]["metric_command"]["float"], 1)
        place = pathlib.Path((self.work / "place.txt").read_text().strip())
        self.assertFalse(place.exists() or place.parent.exists())

    def test_failing(self):
        for command, words in (("exit 3 # {float_dir} {quantized_dir}", ["exit status 3"]),
                               ("absent-program {float_dir} {quantized_dir} 2>/dev/null", ["exit status 127"]),
                               ("kill -9 $$ # {float_dir} {quantized_dir}", ["signal 9"]),
                               ("true {float_dir} {quantized_dir}", ["nothing", "two numbers"]),
                               ("echo 5 # {float_dir} {quantized_dir}", ["two numbers"]),
                               ("echo 1 2 3 # {float_dir} {quantized_dir}", ["two numbers"]),
                               ("echo nan 1 # {float_dir} {quantized_dir}", ["two numbers"]),
                               ("echo good bad # {float_dir} {quantized_dir}", ["'good bad", "two numbers"])):
            with self.subTest(command=command):
                self.broken(["--metric_command", *words], "--metric_command", command)

    def test_without_folders(self):
        self.misuse(["{quantized_dir}"], "--metric_command", "score {float_dir}")
        self.misuse(["{float_dir}"], "--metric_command", "score")


def png(height, width, pixels, colours=0, bits=8, palette=None):
    """A PNG file of raw scan lines without filters."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    lines = b"".join(b"\0" + bytes(pixels[y * width:(y + 1) * width]) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)) +
            (chunk(b"PLTE", bytes(palette)) if palette else b"") + chunk(b"IDAT", zlib.compress(lines)) +
            chunk(b"IEND", b""))


class Segmentation(tool_test.ToolTest):
    """--metric miou on a model of three classes and 4 x 4 pixels."""

    def setUp(self):
        super().setUp()
        self.model = self.write("seg.onnx", tool_test.tiny_model())
        self.samples = self.write_list()
        self.assert_succeeds("quantize", "--input_list", self.samples, "--output_path", "q.onnx", self.model)
        self.assert_succeeds("quantize-run", "--input_list", self.samples, "--output_dir", "out", self.model)
        scores = struct.unpack("<48f", (self.work / "out/Result_0/y.raw").read_bytes())
        self.truth = [max(range(3), key=lambda c: (scores[16 * c + i], -c)) for i in range(16)]
        shutil.rmtree(self.work / "out")

    def arguments(self, mask, *options, name="mask.png"):
        """Arguments of quantize-eval with one mask."""
        self.write(name, mask)
        labels = self.write("masks.txt", name + "\n")
        return ["--quiet", "--input_list", self.samples, "--metric", "miou", "--labels", labels, *options, self.model,
                "q.onnx"]

    def measure(self, mask, name="mask.png"):
        """Mean IoU of the float model."""
        self.assert_succeeds("quantize-eval", *self.arguments(mask, "--report", "r.json", name=name))
        return load(self.work / "r.json")["metrics"]["miou"]["float"]

    def broken(self, words, mask, name="mask.png"):
        """A mask that must be refused."""
        self.assert_fails(BAD_FILE, words, "quantize-eval", *self.arguments(mask, name=name))

    def test_png(self):
        self.assertEqual(self.measure(png(4, 4, self.truth)), 100)
        self.assertEqual(self.measure(png(4, 4, self.truth, colours=3, palette=range(9))), 100)

    def test_raw(self):
        self.assertEqual(self.measure(bytes(self.truth), "mask.raw"), 100)
        self.assertEqual(self.measure(struct.pack("<16q", *self.truth), "mask.raw"), 100)

    def test_by_hand(self):
        # All labelled 0: one class, whose intersection is where the model says 0; predictions do not matter elsewhere.
        hits = self.truth.count(0)
        self.assertAlmostEqual(self.measure(bytes(16), "mask.raw"), 100 * hits / 16)
        # Only two pixels count.
        ignored = [255] * 16
        ignored[3], ignored[9] = self.truth[3], self.truth[9]
        self.assertEqual(self.measure(bytes(ignored), "mask.raw"), 100)

    def test_gate(self):
        self.assert_succeeds("quantize-eval", *self.arguments(bytes(self.truth), "--min_miou", "20", name="m.raw"))
        wrong = bytes((c + 1) % 3 for c in self.truth)
        finished = self.run_tool("quantize-eval", *self.arguments(wrong, "--min_miou", "50", name="m.raw"))
        self.assertEqual(finished.code, GATE_MISSED, finished)
        self.assertIn("--min_miou", finished.stderr)

    def test_wrong_sizes(self):
        self.broken(["mask.png", "5 x 4", "4 x 4"], png(5, 4, [0] * 20))
        self.broken(["m.raw", "17 bytes"], bytes(17), "m.raw")
        self.broken(["m.raw", "0 bytes"], b"", "m.raw")

    def test_wrong_classes(self):
        self.broken(["class 3", "3 classes"], bytes([3] * 16), "m.raw")
        self.broken(["-1"], struct.pack("<16q", *[-1] * 16), "m.raw")

    def test_broken_png(self):
        good = png(4, 4, self.truth)
        for name, data in (("cut", good[:50]), ("header", good[:20]), ("checksum", good[:30] + b"\0" + good[31:]),
                           ("colours", png(4, 4, [0] * 16 * 3, colours=2))):
            with self.subTest(name=name):
                self.broken(["mask.png", "PNG"], data)

    def test_missing_masks(self):
        labels = self.write("masks.txt", "absent.png\n")
        self.assert_fails(BAD_FILE, ["masks.txt:1", "'absent.png'"], "quantize-eval", "--input_list", self.samples,
                          "--metric", "miou", "--labels", labels, self.model, "q.onnx")
        labels.write_text("mask.png\nmask.png\n")
        self.write("mask.png", png(4, 4, self.truth))
        self.assert_fails(BAD_FILE, ["2 masks", "1 samples"], "quantize-eval", "--input_list", self.samples, "--metric",
                          "miou", "--labels", labels, self.model, "q.onnx")

    def test_misuse(self):
        self.assert_fails(USAGE, ["--metric miou", "--labels"], "quantize-eval", "--input_list", self.samples,
                          "--metric", "miou", self.model, "q.onnx")
        for option in ("--min_top1", "--max_top1_drop", "--min_top1_agreement"):
            self.assert_fails(USAGE, [option, "miou"], "quantize-eval",
                              *self.arguments(png(4, 4, self.truth), option, "1"))


class NoOutputsToMeasure(tool_test.ToolTest):
    """Models without a float32 output."""

    def test_gate(self):
        nodes = [wire.node("Conv", ["x", "w", "b"], ["scores"], pads=[1, 1, 1, 1]),
                 wire.node("ArgMax", ["scores"], ["y"], axis=1)]
        model = self.write("map.onnx", tool_test.tiny_model(nodes=nodes, outputs=[wire.value_info("y", None, 7)]))
        samples = self.write_list()
        self.assert_succeeds("quantize", "--input_list", samples, "--output_path", "q.onnx", model)
        self.assert_fails(USAGE, ["--min_sqnr_db", "float32 output"], "quantize-eval", "--quiet", "--input_list",
                          samples, "--min_sqnr_db", "10", model, "q.onnx")
        mask = self.write("m.raw", bytes(16))
        labels = self.write("masks.txt", f"{mask}\n")
        self.assertEqual(self.run_tool("quantize-eval", "--input_list", samples, "--metric", "miou", "--labels",
                                       labels, model, "q.onnx").code, OK)


if __name__ == "__main__":
    tool_test.main()
