// encoding_entries.cpp: field by field, with every value checked before it is believed.
#include "io/json/encoding_entries.hpp"

#include <algorithm>
#include <cmath>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "encoding/range_to_encoding.hpp"

namespace halfstep::io {
namespace {

using nlohmann::json;

constexpr int kMinBits = 2;
constexpr int kMaxBits = 32;
/// A stored scale that differs more than this (relatively) from what min and max say is wrong.
constexpr double kScaleTolerance = 1e-3;

Result<const json*> field(const json& object, const char* key) {
  const auto at = object.find(key);
  if (at == object.end()) return invalid("field " + halfstep::quoted(key) + " is missing");
  return &*at;
}

Result<double> as_number(const json& value, const char* key) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    return invalid("field " + halfstep::quoted(key) + " is not a finite number");
  }
  return value.get<double>();
}

/// Integers, also written as -128.0.
Result<std::int64_t> as_integer(const json& value, const char* key) {
  const Result<double> number = as_number(value, key);
  if (!number.ok() || *number != std::floor(*number) || std::fabs(*number) > 9e15) {
    return invalid("field " + halfstep::quoted(key) + " is not an integer");
  }
  return static_cast<std::int64_t>(*number);
}

Result<double> number_field(const json& object, const char* key) {
  const Result<const json*> value = field(object, key);
  if (!value.ok()) return value.error();
  return as_number(**value, key);
}

/// true, "True", "true", ...
Result<bool> bool_field(const json& object, const char* key) {
  const Result<const json*> value = field(object, key);
  if (!value.ok()) return value.error();
  if ((*value)->is_boolean()) return (*value)->get<bool>();
  if ((*value)->is_string()) {
    std::string text = (*value)->get<std::string>();
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (text == "true") return true;
    if (text == "false") return false;
  }
  return invalid("field " + halfstep::quoted(key) + " is neither true nor false");
}

Result<int> bits_field(const json& object, const char* key) {
  const Result<const json*> value = field(object, key);
  if (!value.ok()) return value.error();
  const Result<std::int64_t> bits = as_integer(**value, key);
  if (!bits.ok()) return bits.error();
  if (*bits < kMinBits || *bits > kMaxBits) {
    return invalid("a width of " + std::to_string(*bits) + " bits is outside 2 to 32");
  }
  return static_cast<int>(*bits);
}

/// One number or a list of them.
template <class T>
Result<std::vector<T>> list_field(const json& object, const char* key, Result<T> (*convert)(const json&, const char*)) {
  const Result<const json*> value = field(object, key);
  if (!value.ok()) return value.error();
  std::vector<T> list;
  const auto append = [&](const json& element) -> Result<void> {
    const Result<T> converted = convert(element, key);
    if (!converted.ok()) return converted.error();
    list.push_back(*converted);
    return {};
  };
  if (!(*value)->is_array()) {
    if (auto ok = append(**value); !ok.ok()) return ok.error();
    return list;
  }
  for (const json& element : **value) {
    if (element.is_array()) {
      return Error{ErrorCode::kUnsupported,
                   "block-wise scales (field " + halfstep::quoted(key) + ") are not supported"};
    }
    if (auto ok = append(element); !ok.ok()) return ok.error();
  }
  if (list.empty()) return invalid("field " + halfstep::quoted(key) + " is an empty list");
  return list;
}

/// "int", "INT": false; "float": true; anything else is an error.
Result<bool> says_float(const json& entry) {
  const auto at = entry.find("dtype");
  if (at == entry.end()) return false;
  const std::string text = at->is_string() ? at->get<std::string>() : "";
  if (text == "int" || text == "INT") return false;
  if (text == "float" || text == "FLOAT") return true;
  return invalid("field 'dtype' is neither int nor float");
}

/// What one object of versions 0.4 to 0.6 says.
struct Legacy {
  IntGrid grid;
  QuantParams params;
  std::string warning;
};

bool agrees(double stored, double computed) {
  return computed > 0.0 && std::fabs(stored - computed) <= kScaleTolerance * computed;
}

