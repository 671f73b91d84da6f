// name_pattern.hpp: patterns that stand for names of tensors.
#pragma once

#include <string_view>

namespace halfstep::io {

/// Which characters of a pattern are special.
enum class PatternKind {
  kStars,    ///< '*': any run of characters, '/' included.
  kWildcard  ///< '?', too: any one character (byte).
};

/// Whether the whole of `name` is what `pattern` describes. Time: product of the two lengths at most.
bool matches_pattern(std::string_view pattern, std::string_view name, PatternKind kind);

}  // namespace halfstep::io
