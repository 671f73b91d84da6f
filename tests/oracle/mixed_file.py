"""mixed_file.py: quantized files with real numbers in two formats, and the borders between precisions in them."""
import collections
import re

import numpy as np
from onnx import TensorProto, helper

from qdq_file import QdqFile

HALF, SINGLE = "float16", "float32"
# Operators that only move or select values: they compute on whatever their data is.
MOVEMENT = {"MaxPool", "GlobalMaxPool", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split",
            "Identity", "Pad", "Gather", "DepthToSpace", "SpaceToDepth", "Resize", "Expand", "Tile"}
CONVERTS = {"QuantizeLinear", "DequantizeLinear", "Cast"}


class MixedFile(QdqFile):
    """A quantized model whose real numbers are float32 or float16."""

    def __init__(self, path):
        super().__init__(path)
        self.types = {name: tensor.data_type for name, tensor in self.constants.items()}
        self.types.update({value.name: value.type.tensor_type.elem_type for value in self.proto.graph.input})
        for node in self.proto.graph.node:
            self.types.update(self._output_types(node))

    def _output_types(self, node):
        inputs = [self.types.get(name) for name in node.input]
        if node.op_type == "Cast":
            result = next(attribute.i for attribute in node.attribute if attribute.name == "to")
        elif node.op_type == "QuantizeLinear":
            result = inputs[2]
        elif node.op_type == "DequantizeLinear":
            result = inputs[1]
        elif node.op_type in ("Shape", "ArgMax"):
            result = TensorProto.INT64
        else:
            result = inputs[0]
        return dict.fromkeys(node.output, result)

    def is_half(self, name):
        return self.types.get(name) == TensorProto.FLOAT16

    def stored_reals(self):
        """Activations of real numbers, by file names: what operators compute, and what is cast to half precision.

        Without the latter ONNX Runtime would take a Cast to float16 out together with the Cast back that it puts in
        front of operators it has no such kernel for.
        """
        quantized = {node.input[0] for node in self.nodes("QuantizeLinear")}
        return [name for node in self.proto.graph.node for name in node.output
                if name and name not in quantized and self.types.get(name) in (TensorProto.FLOAT, TensorProto.FLOAT16)
                and (node.op_type not in CONVERTS or node.op_type == "Cast" and self.is_half(name))]

    def show(self, graph, names):
        """Makes file tensors the outputs of `graph`, a copy of the file's; numpy has no 4-bit integers: those as bytes.

        Returns {file tensor: name of the output}.
        """
        shown = {}
        for name in names:
            shown[name], dtype = name, self.types[name]
            if dtype in (TensorProto.UINT4, TensorProto.INT4):
                shown[name], dtype = name + "/bytes", dtype - TensorProto.UINT4 + TensorProto.UINT8
                graph.node.append(helper.make_node("Cast", [name], [shown[name]], to=dtype))
            graph.output.append(helper.make_tensor_value_info(shown[name], dtype, None))
        return shown

    def is_guard(self, node):
        """The Max with minus infinity around 4-bit activations."""
        return (node.op_type == "Max" and len(node.input) == 2 and node.input[1] in self.constants and
                np.all(np.isneginf(self.array(node.input[1]))))

    def is_convert(self, node):
        """Whether the node only brings a tensor into another form."""
        return node.op_type in CONVERTS or node.op_type == "Identity" or self.is_guard(node)

    def origin(self, name):
        """The tensor that `name` is another form of: what an operator computes, an input or a constant."""
        while (node := self.producers.get(name)) is not None and self.is_convert(node):
            name = node.input[0]
        return name


