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
                self.assert_succeeds("quantize", "--quiet", "--input_list", self.samples, "--output_path", "q.onnx",
                                     "--encodings_version", "0.6.1", *options, model)
                entries = json.loads((self.work / "q.encodings.json").read_text())["activation_encodings"]
                for name, (entry,) in entries.items():
                    for end in ("min", "max"):
                        self.assertLessEqual(abs(entry[end]), -LOWEST, f"{end} of {name}")
                for mode in ("simulated", "fixed"):
                    for name, values in self.outputs(mode).items():
                        self.assertTrue(all(map(math.isfinite, values)), f"{name} in mode {mode}: {values}")


if __name__ == "__main__":
    tool_test.main()
