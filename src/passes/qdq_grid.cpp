// qdq_grid.cpp: what one QuantizeLinear or DequantizeLinear says about its grid.
#include "passes/qdq_grid.hpp"

#include <cmath>
#include <sstream>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "encoding/encoding_set.hpp"
#include "passes/edit.hpp"

namespace halfstep::passes {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

std::string name_of_stored(const StoredType& stored) {
  if (stored.narrow_bits == 0) return std::string(name_of(stored.dtype));
  return (stored.dtype == DType::kInt8 ? "int" : "uint") + std::to_string(stored.narrow_bits);
}

/// Empty if nothing is stored in this type.
std::optional<IntGrid> grid_of(const StoredType& stored) {
  switch (stored.dtype) {
    case DType::kInt8:
      return signed_grid(stored.narrow_bits == 0 ? 8 : stored.narrow_bits);
    case DType::kUint8:
      return unsigned_grid(stored.narrow_bits == 0 ? 8 : stored.narrow_bits);
    case DType::kInt16:
      return signed_grid(16);
    case DType::kUint16:
      return unsigned_grid(16);
    case DType::kInt32:
      return signed_grid(32);
    default:
      return std::nullopt;
  }
}

/// The type that attribute output_dtype (an ONNX element type) asks of a Q; empty if it asks for none.
Result<std::optional<StoredType>> requested_type(const Node& node) {
  switch (node.attributes.get_int("output_dtype", 0)) {
    case 0:
      return std::optional<StoredType>();
    case 2:
      return std::optional(StoredType{DType::kUint8, 0});
    case 3:
      return std::optional(StoredType{DType::kInt8, 0});
    case 4:
      return std::optional(StoredType{DType::kUint16, 0});
    case 5:
      return std::optional(StoredType{DType::kInt16, 0});
    case 6:
      return std::optional(StoredType{DType::kInt32, 0});
    case 21:
      return std::optional(StoredType{DType::kUint8, 4});
    case 22:
      return std::optional(StoredType{DType::kInt8, 4});
    case 25:
      return std::optional(StoredType{DType::kUint8, 2});
    case 26:
      return std::optional(StoredType{DType::kInt8, 2});
    default:
      return Error{ErrorCode::kUnsupported, "output_dtype is not an integer type of up to 32 bits"};
  }
}

Result<StoredType> stored_type_of(const Graph& graph, const Node& node, const std::optional<StoredType>& known) {
  std::optional<StoredType> expected = known;
  if (is_quantize(node)) {
    Result<std::optional<StoredType>> requested = requested_type(node);
    if (!requested.ok()) return requested.error();
    expected = *requested;
  }
  const ValueId zero_point = input_of(node, 2);
  if (zero_point == kNoValue) return expected.value_or(StoredType{});
  const StoredType found{graph.value(zero_point).constant->dtype(), graph.value(zero_point).narrow_bits};
  if (expected && *expected != found) {
    return invalid("zero point is " + name_of_stored(found) + ", the " +
                   (is_quantize(node) ? "output_dtype is " : "input is ") + name_of_stored(*expected));
  }
  return found;
}

Result<std::optional<QdqGrid>> read_grid(const Graph& graph, const Node& node, const std::optional<StoredType>& known) {
  if (node.outputs.size() != 1 || node.outputs[0] == kNoValue) return invalid("needs one output");
  const Tensor* scale = graph::constant_of(graph, node.inputs[1]);
  const ValueId zero_point_id = input_of(node, 2);
  const Tensor* zero_point = graph::constant_of(graph, zero_point_id);
  if (scale == nullptr || (zero_point_id != kNoValue && zero_point == nullptr)) return std::optional<QdqGrid>();

  if (scale->dtype() != DType::kFloat32) {
    return invalid("scale is " + std::string(name_of(scale->dtype())) + ", expected float32");
  }
  const std::int64_t count = scale->num_elements();
  const std::int64_t block_size = node.attributes.get_int("block_size", 0);
  if (block_size < 0) return invalid("block_size is " + std::to_string(block_size) + ", expected 0 or more");
  if (block_size == 0 && scale->shape().rank() > 1 && count != 1) {
    return Error{ErrorCode::kUnsupported, "scale has shape " + to_string(scale->shape()) +
                                              " but there is no block_size; quantize per tensor, channel or block"};
  }
  if (count == 0) return invalid("scale is empty");
  if (zero_point != nullptr && zero_point->num_elements() != count) {
    return invalid("zero point has " + std::to_string(zero_point->num_elements()) + " elements, the scale has " +
                   std::to_string(count));
  }
  const Result<StoredType> stored = stored_type_of(graph, node, known);
  if (!stored.ok()) return stored.error();
  const std::optional<IntGrid> grid = grid_of(*stored);
  if (!grid) return invalid("zero point is " + name_of_stored(*stored) + ", expected an integer of 2 to 32 bits");

  for (std::int64_t c = 0; c < count; ++c) {
    const float value = scale->data<float>()[c];
    if (value > 0.0F && std::isfinite(value)) continue;
    return invalid("scale" + (count > 1 ? " of channel " + std::to_string(c) : std::string()) + " is " + shown(value) +
                   ", expected a positive finite number; calibrate this tensor again");
  }
  QdqGrid result{*stored, *grid, {}, node.attributes.get_int("axis", 1), block_size};
  if (block_size != 0) result.scale_shape = scale->shape();
  const std::vector<std::int64_t> zero_points =
      zero_point == nullptr ? std::vector<std::int64_t>(static_cast<std::size_t>(count), 0) : to_int64s(*zero_point);
  for (std::int64_t c = 0; c < count; ++c) {
    const auto zero = static_cast<std::int32_t>(zero_points[static_cast<std::size_t>(c)]);
    result.params.push_back({scale->data<float>()[c], zero});
  }
  // The axis is bound to a tensor later.
  if (const Result<Encoding> sane = Encoding::per_channel(*grid, 0, result.params); !sane.ok()) return sane.error();
  return std::optional(std::move(result));
}

}  // namespace

