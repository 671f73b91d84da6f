"""broken_files_test.py: models and external data that can't be read, outputs that can't be written."""

import os
import resource
import signal
import subprocess

import onnx_wire as wire
import tool_test
from tool_test import BAD_FILE, USAGE


class BrokenPaths(tool_test.ToolTest):
    """Models that are not readable files."""

    def check(self, words, model):
        """Every tool says so."""
        samples = self.write_list()
        self.assert_fails(BAD_FILE, words, "quantize", "--input_list", samples, model)
        self.assert_fails(BAD_FILE, words, "quantize-inspect", model)
        self.assert_fails(BAD_FILE, words, "quantize-run", "--input_list", samples, "--output_dir", "results", model)
        self.assert_fails(BAD_FILE, words, "quantize-eval", "--input_list", samples, model, model)

    def test_missing(self):
        self.check(["absent.onnx", "No such file"], self.folder / "absent.onnx")

    def test_folder(self):
        self.check([str(self.folder)], self.folder)

    def test_device(self):
        self.check(["/dev/zero"], "/dev/zero")

    def test_dangling_link(self):
        link = self.folder / "link.onnx"
        link.symlink_to("nowhere.onnx")
        self.check(["link.onnx"], link)

    def test_path_longer_than_paths_can_be(self):
        self.check(["cannot be read"], "/" + "d" * 300 + "/model.onnx")

    def test_below_a_file(self):
        self.write("file", b"")
        self.check(["file/model.onnx"], self.folder / "file" / "model.onnx")


class BrokenExternalData(tool_test.ToolTest):
    """The tiny model's weight, 216 bytes, in a file that does not serve."""

    def check(self, words, **entries):
        """The message names the weight."""
        weight = wire.external_tensor("w", [3, 2, 3, 3], **entries)
        bias = tool_test.tiny_graph()["initializer"][1]
        model = self.write("model/model.onnx", tool_test.tiny_model(initializers=[weight, bias]))
        samples = self.write_list()
        self.assert_fails(BAD_FILE, ["'w'", *words], "quantize", "--input_list", samples, model)
        self.assert_fails(BAD_FILE, ["'w'", *words], "quantize-inspect", model)

    def test_missing_file(self):
        self.check(["weights.bin"], location="weights.bin")

    def test_no_location(self):
        self.check(["external data"], offset="0")

    def test_empty_location(self):
        self.check([], location="")

    def test_climbs_out(self):
        self.write("secret.bin", bytes(216))
        self.check(["../secret.bin"], location="../secret.bin")

    def test_climbs_out_in_the_middle(self):
        self.write("secret.bin", bytes(216))
        (self.folder / "model" / "sub").mkdir(parents=True)
        self.check(["secret.bin"], location="sub/../../secret.bin")

    def test_absolute(self):
        self.check(["absolute"], location=str(self.write("model/weights.bin", bytes(216))))

    def test_link_out_of_the_folder(self):
        secret = self.write("secret.bin", bytes(216))
        (self.folder / "model").mkdir()
        (self.folder / "model" / "weights.bin").symlink_to(secret)
        self.check(["weights.bin", "link"], location="weights.bin")

    def test_linked_folder(self):
        self.write("outside/weights.bin", bytes(216))
        (self.folder / "model").mkdir()
        (self.folder / "model" / "sub").symlink_to(self.folder / "outside")
        self.check(["sub/weights.bin"], location="sub/weights.bin")

    def test_is_a_folder(self):
        (self.folder / "model" / "sub").mkdir(parents=True)
        self.check(["sub"], location="sub")

    def test_is_a_pipe(self):
        (self.folder / "model").mkdir()
        os.mkfifo(self.folder / "model" / "pipe.bin")
        self.check(["pipe.bin"], location="pipe.bin")

    def test_file_too_short(self):
        self.write("model/weights.bin", bytes(215))
        self.check(["weights.bin"], location="weights.bin")

    def test_length_beyond_the_file(self):
        self.write("model/weights.bin", bytes(216))
        self.check(["weights.bin"], location="weights.bin", offset="16", length="216")

    def test_length_disagrees_with_the_shape(self):
        self.write("model/weights.bin", bytes(216))
        self.check(["100", "216"], location="weights.bin", length="100")

    def test_offset_overflows(self):
        self.write("model/weights.bin", bytes(216))
        self.check([], location="weights.bin", offset="18446744073709551600", length="216")

    def test_offset_negative(self):
        self.write("model/weights.bin", bytes(216))
        self.check(["-16"], location="weights.bin", offset="-16")

    def test_offset_not_a_number(self):
        self.write("model/weights.bin", bytes(216))
        self.check(["twelve"], location="weights.bin", offset="twelve")


