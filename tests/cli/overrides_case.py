"""overrides_case.py: what the tests of overrides and mixed precision share: a small model, quantize and its files."""

import json
import re

import onnx_wire as wire
import tool_test
from onnx_read import Model

FC_INPUTS = 128  # Two blocks of 64.


def values(count, shift=0.0):
    return [(i * 37 + 11) % 101 / 50 - 1 + shift for i in range(count)]


def examples_model():
    """x -> conv_1 -> add_1 (with x) -> conv_3 with relu_3 -> conv_7 -> gelu_2 -> Flatten -> fc -> y."""
    nodes = [
        wire.node("Conv", ["x", "w1", "b1"], ["conv_1_out"], name="conv_1"),
        wire.node("Add", ["conv_1_out", "x"], ["add_1"], name="add"),
        wire.node("Conv", ["add_1", "conv_3.w", "b3"], ["conv_3_out"], name="conv_3"),
        wire.node("Relu", ["conv_3_out"], ["relu_3"], name="relu"),
        wire.node("Conv", ["relu_3", "w7", "b7"], ["conv_7_out"], name="conv_7", pads=[1, 1, 1, 1]),
        wire.node("Gelu", ["conv_7_out"], ["gelu_2"], name="gelu"),
        wire.node("Flatten", ["gelu_2"], ["flat"], name="flatten"),
        wire.node("Gemm", ["flat", "fc.w", "fc.b"], ["y"], name="fc", transB=1),
    ]
    constants = [
        wire.tensor("w1", [2, 2, 1, 1], values(4)), wire.tensor("b1", [2], [0.1, -0.2]),
        wire.tensor("conv_3.w", [2, 2, 1, 1], values(4, 0.1)), wire.tensor("b3", [2], [0.3, 0.1]),
        wire.tensor("w7", [2, 2, 3, 3], values(36)), wire.tensor("b7", [2], [0.0, 0.1]),
        wire.tensor("fc.w", [2, FC_INPUTS], values(2 * FC_INPUTS)), wire.tensor("fc.b", [2], [0.1, 0.2]),
    ]
    graph = wire.graph(nodes, [wire.value_info("x", [1, 2, 8, 8])], [wire.value_info("y", [1, 2])], constants)
    return wire.model(graph, opset=20, ir_version=9)


ADD_1 = {"bitwidth": 8, "is_symmetric": "False", "min": -1.0039216, "max": 2.9960784, "offset": -64,
         "scale": 0.0156862745}
W1 = [{"bitwidth": 8, "is_symmetric": "True", "min": -1.28, "max": 1.27, "offset": -128, "scale": 0.01},
      {"bitwidth": 8, "is_symmetric": "True", "min": -0.64, "max": 0.635, "offset": -128, "scale": 0.005}]


class OverridesTest(tool_test.ToolTest):
    """Runs quantize with overrides and looks at what it wrote."""

    def setUp(self):
        super().setUp()
        self.model = self.write("m.onnx", examples_model())
        sample = self.write_floats("x.raw", [(i * 29 % 127) / 60 - 1 for i in range(128)])
        self.samples = self.write("list.txt", f"{sample}\n")

    def overrides(self, content, name="ov.json"):
        """Writes an overrides file; its path."""
        return self.write(name, json.dumps(content, indent=1))

    def both(self, activations=None, params=None, version="0.6.1", name="ov.json"):
        """An overrides file of the versions with two sections."""
        return self.overrides({"version": version, "activation_encodings": activations or {},
                               "param_encodings": params or {}}, name)

    def quantize(self, *options, model=None, samples=True, output="q"):
        """quantize --effort fast; what it printed. Writes <output>.onnx."""
        effort = [] if "--effort" in options or not samples else ["--effort", "fast"]
        inputs = ["--input_list", self.samples] if samples else []
        return self.assert_succeeds("quantize", "--quiet", *effort, *inputs, "--output_path", f"{output}.onnx",
                                    *options, model or self.model)

    def program(self, name="q.onnx"):
        """{step: its lines} of the printed fixed-point Program."""
        return self.assert_succeeds("quantize-inspect", "--program", "fixed", name).stdout

    def step(self, label, kind=None):
        """The step of the printed Program whose first line holds `label`, of this kind if given."""
        steps = re.split(r"\n(?=\d+  )", self.program())
        found = [step for step in steps if label in step.split("\n")[0] and kind in (None, step.split()[1])]
        self.assertTrue(found, f"{label} is no step")
        return found[0]

    def file(self, name="q.onnx"):
        return Model((self.work / name).read_bytes())

    def encodings(self, name="q.encodings.json"):
        """{tensor: entry} of an encodings file of version 1.0.0."""
        content = json.loads((self.work / name).read_text())
        return {entry["name"]: entry for entry in content["activation_encodings"] + content["param_encodings"]}
