// Contract under test: core/glob.hpp.
#include "core/glob.hpp"

#include <gtest/gtest.h>

#include <string>

namespace halfstep {
namespace {

TEST(Glob, WithoutAStarItIsTheName) {
  EXPECT_TRUE(matches_glob("conv1", "conv1"));
  EXPECT_FALSE(matches_glob("conv1", "conv10"));
  EXPECT_FALSE(matches_glob("conv1", "a_conv1"));
  EXPECT_FALSE(matches_glob("", "a"));
  EXPECT_TRUE(matches_glob("", ""));
}

TEST(Glob, AStarIsAnyRunOfCharacters) {
  for (const char* pattern : {"*", "**", "/b/*", "*a/q", "/b*q", "*b.0*", "/*/*/*", "/b/b.0/a/q*"}) {
    EXPECT_TRUE(matches_glob(pattern, "/b/b.0/a/q")) << pattern;
  }
  for (const char* pattern : {"b*", "*a", "/b/*/k", "*b.1*", "/b/b.0/a/q*q"}) {
    EXPECT_FALSE(matches_glob(pattern, "/b/b.0/a/q")) << pattern;
  }
  EXPECT_TRUE(matches_glob("*", ""));
}

TEST(Glob, ALaterPartMayNeedALaterPlace) {
  EXPECT_TRUE(matches_glob("*ab", "aabab"));
  EXPECT_TRUE(matches_glob("a*bc*c", "abxbcbcc"));
  EXPECT_FALSE(matches_glob("a*bc*d", "abxbcbcc"));
}

TEST(Glob, ManyStarsTakeNoLongTime) {
  std::string pattern;
  for (int i = 0; i < 40; ++i) pattern += "*a";
  EXPECT_FALSE(matches_glob(pattern + "b", std::string(4000, 'a')));
}

}  // namespace
}  // namespace halfstep