class BrokenOutputs(tool_test.ToolTest):
    """Folders and disks that take no files: nothing is left behind, and older files stay."""

    def setUp(self):
        super().setUp()
        self.model = self.write("model.onnx", tool_test.tiny_model())
        self.samples = self.write_list()

    def check(self, words, *options, code=BAD_FILE, **how):
        """quantize fails."""
        self.assert_fails(code, words, "quantize", "--quiet", "--input_list", self.samples, *options, self.model,
                          **how)

    def test_folder_missing(self):
        self.check(["absent/q."], "--output_path", "absent/q.onnx")

    def test_folder_is_a_file(self):
        self.write("file", b"")
        self.check(["file/q."], "--output_path", self.folder / "file" / "q.onnx")

    def test_folder_takes_no_files(self):
        self.check(["/proc/q."], "--output_path", "/proc/q.onnx")

    def test_output_is_a_folder(self):
        self.check([str(self.folder)], "--output_path", self.folder)

    def test_encodings_cannot_be_written(self):
        self.check(["/proc/e.json"], "--encodings_out", "/proc/e.json")

    def test_report_cannot_be_written(self):
        self.check(["/proc/r.json"], "--report", "/proc/r.json")

    def test_report_on_a_full_disk(self):
        self.check(["/dev/full", "No space left"], "--report", "/dev/full")

    def test_model_on_a_full_disk(self):
        self.check(["/dev/full", "No space left"], "--output_path", "/dev/full", "--encodings_out", "e.json",
                   "--report", "r.json")

    def test_disk_full_in_the_middle(self):
        def limit_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

        self.check(["File too large"], "--effort", "fast", "--output_path", "q.onnx", preexec_fn=limit_files)

    def test_older_files_survive(self):
        (self.work / "model.quantized.onnx").write_bytes(b"precious")
        self.check(["/proc/r.json"], "--report", "/proc/r.json")
        self.assertEqual((self.work / "model.quantized.onnx").read_bytes(), b"precious")

    def test_outputs_are_tried_before_the_long_work(self):
        # Calibration would stop at the NaN; the folder is looked at first.
        self.write_floats("nan.raw", [float("nan")] * 32)
        self.samples = self.write_list("x.raw\nnan.raw\n")
        self.check(["absent"], "--output_path", "absent/q.onnx")
        self.check(["/proc/r.json"], "--report", "/proc/r.json")

    def test_output_is_the_model(self):
        before = self.model.read_bytes()
        self.check(["model.onnx"], "--output_path", self.model, code=USAGE)
        self.assertEqual(self.model.read_bytes(), before)

    def test_output_is_the_model_through_a_link(self):
        (self.work / "link.onnx").symlink_to(self.model)
        self.check(["link.onnx"], "--output_path", "link.onnx", code=USAGE)

    def test_output_is_the_list(self):
        self.check(["list.txt"], "--report", self.samples, code=USAGE)

    def test_two_outputs_in_one_file(self):
        self.check(["both.json"], "--report", "both.json", "--encodings_out", "both.json", code=USAGE)

    def test_two_outputs_in_one_file_spelled_differently(self):
        self.check(["both.json"], "--report", "both.json", "--encodings_out", "./both.json", code=USAGE)

    def test_standard_output_is_full(self):
        with open("/dev/full", "wb") as full:
            finished = self.run_tool("quantize-inspect", self.model, stdout=full)
        self.assertEqual(finished.code, BAD_FILE, finished)
        self.assertIn("error: standard output", finished.stderr)

    def test_a_reader_that_leaves_is_no_error(self):
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "wb") as pipe:
            finished = self.run_tool("quantize-inspect", self.model, stdout=pipe)
        self.assertEqual(finished.stderr, "")

    def test_run_results_below_a_file(self):
        self.write("file", b"")
        self.assert_fails(BAD_FILE, ["file"], "quantize-run", "--quiet", "--input_list", self.samples, "--output_dir",
                          self.folder / "file", self.model)

    def test_run_results_where_no_folder_can_be(self):
        self.assert_fails(BAD_FILE, ["/proc/results"], "quantize-run", "--quiet", "--input_list", self.samples,
                          "--output_dir", "/proc/results", self.model)

    def test_run_results_on_a_full_disk(self):
        def limit_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

        finished = self.run_tool("quantize-run", "--quiet", "--input_list", self.samples, "--output_dir", "results",
                                 self.model, preexec_fn=limit_files)
        self.assertEqual(finished.code, BAD_FILE, finished)
        self.assertIn("y.raw", finished.stderr)
        self.assertEqual([p for p in self.work.rglob("*") if p.is_file()], [])

    def test_eval_report_cannot_be_written(self):
        encodings = self.write("e.json", '{"version": "0.6.1", "activation_encodings": {}, "param_encodings": {}}')
        for report in ("/dev/full", "/proc/r.json"):
            self.assert_fails(BAD_FILE, [report], "quantize-eval", "--quiet", "--input_list", self.samples,
                              "--encodings", encodings, "--report", report, self.model)

    def test_interrupted_evaluation_leaves_nothing(self):
        encodings = self.write("e.json", '{"version": "0.6.1", "activation_encodings": {}, "param_encodings": {}}')
        many = self.write_list("x.raw\n" * 200000, "many.txt")
        for signal_sent in (signal.SIGINT, signal.SIGTERM):
            command = [os.path.join(self.tools_folder, "quantize-eval"), "--quiet", "--input_list", str(many),
                       "--encodings", str(encodings), "--report", "r.json", str(self.model)]
            process = subprocess.Popen(command, cwd=self.work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with self.assertRaises(subprocess.TimeoutExpired, msg="too short a run to interrupt"):
                process.wait(timeout=1)
            process.send_signal(signal_sent)
            process.wait(timeout=tool_test.TIMEOUT_SECONDS)
            self.assertEqual(tool_test.tree(self.work), [])


if __name__ == "__main__":
    tool_test.main()
