// name_pattern.cpp: matching that goes back to the last star only.
#include "io/json/name_pattern.hpp"

#include <cstddef>

namespace halfstep::io {

bool matches_pattern(std::string_view pattern, std::string_view name, PatternKind kind) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t behind_star = std::string_view::npos;  // In the pattern; the star stands for name[..., star_end).
  std::size_t star_end = 0;
  while (n < name.size()) {
    const bool any_one = p < pattern.size() && pattern[p] == '?' && kind == PatternKind::kWildcard;
    if (p < pattern.size() && pattern[p] == '*') {
      behind_star = ++p;
      star_end = n;
    } else if (any_one || (p < pattern.size() && pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (behind_star != std::string_view::npos) {
      p = behind_star;
      n = ++star_end;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace halfstep::io
