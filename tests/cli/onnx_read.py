"""onnx_read.py: nodes and constants of an ONNX file, without the onnx package."""

from onnx_wire import FIELDS, FLOAT, FLOAT16, INT8, UINT8

TYPE_NAMES = {FLOAT: "float32", FLOAT16: "float16", UINT8: "uint8", INT8: "int8", 4: "uint16", 5: "int16", 6: "int32",
              7: "int64", 21: "uint4", 22: "int4"}
CAST_TO = {1: "float32", 6: "int32", 10: "float16"}


def read_varint(data, at):
    """A varint and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(message, data):
    """{field name: list of values} of the wire bytes of a message that onnx_wire knows; messages stay bytes."""
    names = {number: name for name, (number, _) in FIELDS[message].items()}
    found, at = {}, 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = read_varint(data, at)
        else:
            size, at = read_varint(data, at) if kind == 2 else (4 if kind == 5 else 8, at)
            value, at = data[at:at + size], at + size
        if key >> 3 in names:
            found.setdefault(names[key >> 3], []).append(value)
    return found


def texts(values):
    return [value.decode() for value in values]


class Node:
    """A node; attributes are integers only."""

    def __init__(self, data):
        parts = fields("Node", data)
        self.op_type = parts["op_type"][0].decode()
        self.inputs, self.outputs = texts(parts.get("input", [])), texts(parts.get("output", []))
        attributes = [fields("Attribute", attribute) for attribute in parts.get("attribute", [])]
        self.integers = {entry["name"][0].decode(): entry["i"][0] for entry in attributes if "i" in entry}


class Model:
    """What a test wants to know of a file."""

    def __init__(self, data):
        self.graph_bytes = fields("Model", data)["graph"][0]
        graph = fields("Graph", self.graph_bytes)
        self.nodes = [Node(node) for node in graph["node"]]
        self.constants = {}
        for tensor in graph.get("initializer", []):
            parts = fields("Tensor", tensor)
            self.constants[parts["name"][0].decode()] = TYPE_NAMES[parts["data_type"][0]]

    def count(self, op_type):
        return len([node for node in self.nodes if node.op_type == op_type])

    def producer(self, name):
        return next(node for node in self.nodes if name in node.outputs)

    def casts(self):
        """[(input, output, "float16")]."""
        return [(node.inputs[0], node.outputs[0], CAST_TO[node.integers["to"]]) for node in self.nodes
                if node.op_type == "Cast"]

    def grid_type(self, tensor):
        """The type of the integers that `tensor` is kept in; None if it is real."""
        for node in self.nodes:
            if node.op_type == "QuantizeLinear" and node.inputs[0] == tensor:
                return self.constants[node.inputs[2]]
            if node.op_type == "DequantizeLinear" and node.outputs[0] == tensor:
                return self.constants[node.inputs[2]]
        return None
