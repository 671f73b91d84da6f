// text.hpp: small string helpers for messages.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace halfstep {

/// `text` as messages show it: control characters escaped, shortened if it is long.
std::string printable(std::string_view text);

/// quoted(text) is "'text'", printable. A function object, so that a std::string argument never finds std::quoted().
struct Quoted {
  std::string operator()(std::string_view text) const;
};
inline constexpr Quoted quoted;

/// The candidate with the smallest edit distance to `name`, or "" if none is
/// close enough to be a likely misspelling.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

/// ", did you mean 'x'?" for nearest_name(), or "".
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

}  // namespace halfstep
