// block_entries.cpp: scales of blocks, stored flat (version 1), nested, or as integers times scales (LPBQ,
// version 2.1).
#include "io/json/block_entries.hpp"

#include <algorithm>
#include <span>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/json/encoding_entries.hpp"
#include "io/json/entry_fields.hpp"
#include "io/json/nested_numbers.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;

constexpr char kOnlyConstants[] = "only constants with axes have block-wise scales";

std::int64_t blocks_in(std::int64_t extent, std::int64_t block_size) { return (extent + block_size - 1) / block_size; }

/// The positive integer in 'block_size'.
Result<std::int64_t> block_size_of(const json& entry) {
  const Result<const json*> value = required_field(entry, "block_size");
  if (!value.ok()) return value.error();
  const Result<std::int64_t> size = integer_value(**value, "block_size");
  if (size.ok() && *size < 1) return invalid("field 'block_size' is not positive");
  return size;
}

/// A constant with channels and an axis of blocks beside them.
struct BlockedShape {
  Shape scales;  ///< One for each block.
  int channel_axis = 0;
  int block_axis = 0;

  std::int64_t channels() const { return scales[channel_axis]; }
  std::int64_t blocks() const { return scales[block_axis]; }
};

Result<BlockedShape> blocked_shape(const EncodingTarget& target, std::optional<int> block_axis, std::int64_t size) {
  if (!target.shape || target.shape->rank() < 1) return invalid(kOnlyConstants);
  BlockedShape blocked{.scales = *target.shape, .channel_axis = target.channel_axis.value_or(0)};
  if (block_axis) {
    blocked.block_axis = *block_axis;
  } else if (!target.channel_axis || target.shape->rank() < 2) {
    return invalid("the tensor has no input channels that blocks could lie along");
  } else {
    blocked.block_axis = blocked.channel_axis == 0 ? 1 : blocked.channel_axis - 1;
  }
  blocked.scales[blocked.block_axis] = blocks_in(blocked.scales[blocked.block_axis], size);
  return blocked;
}

/// Numbers of version 1 as row-major ones of `shape`: blocks run fastest, one row of them for each channel, or for each
/// place along all other axes.
template <class T>
std::vector<T> from_rows_of_blocks(const std::vector<T>& rows, const BlockedShape& shape) {
  const bool by_channel = static_cast<std::int64_t>(rows.size()) != shape.scales.num_elements();
  std::vector<T> result;
  for_each_index(shape.scales, [&](std::span<const std::int64_t> index) {
    std::int64_t row = 0;
    for (int axis = 0; axis < shape.scales.rank(); ++axis) {
      if (axis == shape.block_axis || (by_channel && axis != shape.channel_axis)) continue;
      row = row * shape.scales[axis] + index[static_cast<std::size_t>(axis)];
    }
    const std::int64_t block = index[static_cast<std::size_t>(shape.block_axis)];
    result.push_back(rows[static_cast<std::size_t>(row * shape.blocks() + block)]);
  });
  return result;
}

Result<void> check_count(std::size_t found, std::int64_t expected, const char* key) {
  if (static_cast<std::int64_t>(found) == expected) return {};
  return invalid("field " + halfstep::quoted(key) + " holds " + std::to_string(found) + " numbers, the tensor needs " +
                 std::to_string(expected));
}

/// How many numbers there are in rows of blocks, of which `found` were: of all places if it is their number.
std::int64_t rows_of_blocks(std::size_t found, const BlockedShape& shape) {
  const std::int64_t all = shape.scales.num_elements();
  return static_cast<std::int64_t>(found) == all ? all : shape.channels() * shape.blocks();
}

/// PER_BLOCK: a scale and an offset for each block.
Result<RawBlocks> read_per_block(const json& entry, int bits, const BlockedShape& shape, RawBlocks blocks) {
  const Result<bool> symmetric = flag_field(entry, "is_sym");
  if (!symmetric.ok()) return symmetric.error();
  const auto scales = list_field<double>(entry, "scale", &number_value);
  if (!scales.ok()) return scales.error();
  const auto offsets = list_field<std::int64_t>(entry, "offset", &integer_value);
  if (!offsets.ok()) return offsets.error();
  const std::int64_t count = rows_of_blocks(scales->size(), shape);
  if (auto ok = check_count(scales->size(), count, "scale"); !ok.ok()) return ok.error();
  if (auto ok = check_count(offsets->size(), count, "offset"); !ok.ok()) return ok.error();
  std::vector<QuantParams> params;
  for (std::size_t i = 0; i < scales->size(); ++i) {
    const Result<OffsetGrid> found = grid_of_offset((*offsets)[i], bits, *symmetric);
    if (!found.ok()) return found.error();
    if (i > 0 && found->grid != blocks.grid) return invalid("blocks have offsets of different kinds");
    blocks.grid = found->grid;
    params.push_back({(*scales)[i], found->zero_point});
  }
  blocks.params = from_rows_of_blocks(params, shape);
  return blocks;
}

