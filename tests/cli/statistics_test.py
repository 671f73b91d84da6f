"""statistics_test.py: quantize --statistics_out, --shard and --statistics_in: parts give the bytes of the whole."""

import json
import random
import resource

import onnx_wire as wire
import tool_test
from tool_test import BAD_FILE, CALIBRATION, DIGITS, USAGE

MODEL = DIGITS / "digits.onnx"
SAMPLES = [str(DIGITS / line) for line in (DIGITS / "calib.txt").read_text().split()[:12]]
ESTIMATORS = ("min-max", "moving-average", "mean-minmax", "mean-std", "percentile", "entropy", "mse", "sqnr")
# What keeps everything that any estimator reads, with one grid a tensor or one a channel.
KEEP_ALL = ("--act_per_channel", "depthwise", "--act_quantizer_calibration", "moving-average")


class Exact(tool_test.ToolTest):
    """Encodings and model from statistics are those of one run over all samples."""

    def setUp(self):
        super().setUp()
        self.random = random.Random(3)
        self.samples = self.write("list.txt", "\n".join(SAMPLES) + "\n")
        self.threads = 1

    def turn_threads(self):
        """1 and 2 in turn."""
        self.threads = 3 - self.threads
        return "--threads", self.threads

    def quantize(self, *arguments, model=MODEL):
        """The two files that a run with these arguments writes."""
        self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--validate", 0, "--output_path", "q.onnx",
                             *self.turn_threads(), *arguments, model)
        return (self.work / "q.onnx").read_bytes(), (self.work / "q.encodings.json").read_bytes()

    def observe(self, name, *arguments, options=KEEP_ALL, model=MODEL):
        """Writes statistics; their path."""
        path = self.folder / name
        before = tool_test.tree(self.work)
        self.assert_succeeds("quantize", "--quiet", "--statistics_out", path, *self.turn_threads(), *options,
                             *arguments, model)
        self.assertEqual(tool_test.tree(self.work), before, "a shard wrote more than statistics")
        return path

    def shards(self, count, samples=None, options=KEEP_ALL):
        """Statistics of each shard of a list."""
        samples = samples or self.samples
        return [self.observe(f"{samples.stem}.{i}of{count}.json", "--input_list", samples, "--shard", f"{i}/{count}",
                             options=options) for i in range(count)]

    def lists(self, *sizes):
        """The list as several, one after the other."""
        begin, paths = 0, []
        for size in sizes:
            paths.append(self.write(f"part{begin}.txt", "\n".join(SAMPLES[begin:begin + size]) + "\n"))
            begin += size
        self.assertEqual(begin, len(SAMPLES))
        return paths

    def test_every_split_and_every_estimator(self):
        splits = {f"{n} shards": self.shards(n) for n in (1, 2, 3, 7, len(SAMPLES) + 2)}
        lists = [self.shards(1, part)[0] for part in self.lists(5, 4, 3)]
        in_two = self.shards(2, self.folder / "part5.txt")
        seen = {}
        for number, method in enumerate(ESTIMATORS):
            for grids in ("none", "depthwise"):
                options = ("--act_quantizer_calibration", method, "--act_per_channel", grids)
                want = seen[method, grids] = self.quantize("--input_list", self.samples, *options)
                tried = {name: self.random.sample(files, len(files)) for name, files in splits.items()}
                # Lists keep their order; the shards of one list may come in any.
                tried |= {"lists": lists, "sharded list": [lists[0], *reversed(in_two), lists[2]]}
                if method != "moving-average":  # Three of them, others each time.
                    first = 3 * (2 * number + (grids == "none"))
                    tried = {name: tried[name] for name in (list(tried) * 2)[first % 7:first % 7 + 3]}
                for name, files in tried.items():
                    with self.subTest(method=method, grids=grids, split=name):
                        self.assertEqual(self.quantize("--statistics_in", *files, *options), want)
        encodings = {e for _, e in seen.values()}
        self.assertEqual(len(encodings), len(seen), "estimators or grids that do not differ prove nothing")
        shuffled = self.quantize("--statistics_in", *reversed(lists), "--act_quantizer_calibration", "moving-average")
        self.assertNotEqual(shuffled[1], seen["moving-average", "none"][1], "order of lists does not matter here")

    def test_without_a_shard_quantizes_as_well(self):
        options = ("--input_list", DIGITS / "calib.txt")
        want = self.quantize(*options)
        self.assertEqual(self.quantize(*options, "--statistics_out", "s.json"), want)
        self.assertEqual(self.quantize("--statistics_in", "s.json"), want)

    def test_parts_made_with_default_options(self):
        files = self.shards(2, options=())
        for options in (("--act_quantizer_calibration", "moving-average"),
                        ("--act_quantizer_calibration", "mse"),
                        ("--param_quantizer_calibration", "mse", "--act_bitwidth", 16)):
            with self.subTest(options=options):
                self.assertEqual(self.quantize("--statistics_in", *files, *options),
                                 self.quantize("--input_list", self.samples, *options))

    def test_default_effort_chooses_ranges_from_them(self):
        files = self.shards(2, options=())
        by_channel = ("percentile", "--act_per_channel_calibration", "min-max")
        for options, method in (((), by_channel), (("--effort", "best"), by_channel),
                                (("--scale", "power_of_two"), ("mse",))):
            with self.subTest(options=options):
                run = ("quantize", "--quiet", "--validate", 0, *options, "--output_path")
                self.assert_succeeds(*run, "in.onnx", "--statistics_in", *files, MODEL)
                self.assert_succeeds(*run, "list.onnx", "--input_list", self.samples, "--algorithms", "none",
                                     "--act_quantizer_calibration", *method, MODEL)
                for kind in ("onnx", "encodings.json"):
                    self.assertEqual((self.work / f"in.{kind}").read_bytes(), (self.work / f"list.{kind}").read_bytes())

    def test_rows_of_softmax(self):
        model = DIGITS / "digits_vit_opset17.onnx"
        want = self.quantize("--input_list", self.samples, model=model)
        files = [self.observe(f"{i}.json", "--input_list", self.samples, "--shard", f"{i}/5", options=(), model=model)
                 for i in range(5)]
        self.assertTrue(any("rows" in tensor for tensor in json.loads(files[0].read_text())["tensors"]))
        self.assertEqual(self.quantize("--statistics_in", *reversed(files), model=model), want)

    def test_files_do_not_depend_on_threads(self):
        first, second = (self.observe(name, "--input_list", self.samples, "--shard", "1/3").read_bytes()
                         for name in ("a.json", "b.json"))
        self.assertEqual(first, second)

    def test_by_channel_with_moving_average_must_be_asked_for(self):
        plain = self.shards(2, options=())
        words = ["lack what these options read of tensor", "by channel", "make them again"]
        self.assert_fails(CALIBRATION, words, "quantize", "--statistics_in", *plain, *KEEP_ALL, MODEL)
        # One part has it, the other not.
        full = self.observe("full.json", "--input_list", self.samples, "--shard", "1/2")
        self.assert_fails(CALIBRATION, words, "quantize", "--statistics_in", plain[0], full, *KEEP_ALL, MODEL)

    def test_a_list_counts_once(self):
        whole = self.observe("whole.json", "--input_list", self.samples, "--shard", "0/1")
        copy = self.folder / "copy.json"
        copy.write_bytes(whole.read_bytes())
        for files in ([whole, *self.shards(2)], [*self.shards(2), *self.shards(3)], [whole, copy]):
            self.assert_fails(USAGE, ["count twice"], "quantize", "--statistics_in", *files, MODEL)

    def test_a_shard_writes_nothing_else(self):
        self.assert_fails(USAGE, ["--shard", "--output_path"], "quantize", "--input_list", self.samples, "--shard", "0/2",
                          "--statistics_out", "s.json", "--output_path", "q.onnx", MODEL)

    def test_validation_only_with_a_list(self):
        files = self.shards(2)
        run = ("quantize", "--quiet", "--effort", "fast", "--validate", 5)
        self.assert_succeeds(*run, "--statistics_in", *files, "--output_path", "q.onnx", MODEL)
        report = json.loads((self.work / "q.report.json").read_text())
        self.assertFalse(report.get("outputs"))
        self.assertFalse(report.get("layers"))
        self.assert_succeeds(*run, "--statistics_in", *files, "--input_list", self.samples, "--output_path", "q.onnx",
                             MODEL)
        self.assert_succeeds(*run, "--input_list", self.samples, "--output_path", "r.onnx", MODEL)
        compared, single = (json.loads((self.work / f"{stem}.report.json").read_text()) for stem in "qr")
        self.assertTrue(compared["outputs"])
        for key in ("outputs", "layers"):
            self.assertEqual(compared[key], single[key])


