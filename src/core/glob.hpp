// glob.hpp: names with '*' for any characters.
#pragma once

#include <string_view>

namespace halfstep {

/// Which characters of a pattern are special.
enum class GlobKind {
  kStars,     ///< '*': any run of characters, none and '/' included.
  kWildcards  ///< '?', too: any one character (byte).
};

/// True if the whole of `text` fits `pattern`. Time: product of the two lengths at most.
bool matches_glob(std::string_view pattern, std::string_view text, GlobKind kind = GlobKind::kStars);

}  // namespace halfstep
