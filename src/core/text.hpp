// text.hpp: small string helpers for messages.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace halfstep {

/// "'text'": a name as messages show it, control characters escaped, long ones shortened.
std::string quoted(std::string_view text);

/// The candidate with the smallest edit distance to `name`, or "" if none is
/// close enough to be a likely misspelling.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

/// ", did you mean 'x'?" for nearest_name(), or "".
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

}  // namespace halfstep