class Borders:
    """Where precisions meet: which forms the readers of each tensor need, from what each operator computes on.

    An operator computes on integers if its output 0 is on a grid, else on real numbers in the format of that output.
    What only moves data takes it as it is. `codes`: names of tensors on a grid; `names`: all tensors of the prepared
    graph; `islands`: names of nodes without integer form.
    """

    def __init__(self, quantized, codes, names, islands):
        self.file, self.codes, self.names, self.islands = quantized, codes, names, islands
        self.grids = {name: re.sub("[a-z]", "", str(grid.dtype)) for name, grid in quantized.grids().items()}
        self.readers = collections.defaultdict(list)
        for node in quantized.proto.graph.node:
            for name in node.input:
                self.readers[name].append(node)
        self.nodes = [node for node in quantized.proto.graph.node if not quantized.is_convert(node)]
        self.inputs = [value.name for value in quantized.proto.graph.input]
        self.tensors = list(self.inputs)
        # Between the nodes that one operator becomes in the file there are no borders.
        self.tensors += [name for node in self.nodes for name in node.output if name and self.tensor_of(name) in names]
        self.needs = collections.defaultdict(set)
        for node in self.nodes:
            for name in node.input if node.op_type != "Shape" else ():
                if name and self.is_real(origin := quantized.origin(name)):
                    self.needs[origin].add(self.need(node, origin))
        for name in quantized.output_names:
            self.needs[quantized.origin(name)].add(SINGLE)

    def is_real(self, name):
        return self.file.types.get(name) in (TensorProto.FLOAT, TensorProto.FLOAT16)

    def tensor_of(self, name):
        """The name users know the tensor by that an operator computes as `name`."""
        for node in self.readers[name]:
            if self.file.is_guard(node):
                return self.tensor_of(node.output[0])
            if node.op_type == "QuantizeLinear":
                for reader in self.readers[node.output[0]]:
                    if reader.output[0] in self.file.output_names:
                        return reader.output[0]
        return name

    def form_of_tensor(self, name):
        if self.tensor_of(name) in self.codes:
            return "codes"
        return HALF if self.file.is_half(name) else SINGLE

    def form_of_node(self, node):
        """What the operator computes on; operators of the prepared graph may be several nodes in the file."""
        name = node.output[0]
        if any(node.name == island or node.name.startswith(island + "/") for island in self.islands if island):
            return SINGLE
        if self.tensor_of(name) not in self.names and self.readers[name]:
            return self.form_of_node(self.readers[name][0])
        return self.form_of_tensor(name)

    def moves(self, node):
        return node.op_type in MOVEMENT or node.op_type == "Concat"

    def moves_reals(self, node):
        """Whether a node that only moves data has nothing but real numbers to move."""
        data = [origin for name in node.input if name and self.is_real(origin := self.file.origin(name)) and
                origin not in self.file.constants]
        return all(self.form_of_tensor(name) != "codes" for name in data)

    def need(self, node, name):
        form = self.form_of_node(node)
        return SINGLE if form == "codes" and self.moves(node) and self.moves_reals(node) else form

    def prepared_name(self, name):
        """Of what a node in the file computes, in the prepared graph."""
        while self.tensor_of(name) not in self.names and self.readers[name]:
            name = self.readers[name][0].output[0]
        own = name.removesuffix("_float16")
        return own if own in self.file.output_names else self.tensor_of(name)

    def constant_name(self, name):
        """Of a constant operand; None of others."""
        producer = self.file.producers.get(name)
        if producer is not None and producer.op_type == "DequantizeLinear" and producer.input[0] in self.file.constants:
            return name
        origin = self.file.origin(name)
        return origin if origin in self.file.constants else None

    def kind_of(self, name):
        """The precision of a tensor of the prepared graph; None if the file has no such tensor."""
        if name in self.grids:
            return f"int{self.grids[name]}"
        half = self.file.is_half(name + "_float16" if name in self.file.output_names else name)
        return (HALF if half else SINGLE) if name in self.file.types else None

    def is_computed_real(self, name):
        """Whether a tensor on a grid starts as real numbers: an input, moved real numbers, an island's."""
        node = self.file.producers.get(name)
        if node is None:
            return True
        if self.moves(node):
            return self.moves_reals(node)
        return self.form_of_node(node) != "codes"

    def count(self):
        """How many converts there must be, at least: in the file, and in the Program."""
        on_grid = [name for name in self.tensors if self.form_of_tensor(name) == "codes"]
        onto_grid = [name for name in self.tensors if self.form_of_tensor(name) != "codes" and
                     "codes" in self.needs[name]]
        halves = [name for name in self.tensors if self.form_of_tensor(name) == HALF]
        casts = [name for name in self.tensors if name not in halves and HALF in self.needs[name]]
        # Constants get a copy in half precision; one that is kept in it is cast for readers in float32.
        constants = [name for name in self.file.constants if self.file.is_half(name)]
        casts += [name for name in halves + constants if self.needs[name] - {HALF}]
        return {"QuantizeLinear": len(on_grid) + len(onto_grid), "Cast": len(casts),
                "quantize": len([name for name in on_grid if self.is_computed_real(name)]) + len(onto_grid),
                "dequantize": len([name for name in on_grid if self.needs[name] - {"codes"}])}
