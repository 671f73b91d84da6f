"""saturation_test.py: quantized models of other tools that left a Relu or a Clip to saturation."""

import json
import math
import struct

import onnx_wire as wire
import tool_test

DIMS = [1, 2, 4, 4]


def pair(name, source, scale, zero_point, data_type=wire.UINT8):
    """Nodes and constants of a QuantizeLinear and DequantizeLinear from `source` to `name`."""
    constants = [wire.tensor(name + "_s", [], [scale]), wire.tensor(name + "_z", [], [zero_point], data_type)]
    nodes = [wire.node("QuantizeLinear", [source, name + "_s", name + "_z"], [name + "_q"], name=name + "_Q"),
             wire.node("DequantizeLinear", [name + "_q", name + "_s", name + "_z"], [name], name=name + "_DQ")]
    return nodes, constants


class Saturation(tool_test.ToolTest):
    """x -> Conv -> grid from 0 -> Conv -> y, as ONNX Runtime writes Conv -> Relu -> Conv -> y."""

    def setUp(self):
        super().setUp()
        for i in range(4):
            self.write_floats(f"{i}.raw", [math.sin(0.7 * (k + 32 * i)) for k in range(32)])
        self.samples = self.write("list.txt", "0.raw\n1.raw\n2.raw\n3.raw\n")
        self.weights = [wire.tensor("w1", [2, 2, 1, 1], [1.0, -0.5, -0.75, 0.25]),
                        wire.tensor("w2", [2, 2, 1, 1], [0.5, 0.75, -1.0, 0.25]), wire.tensor("b1", [2], [-0.1, 0.2])]

    def float_model(self):
        """What was quantized."""
        nodes = [wire.node("Conv", ["x", "w1", "b1"], ["c"]), wire.node("Relu", ["c"], ["a"]),
                 wire.node("Conv", ["a", "w2"], ["y"])]
        return self.write("float.onnx", wire.model(wire.graph(nodes, [wire.value_info("x", DIMS)],
                                                              [wire.value_info("y", DIMS)], self.weights)))

    def quantized_model(self, **metadata):
        """The same with pairs and without the Relu."""
        x, x_constants = pair("xd", "x", 2 / 255, 128)
        a, a_constants = pair("a", "c", 1.5 / 255, 0)
        y, y_constants = pair("y", "y_real", 3.2 / 255, 128)
        nodes = [*x, wire.node("Conv", ["xd", "w1", "b1"], ["c"]), *a, wire.node("Conv", ["a", "w2"], ["y_real"]), *y]
        return self.write("other.onnx", wire.model(
            wire.graph(nodes, [wire.value_info("x", DIMS)], [wire.value_info("y", DIMS)],
                       [*self.weights, *x_constants, *a_constants, *y_constants]), **metadata))

    def run_model(self, mode, model):
        """Outputs of the first sample."""
        self.assert_succeeds("quantize-run", "--quiet", "--input_list", self.samples, "--mode", mode, "--output_dir",
                             mode, model)
        return struct.unpack("<32f", (self.work / mode / "Result_0" / "y.raw").read_bytes())

    def test_the_closing_comparison_is_with_a_float_model_that_has_the_relu(self):
        done = self.assert_succeeds("quantize", "--effort", "fast", "--input_list", self.samples, "--output_path",
                                    "q.onnx", self.quantized_model())
        self.assertIn("grids behind 1 node, such as node 'c' (Conv), begin at 0", done.stderr)
        report = json.loads((self.work / "q.report.json").read_text())
        self.assertGreater(report["outputs"][0]["sqnr_db"], 35)

    def test_a_float_run_is_that_of_the_model_before(self):
        self.assertEqual(self.run_model("float", self.quantized_model()), self.run_model("float", self.float_model()))

    def test_quantized_runs_are_close_to_it(self):
        expected = self.run_model("float", self.float_model())
        self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--input_list", self.samples, "--output_path",
                             "q.onnx", self.quantized_model())
        for mode in ("fixed", "simulated"):
            for model in (self.quantized_model(), "q.onnx"):
                found = self.run_model(mode, model)
                self.assertLess(max(abs(a - b) for a, b in zip(found, expected)), 0.03)

    def test_our_own_models_are_taken_as_they_are(self):
        ours = self.quantized_model(metadata_props=[{"key": "halfstep.version", "value": "0.1.0"}])
        self.assertNotEqual(self.run_model("float", ours), self.run_model("float", self.float_model()))


if __name__ == "__main__":
    tool_test.main()