std::string shown(float value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

bool is_quantize(const Node& node) { return node.op_type == "QuantizeLinear" && node.domain.empty(); }

bool is_dequantize(const Node& node) { return node.op_type == "DequantizeLinear" && node.domain.empty(); }

Result<std::optional<QdqGrid>> qdq_grid_of(const Graph& graph, const Node& node,
                                           const std::optional<StoredType>& stored) {
  Result<std::optional<QdqGrid>> grid = read_grid(graph, node, stored);
  if (!grid.ok()) return grid.error().at(graph::describe(graph, node));
  return grid;
}

Result<Encoding> encoding_of(const QdqGrid& grid, int rank) {
  if (!grid.per_channel() && !grid.per_block()) return Encoding::per_tensor(grid.grid, grid.params[0]);
  const Result<int> axis = normalize_axis(grid.axis, rank);
  if (!axis.ok()) return axis.error();
  if (grid.per_block()) return Encoding::per_block(grid.grid, *axis, grid.block_size, grid.params);
  return Encoding::per_channel(grid.grid, *axis, grid.params);
}

Result<Encoding> constant_encoding_of(const QdqGrid& grid, const Shape& shape) {
  Result<Encoding> encoding = encoding_of(grid, shape.rank());
  if (!encoding.ok()) return encoding;
  if (grid.per_block() && *grid.scale_shape != scale_shape(*encoding, shape)) {
    return invalid("scale has shape " + to_string(*grid.scale_shape) + ", blocks of " +
                   std::to_string(grid.block_size) + " along axis " + std::to_string(*encoding->block_axis()) + " of " +
                   to_string(shape) + " need " + to_string(scale_shape(*encoding, shape)));
  }
  if (const Result<void> fits = check_fits(*encoding, shape); !fits.ok()) return fits.error();
  return encoding;
}

}  // namespace halfstep::passes