/// LPBQ: a scale for each channel times a small integer for each block; codes are signed, of compressed_bw bits.
Result<RawBlocks> read_lpbq(const json& entry, int bits, const BlockedShape& shape, RawBlocks blocks) {
  const Result<int> compressed = width_field(entry, "compressed_bw");
  if (!compressed.ok()) return compressed.error();
  if (*compressed >= bits) return invalid("field 'compressed_bw' is not below 'bw'");
  const auto scales = list_field<double>(entry, "scale", &number_value);
  if (!scales.ok()) return scales.error();
  const auto integers = list_field<std::int64_t>(entry, "per_block_int_scale", &integer_value);
  if (!integers.ok()) return integers.error();
  const std::int64_t count = shape.channels() * shape.blocks();
  if (auto ok = check_count(scales->size(), shape.channels(), "scale"); !ok.ok()) return ok.error();
  if (auto ok = check_count(integers->size(), count, "per_block_int_scale"); !ok.ok()) return ok.error();
  const std::int64_t largest = std::int64_t{1} << (bits - *compressed);
  std::vector<QuantParams> params;
  for (std::size_t i = 0; i < integers->size(); ++i) {
    if ((*integers)[i] < 1 || (*integers)[i] > largest) {
      return invalid("'per_block_int_scale' holds " + std::to_string((*integers)[i]) + ", which is outside 1 to " +
                     std::to_string(largest));
    }
    const double scale = (*scales)[i / static_cast<std::size_t>(shape.blocks())];
    params.push_back({scale * static_cast<double>((*integers)[i]), 0});
  }
  blocks.grid = signed_grid(*compressed);
  blocks.params = from_rows_of_blocks(params, shape);
  return blocks;
}

Result<RawBlocks> read_blocks_1(const json& entry, const EncodingTarget& target) {
  const Result<int> bits = width_field(entry, "bw");
  if (!bits.ok()) return bits.error();
  const Result<std::int64_t> size = block_size_of(entry);
  if (!size.ok()) return size.error();
  const Result<BlockedShape> shape = blocked_shape(target, std::nullopt, *size);
  if (!shape.ok()) return shape.error();
  RawBlocks blocks{.grid = {}, .axis = shape->block_axis, .block_size = *size, .params = {}};
  return entry["enc_type"] == "LPBQ" ? read_lpbq(entry, *bits, *shape, std::move(blocks))
                                     : read_per_block(entry, *bits, *shape, std::move(blocks));
}

Result<int> axis_of(const json& entry, int rank) {
  const Result<const json*> value = required_field(entry, "axis");
  if (!value.ok()) return value.error();
  const Result<std::int64_t> axis = integer_value(**value, "axis");
  if (!axis.ok()) return axis.error();
  if (*axis < -rank || *axis >= rank) {
    return invalid("axis " + std::to_string(*axis) + " is not an axis of the tensor");
  }
  return static_cast<int>(*axis < 0 ? *axis + rank : *axis);
}

/// Scales that are quantized themselves: (x - x_zero_point) * x_scale, x for each element of `shape`.
Result<std::vector<double>> quantized_scales(const json& x, const json* zero_point, const json& x_scale, int axis,
                                             std::int64_t block_size, const Shape& shape) {
  Result<std::vector<double>> values = spread_numbers(x, shape, axis, "x");
  if (!values.ok()) return values.error();
  Shape of_scales = shape;
  of_scales[axis] = blocks_in(shape[axis], block_size);
  const Result<std::vector<double>> scales = spread_numbers(x_scale, of_scales, axis, "x_scale");
  if (!scales.ok()) return scales.error();
  std::vector<double> zero_points(scales->size(), 0.0);
  if (zero_point != nullptr && !zero_point->is_null()) {
    Result<std::vector<double>> read = spread_numbers(*zero_point, of_scales, axis, "x_zero_point");
    if (!read.ok()) return read.error();
    zero_points = *std::move(read);
  }
  const std::vector<std::int64_t> strides = strides_of(of_scales);
  std::size_t at = 0;
  for_each_index(shape, [&](std::span<const std::int64_t> index) {
    std::int64_t from = 0;
    for (std::size_t a = 0; a < index.size(); ++a) {
      from += (static_cast<int>(a) == axis ? index[a] / block_size : index[a]) * strides[a];
    }
    const auto i = static_cast<std::size_t>(from);
    double& value = (*values)[at++];
    value = (value - zero_points[i]) * (*scales)[i];
  });
  return values;
}

