"""qdq_file.py: checks of a quantized ONNX file and of the encodings and report written with it."""
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

INTEGER_TYPES = {onnx.TensorProto.INT4, onnx.TensorProto.UINT4, onnx.TensorProto.INT8, onnx.TensorProto.UINT8,
                 onnx.TensorProto.INT16, onnx.TensorProto.UINT16, onnx.TensorProto.INT32}
MIN_QDQ_OPSET = 13
WIDE_QDQ_OPSET = 21  # 16- and 4-bit grids.


@dataclass(frozen=True)
class Grid:
    """What one DequantizeLinear says of the tensor `name`, as users know it."""

    name: str
    is_constant: bool
    dtype: np.dtype
    scales: np.ndarray
    zero_points: np.ndarray
    axis: int | None

    def codes_of(self, real):
        """The codes of numbers on the grid, in double precision; `real` has the tensor's shape."""
        shape = [-1 if i == self.axis else 1 for i in range(real.ndim)] if self.scales.ndim else []
        scales, zero_points = (part.astype(np.float64).reshape(shape) for part in (self.scales, self.zero_points))
        return np.rint(real / scales) + zero_points


class QdqFile:
    """A quantized model with its lookup tables."""

    def __init__(self, path):
        self.path = path
        self.proto = onnx.load(path)
        graph = self.proto.graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.producers = {name: node for node in graph.node for name in node.output}
        self.output_names = [value.name for value in graph.output]

    def array(self, name):
        return numpy_helper.to_array(self.constants[name])

    def nodes(self, op_type):
        return [node for node in self.proto.graph.node if node.op_type == op_type]

    def grids(self):
        """One Grid for each DequantizeLinear, by tensor name."""
        return {grid.name: grid for grid in map(self._grid, self.nodes("DequantizeLinear"))}

    def _grid(self, node):
        is_constant = node.input[0] in self.constants
        # An output of the model keeps its name behind the pair; any other activation in front of it.
        named_after = is_constant or node.output[0] in self.output_names
        name = node.output[0] if named_after else self.producers[node.input[0]].input[0]
        zero_points = self.array(node.input[2])
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), None)
        return Grid(name, is_constant, zero_points.dtype, self.array(node.input[1]), zero_points, axis)

    def output_steps(self, references):
        """The step of each output, and the outputs that have none of their own.

        Those end in operators that stay float: their step is that of an 8-bit
        grid over the values the output takes in `references`.
        """
        steps, implied = {}, []
        grids = self.grids()
        for name in self.output_names:
            if name in grids and not grids[name].is_constant:
                steps[name] = float(grids[name].scales)
                continue
            values = [sample[name] for sample in references]
            span = max(float(np.max(v)) for v in values) - min(float(np.min(v)) for v in values)
            steps[name] = max(span, 1e-30) / 255
            implied.append(name)
        return steps, implied


def check_structure(checks, quantized, source, wide):
    """The file as a file: valid, integers inside, axes explicit, shapes and opset kept. `wide`: 4- or 16-bit grids."""
    try:
        onnx.checker.check_model(str(quantized.path), full_check=True)
    except Exception as error:  # The checker has several exception types.
        checks.expect(False, f"onnx.checker: {str(error).splitlines()[0]}")
    nodes = quantized.nodes("DequantizeLinear")
    checks.expect(len(nodes) > 0, "the file has no DequantizeLinear")
    for node in nodes:
        if node.input[0] in quantized.constants:
            stored = quantized.constants[node.input[0]]
            checks.expect(stored.data_type in INTEGER_TYPES, f"{stored.name} is not stored as integers")
    for node in nodes + quantized.nodes("QuantizeLinear"):
        scale = quantized.array(node.input[1])
        has_axis = any(attribute.name == "axis" for attribute in node.attribute)
        checks.expect(scale.ndim == 0 or has_axis, f"{node.name} has {scale.size} scales but no axis")
        checks.expect(np.all(np.isfinite(scale)) and np.all(scale > 0), f"{node.name} has a scale that is not positive")

    opsets = {entry.domain: entry.version for entry in quantized.proto.opset_import}
    file_opset = next(entry.version for entry in source.opset_import if entry.domain in ("", "ai.onnx"))
    expected = max(file_opset, WIDE_QDQ_OPSET if wide else MIN_QDQ_OPSET)
    checks.expect(opsets == {"": expected}, f"the file imports {opsets}, expected opset {expected}")

    constants = {tensor.name for tensor in source.graph.initializer}
    inputs = [value for value in source.graph.input if value.name not in constants]
    for kind, before, after in (("input", inputs, quantized.proto.graph.input),
                                ("output", source.graph.output, quantized.proto.graph.output)):
        checks.expect([(v.name, _dims(v)) for v in before] == [(v.name, _dims(v)) for v in after],
                      f"{kind}s are {[(v.name, _dims(v)) for v in after]}, were {[(v.name, _dims(v)) for v in before]}")
    metadata = {entry.key: entry.value for entry in quantized.proto.metadata_props}
    for key in ("halfstep.version", "halfstep.options", "halfstep.arithmetic"):
        checks.expect(metadata.get(key), f"metadata {key} is missing")


