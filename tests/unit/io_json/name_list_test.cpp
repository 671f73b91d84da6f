// Contract under test: src/io/json/name_list.hpp.
#include "io/json/name_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace halfstep::io {
namespace {

using testing::HasSubstr;

TEST(NameList, IsAJsonArray) {
  EXPECT_EQ(write_name_list({}), "[]");
  EXPECT_EQ(write_name_list({"conv/1:0", "a \"b\", c"}), R"(["conv/1:0","a \"b\", c"])");
  EXPECT_EQ(write_name_list({"\xc3\xa9",
                             "\xff"
                             "a"}),
            "[\"\xc3\xa9\",[255,97]]");
}

TEST(NameList, AnyBytesSurvive) {
  std::string every_byte;
  for (int c = 0; c < 256; ++c) every_byte += static_cast<char>(c);
  const std::vector<std::string> names{
      "",     " ",     "a,b",    "[\"a\"]", "\n\t\\", every_byte, "\xc3\xa9\xe6\xbc\xa2", "\xef\xbf\xbd",
      "\xc3", "a\x80", "a\x00b", "\x7f"};
  const Result<std::vector<std::string>> read = read_name_list(write_name_list(names));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, names);
}

TEST(NameList, OtherTextsAreErrors) {
  for (const char* text :
       {"", "a", "{}", "\"a\"", "[1]", "[null]", "[[256]]", "[[-1]]", "[[0.5]]", "[[\"a\"]]", "[\"a\""}) {
    const Result<std::vector<std::string>> read = read_name_list(text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidInput) << text;
  }
  EXPECT_THAT(read_name_list("[\"a\",1]").error().message, HasSubstr("element 1"));
}

}  // namespace
}  // namespace halfstep::io
