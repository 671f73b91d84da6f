"""edge_values_test.py: models whose values lie at the edges of float32 or of their grids."""

import json
import math
import struct

import onnx_wire as wire
import tool_test

LOWEST = -3.4028234663852886e38  # The lowest float32 number, which exporters take for minus infinity.


class HugeMasks(tool_test.ToolTest):
    """Softmax(x W + (1 - mask) * LOWEST)."""

    def model(self):
        nodes = [wire.node("MatMul", ["x", "w"], ["scores"]), wire.node("Sub", ["one", "mask"], ["hidden"]),
                 wire.node("Mul", ["hidden", "lowest"], ["penalty"]),
                 wire.node("Add", ["scores", "penalty"], ["masked"]), wire.node("Softmax", ["masked"], ["y"], axis=-1)]
        weights = wire.tensor("w", [4, 6], [(i * 7 % 11 - 5) / 5 for i in range(24)])
        return wire.model(wire.graph(
            nodes, [wire.value_info("x", [1, 4]), wire.value_info("mask", [1, 6])], [wire.value_info("y")],
            [weights, wire.tensor("one", [], [1.0]), wire.tensor("lowest", [], [LOWEST])]))

    def outputs(self, mode):
        self.assert_succeeds("quantize-run", "--quiet", "--input_list", self.samples, "--mode", mode, "--output_dir",
                             mode, "--dump_tensors", "all", "q.onnx")
        values = {}
        for file in sorted((self.work / mode).rglob("*.raw")):
            if not file.name.endswith(".codes.raw"):
                data = file.read_bytes()
                values[file.name] = struct.unpack(f"<{len(data) // 4}f", data)
        return values

    def test_every_grid_keeps_finite_ends(self):
        model = self.write("m.onnx", self.model())
        self.write_floats("x.raw", [0.5, -1.0, 2.0, 0.25])
        self.write_floats("mask.raw", [1, 1, 1, 1, 0, 0])
        self.samples = self.write("list.txt", "x:=x.raw mask:=mask.raw\n")
        power_of_two = ["--scale", "power_of_two", "--act_quantizer_schema"]
        for options in ([], ["--act_bitwidth", "16"], ["--act_quantizer_schema", "symmetric"],
                        ["--act_bitwidth", "16", "--act_quantizer_schema", "symmetric"],
                        [*power_of_two, "symmetric"], [*power_of_two, "symmetric", "--act_bitwidth", "16"],
                        [*power_of_two, "unsignedsymmetric"]):
            with self.subTest(options=options):
                self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--input_list", self.samples,
                                     "--output_path", "q.onnx", "--encodings_version", "0.6.1", *options, model)
                entries = json.loads((self.work / "q.encodings.json").read_text())["activation_encodings"]
                for name, (entry,) in entries.items():
                    for end in ("min", "max"):
                        self.assertLessEqual(abs(entry[end]), -LOWEST, f"{end} of {name}")
                for mode in ("simulated", "fixed"):
                    for name, values in self.outputs(mode).items():
                        self.assertTrue(all(map(math.isfinite, values)), f"{name} in mode {mode}: {values}")


