"""broken_samples_test.py: sample lists, sample files and labels that are wrong or do not fit the model."""

import struct

import onnx_wire as wire
import tool_test
from tool_test import BAD_FILE, CALIBRATION, USAGE


def npy(dims="(1, 2, 4, 4)", descr="<f4", order="False", data=bytes(128), version=b"\x01\x00"):
    """A .npy file."""
    header = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {dims}, }}\n".encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + data


class BrokenSamples(tool_test.ToolTest):
    """quantize and quantize-run with the tiny model, or one of two inputs."""

    def setUp(self):
        super().setUp()
        self.model = self.write("model.onnx", tool_test.tiny_model())

    def check(self, code, words, text, model=None, *options):
        """A list of this text fails in quantize and quantize-run alike."""
        samples = self.write_list(text)
        model = model or self.model
        self.assert_fails(code, words, "quantize", "--quiet", "--input_list", samples, *options, model)
        self.assert_fails(code, words, "quantize-run", "--quiet", "--input_list", samples, "--output_dir", "results",
                          *options, model)

    def two_inputs(self):
        """A model of the inputs 'left' and 'right', both float32[8]."""
        return self.write("two.onnx", wire.model(wire.graph(
            [wire.node("Add", ["left", "right"], ["y"])],
            [wire.value_info("left", [8]), wire.value_info("right", [8])], [wire.value_info("y")])))

    def dynamic(self):
        """A model of one input float32[n, 2, h, w]."""
        return self.write("dynamic.onnx", tool_test.tiny_model(inputs=[wire.value_info("x", ["n", 2, "h", "w"])]))

    # Lists.

    def test_missing_list(self):
        self.assert_fails(BAD_FILE, ["nowhere.txt"], "quantize", "--input_list", "nowhere.txt", self.model)

    def test_list_is_a_folder(self):
        self.assert_fails(BAD_FILE, [str(self.folder)], "quantize", "--input_list", self.folder, self.model)

    def test_empty_list(self):
        self.check(BAD_FILE, ["list.txt", "no samples"], "")

    def test_list_of_blank_lines(self):
        self.check(BAD_FILE, ["list.txt", "no samples"], "\n\r\n   \n")

    def test_list_with_only_output_lines(self):
        self.check(BAD_FILE, ["list.txt", "no samples"], "%y\n#relu\n")

    def test_binary_list(self):
        self.check(BAD_FILE, ["list.txt"], b"\x00\x01\x02\xff" * 64)

    def test_missing_sample_file(self):
        self.check(BAD_FILE, ["list.txt:2", "absent.raw"], "x.raw\nabsent.raw\n")

    def test_missing_sample_says_where_it_looked(self):
        self.check(BAD_FILE, [str(self.folder), str(self.work)], "absent.raw\n")

    def test_sample_is_a_folder(self):
        (self.folder / "sub").mkdir()
        self.check(BAD_FILE, ["list.txt:1", "sub"], "sub\n")

    def test_open_quote(self):
        self.check(BAD_FILE, ["list.txt:1", "quote"], '"x.raw\n')

    def test_too_many_files(self):
        self.check(BAD_FILE, ["list.txt:1", "2"], "x.raw x.raw\n")

    def test_missing_input(self):
        self.write_floats("a.raw", [1] * 8)
        self.check(BAD_FILE, ["list.txt:1", "'right'"], "left:=a.raw\n", self.two_inputs())

    def test_unknown_input_name(self):
        self.write_floats("a.raw", [1] * 8)
        self.check(BAD_FILE, ["list.txt:1", "'rihgt'", "'right'"], "left:=a.raw rihgt:=a.raw\n", self.two_inputs())

    def test_same_name_twice(self):
        self.write_floats("a.raw", [1] * 8)
        self.check(BAD_FILE, ["list.txt:1", "'left'"], "left:=a.raw left:=a.raw\n", self.two_inputs())

    def test_named_and_unnamed_mixed(self):
        self.write_floats("a.raw", [1] * 8)
        self.check(BAD_FILE, ["list.txt:1", "name"], "left:=a.raw a.raw\n", self.two_inputs())

    def test_name_without_file(self):
        self.check(BAD_FILE, ["list.txt:1", "':='"], "x:=\n")

    def test_unknown_output_tensor(self):
        samples = self.write_list("%nothing\nx.raw\n")
        self.assert_fails(USAGE, ["'nothing'"], "quantize-run", "--input_list", samples, "--output_dir", "results",
                          self.model)

    def test_unknown_output_layer(self):
        samples = self.write_list("#rleu\nx.raw\n")
        self.assert_fails(USAGE, ["'rleu'", "'relu'"], "quantize-run", "--input_list", samples, "--output_dir",
                          "results", self.model)

    def test_unknown_outputs_are_an_error_for_tools_that_do_not_use_them(self):
        quantized = self.folder / "q.onnx"
        self.assert_succeeds("quantize", "--input_list", self.write_list(), "--validate", "0", "--output_path", quantized,
                             self.model)
        for text, words in (("#rleu\nx.raw\n", ["layer 'rleu'", "'relu'"]), ("%nothing\nx.raw\n", ["tensor 'nothing'"])):
            samples = self.write_list(text)
            self.assert_fails(USAGE, words, "quantize", "--quiet", "--input_list", samples, self.model)
            self.assert_fails(USAGE, words, "quantize-eval", "--quiet", "--input_list", samples, self.model, quantized)

    def test_output_line_behind_samples(self):
        self.check(BAD_FILE, ["list.txt:2", "before the first sample"], "x.raw\n%y\n")

    # Raw files.

    def test_short_sample(self):
        self.write_floats("short.raw", [0.5] * 31)
        self.check(BAD_FILE, ["list.txt:2", "'x'", "short.raw", "124", "128"], "x.raw\nshort.raw\n")

    def test_long_sample(self):
        self.write_floats("long.raw", [0.5] * 33)
        self.check(BAD_FILE, ["list.txt:1", "'x'", "long.raw", "132", "128"], "long.raw\n")

    def test_empty_sample(self):
        self.write("empty.raw", b"")
        self.check(BAD_FILE, ["list.txt:1", "empty.raw"], "empty.raw\n")

    def test_sample_in_another_type_gets_a_hint(self):
        self.write("bytes.raw", bytes(32))
        self.check(BAD_FILE, ["32", "128", "uint8"], "bytes.raw\n")

    def test_two_unknown_extents(self):
        self.check(USAGE, ["--input_dim"], "x.raw\n", self.dynamic())

    def test_unknown_extent_no_size_fits(self):
        self.write_floats("odd.raw", [0.5] * 33)
        model = self.write("batch.onnx", tool_test.tiny_model(inputs=[wire.value_info("x", ["n", 2, 4, 4])]))
        self.check(BAD_FILE, ["list.txt:1", "132", "128"], "odd.raw\n", model)

    def test_input_dim_contradicts_the_model(self):
        self.check(USAGE, ["--input_dim", "x"], "x.raw\n", None, "--input_dim", "x", "1,3,4,4")

    def test_input_dim_contradicts_the_sample(self):
        self.check(BAD_FILE, ["list.txt:1", "128"], "x.raw\n", self.dynamic(), "--input_dim", "x", "1,2,8,8")

    def test_input_dim_huge(self):
        self.check(USAGE, ["--input_dim", "x"], "x.raw\n", self.dynamic(), "--input_dim", "x",
                   "9223372036854775807,2,9223372036854775807,4")

    # Numbers.

    def check_number(self, number, word):
        """A sample that holds this number at its sixth element."""
        self.write_floats("bad.raw", [0.5] * 5 + [number] + [0.5] * 26)
        samples = self.write_list("x.raw\nbad.raw\n")
        self.assert_fails(CALIBRATION, ["list.txt:2", word, "'x'"], "quantize", "--quiet", "--input_list", samples,
                          self.model)

    def test_nan_in_a_sample(self):
        self.check_number(float("nan"), "NaN")

    def test_infinity_in_a_sample(self):
        self.check_number(float("-inf"), "inf")

    def test_bool_input_of_other_bytes(self):
        self.write("mask.raw", bytes([0, 1, 7, 1]))
        model = self.write("mask.onnx", wire.model(wire.graph(
            [wire.node("Not", ["m"], ["n"]), wire.node("Cast", ["n"], ["y"], to=1)],
            [wire.value_info("m", [4], wire.BOOL)], [wire.value_info("y")])))
        self.check(BAD_FILE, ["list.txt:1", "mask.raw", "bool"], "mask.raw\n", model)

    # .npy files.

    def check_npy(self, words, content):
        """One .npy sample."""
        self.write("x.npy", content)
        self.check(BAD_FILE, ["list.txt:1", "x.npy", *words], "x.npy\n")

    def test_npy_dtype(self):
        # 2^24 + 1 is no float32; integers that are would be taken.
        self.check_npy(["i4", "float32"], npy(descr="<i4", data=b"\x01\x00\x00\x01" * 32))

    def test_npy_big_endian(self):
        self.check_npy([">f4"], npy(descr=">f4"))

    def test_npy_shape(self):
        self.check_npy(["[1, 2, 4, 4]", "[1, 4, 4, 2]"], npy("(1, 4, 4, 2)"))

    def test_npy_rank(self):
        self.check_npy(["[32]"], npy("(32,)"))

    def test_npy_negative_extent(self):
        self.check_npy([], npy("(1, -2, 4, 4)"))

    def test_npy_huge_shape(self):
        self.check_npy([], npy("(9999999999999, 9999999999999, 4, 4)"))

    def test_npy_truncated_header(self):
        self.check_npy(["header"], npy()[:30])

    def test_npy_truncated_data(self):
        self.check_npy(["128"], npy(data=bytes(127)))

    def test_npy_data_too_long(self):
        self.check_npy(["128"], npy(data=bytes(132)))

    def test_npy_magic(self):
        self.check_npy(["not a .npy"], b"\x93NUMPZ" + npy()[6:])

    def test_npy_version(self):
        self.check_npy(["version"], npy(version=b"\x09\x00"))

    def test_npy_malformed_header(self):
        self.check_npy(["header"], npy("(1, 2, 4, 4"))

    def test_npy_objects(self):
        self.check_npy(["|O"], npy(descr="|O"))

    def test_npy_fortran_order_of_a_cut_file(self):
        self.check_npy([], npy(order="True", data=bytes(64)))


