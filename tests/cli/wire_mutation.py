"""wire_mutation.py: changes single fields of an ONNX file and keeps its protobuf framing intact.

Random bytes mostly break the framing and end in the parser; a field that holds
a hostile value reaches the reader, shape inference and the kernels.
"""

import struct

from onnx_wire import FIELDS, delimited, varint

HOSTILE_INTEGERS = (0, 1, 2, 3, 7, 100, -1, -2, 1 << 31, -(1 << 31), (1 << 31) - 1, 1 << 40, 1 << 62,
                    (1 << 63) - 1, -(1 << 63))
HOSTILE_FLOATS = (0.0, -0.0, -1.0, 1e-45, 3e38, -3e38, float("nan"), float("inf"), float("-inf"))
OPERATORS = ("Add", "Conv", "MatMul", "Gemm", "Reshape", "Transpose", "Softmax", "MaxPool", "Concat", "Gather",
             "Resize", "Slice", "Pad", "ConvTranspose", "LayerNormalization", "BatchNormalization", "ReduceMean",
             "Split", "LSTM", "Einsum", "QuantizeLinear", "DequantizeLinear", "If", "Loop", "Where", "TopK", "NonZero",
             "")


def read_varint(data, at):
    """The varint at `at` and the position behind it."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def parse(message, data):
    """The fields of a message: [number, kind, value]; a message's value is again such a list."""
    kinds = {number: kind for number, kind in FIELDS[message].values()}
    fields, at = [], 0
    while at < len(data):
        key, at = read_varint(data, at)
        number, wire_type = key >> 3, key & 7
        kind = kinds.get(number, "bytes")
        if wire_type == 0:
            value, at = read_varint(data, at)
            kind = "varint"
        elif wire_type == 2:
            length, at = read_varint(data, at)
            value, at = data[at:at + length], at + length
            if kind in FIELDS:
                value = parse(kind, value)
            elif kind in ("varint", "fixed32"):
                kind = "packed " + kind
        else:
            width = {1: 8, 5: 4}[wire_type]
            value, at = data[at:at + width], at + width
            kind = f"raw{width}"
        fields.append([number, kind, value])
    return fields


def write(fields):
    """The bytes of parsed fields."""
    out = bytearray()
    for number, kind, value in fields:
        if kind == "varint":
            out += varint(number << 3) + varint(value)
        elif kind == "raw4":
            out += varint(number << 3 | 5) + value
        elif kind == "raw8":
            out += varint(number << 3 | 1) + value
        else:
            out += delimited(number, write(value) if isinstance(value, list) else value)
    return bytes(out)


def places(fields):
    """Every (list, index) of a field, at any depth."""
    for index, (_, _, value) in enumerate(fields):
        yield fields, index
        if isinstance(value, list):
            yield from places(value)


def change_value(field, draw):
    """Gives one field a hostile value."""
    kind, value = field[1], field[2]
    if kind == "varint":
        field[2] = draw.choice(HOSTILE_INTEGERS)
    elif kind == "raw4":
        field[2] = struct.pack("<f", draw.choice(HOSTILE_FLOATS))
    elif kind == "packed varint":
        field[2] = b"".join(varint(draw.choice(HOSTILE_INTEGERS)) for _ in range(draw.randrange(6)))
    elif isinstance(value, bytes) and len(value) < 64:
        field[2] = draw.choice((*OPERATORS, "x" * 5000, "../../etc/passwd", value.decode("latin-1") * 2)).encode()
    elif isinstance(value, bytes):
        field[2] = draw.choice((b"", value[:-1], value + b"\0", value[:len(value) // 2], bytes(len(value)),
                                b"\xff" * len(value)))


def mutate(content, draw):
    """A copy of a model with one to three fields changed, removed, doubled or swapped."""
    model = parse("Model", content)
    for _ in range(draw.randrange(1, 4)):
        everywhere = list(places(model))
        if not everywhere:
            break
        fields, index = draw.choice(everywhere)
        kind = draw.choice(("value", "value", "value", "remove", "double", "swap"))
        if kind == "value":
            leaves = [place for place in places([fields[index]]) if not isinstance(place[0][place[1]][2], list)]
            owner, position = draw.choice(leaves or [(fields, index)])
            change_value(owner[position], draw)
        elif kind == "remove":
            del fields[index]
        elif kind == "double":
            fields.insert(draw.randrange(len(fields) + 1), parse_copy(fields[index]))
        else:
            other = draw.randrange(len(fields))
            fields[index], fields[other] = fields[other], fields[index]
    return write(model)


def parse_copy(field):
    """A deep copy of one field."""
    number, kind, value = field
    return [number, kind, [parse_copy(part) for part in value] if isinstance(value, list) else value]