class Errors(tool_test.ToolTest):
    """Each one line, and nothing is written."""

    def setUp(self):
        super().setUp()
        self.model = self.write("model.onnx", tool_test.tiny_model())
        for i in range(3):
            self.write_floats(f"{i}.raw", [v * (i + 1) for v in tool_test.TINY_SAMPLE])
        self.samples = self.write("list.txt", "0.raw\n1.raw\n2.raw\n")
        self.parts = [self.observe(f"s{i}.json", "--shard", f"{i}/2") for i in range(2)]

    def observe(self, name, *options, model=None):
        path = self.folder / name
        outputs = () if "--shard" in options else ("--output_path", self.folder / "o.onnx")
        self.assert_succeeds("quantize", "--quiet", "--input_list", self.samples, "--statistics_out", path, *outputs,
                             *options, model or self.model)
        return path

    def check(self, code, words, *files, options=()):
        self.assert_fails(code, words, "quantize", "--statistics_in", *files, *options, self.model)

    def test_shards_are_whole(self):
        self.check(USAGE, ["shards 1/2 of", "list.txt are missing"], self.parts[0])
        copy = self.write("copy.json", self.parts[0].read_bytes())
        self.check(USAGE, ["copy.json", "s0.json", "both shard 0/2 of", "list.txt"], *self.parts, copy)
        self.check(USAGE, ["s0.json is given twice"], *self.parts, self.parts[0])
        self.check(USAGE, ["s1.json is given twice"], *self.parts, self.folder / "." / ".." / "in" / "s1.json")
        of_many = self.observe("m.json", "--shard", "7/1000000")
        self.check(USAGE, ["0/1000000, 1/1000000", "..."], of_many)

    def test_other_model(self):
        weights = wire.tensor("w", [3, 2, 3, 3], [(i % 5 - 2) / 4 + (i == 53) * 1e-6 for i in range(54)])
        other = self.write("other.onnx", tool_test.tiny_model(
            initializers=[weights, wire.tensor("b", [3], [0.1, -0.2, 0.3])]))
        self.assert_fails(USAGE, ["s0.json: statistics of another model"], "quantize", "--statistics_in", *self.parts,
                          other)
        foreign = self.observe("foreign.json", "--shard", "1/2", model=other)
        self.check(USAGE, ["foreign.json and", "s0.json", "different models", "other.onnx"], self.parts[0], foreign)
        self.assert_fails(USAGE, ["s0.json", "other inputs"], "quantize", "--statistics_in", *self.parts, MODEL)

    def test_other_version(self):
        text = self.parts[1].read_text()
        old = self.write("old.json", text.replace('"version":"', '"version":"0.0.', 1))
        self.check(USAGE, ["old.json: statistics of halfstep 0.0."], self.parts[0], old)
        layout = self.write("layout.json", text.replace('"schema_version": 1', '"schema_version": 9'))
        self.check(BAD_FILE, ["layout.json: statistics of layout version 9"], self.parts[0], layout)

    def test_other_tensors(self):
        data = self.parts[1].read_text()
        less = self.write("less.json", data.replace('"name":"y"', '"name":"z"'))
        self.assertNotEqual(less.read_text(), data)
        self.check(USAGE, ["less.json and", "different sets of tensors"], self.parts[0], less)
        shape = self.write("shape.json", data.replace("[1,2,4,4]", "[1,2,4,5]"))
        self.check(USAGE, ["different input shapes"], self.parts[0], shape)
        self.check(USAGE, ["shape.json", "other inputs"], self.write("shape.json", shape.read_text().replace(
            '"index":1,"count":2', '"index":0,"count":1')))

    def test_broken_files(self):
        data = self.parts[1].read_bytes()
        for size in (0, 1, len(data) // 2, len(data) - 3):
            with self.subTest(size=size):
                self.check(BAD_FILE, ["cut.json", "is the file whole?"], self.parts[0],
                           self.write("cut.json", data[:size]))
        self.check(BAD_FILE, ["model.onnx"], self.model)
        self.check(BAD_FILE, ["list.txt"], self.samples)
        self.check(BAD_FILE, ["absent.json", "No such file"], self.folder / "absent.json")
        self.check(BAD_FILE, ["s0.json", "'x'"],
                   self.write("s0.json", self.parts[0].read_text().replace('"bins":4096', '"bins":64')))

    def test_options_that_contradict_each_other(self):
        run = ("quantize", "--input_list", self.samples)
        self.assert_fails(USAGE, ["--shard", "--statistics_out"], *run, "--shard", "0/2", self.model)
        self.assert_fails(USAGE, ["--shard"], "quantize", "--statistics_in", *self.parts, "--shard", "0/2", self.model)
        self.check(USAGE, ["--statistics_out", "--statistics_in"], *self.parts, options=("--statistics_out", "o.json"))
        self.assert_fails(USAGE, ["--input_list", "--statistics_in"], "quantize", self.model)
        self.assert_fails(USAGE, ["--input_list"], "quantize", "--shard", "0/2", "--statistics_out", "o.json",
                          self.model)
        for statistics in (("--statistics_in", *self.parts), ("--statistics_out", "o.json")):
            self.assert_fails(USAGE, ["--search runs samples", statistics[0]], *run, *statistics, "--search",
                              "true", self.model)
            self.assert_fails(USAGE, ["--algorithms run samples", statistics[0]], *run, *statistics, "--algorithms",
                              "round", self.model)
        for text in ("3/3", "4/3", "-1/2", "1", "a/b", "1/", "/2", "0/0", "1/2/3", "1.0/2", " 0/2",
                     "0/99999999999999999999"):
            with self.subTest(text=text):
                self.assert_fails(USAGE, ["shard"], *run, "--statistics_out", "o.json", f"--shard={text}", self.model)

    def test_outputs_over_inputs(self):
        for path in (self.model, self.samples):
            before = path.read_bytes()
            for shard in ((), ("--shard", "0/2")):
                with self.subTest(path=path.name, shard=shard):
                    self.assert_fails(USAGE, [path.name], "quantize", "--input_list", self.samples,
                                      "--statistics_out", path, *shard, self.model)
            self.assertEqual(path.read_bytes(), before)
        self.check(USAGE, ["s0.json"], *self.parts, options=("--report", self.parts[0]))

    def test_disk_is_full(self):
        run = ("quantize", "--input_list", self.samples)
        for shard in ((), ("--shard", "0/2")):
            with self.subTest(shard=shard):
                self.assert_fails(BAD_FILE, ["/dev/full", "No space left"], *run, "--statistics_out", "/dev/full",
                                  *shard, self.model)
                self.assert_fails(BAD_FILE, ["nowhere/s.json"], *run, "--statistics_out", "nowhere/s.json", *shard,
                                  self.model)
        for outputs in (("--output_path", "/dev/full", "--encodings_out", "e.json", "--report", "r.json"),
                        ("--report", "/dev/full")):
            self.assert_fails(BAD_FILE, ["/dev/full", "No space left"], *run, "--statistics_out", "s.json", *outputs,
                              self.model)
        # The folder is looked at before the long work, which would stop at the NaN.
        self.write_floats("0.raw", [float("nan")] * 32)
        self.assert_fails(BAD_FILE, ["nowhere/s.json"], *run, "--statistics_out", "nowhere/s.json", "--shard", "0/2",
                          self.model)
        self.assert_fails(CALIBRATION, ["NaN", "list.txt:1"], *run, "--statistics_out", "s.json", "--shard", "0/2",
                          self.model)

    def test_disk_full_in_the_middle(self):
        self.assert_fails(BAD_FILE, ["s.json"], "quantize", "--input_list", self.samples, "--statistics_out", "s.json",
                          "--shard", "0/2", self.model,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))


if __name__ == "__main__":
    tool_test.main()