Result<Legacy> read_legacy(const json& object) {
  const Result<int> bits = bits_field(object, "bitwidth");
  if (!bits.ok()) return bits.error();
  const Result<double> min = number_field(object, "min");
  if (!min.ok()) return min.error();
  const Result<double> max = number_field(object, "max");
  if (!max.ok()) return max.error();
  if (*min > *max) return invalid("min is greater than max");
  bool symmetric = false;
  if (object.contains("is_symmetric")) {
    const Result<bool> flag = bool_field(object, "is_symmetric");
    if (!flag.ok()) return flag.error();
    symmetric = *flag;
  }

  const double low = std::min(*min, 0.0);
  const double high = std::max(*max, 0.0);
  const double num_steps = std::ldexp(1.0, *bits) - 1.0;
  const bool is_signed_grid = symmetric && low < 0.0;
  if (!is_signed_grid && *bits == kMaxBits) return invalid("32 bits need a symmetric range");
  const double width = (high - low) / num_steps;
  const double above = high / (std::ldexp(1.0, *bits - 1) - 1.0);
  const double below = -low / std::ldexp(1.0, *bits - 1);

  // Writers of symmetric ranges divide by 255, 254 or 256: all of them are right.
  double scale = is_signed_grid ? std::max(above, below) : std::max(high - low, kMinRange) / num_steps;
  Legacy result;
  if (object.contains("scale")) {
    const Result<double> stored = number_field(object, "scale");
    if (!stored.ok()) return stored.error();
    if (agrees(*stored, width) || (is_signed_grid && (agrees(*stored, above) || agrees(*stored, below)))) {
      scale = *stored;
    } else if (!agrees(*stored, scale)) {
      result.warning = "the stored scale " + object["scale"].dump() + " contradicts min and max, which win";
    }
  }
  if (is_signed_grid) {
    result.grid = signed_grid(*bits);
    result.params = {scale, 0};
  } else {
    result.grid = unsigned_grid(*bits);
    result.params = {scale, static_cast<std::int32_t>(std::clamp(std::round(-low / scale), 0.0, num_steps))};
  }
  return result;
}

/// Version 1 offsets count from the lowest code: 0 to -(2^bw - 1).
struct OffsetGrid {
  IntGrid grid;
  std::int32_t zero_point;
};

Result<OffsetGrid> grid_of_offset(std::int64_t offset, int bits, bool symmetric) {
  const std::int64_t half = std::int64_t{1} << (bits - 1);
  if (offset > 0) {
    return invalid("offset " + std::to_string(offset) + " is positive: version 1 counts from -(2^bw - 1) to 0");
  }
  if (offset == -half && (symmetric || bits == kMaxBits)) return OffsetGrid{signed_grid(bits), 0};
  if (offset == -(half - 1) && symmetric) return OffsetGrid{narrow_signed_grid(bits), 0};
  if (symmetric && offset != 0) {
    return invalid("offset " + std::to_string(offset) + " is not symmetric: expected " + std::to_string(-half) +
                   " or 0");
  }
  if (bits == kMaxBits) return invalid("32 bits need offset " + std::to_string(-half));
  if (offset < -(2 * half - 1)) {
    return invalid("offset " + std::to_string(offset) + " is outside " + std::to_string(bits) + " bits");
  }
  return OffsetGrid{unsigned_grid(bits), static_cast<std::int32_t>(-offset)};
}

/// "uint8" and its like.
Result<IntGrid> grid_of_dtype(const std::string& dtype) {
  for (const int bits : {2, 4, 8, 16, 32}) {
    if (dtype == "int" + std::to_string(bits)) return signed_grid(bits);
    if (dtype == "uint" + std::to_string(bits) && bits < kMaxBits) return unsigned_grid(bits);
  }
  return Error{ErrorCode::kUnsupported, "output_dtype " + halfstep::quoted(dtype) + " is not supported"};
}

}  // namespace

