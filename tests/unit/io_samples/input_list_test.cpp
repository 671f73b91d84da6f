// input_list_test.cpp: contract under test: io/samples/input_list.hpp.
#include "io/samples/input_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/io_samples/temporary_folder.hpp"

namespace halfstep::io {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class InputListTest : public TemporaryFolder {
 protected:
  void SetUp() override {
    TemporaryFolder::SetUp();
    for (const char* name : {"a.raw", "b.raw", "with blank.raw", "it's.raw"}) write(name, "x");
  }

  Result<InputList> parse(std::string_view text) const { return parse_input_list(text, folder() / "calib.txt"); }
  // The message without the folder in front.
  std::string error_of(std::string_view text) const {
    const auto list = parse(text);
    return list.ok() ? "ok" : list.error().message.substr(folder().string().size() + 1);
  }
};

TEST_F(InputListTest, OneBareFileALine) {
  const auto list = parse("a.raw\nb.raw\n");
  ASSERT_TRUE(list.ok()) << list.error().message;
  ASSERT_EQ(list->samples.size(), 2U);
  EXPECT_EQ(list->samples[1].number, 2);
  EXPECT_EQ(list->samples[1].files.at(0).path, folder() / "b.raw");
  EXPECT_EQ(list->samples[1].files.at(0).input, "");
  EXPECT_EQ(list->place(list->samples[1]), (folder() / "calib.txt").string() + ":2");
}

TEST_F(InputListTest, NamedFilesOutputsAndEverythingTolerated) {
  const auto list = parse(
      "\xEF\xBB\xBF# conv1 'the last'\r\n%y:0\r\n\r\n  x:0:=a.raw\t\"my in\":='with blank.raw'  \r\n\nx:0:=it's.raw");
  ASSERT_TRUE(list.ok()) << list.error().message;
  EXPECT_THAT(list->output_layers, ElementsAre("conv1", "the last"));
  EXPECT_THAT(list->output_tensors, ElementsAre("y:0"));
  ASSERT_EQ(list->samples.size(), 2U);
  EXPECT_EQ(list->samples[0].number, 4);
  EXPECT_EQ(list->samples[0].files.at(0).input, "x:0");
  EXPECT_EQ(list->samples[0].files.at(1).input, "my in");
  EXPECT_EQ(list->samples[0].files.at(1).path, folder() / "with blank.raw");
  EXPECT_EQ(list->samples[1].number, 6);
  EXPECT_EQ(list->samples[1].files.at(0).path, folder() / "it's.raw");
}

TEST_F(InputListTest, FilesAreSoughtBesideTheListAndThenInTheWorkingDirectory) {
  const fs::path before = fs::current_path();
  write("lists/only_here.raw", "x");
  write("lists/a.raw", "x");
  fs::current_path(folder());
  const auto list = parse_input_list("only_here.raw\na.raw\nb.raw\n", "lists/calib.txt");
  const auto missing = parse_input_list("a.raw\nx:=nowhere.raw", "lists/calib.txt");
  fs::current_path(before);
  ASSERT_TRUE(list.ok()) << list.error().message;
  EXPECT_EQ(list->samples[0].files[0].path, "lists/only_here.raw");
  EXPECT_EQ(list->samples[1].files[0].path, "lists/a.raw");
  EXPECT_EQ(list->samples[2].files[0].path, "b.raw");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().message,
            "lists/calib.txt:2: input 'x': file 'nowhere.raw' does not exist: tried 'lists/nowhere.raw' (the list's "
            "folder) and '" +
                (fs::canonical(folder()) / "nowhere.raw").string() + "' (the working directory)");
}

TEST_F(InputListTest, MalformedLinesAreNamed) {
  EXPECT_EQ(error_of("a.raw\n\"b.raw\n"), "calib.txt:2: a quote is not closed");
  EXPECT_EQ(error_of("x:= a.raw"), "calib.txt:1: input 'x': no file follows ':=' (no blanks are allowed around it)");
  EXPECT_EQ(error_of(":=a.raw"), "calib.txt:1: no input is named before ':='");
  EXPECT_EQ(error_of("''"), "calib.txt:1: a file name is empty");
  EXPECT_EQ(error_of("'a.raw'b"), "calib.txt:1: text follows the closing quote of 'a.raw'");
  EXPECT_EQ(error_of("x:=a.raw b.raw"), "calib.txt:1: some files are given by input name and some are not");
  EXPECT_EQ(error_of("a.raw\n#conv"), "calib.txt:2: output names are only allowed before the first sample");
  EXPECT_EQ(error_of("%\na.raw"), "calib.txt:1: no output is named after '%'");
  EXPECT_THAT(error_of("/nowhere/a.raw"), EndsWith("file '/nowhere/a.raw' does not exist"));
}

TEST_F(InputListTest, AListWithoutSamplesIsAnError) {
  for (const char* text : {"", "\n\n", "#conv1\n", "\xEF\xBB\xBF", "\r\n \t"}) {
    EXPECT_EQ(error_of(text), "calib.txt: lists no samples");
  }
}

TEST_F(InputListTest, UnreadableAndBinaryListsAreErrors) {
  const auto missing = read_input_list(folder() / "none.txt");
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.error().message, EndsWith("none.txt': no such file"));
  EXPECT_THAT(read_input_list(folder()).error().message, EndsWith("not a regular file"));
  const fs::path binary = write("binary.txt", std::string_view("a\0b", 3));
  EXPECT_THAT(read_input_list(binary).error().message, HasSubstr("not a text file"));
  EXPECT_TRUE(read_input_list(write("good.txt", "a.raw")).ok());
}

}  // namespace
}  // namespace halfstep::io
