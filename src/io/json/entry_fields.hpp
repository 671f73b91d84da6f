// entry_fields.hpp: one field of a JSON object, checked before it is believed.
//
// Errors of all these: kInvalidInput that names the field, not the object: missing, or of another kind.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// Widths of integers in bits that an entry with a whole grid may have.
inline constexpr int kMinWidth = 2;
inline constexpr int kMaxWidth = 32;

Result<const nlohmann::json*> required_field(const nlohmann::json& object, const char* key);

/// A finite number. `key` is for the message.
Result<double> number_value(const nlohmann::json& value, const char* key);

/// An integer, also written as -128.0.
Result<std::int64_t> integer_value(const nlohmann::json& value, const char* key);

Result<double> number_field(const nlohmann::json& object, const char* key);

/// true, "True", "true", ...
Result<bool> flag_field(const nlohmann::json& object, const char* key);

/// kMinWidth to kMaxWidth.
Result<int> width_field(const nlohmann::json& object, const char* key);

/// Field 'dtype': "float" or "FLOAT" is true; "int", "INT" or absent is false.
Result<bool> says_float(const nlohmann::json& entry);

/// Of an entry that says_float(): 16 or 32, and 32 where it does not say.
Result<int> float_width(const nlohmann::json& entry, const char* key);

/// One number or a list of them. Errors also: kUnsupported for a list of lists.
template <class T>
Result<std::vector<T>> list_field(const nlohmann::json& object, const char* key,
                                  Result<T> (*convert)(const nlohmann::json&, const char*)) {
  const Result<const nlohmann::json*> value = required_field(object, key);
  if (!value.ok()) return value.error();
  std::vector<T> list;
  const auto append = [&](const nlohmann::json& element) -> Result<void> {
    const Result<T> converted = convert(element, key);
    if (!converted.ok()) return converted.error();
    list.push_back(*converted);
    return {};
  };
  if (!(*value)->is_array()) {
    if (auto ok = append(**value); !ok.ok()) return ok.error();
    return list;
  }
  for (const nlohmann::json& element : **value) {
    if (element.is_array()) {
      return unsupported("block-wise scales (field " + halfstep::quoted(key) + ") are not supported");
    }
    if (auto ok = append(element); !ok.ok()) return ok.error();
  }
  if (list.empty()) return invalid("field " + halfstep::quoted(key) + " is an empty list");
  return list;
}

}  // namespace halfstep::io
