"""half_precision_test.py: what stands beside half precision: biases that algorithms add, integers that are cast, indices
that are no real numbers, sizes of Resize."""

import onnx_wire as wire
from onnx_read import Model
from overrides_case import OverridesTest, values

INT64, FLOAT = 7, 1


class HalfPrecision(OverridesTest):
    """Models that ONNX Runtime would refuse if one operand had another type."""

    def small_model(self, nodes, outputs, constants):
        graph = wire.graph(nodes, [wire.value_info("x", [1, 2, 8, 8])], outputs, constants)
        return self.write("small.onnx", wire.model(graph, opset=13, ir_version=8))

    def files(self, mode, *what):
        folder = self.work / "results"
        self.assert_succeeds("quantize-run", "--quiet", "--mode", mode, "--input_list", self.samples, "--output_dir",
                             folder, *what)
        return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.raw"))
                if not path.name.endswith(".codes.raw")}

    def test_a_bias_that_correction_adds_has_the_type_of_its_layer(self):
        model = self.small_model(
            [wire.node("Conv", ["x", "w"], ["c"], name="conv"), wire.node("Conv", ["c", "v"], ["y"], name="last")],
            [wire.value_info("y", [1, 2, 8, 8])],
            [wire.tensor("w", [2, 2, 1, 1], values(4)), wire.tensor("v", [2, 2, 1, 1], values(4, 0.3))])
        sample = self.write_floats("two.raw", [(i * 31 % 127) / 60 - 1 for i in range(128)])
        self.samples.write_text(self.samples.read_text() + f"{sample}\n" * 3)
        self.quantize("--effort", "default", "--exclude_nodes", "conv", "--float_bitwidth", 16, model=model)
        conv = self.file().producer("c")
        for operand in conv.inputs[1:]:
            self.assertEqual(self.file().constants[operand], "float16", operand)

    def test_indices_are_not_rounded(self):
        model = self.small_model(
            [wire.node("Flatten", ["x"], ["f"], name="flatten"),
             wire.node("TopK", ["f", "k"], ["best", "where"], name="top")],
            [wire.value_info("best", [1, 3]), wire.value_info("where", [1, 3], INT64)],
            [wire.tensor("k", [1], [3], INT64)])
        self.quantize("--exclude_op_types", "TopK", "--float_bitwidth", 16, model=model)
        expected = self.files("simulated", "q.onnx")["where.raw"]
        self.assertNotEqual(expected, bytes(len(expected)))
        self.assertEqual(self.files("fixed", "q.onnx")["where.raw"], expected)

    def test_integers_are_cast_to_half(self):
        model = self.small_model(
            [wire.node("ArgMax", ["x"], ["i"], name="argmax", axis=1, keepdims=1),
             wire.node("Cast", ["i"], ["r"], name="cast", to=FLOAT),
             wire.node("Add", ["r", "k"], ["y"], name="add")],
            [wire.value_info("y", [1, 1, 8, 8])], [wire.tensor("k", [1], [0.3])])
        self.quantize("--exclude_nodes", "add", "cast", "--float_bitwidth", 16, model=model)
        casts = {source: to for source, _, to in self.file().casts()}
        self.assertEqual(casts["i"], "float16")
        self.assertEqual(self.files("simulated", "q.onnx"), self.files("fixed", "q.onnx"))

    def test_sizes_of_resize_stay_float32(self):
        model = self.small_model(
            [wire.node("Resize", ["x", "", "scales"], ["y"], name="resize")], [wire.value_info("y", [1, 2, 16, 16])],
            [wire.tensor("scales", [4], [1.0, 1.0, 2.0, 2.0])])
        self.quantize("--float_bitwidth", 16, model=model, samples=False)
        file = Model((self.work / "q.onnx").read_bytes())
        resize = next(node for node in file.nodes if node.op_type == "Resize")
        self.assertEqual(file.constants[resize.inputs[2]], "float32")
        self.assertEqual({to for _, _, to in file.casts()}, {"float16", "float32"})


if __name__ == "__main__":
    import tool_test
    tool_test.main()
