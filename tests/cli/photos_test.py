"""photos_test.py: photos as samples: lists, folders, preprocessing and labels from folders, on digits written as PNG."""

import json
import pathlib
import re
import struct
import tempfile
import zlib

import onnx_wire as wire
import tool_test
from tool_test import BAD_FILE, DIGITS, USAGE

MODEL = DIGITS / "digits.onnx"
NUM_SAMPLES = 40
# What make_digits.py feeds: levels 0 to 256, of which a PNG holds all but the last.
PREPROCESS = {"resize": "stretch", "resampling": "pillow", "channels": "gray", "mean": 128, "scale": 0.0078125}


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, levels, color=0):
    """A PNG of 8 bits; `color`: 0 gray, 2 RGB, 6 RGBA."""
    row = len(levels) // height
    rows = b"".join(b"\0" + levels[y * row:(y + 1) * row] for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def levels_of(raw):
    """The levels of a digit's raw file."""
    return bytes(min(255, round(v * 128 + 128)) for v in struct.unpack("<256f", raw.read_bytes()))


def read_npy(path):
    """(header, elements as bytes)."""
    content = path.read_bytes()
    length = struct.unpack("<H", content[8:10])[0]
    return content[10:10 + length].decode(), content[10 + length:]


class Photos(tool_test.ToolTest):
    """Digits as PNG files, by class in folders, and lists of the same samples."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared_folder = tempfile.TemporaryDirectory(prefix="halfstep_photos_")
        cls.shared = pathlib.Path(cls.shared_folder.name)
        cls.photos = cls.shared / "photos"
        cls.preprocess = cls.shared / "digits.json"
        cls.preprocess.write_text(json.dumps(PREPROCESS))
        names = (DIGITS / "eval.txt").read_text().split()[:NUM_SAMPLES]
        classes = (DIGITS / "eval_labels.txt").read_text().split()[:NUM_SAMPLES]
        cls.files = []
        for name, label in zip(names, classes):
            path = cls.photos / label / f"{pathlib.Path(name).stem}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(16, 16, levels_of(DIGITS / name)))
            cls.files.append((path, label))
        cls.files.sort()
        cls.list = cls.shared / "list.txt"
        cls.list.write_text("".join(f"{path}\n" for path, _ in cls.files))
        cls.labels = cls.shared / "labels.txt"
        cls.labels.write_text("".join(f"{label}\n" for _, label in cls.files))
        cls.quantized = cls.shared / "q.onnx"

    @classmethod
    def tearDownClass(cls):
        cls.shared_folder.cleanup()
        super().tearDownClass()

    def setUp(self):
        super().setUp()
        if not self.quantized.exists():
            self.assert_succeeds("quantize", "--effort", "fast", "--input_images", self.photos, "--preprocess",
                                 self.preprocess, "--output_path", self.quantized, MODEL)

    def report(self, *options):
        """The JSON report of quantize-eval, and what it printed."""
        finished = self.assert_succeeds("quantize-eval", *options, "--report", "r.json", MODEL, self.quantized)
        return json.loads((self.work / "r.json").read_text()), finished

    def test_folder_to_model_to_judgement(self):
        report, finished = self.report("--input_images", self.photos, "--labels_from_folders", "--min_top1", "95")
        self.assertEqual(report["classes"], [str(c) for c in range(10)])
        self.assertIn("Classes from folders: 0 0, 1 1, ", finished.stdout)
        self.assertEqual(finished.stderr.count("warning"), 0, finished.stderr)
        self.assertEqual(report["preprocess"]["name"], f"recorded in {self.quantized}")
        self.assertEqual(report["preprocess"]["scale"], 0.0078125)
        self.assertEqual(report["num_samples"], NUM_SAMPLES)
        self.assertEqual(report["input_list"], str(self.photos))
        listed, _ = self.report("--input_list", self.list, "--labels", self.labels)
        self.assertEqual(listed["metrics"], report["metrics"])
        self.assertEqual(listed["outputs"], report["outputs"])

    def test_quantize_records_how(self):
        report = json.loads((self.shared / "q.report.json").read_text())
        self.assertEqual(report["preprocess"]["name"], str(self.preprocess))
        self.assertEqual(report["preprocess"]["channels"], "gray")
        self.assertIn(b"halfstep.preprocess", self.quantized.read_bytes())

    def test_lists_give_the_same_encodings_as_folders_with_any_number_of_threads(self):
        for threads in ("1", "3"):
            self.assert_succeeds("quantize", "--effort", "fast", "--input_list", self.list, "--preprocess",
                                 self.preprocess, "--threads", threads, "--output_path", "l.onnx", MODEL)
            self.assertEqual((self.work / "l.encodings.json").read_bytes(),
                             (self.shared / "q.encodings.json").read_bytes())

    def test_save_inputs(self):
        self.assert_succeeds("quantize-run", "--input_list", self.list, "--output_dir", "out", "--save_inputs", "in",
                             "--mode", "fixed", self.quantized)
        for i, (path, _) in enumerate(self.files[:5]):
            header, elements = read_npy(self.work / "in" / f"Result_{i}" / "image.npy")
            self.assertIn("'descr': '<f4'", header)
            self.assertIn("'shape': (1, 1, 16, 16)", header)
            raw = next(DIGITS.glob(f"eval/{path.stem}.raw"))
            expected = struct.pack("<256f", *((level - 128) / 128 for level in levels_of(raw)))
            self.assertEqual(elements, expected, path)
        self.assertEqual(len(list((self.work / "in").iterdir())), NUM_SAMPLES)

    def test_told_otherwise_is_a_warning(self):
        other = self.write("other.json", json.dumps({**PREPROCESS, "mean": 0}))
        _, finished = self.report("--input_list", self.list, "--preprocess", other)
        self.assertRegex(finished.stderr, r"warning: .*q\.onnx: records other preprocessing than --preprocess")
        _, finished = self.report("--input_list", self.list, "--preprocess", self.preprocess)
        self.assertNotIn("warning", finished.stderr)

    def test_page_shows_the_first_four(self):
        self.assert_succeeds("quantize-eval", "--input_images", self.photos, "--report", "p.html", MODEL, self.quantized)
        self.assertEqual(len(re.findall('src="data:image/png;base64,[A-Za-z0-9+/]+=*"', (self.work / "p.html").read_text())),
                         4)
        self.assert_succeeds("quantize", "--effort", "fast", "--input_images", self.photos, "--preprocess",
                             self.preprocess, "--report", "q.html", "--output_path", "p.onnx", MODEL)
        self.assertEqual((self.work / "q.html").read_text().count("data:image/png;base64,"), 4)

    def test_order_of_classes_from_a_file(self):
        (self.photos / "classes.txt").write_text("".join(f"{c}\n" for c in range(9, -1, -1)))
        self.addCleanup((self.photos / "classes.txt").unlink)
        report, _ = self.report("--input_images", self.photos, "--labels_from_folders")
        self.assertEqual(report["classes"][0], "9")
        self.assertLess(report["metrics"]["top1"]["float"], 50)

    def test_classes_that_are_not_those_of_the_model_are_a_warning(self):
        few = self.folder / "few"
        for path, label in self.files[:2] + self.files[-2:]:
            (few / label).mkdir(parents=True, exist_ok=True)
            (few / label / path.name).write_bytes(path.read_bytes())
        _, finished = self.report("--input_images", few, "--labels_from_folders")
        self.assertRegex(finished.stderr, "warning: .*2 folders .*10 classes")

    def test_statistics_of_photos(self):
        for preprocess, name in ((self.preprocess, "a.json"), (self.write("o.json", json.dumps({**PREPROCESS, "mean": 0})),
                                                               "b.json")):
            shard = "0/2" if name == "a.json" else "1/2"
            self.assert_succeeds("quantize", "--input_images", self.photos, "--preprocess", preprocess, "--shard", shard,
                                 "--statistics_out", name, MODEL)
        self.assert_fails(USAGE, ["missing"], "quantize", "--statistics_in", "a.json", "b.json", "--", MODEL)

    # What is refused.

    def fails(self, code, words, *options):
        self.assert_fails(code, words, "quantize", "--quiet", *options, MODEL)

    def test_nothing_says_how(self):
        self.fails(USAGE, [f"{self.list}:1", "--preprocess", "caffe", "torchvision", "yolo-letterbox"], "--input_list",
                   self.list)

    def test_unknown_name(self):
        self.fails(USAGE, ["'torchvison'", "did you mean 'torchvision'?", "caffe"], "--input_images", self.photos,
                   "--preprocess", "torchvison")

    def test_channels_that_do_not_fit(self):
        self.fails(USAGE, [f"{self.photos}: input 'image'", "1, 16, 16]", "3 channels"], "--input_images",
                   self.photos, "--preprocess", "torchvision")

    def test_options_without_effect(self):
        self.fails(USAGE, ["--preprocess", "names none"], "--input_list", DIGITS / "calib.txt", "--preprocess", "none")
        self.fails(USAGE, ["--input_list", "--input_images"], "--input_list", self.list, "--input_images", self.photos)
        self.fails(USAGE, ["--preprocess has no effect"], "--act_bitwidth", "32", "--preprocess", "none")
        self.fails(USAGE, ["--input_images has no effect with --dynamic"], "--dynamic", "--input_images", self.photos)
        evaluate = ("quantize-eval", "--quiet")
        self.assert_fails(USAGE, ["--labels_from_folders", "--input_images"], *evaluate, "--input_list", self.list,
                          "--labels_from_folders", MODEL, self.quantized)
        self.assert_fails(USAGE, ["--labels_from_folders", "--labels"], *evaluate, "--input_images", self.photos,
                          "--labels", self.labels, "--labels_from_folders", MODEL, self.quantized)

    def check_photo(self, words, content, name="bad.png"):
        """A list whose second line is this file."""
        self.write(name, content)
        samples = self.write("photos.txt", f"{self.files[0][0]}\n{name}\n")
        self.fails(BAD_FILE, ["photos.txt:2: input 'image'", name, *words], "--input_list", samples, "--preprocess",
                   self.preprocess)

    def test_damaged_photos(self):
        whole = png(16, 16, bytes(256))
        self.check_photo(["cannot be decoded as PNG"], whole[:60])
        self.check_photo(["cannot be decoded as PNG"], whole[:45] + b"XXXX" + whole[49:])
        self.check_photo(["cannot be decoded as JPEG"], b"\xff\xd8\xff\xe0" + bytes(50), "bad.jpg")
        self.check_photo(["neither JPEG nor PNG", "GIF"], b"GIF89a", "bad.jpeg")
        self.check_photo(["is empty"], b"", "empty.jpg")

    def test_huge_photos(self):
        # Claims 1.2 GB and holds nothing; one that is within the limit, and as empty; one that ends early.
        nothing = chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
        self.check_photo(["20000 x 20000 pixels"], png(20000, 20000, b"")[:33] + nothing)
        self.check_photo(["cannot be decoded", "too short"], png(11000, 11000, b"", 2)[:33] + nothing)
        self.check_photo(["cannot be decoded", "ends early"], png(11000, 11000, b"", 2)[:33] + nothing[:20])

    def test_folders_that_are_none(self):
        (self.folder / "empty").mkdir()
        for folder, word in ((self.folder / "empty", "no .jpg"), (self.list, "no folder"),
                             (self.folder / "absent", "no such folder")):
            self.fails(BAD_FILE, [str(folder), word], "--input_images", folder, "--preprocess", self.preprocess)

    def test_photo_without_a_class(self):
        loose = self.folder / "loose"
        loose.mkdir()
        (loose / "x.png").write_bytes(self.files[0][0].read_bytes())
        self.assert_fails(BAD_FILE, ["loose/x.png", "CLASS"], "quantize-eval", "--quiet", "--input_images", loose,
                          "--labels_from_folders", MODEL, self.quantized)

    def test_preprocess_files_that_are_wrong(self):
        bad = self.write("bad.json", '{"resize": "squash", "resampling": "pillow"}')
        self.fails(BAD_FILE, ["bad.json", "'resize'", "letterbox"], "--input_images", self.photos, "--preprocess", bad)
        self.fails(BAD_FILE, ["absent.json"], "--input_images", self.photos, "--preprocess", "absent.json")


class Pixels(tool_test.ToolTest):
    """A model of uint8[1, 3, 2, 2]."""

    def setUp(self):
        super().setUp()
        self.model = self.write("pixels.onnx", wire.model(wire.graph(
            [wire.node("Cast", ["x"], ["f"], to=1), wire.node("Relu", ["f"], ["y"])],
            [wire.value_info("x", [1, 3, 2, 2], wire.UINT8)], [wire.value_info("y")])))

    def run_model(self, *options):
        return self.assert_succeeds("quantize-run", "--quiet", "--input_list", self.folder / "list.txt", "--output_dir",
                                    "out", "--save_inputs", "in", *options, self.model)

    def test_fed_as_they_are_without_being_told(self):
        self.write("list.txt", "a.png\n")
        self.write("a.png", png(2, 2, bytes(range(12)), 2))
        self.run_model()
        header, elements = read_npy(self.work / "in" / "Result_0" / "x.npy")
        self.assertIn("'descr': '|u1'", header)
        self.assertEqual(elements, bytes([0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]))
        finished = self.run_model("--preprocess", "torchvision")
        self.assertRegex(finished.stderr, "warning: .*uint8.*torchvision have no effect")

    def test_alpha_is_dropped_with_a_warning(self):
        self.write("list.txt", "a.png\nb.png\n")
        for name in ("a.png", "b.png"):
            self.write(name, png(2, 2, bytes(range(16)), 6))
        finished = self.run_model()
        self.assertRegex(finished.stderr, "list.txt:1: and 1 more: the photos have alpha channels")
        self.assertEqual(read_npy(self.work / "in" / "Result_1" / "x.npy")[1][:4], bytes([0, 4, 8, 12]))


if __name__ == "__main__":
    tool_test.main()
