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

inline std::optional<bool> boolean_of(std::string_view text) {
  for (const std::string_view yes : {"true", "on", "yes", "1"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"false", "off", "no", "0"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

/// `Name` of the option, for the message.
template <auto Member, const auto& Name, class Request>
Result<void> set_flag(Request& request, const std::string& text) {
  const std::optional<bool> value = boolean_of(text);
  if (!value) return illegal(Name, text, "true or false");
  request.*Member = *value;
  return {};
}
/// Says something only where the option is on.
template <auto Member, class Request>
std::optional<std::string> get_flag(const Request& request) {
  if (!(request.*Member)) return std::nullopt;
  return "true";
}

}  // namespace halfstep::pipeline
