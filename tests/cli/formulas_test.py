"""formulas_test.py: activations, softmax and normalizations written out, as exporters leave them, quantized to 8 bits."""

import json
import math

import onnx_wire as wire
import tool_test


class Formulas(tool_test.ToolTest):
    """Each model is one formula of x [2, 4, 6], whose values reach from -35 to 35."""

    def check(self, spell, expected, min_sqnr_db=28, scale=35.0, shape=(2, 4, 6)):
        """`spell(op, c, x)` writes the formula by op(type, *inputs, **attributes) and c(number or list) and returns y."""
        nodes, constants = [], []

        def op(kind, *inputs, **attributes):
            nodes.append(wire.node(kind, list(inputs), [f"v{len(nodes)}"], **attributes))
            return f"v{len(nodes) - 1}"

        def c(value, dims=(), kind=wire.FLOAT):
            name = f"c{len(constants)}"
            constants.append(wire.tensor(name, list(dims), value if isinstance(value, list) else [value], kind))
            return name

        y = spell(op, c, "x")
        count = math.prod(shape)
        for i in range(3):
            self.write_floats(f"{i}.raw", [scale * math.sin(1.3 * k + i) for k in range(count)])
        samples = self.write("list.txt", "0.raw\n1.raw\n2.raw\n")
        model = self.write("m.onnx", wire.model(wire.graph(nodes, [wire.value_info("x", list(shape))],
                                                           [wire.value_info(y)], constants)))
        self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--input_list", samples, "--output_path",
                             "q.onnx", model)
        report = json.loads((self.work / "q.report.json").read_text())
        self.assertGreater(report["outputs"][0]["sqnr_db"], min_sqnr_db)
        self.assertEqual(report["float_islands"], [])
        shown = self.assert_succeeds("quantize-inspect", model).stdout
        self.assertIn(expected, shown)
        for left in (" Exp ", " Div ", "ReduceSum"):
            self.assertNotIn(left, shown)
        # The written file says the same in operators of its own opset.
        self.assert_succeeds("quantize-eval", "--quiet", "--input_list", samples, "--min_sqnr_db", str(min_sqnr_db), model,
                             "q.onnx")

    def test_sigmoid(self):
        self.check(lambda op, c, x: op("Div", c(1.0), op("Add", c(1.0), op("Exp", op("Neg", x)))), "Sigmoid")
        self.check(lambda op, c, x: op("Reciprocal", op("Add", op("Exp", op("Mul", x, c(-1.0))), c(1.0))), "Sigmoid")

    def test_silu(self):
        self.check(lambda op, c, x: op("Div", x, op("Add", c(1.0), op("Exp", op("Neg", x)))), "Swish")

    def test_tanh(self):
        def spell(op, c, x):
            a, b = op("Exp", x), op("Exp", op("Neg", x))
            return op("Div", op("Sub", a, b), op("Add", a, b))
        self.check(spell, "Tanh", scale=6.0)

    def test_softplus(self):
        self.check(lambda op, c, x: op("Log", op("Add", c(1.0), op("Exp", x))), "Softplus")

    def test_clamps(self):
        self.check(lambda op, c, x: op("Min", op("Max", x, c(0.0)), c(6.0)), "Clip")
        self.check(lambda op, c, x: op("Add", op("Max", x, c(0.0)), op("Mul", c(0.1), op("Min", x, c(0.0)))),
                   "LeakyRelu")

    def test_hard_sigmoid_and_swish(self):
        def gate(op, c, x):
            return op("Clip", op("Add", x, c(3.0)), c(0.0), c(6.0))
        self.check(lambda op, c, x: op("Div", gate(op, c, x), c(6.0)), "HardSigmoid", scale=6.0)
        self.check(lambda op, c, x: op("Mul", x, op("Mul", gate(op, c, x), c(1 / 6))), "HardSwish", scale=6.0)

    def test_softmax(self):
        def spell(maximum):
            def formula(op, c, x):
                if maximum:
                    x = op("Sub", x, op("ReduceMax", x, axes=[2], keepdims=1))
                e = op("Exp", x)
                return op("Div", e, op("ReduceSum", e, c([2], [1], wire.INT64), keepdims=1))
            return formula
        self.check(spell(True), "Softmax", min_sqnr_db=20, scale=8.0)
        self.check(spell(False), "Softmax", min_sqnr_db=20, scale=8.0)

    def test_rms_norm(self):
        def spell(op, c, x):
            mean = op("ReduceMean", op("Mul", x, x), axes=[-1], keepdims=1)
            root = op("Sqrt", op("Add", mean, c(1e-6)))
            return op("Mul", op("Div", x, root), c([0.5, 1.0, 1.5, -1.0, 0.25, 2.0], [6]))
        self.check(spell, "RMSNormalization")

    def test_group_norm(self):
        def spell(op, c, x):
            split = op("Reshape", x, c([0, 2, -1], [3], wire.INT64))
            norm = op("InstanceNormalization", split, c([1.0, 1.0], [2]), c([0.0, 0.0], [2]))
            back = op("Reshape", norm, c([2, 4, 6], [3], wire.INT64))
            return op("Add", op("Mul", back, c([0.5, 1.0, 1.5, -1.0], [4, 1])), c([0.1, 0.2, 0.3, 0.4], [4, 1]))
        self.check(spell, "GroupNormalization")


if __name__ == "__main__":
    tool_test.main()