class LeavingTheInputsRange(tool_test.ToolTest):
    """Operators that move data, but whose output holds values that the grid of their input does not."""

    def assert_close(self, nodes, constants, min_sqnr_db, options=()):
        """Quantizes x [1, 2, 8, 8] -> Relu -> `nodes` -> y; the SQNR of y in fixed point is at least `min_sqnr_db`."""
        values = [math.sin(0.7 * i) * 6 for i in range(128)]
        self.write_floats("x.raw", values)
        samples = self.write("list.txt", "x.raw\n")
        model = self.write("m.onnx", wire.model(wire.graph(
            [wire.node("Relu", ["x"], ["r"]), *nodes], [wire.value_info("x", [1, 2, 8, 8])], [wire.value_info("y")],
            constants)))
        finished = self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--input_list", samples,
                                        "--output_path", "q.onnx", *options, model)
        report = json.loads((self.work / "q.report.json").read_text())
        self.assertGreater(report["outputs"][0]["sqnr_db"], min_sqnr_db, finished)
        return finished

    def pad(self):
        return [wire.node("Pad", ["r", "pads", "fill"], ["y"])], [
            wire.tensor("pads", [8], [0, 0, 1, 1, 0, 0, 1, 1], wire.INT64)]

    def test_pad_with_a_value_outside_the_grid(self):
        for fill in (-1.0, -6.0, 20.0):
            nodes, constants = self.pad()
            with self.subTest(fill=fill):
                self.assert_close(nodes, [*constants, wire.tensor("fill", [], [fill])], 38)

    def test_pad_before_a_convolution(self):
        nodes, constants = self.pad()
        nodes[0] = wire.node("Pad", ["r", "pads", "fill"], ["padded"])
        kernel = wire.tensor("w", [3, 2, 3, 3], [math.cos(i) for i in range(54)])
        self.assert_close([*nodes, wire.node("Conv", ["padded", "w"], ["y"])],
                          [*constants, kernel, wire.tensor("fill", [], [-1.0])], 30)

    def test_padding_with_zero_shares_the_grid(self):
        nodes, constants = self.pad()
        self.assert_close(nodes, [*constants, wire.tensor("fill", [], [0.0])], 38,
                          ["--encodings_version", "0.6.1"])
        entries = json.loads((self.work / "q.encodings.json").read_text())["activation_encodings"]
        self.assertEqual(entries["r"], entries["y"])

    def test_cubic_resize(self):
        scales = wire.tensor("scales", [4], [1.0, 1.0, 2.0, 2.0])
        nodes = [wire.node("Resize", ["r", "", "scales"], ["y"], mode="cubic")]
        self.assert_close(nodes, [scales], 35)
        self.assert_close(nodes, [scales], 80, ["--act_bitwidth", "16"])

    def test_crop_beyond_the_input(self):
        nodes = [wire.node("Resize", ["r", "roi", "scales"], ["y"], mode="linear", extrapolation_value=-3.0,
                           coordinate_transformation_mode="tf_crop_and_resize")]
        self.assert_close(nodes, [wire.tensor("roi", [8], [0, 0, -0.5, -0.5, 1, 1, 1.5, 1.5]),
                                  wire.tensor("scales", [4], [1.0, 1.0, 2.0, 2.0])], 35)


