// json_lines_test.cpp: lines of keys and elements, and patterns of names.
#include "io/json/json_lines.hpp"

#include <gtest/gtest.h>

#include "core/glob.hpp"

namespace halfstep::io {
namespace {

/// "a@1(x@2 y@3)", a section after the other.
std::string lines_of(std::string_view text) {
  std::string found;
  for (const JsonSection& section : json_sections(text)) {
    found += section.key + "@" + std::to_string(section.line) + "(";
    for (const JsonMember& member : section.members) found += " " + member.key + "@" + std::to_string(member.line);
    found += " )";
  }
  return found;
}

TEST(JsonLines, MembersAndElements) {
  EXPECT_EQ(lines_of("{}"), "");
  EXPECT_EQ(lines_of("[1,{\"a\":2}]"), "");
  EXPECT_EQ(lines_of("[[1],[[2]],{\"a\":[3]}]"), "");
  EXPECT_EQ(lines_of(R"({"a":{"x":1,"y":[{"z":1}]},"b":2})"), "a@1( x@1 y@1 )b@1( )");
  EXPECT_EQ(lines_of("{\n\"a\" :\n{ \"x\"\n: 1,\n\"y\": 2},\n\n\"b\": []}"), "a@2( x@3 y@5 )b@7( )");
  EXPECT_EQ(lines_of("{\"a\":[\n1,\n\"s\",\n[2,\n3],\n{\"q\":1,\n\"name\":2}]}"), "a@1( @2 @3 @4 @7 )");
}

TEST(JsonLines, TextsThatLookLikeStructure) {
  EXPECT_EQ(lines_of(R"({"a":{"x{\"[,\\":"},{","\u0041\n":{"b":1}}})"), "a@1( x{\"[,\\@1 A\n@1 )");
  EXPECT_EQ(lines_of("{\"a\":[{\"x\":{\"name\":\n1},\n\"y\":[{\"name\":\n2}]}]}"), "a@1( @1 )");
}

TEST(NamePattern, StarsAndWildcards) {
  const auto stars = [](const char* pattern, const char* name) {
    return matches_glob(pattern, name, GlobKind::kStars);
  };
  EXPECT_TRUE(stars("*", ""));
  EXPECT_TRUE(stars("a*", "a/b/c"));
  EXPECT_TRUE(stars("*c", "a/b/c"));
  EXPECT_TRUE(stars("a*b*c", "axbxbxc"));
  EXPECT_TRUE(stars("**", "x"));
  EXPECT_TRUE(stars("x", "x"));
  EXPECT_FALSE(stars("a*b", "abc"));
  EXPECT_FALSE(stars("", "x"));
  EXPECT_FALSE(stars("a?c", "abc"));
  EXPECT_TRUE(matches_glob("a?c*", "abcd", GlobKind::kWildcards));
  EXPECT_FALSE(matches_glob("a?", "a", GlobKind::kWildcards));
  EXPECT_TRUE(matches_glob("*?*?", "ab", GlobKind::kWildcards));
}

}  // namespace
}  // namespace halfstep::io
