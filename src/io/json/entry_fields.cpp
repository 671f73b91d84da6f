// entry_fields.cpp: kinds and limits of single fields.
#include "io/json/entry_fields.hpp"

#include <cmath>

namespace halfstep::io {

using nlohmann::json;

Result<const json*> required_field(const json& object, const char* key) {
  const auto at = object.find(key);
  if (at == object.end()) return invalid("field " + halfstep::quoted(key) + " is missing");
  return &*at;
}

Result<double> number_value(const json& value, const char* key) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    return invalid("field " + halfstep::quoted(key) + " is not a finite number");
  }
  return value.get<double>();
}

Result<std::int64_t> integer_value(const json& value, const char* key) {
  const Result<double> number = number_value(value, key);
  if (!number.ok() || *number != std::floor(*number)) {
    return invalid("field " + halfstep::quoted(key) + " is not an integer");
  }
  if (std::fabs(*number) > 9e15) return invalid("field " + halfstep::quoted(key) + " is out of range");
  return static_cast<std::int64_t>(*number);
}

Result<double> number_field(const json& object, const char* key) {
  const Result<const json*> value = required_field(object, key);
  if (!value.ok()) return value.error();
  return number_value(**value, key);
}

Result<bool> flag_field(const json& object, const char* key) {
  const Result<const json*> value = required_field(object, key);
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

Result<int> width_field(const json& object, const char* key) {
  const Result<const json*> value = required_field(object, key);
  if (!value.ok()) return value.error();
  const Result<std::int64_t> bits = integer_value(**value, key);
  if (!bits.ok()) return bits.error();
  if (*bits < kMinWidth || *bits > kMaxWidth) {
    return invalid("a width of " + std::to_string(*bits) + " bits is outside 2 to 32");
  }
  return static_cast<int>(*bits);
}

Result<bool> says_float(const json& entry) {
  const auto at = entry.find("dtype");
  if (at == entry.end()) return false;
  const std::string text = at->is_string() ? at->get<std::string>() : "";
  if (text == "int" || text == "INT") return false;
  if (text == "float" || text == "FLOAT") return true;
  return invalid("field 'dtype' is neither int nor float");
}

Result<int> float_width(const json& entry, const char* key) {
  if (!entry.contains(key)) return 32;
  const Result<std::int64_t> bits = integer_value(entry[key], key);
  if (!bits.ok()) return bits.error();
  if (*bits == 16 || *bits == 32) return static_cast<int>(*bits);
  return invalid("real numbers of " + std::to_string(*bits) + " bits are neither float16 nor float32");
}

}  // namespace halfstep::io