class SilentLosses(tool_test.ToolTest):
    """What a grid can't hold is said in one line, or kept."""

    def quantize(self, graph, inputs, *options):
        """Quantizes for samples made of `inputs`, {name: list of numbers}; what it left, and the SQNR of y."""
        for name, values in inputs.items():
            self.write_floats(name + ".raw", values)
        samples = self.write("list.txt", " ".join(f"{name}:={name}.raw" for name in inputs) + "\n")
        self.model = self.write("m.onnx", wire.model(graph))
        finished = self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--input_list", samples,
                                        "--output_path", "q.onnx", *options, self.model)
        report = json.loads((self.work / "q.report.json").read_text())
        return finished.stderr, report["outputs"][0]["sqnr_db"]

    def attention(self, mask_nodes, constants=(), last="Softmax"):
        weights = wire.tensor("w", [4, 6], [(i * 7 % 11 - 5) / 5 for i in range(24)])
        nodes = [wire.node("MatMul", ["x", "w"], ["scores"]), *mask_nodes,
                 wire.node("Add", ["scores", "hidden"], ["masked"]), wire.node(last, ["masked"], ["y"], axis=-1)]
        return wire.graph(nodes, [wire.value_info("x", [3, 4]), wire.value_info("mask", [1, 6])],
                          [wire.value_info("y")], [weights, *constants])

    def scores(self, mask):
        return {"x": [math.sin(1.7 * i) * 2 for i in range(12)], "mask": mask}

    def test_masks_leave_the_scores_their_steps(self):
        for lowest in (-1e4, -1e9, LOWEST):
            nodes = [wire.node("Sub", ["one", "mask"], ["gone"]), wire.node("Mul", ["gone", "lowest"], ["hidden"])]
            constants = [wire.tensor("one", [], [1.0]), wire.tensor("lowest", [], [lowest])]
            for options in ([], ["--scale", "power_of_two"], ["--act_bitwidth", "16"]):
                with self.subTest(lowest=lowest, options=options):
                    stderr, sqnr = self.quantize(self.attention(nodes, constants), self.scores([1, 1, 1, 1, 0, 0]),
                                                 *options)
                    self.assertGreater(sqnr, 20, stderr)
                    self.assertNotIn("warning", stderr)

    def test_constant_masks_and_selected_ones(self):
        constant = wire.tensor("hidden", [1, 6], [0, -0.5, 0.25, 0, -1e4, -1e4])
        _, sqnr = self.quantize(self.attention([wire.node("Identity", ["mask"], ["unused"])], [constant]),
                                self.scores([1] * 6))
        self.assertGreater(sqnr, 20)
        select = [wire.node("Greater", ["mask", "half"], ["seen"]),
                  wire.node("Where", ["seen", "zero", "far"], ["hidden"])]
        constants = [wire.tensor("half", [], [0.5]), wire.tensor("zero", [], [0.0]), wire.tensor("far", [], [-1e9])]
        _, sqnr = self.quantize(self.attention(select, constants), self.scores([1, 1, 0, 1, 0, 0]))
        self.assertGreater(sqnr, 20)

    def test_rows_masked_altogether_are_told(self):
        nodes = [wire.node("Mul", ["mask", "lowest"], ["hidden"])]
        stderr, _ = self.quantize(self.attention(nodes, [wire.tensor("lowest", [], [-1e4])]), self.scores([1] * 6))
        self.assertIn("(Softmax): one step of its input 'masked' is 39.", stderr)

    def test_without_softmax_nothing_is_a_mask(self):
        nodes = [wire.node("Mul", ["mask", "lowest"], ["hidden"])]
        for last in ("Relu", "HardSigmoid"):
            graph = self.attention(nodes, [wire.tensor("lowest", [], [-1e7])], last)
            stderr, _ = self.quantize(graph, self.scores([0, 1, 0, 1, 0, 0]))
            self.assertNotIn("mask ", stderr)

    def test_an_input_lost_on_a_joint_grid(self):
        for op, options in (("Concat", {"axis": 1}), ("Add", {}), ("Sub", {})):
            graph = wire.graph([wire.node("Sigmoid", ["x"], ["s"]), wire.node("Mul", ["s", "k"], ["big"]),
                                wire.node("Mul", ["s", "m"], ["small"]),
                                wire.node(op, ["big", "small"], ["y"], **options)],
                               [wire.value_info("x", [1, 8])], [wire.value_info("y")],
                               [wire.tensor("k", [], [20.0]), wire.tensor("m", [], [0.01])])
            with self.subTest(op=op):
                stderr, _ = self.quantize(graph, {"x": [i / 2 - 2 for i in range(8)]})
                self.assertEqual(stderr.count("warning"), 1, stderr)
                self.assertIn(f"({op}): its input 'small' stays within [", stderr)
                stderr, _ = self.quantize(graph, {"x": [i / 2 - 2 for i in range(8)]}, "--act_bitwidth", "16")
                self.assertNotIn("warning", stderr)

    def test_divisors_that_round_to_0(self):
        """0 / 0 is 0, alike in simulated and integer runs."""
        graph = wire.graph([wire.node("Div", ["x", "d"], ["y"])],
                           [wire.value_info("x", [1, 6]), wire.value_info("d", [1, 6])], [wire.value_info("y")])
        stderr, _ = self.quantize(graph, {"x": [0, 3, -4, 0.001, 5, 2], "d": [0.001, 100, 50, 0.002, 20, 80]})
        self.assertIn("(Div): 2 values of its divisor 'd' are less than half a step", stderr)
        outputs = []
        for mode in ("simulated", "fixed"):
            self.assert_succeeds("quantize-run", "--quiet", "--input_list", self.folder / "list.txt", "--mode", mode,
                                 "--output_dir", mode, "q.onnx")
            (file,) = (self.work / mode).rglob("y.raw")
            outputs.append(struct.unpack("<6f", file.read_bytes()))
        self.assertTrue(all(map(math.isfinite, outputs[0])), outputs)
        self.assertEqual(outputs[0], outputs[1])
        self.assertEqual(outputs[0][0], 0)


if __name__ == "__main__":
    tool_test.main()