def _dims(value):
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


def weight_bytes_ratio(quantized):
    """Stored bytes of all encoded constants over what they would need as float32."""
    stored = real = 0
    for node in quantized.nodes("DequantizeLinear"):
        if node.input[0] in quantized.constants:
            tensor = quantized.constants[node.input[0]]
            stored += len(tensor.raw_data)
            real += 4 * int(np.prod(tensor.dims))
    return stored / max(1, real)


def check_encodings(checks, quantized, document, version):
    """The encodings JSON names exactly the tensors of the file, on the same grids."""
    checks.expect(document["version"] == version, f"encodings have version {document['version']}")
    if version == "2.0.0":
        entries = {entry["name"]: entry for entry in document["encodings"]}
    elif version == "1.0.0":
        entries = {entry["name"]: entry for key in ("activation_encodings", "param_encodings")
                   for entry in document[key]}
    else:
        entries = {**document["activation_encodings"], **document["param_encodings"]}
    grids = quantized.grids()
    checks.expect(set(entries) == set(grids), "tensors in one only of encodings and model: "
                  f"{sorted(set(entries) ^ set(grids))[:5]}")
    for name in sorted(set(entries) & set(grids)):
        grid = grids[name]
        scales, zero_points = _scales_and_zero_points(entries[name], grid.dtype)
        same = (np.array_equal(scales.astype(np.float32), np.atleast_1d(grid.scales)) and
                np.array_equal(zero_points, np.atleast_1d(grid.zero_points).astype(np.int64)))
        checks.expect(same, f"{name}: encodings and model differ in scale or zero point")


def _scales_and_zero_points(entry, dtype):
    """Of an entry in any of the three versions; zero points on the grid of `dtype`."""
    if isinstance(entry, dict) and "y_scale" in entry:
        scales = np.atleast_1d(np.asarray(entry["y_scale"], np.float64))
        return scales, np.broadcast_to(np.asarray(entry.get("y_zero_point", 0), np.int64), scales.shape)
    if isinstance(entry, dict):
        scales, offsets = np.asarray(entry["scale"], np.float64), np.asarray(entry["offset"], np.int64)
        bits = entry["bw"]
    else:
        scales = np.asarray([channel["scale"] for channel in entry], np.float64)
        offsets = np.asarray([channel["offset"] for channel in entry], np.int64)
        bits = entry[0]["bitwidth"]
    lowest = -(1 << (bits - 1)) if str(dtype).startswith("int") else 0
    return scales, lowest - offsets


def check_report(checks, report, kind, with_labels=False):
    """The keys that docs/report.md promises."""
    for key in ("schema", "schema_version", "kind", "tool", "model", "metrics", "outputs", "layers", "float_islands",
                "warnings"):
        checks.expect(key in report, f"the report has no {key}")
    checks.expect(report.get("kind") == kind, f"the report's kind is {report.get('kind')}")
    for section, keys in (("outputs", ("name", "sqnr_db", "cosine", "max_abs_error")),
                          ("layers", ("name", "op", "sqnr_db"))):
        entries = report.get(section, [])
        checks.expect(len(entries) > 0, f"the report's {section} are empty")
        checks.expect(all(key in entry for entry in entries for key in keys), f"an entry of {section} lacks a key")
    decibels = [layer["sqnr_db"] for layer in report.get("layers", [])]
    checks.expect(decibels == sorted(decibels), "the report's layers are not worst first")
    if with_labels:
        metrics = report["metrics"]
        for key in ("top1", "top5"):
            top = metrics.get(key, {})
            checks.expect({"float", "quantized", "drop"} <= set(top), f"metrics.{key} lacks a key")
            checks.expect(abs(top["float"] - top["quantized"] - top["drop"]) < 1e-9,
                          f"metrics.{key}.drop is not the difference")
        checks.expect("top1_agreement" in metrics, "metrics.top1_agreement is missing")