Result<std::vector<double>> scales_2(const json& entry, const BlockedShape& shape) {
  if (entry.contains("per_block_int_scale")) {
    const Result<const json*> floats = required_field(entry, "per_channel_float_scale");
    if (!floats.ok()) return floats.error();
    return quantized_scales(entry["per_block_int_scale"], nullptr, **floats, shape.channel_axis, 1, shape.scales);
  }
  const Result<const json*> scale = required_field(entry, "y_scale");
  if (!scale.ok()) return scale.error();
  const json& y_scale = **scale;
  if (!y_scale.is_object()) return spread_numbers(y_scale, shape.scales, shape.channel_axis, "y_scale");
  const Result<const json*> x = required_field(y_scale, "x");
  if (!x.ok()) return x.error().at("y_scale");
  const Result<const json*> x_scale = required_field(y_scale, "x_scale");
  if (!x_scale.ok()) return x_scale.error().at("y_scale");
  const json input_dtype = y_scale.value("input_dtype", json("uint8"));
  const Result<IntGrid> x_grid = grid_of_dtype(input_dtype.is_string() ? input_dtype.get<std::string>() : "");
  if (!x_grid.ok()) return unsupported("y_scale: only integers as input_dtype are supported");
  Result<int> axis = shape.channel_axis;
  if (y_scale.contains("axis")) axis = axis_of(y_scale, shape.scales.rank());
  if (!axis.ok()) return axis.error().at("y_scale");
  Result<std::int64_t> size = std::int64_t{1};
  if (y_scale.contains("block_size") && y_scale["block_size"] != 0) size = block_size_of(y_scale);
  if (!size.ok()) return size.error().at("y_scale");
  const auto zero_point = y_scale.find("x_zero_point");
  return quantized_scales(**x, zero_point == y_scale.end() ? nullptr : &*zero_point, **x_scale, *axis, *size,
                          shape.scales);
}

Result<RawBlocks> read_blocks_2(const json& entry, const EncodingTarget& target) {
  const Result<const json*> dtype = required_field(entry, "output_dtype");
  if (!dtype.ok()) return dtype.error();
  if (!(*dtype)->is_string()) return invalid("field 'output_dtype' is not a string");
  const Result<IntGrid> grid = grid_of_dtype((*dtype)->get<std::string>());
  if (!grid.ok()) return grid.error();
  const Result<std::int64_t> size = block_size_of(entry);
  if (!size.ok()) return size.error();
  if (!target.shape) return invalid(kOnlyConstants);
  const Result<int> axis = axis_of(entry, target.shape->rank());
  if (!axis.ok()) return axis.error();
  const Result<BlockedShape> shape = blocked_shape(target, *axis, *size);
  if (!shape.ok()) return shape.error();
  const Result<std::vector<double>> scales = scales_2(entry, *shape);
  if (!scales.ok()) return scales.error();
  std::vector<double> zero_points(scales->size(), 0.0);
  if (entry.contains("y_zero_point") && !entry["y_zero_point"].is_null()) {
    Result<std::vector<double>> read =
        spread_numbers(entry["y_zero_point"], shape->scales, shape->channel_axis, "y_zero_point");
    if (!read.ok()) return read.error();
    zero_points = *std::move(read);
  }
  RawBlocks blocks{.grid = *grid, .axis = *axis, .block_size = *size, .params = {}};
  for (std::size_t i = 0; i < scales->size(); ++i) {
    const double zero_point = zero_points[i];
    if (!(zero_point >= grid->q_min && zero_point <= grid->q_max) ||
        zero_point != static_cast<double>(static_cast<std::int64_t>(zero_point))) {
      return invalid("zero point " + json(zero_point).dump() + " is no code of " + (*dtype)->get<std::string>());
    }
    blocks.params.push_back({(*scales)[i], static_cast<std::int32_t>(zero_point)});
  }
  return blocks;
}

bool holds_lists(const json& entry, const char* key) {
  const auto at = entry.find(key);
  return at != entry.end() && at->is_array() && !at->empty() && at->front().is_array();
}

}  // namespace

bool is_block_entry(const json& entry) {
  if (!entry.is_object()) return false;
  if (entry.contains("bw")) {
    const auto kind = entry.find("enc_type");
    return kind != entry.end() && (*kind == "PER_BLOCK" || *kind == "LPBQ");
  }
  if (entry.contains("per_block_int_scale") || holds_lists(entry, "y_scale")) return true;
  const auto scale = entry.find("y_scale");
  const auto size = entry.find("block_size");
  return (scale != entry.end() && scale->is_object()) ||
         (entry.contains("output_dtype") && size != entry.end() && !size->is_null() && *size != 0);
}

Result<RawBlocks> read_block_entry(const json& entry, const EncodingTarget& target) {
  return entry.contains("bw") ? read_blocks_1(entry, target) : read_blocks_2(entry, target);
}

Result<Encoding> encoding_of(const RawBlocks& blocks) {
  return Encoding::per_block(blocks.grid, blocks.axis, blocks.block_size, blocks.params);
}

}  // namespace halfstep::io
