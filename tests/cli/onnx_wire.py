"""onnx_wire.py: writes ONNX models, valid or not, from dicts, without the onnx package.

encode("Model", {...}) turns a dict into protobuf wire bytes by the field table
below; node(), tensor(), value_info() and model() make the dicts. Nothing is
checked, so that every kind of broken model can be written.
"""

import struct

# ONNX TensorProto.DataType
FLOAT, UINT8, INT8, INT32, INT64, STRING, BOOL, FLOAT16, DOUBLE = 1, 2, 3, 6, 7, 8, 9, 10, 11
COMPLEX64 = 14

# ONNX AttributeProto.AttributeType
ATTRIBUTE_TYPES = {"f": 1, "i": 2, "s": 3, "t": 4, "g": 5, "floats": 6, "ints": 7, "strings": 8}

# message -> field -> (number, kind); kind is a scalar kind or the name of a message.
# Lists are repeated fields; numbers in lists are packed, as protobuf 3 writes them.
FIELDS = {
    "Model": {
        "ir_version": (1, "varint"), "producer_name": (2, "bytes"), "graph": (7, "Graph"),
        "opset_import": (8, "OperatorSetId"), "metadata_props": (14, "StringStringEntry"),
        "functions": (25, "Function"),
    },
    "OperatorSetId": {"domain": (1, "bytes"), "version": (2, "varint")},
    "StringStringEntry": {"key": (1, "bytes"), "value": (2, "bytes")},
    "Graph": {
        "node": (1, "Node"), "name": (2, "bytes"), "initializer": (5, "Tensor"), "input": (11, "ValueInfo"),
        "output": (12, "ValueInfo"), "value_info": (13, "ValueInfo"),
    },
    "Node": {
        "input": (1, "bytes"), "output": (2, "bytes"), "name": (3, "bytes"), "op_type": (4, "bytes"),
        "attribute": (5, "Attribute"), "domain": (7, "bytes"),
    },
    "Attribute": {
        "name": (1, "bytes"), "f": (2, "fixed32"), "i": (3, "varint"), "s": (4, "bytes"), "t": (5, "Tensor"),
        "g": (6, "Graph"), "floats": (7, "fixed32"), "ints": (8, "varint"), "strings": (9, "bytes"),
        "type": (20, "varint"), "ref_attr_name": (21, "bytes"),
    },
    "Tensor": {
        "dims": (1, "varint"), "data_type": (2, "varint"), "float_data": (4, "fixed32"),
        "int32_data": (5, "varint"), "string_data": (6, "bytes"), "int64_data": (7, "varint"), "name": (8, "bytes"),
        "raw_data": (9, "bytes"), "external_data": (13, "StringStringEntry"), "data_location": (14, "varint"),
    },
    "ValueInfo": {"name": (1, "bytes"), "type": (2, "Type")},
    "Type": {"tensor_type": (1, "TensorType"), "sequence_type": (4, "SequenceType")},
    "TensorType": {"elem_type": (1, "varint"), "shape": (2, "Shape")},
    "SequenceType": {"elem_type": (1, "Type")},
    "Shape": {"dim": (1, "Dim")},
    "Dim": {"dim_value": (1, "varint"), "dim_param": (2, "bytes")},
    "Function": {
        "name": (1, "bytes"), "input": (4, "bytes"), "output": (5, "bytes"), "attribute": (6, "bytes"),
        "node": (7, "Node"), "opset_import": (9, "OperatorSetId"), "domain": (10, "bytes"),
    },
}


def varint(value):
    """A protobuf varint; negative values as their 64-bit two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def delimited(number, payload):
    """One length-delimited field."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def encode(message, fields):
    """Wire bytes of `message` with these fields; a value of None is left out."""
    out = bytearray()
    for name, value in fields.items():
        number, kind = FIELDS[message][name]
        if value is None:
            continue
        if isinstance(value, list) and kind in ("varint", "fixed32"):
            packed = varint if kind == "varint" else lambda v: struct.pack("<f", v)
            out += delimited(number, b"".join(packed(v) for v in value))
            continue
        for item in value if isinstance(value, list) else [value]:
            if kind == "varint":
                out += varint(number << 3) + varint(item)
            elif kind == "fixed32":
                out += varint(number << 3 | 5) + struct.pack("<f", item)
            elif kind == "bytes":
                out += delimited(number, item if isinstance(item, bytes) else item.encode())
            else:
                # A finished message may stand where a dict is expected.
                out += delimited(number, item if isinstance(item, bytes) else encode(kind, item))
    return bytes(out)


def node(op_type, inputs, outputs, name=None, domain=None, **attributes):
    """A node; an attribute's kind follows from its Python type, or is given as ("ints", [...])."""
    return {
        "input": list(inputs), "output": list(outputs), "name": name, "op_type": op_type,
        "attribute": [attribute(key, value) for key, value in attributes.items()], "domain": domain,
    }


def attribute(name, value):
    """An attribute, e.g. attribute("axis", 1) or attribute("axis", ("f", 1.0))."""
    if isinstance(value, tuple):
        kind, value = value
    elif isinstance(value, int):
        kind = "i"
    elif isinstance(value, float):
        kind = "f"
    elif isinstance(value, (str, bytes)):
        kind = "s"
    elif isinstance(value, list):
        kind = "floats" if value and isinstance(value[0], float) else "ints"
    else:
        kind = "g" if "node" in value else "t"
    return {"name": name, kind: value, "type": ATTRIBUTE_TYPES[kind]}


def tensor(name, dims, values=None, data_type=FLOAT, **other):
    """A tensor: `values` is a list of numbers, one number for all elements, or bytes for raw_data."""
    fields = {"dims": list(dims), "data_type": data_type, "name": name}
    if isinstance(values, (int, float)):
        count = 1
        for dim in dims:
            count *= dim
        values = [values] * count
    if isinstance(values, bytes):
        fields["raw_data"] = values
    elif values is not None:
        fields[{FLOAT: "float_data", INT64: "int64_data"}.get(data_type, "int32_data")] = values
    return {**fields, **other}


def external_tensor(name, dims, data_type=FLOAT, **entries):
    """A tensor whose data lies in a file: location="weights.bin", offset="0", length="64"."""
    pairs = [{"key": key, "value": value} for key, value in entries.items()]
    return tensor(name, dims, data_type=data_type, external_data=pairs, data_location=1)


def value_info(name, dims=None, elem_type=FLOAT):
    """A graph input or output; a str among `dims` is a symbol, dims=None an unknown rank."""
    shape = None
    if dims is not None:
        shape = {"dim": [{"dim_param": d} if isinstance(d, str) else {"dim_value": d} for d in dims]}
    return {"name": name, "type": {"tensor_type": {"elem_type": elem_type, "shape": shape}}}


def graph(nodes, inputs, outputs, initializers=()):
    """A graph."""
    return {"node": list(nodes), "name": "g", "initializer": list(initializers), "input": list(inputs),
            "output": list(outputs)}


def model(graph_fields, opset=17, ir_version=8, imports=None, **other):
    """The bytes of a model file."""
    imports = imports if imports is not None else [{"domain": "", "version": opset}]
    return encode("Model", {"ir_version": ir_version, "graph": graph_fields, "opset_import": imports, **other})
