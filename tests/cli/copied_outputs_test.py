"""copied_outputs_test.py: --encodings is the written model, bit for bit, where an output is a copy of a tensor others read."""

import itertools
import math

import onnx_wire as wire
import tool_test

DIMS = [1, 2, 4, 4]


def chain(*types):
    """The nodes of a copy from t to `output`: operator, its further inputs, attributes."""
    def make(source, output):
        names = [source] + [f"{output}_{k}" for k in range(1, len(types))] + [output]
        return [wire.node(op, [a, *more], [b], name=b + "_node", **attributes)
                for (op, more, attributes), a, b in zip(types, names, names[1:])]
    return make


# Ways to hand a tensor on as it is.
COPIES = {
    "Identity": chain(("Identity", [], {})),
    "Identity twice": chain(("Identity", [], {}), ("Identity", [], {})),
    "Dropout": chain(("Dropout", [], {})),
    "Reshape": chain(("Reshape", ["same_shape"], {})),
    "Reshape and back": chain(("Reshape", ["one_row"], {}), ("Reshape", ["shape"], {})),
    "Flatten and back": chain(("Flatten", [], {}), ("Reshape", ["shape"], {})),
    "Transpose": chain(("Transpose", [], {"perm": [0, 1, 2, 3]})),
    "Transpose and back": chain(("Transpose", [], {"perm": [0, 1, 3, 2]}), ("Transpose", [], {"perm": [0, 1, 3, 2]})),
    "Cast": chain(("Cast", [], {"to": wire.FLOAT})),
    "Add": chain(("Add", ["zero"], {})),
    "Mul": chain(("Mul", ["one"], {})),
    "Clip": chain(("Clip", [], {})),
    "Concat": chain(("Concat", [], {"axis": 1})),
    "Sum": chain(("Sum", [], {})),
}

# What computes t: with weights, with a fixed grid, in float, by moving, with a clamp.
PRODUCERS = {
    "Conv": [wire.node("Conv", ["x", "w", "b"], ["t"], name="t_node", pads=[1, 1, 1, 1])],
    "Sigmoid": [wire.node("Sigmoid", ["x"], ["t"], name="t_node")],
    "Erf": [wire.node("Erf", ["x"], ["t"], name="t_node")],
    "MaxPool": [wire.node("MaxPool", ["x"], ["t"], name="t_node", kernel_shape=[3, 3], pads=[1, 1, 1, 1])],
    "Relu": [wire.node("Conv", ["x", "w", "b"], ["c"], name="c_node", pads=[1, 1, 1, 1]),
             wire.node("Relu", ["c"], ["t"], name="t_node")],
}

READERS = {
    "Conv": [wire.node("Conv", ["t", "w2"], ["r"], name="r_node")],
    "Relu": [wire.node("Relu", ["t"], ["r"], name="r_node")],
    "Conv of the copy": [wire.node("Conv", ["t", "w2"], ["r"], name="r_node"),
                         wire.node("Conv", ["y", "w2"], ["s"], name="s_node")],
}


class CopiedOutputs(tool_test.ToolTest):
    """x -> t; y = t, an output; r and s are computed from t or y."""

    def model(self, producer, copy, reader, first):
        nodes = [*PRODUCERS[producer], *COPIES[copy]("t", "y"), *READERS[reader]]
        read = [node["output"][0] for node in READERS[reader]]
        outputs = ["y", *read] if first else [*read, "y"]
        initializers = [
            wire.tensor("w", [2, 2, 3, 3], [math.sin(2.3 * i) / 2 for i in range(36)]),
            wire.tensor("b", [2], [0.1, -0.2]),
            wire.tensor("w2", [2, 2, 1, 1], [0.7, -0.4, 0.3, 0.9]),
            wire.tensor("zero", [1], [0.0]), wire.tensor("one", [1], [1.0]),
            wire.tensor("same_shape", [4], [0, 2, 4, 4], wire.INT64), wire.tensor("shape", [4], DIMS, wire.INT64),
            wire.tensor("one_row", [2], [1, -1], wire.INT64),
        ]
        used = {name for node in nodes for name in node["input"]}
        return self.write("m.onnx", wire.model(wire.graph(
            nodes, [wire.value_info("x", DIMS)], [wire.value_info(name, DIMS) for name in outputs],
            [tensor for tensor in initializers if tensor["name"] in used])))

    def outputs(self, mode, *model):
        """File to bytes, of a run."""
        folder = f"{mode}_{len(model)}"
        self.assert_succeeds("quantize-run", "--quiet", "--input_list", self.samples, "--output_dir", folder, "--mode",
                             mode, *model)
        return {path.name: path.read_bytes() for path in (self.work / folder).rglob("*.raw")}

    def check(self, producer, copy, reader, first, asked=None):
        """Both ways to the quantized model give the same outputs, and the tensor that is asked for is its copy."""
        model = self.model(producer, copy, reader, first)
        self.samples = self.write_list()
        self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--validate", "0", "--input_list", self.samples,
                             "--output_path", "q.onnx", model)
        for mode in ("fixed", "simulated"):
            written = self.outputs(mode, "q.onnx")
            self.assertGreaterEqual(len(written), 2)
            ask = ["--dump_tensors", asked] if asked else []
            found = self.outputs(mode, "--encodings", "q.encodings.json", *ask, model)
            if asked:
                self.assertEqual(found.pop(asked + ".raw"), written["y.raw"])
                found.pop(asked + ".codes.raw", None)
            self.assertEqual(found, written)

    def test_every_copy_and_producer(self):
        for producer, copy in itertools.product(PRODUCERS, COPIES):
            with self.subTest(producer=producer, copy=copy):
                self.check(producer, copy, "Conv", first=True)

    def test_every_reader_and_order(self):
        for reader, copy, first in itertools.product(READERS, ("Identity", "Reshape and back"), (True, False)):
            with self.subTest(reader=reader, copy=copy, first=first):
                self.check("Erf", copy, reader, first)

    def test_asking_for_the_tensor_changes_nothing(self):
        for producer, copy in itertools.product(PRODUCERS, COPIES):
            with self.subTest(producer=producer, copy=copy):
                self.check(producer, copy, "Conv", True, "t")


if __name__ == "__main__":
    tool_test.main()
