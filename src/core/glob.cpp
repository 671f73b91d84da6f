// glob.cpp: the last '*' takes one character more whenever what follows does not fit.
#include "core/glob.hpp"

#include <cstddef>

namespace halfstep {

bool matches_glob(std::string_view pattern, std::string_view text, GlobKind kind) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;  // The last '*' met, and what it has taken so far.
  std::size_t taken_until = 0;
  while (t < text.size()) {
    const bool any_one = p < pattern.size() && pattern[p] == '?' && kind == GlobKind::kWildcards;
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken_until = t;
    } else if (any_one || (p < pattern.size() && pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken_until;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace halfstep
