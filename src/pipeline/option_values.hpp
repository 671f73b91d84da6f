// option_values.hpp: reading the text of an option's value; what the files of rows share.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "halfstep/result.hpp"

namespace halfstep::pipeline {

inline Error illegal(std::string_view name, const std::string& text, const std::string& expected) {
  return Error{ErrorCode::kUsage, "--" + std::string(name) + ": " + text + " is not " + expected};
}

/// Empty unless all of `text` is a number.
template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

inline std::string shown_number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.10g", value);
  return text;
}

template <auto Member, class Request>
Result<void> set_int(Request& request, const std::string& text) {
  request.*Member =
      static_cast<std::remove_reference_t<decltype(request.*Member)>>(number_of<std::int64_t>(text).value_or(0));
  return {};
}
template <auto Member, class Request>
std::optional<std::string> get_int(const Request& request) {
  return std::to_string(request.*Member);
}

}  // namespace halfstep::pipeline
