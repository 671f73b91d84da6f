// encoding_entries_2.cpp: entries of version 2, in the terms of QuantizeLinear.
#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/json/encoding_entries.hpp"
#include "io/json/entry_fields.hpp"

namespace halfstep::io {

using nlohmann::json;

Result<IntGrid> grid_of_dtype(const std::string& dtype) {
  for (const int bits : {2, 4, 8, 16, 32}) {
    if (dtype == "int" + std::to_string(bits)) return signed_grid(bits);
    if (dtype == "uint" + std::to_string(bits) && bits < kMaxWidth) return unsigned_grid(bits);
  }
  const std::string type = "output_dtype " + halfstep::quoted(dtype);
  if (dtype.starts_with("float")) return unsupported(type + " is not supported");
  return invalid(type + " is not one of int2, int4, int8, int16, int32, uint2, uint4, uint8 and uint16");
}

Result<RawEntry> read_entry_2(const json& object) {
  const Result<const json*> dtype = required_field(object, "output_dtype");
  if (!dtype.ok()) return dtype.error();
  if (!(*dtype)->is_string()) return invalid("field 'output_dtype' is not a string");
  const Result<IntGrid> grid = grid_of_dtype((*dtype)->get<std::string>());
  if (!grid.ok()) return grid.error();
  if (object.contains("per_block_int_scale") || (object.contains("y_scale") && object["y_scale"].is_object()) ||
      (object.contains("block_size") && object["block_size"] != 0)) {
    return Error{ErrorCode::kUnsupported, "block-wise scales are not supported"};
  }
  const auto scales = list_field<double>(object, "y_scale", &number_value);
  if (!scales.ok()) return scales.error();
  std::vector<std::int64_t> zero_points(scales->size(), 0);
  if (object.contains("y_zero_point") && !object["y_zero_point"].is_null()) {
    const auto stored = list_field<std::int64_t>(object, "y_zero_point", &integer_value);
    if (!stored.ok()) return stored.error();
    if (stored->size() != scales->size()) {
      return invalid(std::to_string(scales->size()) + " scales but " + std::to_string(stored->size()) + " zero points");
    }
    zero_points = *stored;
  }
  RawEntry entry;
  entry.grid = *grid;
  entry.per_channel = object["y_scale"].is_array();
  for (std::size_t i = 0; i < scales->size(); ++i) {
    if (zero_points[i] < grid->q_min || zero_points[i] > grid->q_max) {
      return invalid("zero point " + std::to_string(zero_points[i]) + " is outside " + (*dtype)->get<std::string>());
    }
    entry.params.push_back({(*scales)[i], static_cast<std::int32_t>(zero_points[i])});
  }
  if (object.contains("axis") && !object["axis"].is_null()) {
    const Result<std::int64_t> axis = integer_value(object["axis"], "axis");
    if (!axis.ok()) return axis.error();
    entry.axis = *axis;
  }
  return entry;
}

}  // namespace halfstep::io