Result<RawEntry> read_entry_0(const json& list) {
  if (list.empty()) return invalid("the list is empty");
  RawEntry entry;
  for (const json& object : list) {
    if (!object.is_object()) return invalid("an element of the list is not an object");
    const Result<bool> is_float = says_float(object);
    if (!is_float.ok()) return is_float.error();
    if (*is_float) {
      if (list.size() > 1) return invalid("float entries have no channels");
      entry.is_float = true;
      return entry;
    }
    const Result<Legacy> legacy = read_legacy(object);
    if (!legacy.ok()) {
      return list.size() == 1 ? legacy.error() : legacy.error().at("channel " + std::to_string(entry.params.size()));
    }
    if (!entry.params.empty() && legacy->grid != entry.grid) {
      return invalid("channel " + std::to_string(entry.params.size()) + " has another bitwidth or symmetry");
    }
    entry.grid = legacy->grid;
    entry.params.push_back(legacy->params);
    if (!legacy->warning.empty()) entry.warnings.push_back(legacy->warning);
  }
  entry.per_channel = list.size() > 1;
  return entry;
}

Result<RawEntry> read_entry_1(const json& object) {
  RawEntry entry;
  const Result<bool> is_float = says_float(object);
  if (!is_float.ok()) return is_float.error();
  entry.is_float = *is_float;
  if (entry.is_float) return entry;
  if (object.contains("enc_type")) {
    const json& kind = object["enc_type"];
    if (kind != "PER_TENSOR" && kind != "PER_CHANNEL") {
      return Error{ErrorCode::kUnsupported, "enc_type " + kind.dump(-1, ' ', true, json::error_handler_t::replace) +
                                                " is not supported, only PER_TENSOR and PER_CHANNEL are"};
    }
    entry.per_channel = kind == "PER_CHANNEL";
  }
  const Result<int> bits = bits_field(object, "bw");
  if (!bits.ok()) return bits.error();
  const Result<bool> symmetric = bool_field(object, "is_sym");
  if (!symmetric.ok()) return symmetric.error();
  const auto scales = list_field<double>(object, "scale", &as_number);
  if (!scales.ok()) return scales.error();
  const auto offsets = list_field<std::int64_t>(object, "offset", &as_integer);
  if (!offsets.ok()) return offsets.error();
  if (scales->size() != offsets->size()) {
    return invalid(std::to_string(scales->size()) + " scales but " + std::to_string(offsets->size()) + " offsets");
  }
  for (std::size_t i = 0; i < scales->size(); ++i) {
    const Result<OffsetGrid> found = grid_of_offset((*offsets)[i], *bits, *symmetric);
    if (!found.ok()) return found.error();
    if (i > 0 && found->grid != entry.grid) return invalid("channels have offsets of different kinds");
    entry.grid = found->grid;
    entry.params.push_back({(*scales)[i], found->zero_point});
  }
  entry.per_channel = entry.per_channel || entry.params.size() > 1;
  return entry;
}

Result<RawEntry> read_entry_2(const json& object) {
  const Result<const json*> dtype = field(object, "output_dtype");
  if (!dtype.ok()) return dtype.error();
  if (!(*dtype)->is_string()) return invalid("field 'output_dtype' is not a string");
  const Result<IntGrid> grid = grid_of_dtype((*dtype)->get<std::string>());
  if (!grid.ok()) return grid.error();
  if (object.contains("per_block_int_scale") || (object.contains("y_scale") && object["y_scale"].is_object()) ||
      (object.contains("block_size") && object["block_size"] != 0)) {
    return Error{ErrorCode::kUnsupported, "block-wise scales are not supported"};
  }
  const auto scales = list_field<double>(object, "y_scale", &as_number);
  if (!scales.ok()) return scales.error();
  std::vector<std::int64_t> zero_points(scales->size(), 0);
  if (object.contains("y_zero_point") && !object["y_zero_point"].is_null()) {
    const auto stored = list_field<std::int64_t>(object, "y_zero_point", &as_integer);
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
    const Result<std::int64_t> axis = as_integer(object["axis"], "axis");
    if (!axis.ok()) return axis.error();
    entry.axis = *axis;
  }
  return entry;
}

Result<RawEntry> read_entry(const json& entry) {
  if (entry.is_array()) return read_entry_0(entry);
  if (!entry.is_object()) return invalid("it is neither an object nor a list");
  if (entry.contains("bw")) return read_entry_1(entry);
  if (entry.contains("output_dtype") || entry.contains("y_scale")) return read_entry_2(entry);
  if (entry.contains("bitwidth")) return read_entry_0(json::array({entry}));
  return invalid("it has none of the fields 'bw', 'bitwidth' and 'output_dtype'");
}

}  // namespace halfstep::io