class BrokenLabels(tool_test.ToolTest):
    """quantize-eval with labels that do not fit."""

    def check(self, words, labels):
        """Labels of this text for two samples."""
        nodes = [*tool_test.tiny_graph()["node"], wire.node("Flatten", ["y"], ["scores"])]
        model = self.write("model.onnx", tool_test.tiny_model(nodes=nodes, outputs=[wire.value_info("scores")]))
        samples = self.write_list("x.raw\nx.raw\n")
        encodings = self.write("e.json", '{"version": "0.6.1", "activation_encodings": {}, "param_encodings": {}}')
        path = self.write("labels.txt", labels)
        self.assert_fails(BAD_FILE, words, "quantize-eval", "--quiet", "--input_list", samples,
                          "--labels", path, "--encodings", encodings, "--report", "r.json", model)

    def test_count(self):
        self.check(["labels.txt", "3 labels", "2 samples"], "1\n2\n0\n")

    def test_not_a_number(self):
        self.check(["labels.txt:2", "cat"], "1\ncat\n")

    def test_negative(self):
        self.check(["labels.txt:1", "-1"], "-1\n1\n")

    def test_too_large(self):
        self.check(["labels.txt:2"], "1\n99999999999999999999\n")

    def test_two_on_a_line(self):
        self.check(["labels.txt:1"], "1 2\n3\n")

    def test_empty(self):
        self.check(["labels.txt", "no labels"], "")

    def test_class_the_model_does_not_have(self):
        self.check(["70000", "48 classes"], "1\n70000\n")


if __name__ == "__main__":
    tool_test.main()
