// parse_json_test.cpp: what is wrong with a text, and on which line.
#include "io/json/parse_json.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace halfstep::io {
namespace {

std::string nested(int levels) {
  const auto count = static_cast<std::size_t>(levels);
  return std::string(count, '[') + std::string(count, ']');
}

TEST(ParseJson, ErrorsNameTheLine) {
  struct Bad {
    std::string text;
    std::string message;
  };
  const std::vector<Bad> bad = {
      {"", "not valid JSON at byte 1, line 1: the file is empty"},
      {"{\n\"a\" 1}", "not valid JSON at byte 7, line 2"},
      {"{\"a\": 1,\n\"b\": 2,\n\"a\":\n3}", "the name 'a' occurs twice in one object, again on line 3"},
      {"{\"a\": {\"b\": 1,\n\"b\": 2},\n\"a\": 3}", "the name 'b' occurs twice in one object, again on line 2"},
      // The parser reads one character behind a number.
      {"[1,\n1e999\n]", "not valid JSON: a number on line 2 is out of range"},
      {"[1,\n\n-1e999]", "not valid JSON: a number on line 3 is out of range"},
      {"[\n" + nested(64) + "]", "nested more than 64 levels deep on line 2"},
      {nested(100000), "nested more than 64 levels deep on line 1"},
      {std::string(100000, '['), "not valid JSON at byte 100001, line 1"},
  };
  for (const Bad& file : bad) {
    const auto document = parse_json(file.text);
    ASSERT_FALSE(document.ok()) << file.message;
    EXPECT_EQ(document.error().message, file.message);
    EXPECT_EQ(document.error().code, ErrorCode::kInvalidInput);
  }
}

TEST(ParseJson, NamesMayOccurInSeveralObjects) {
  EXPECT_TRUE(parse_json(R"([{"a": {"a": 1}}, {"a": 2}])").ok());
  EXPECT_TRUE(parse_json(nested(64)).ok());
}

}  // namespace
}  // namespace halfstep::io
