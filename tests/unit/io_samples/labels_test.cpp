// labels_test.cpp: contract under test: io/samples/labels.hpp and raw_writer.hpp.
#include "io/samples/labels.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/tensor.hpp"
#include "io/samples/raw_writer.hpp"
#include "io/samples/text_lines.hpp"
#include "unit/io_samples/temporary_folder.hpp"

namespace halfstep::io {
namespace {

using ::testing::ElementsAre;

std::string error_of(std::string_view text) {
  const auto labels = parse_labels(text, "labels.txt");
  return labels.ok() ? "ok" : labels.error().message;
}

TEST(Labels, CommentsAndBlankLinesAreSkipped) {
  const auto labels = parse_labels("\xEF\xBB\xBF# classes\r\n3\r\n\n 0 # zero\n12", "labels.txt");
  ASSERT_TRUE(labels.ok()) << labels.error().message;
  EXPECT_THAT(*labels, ElementsAre(3, 0, 12));
}

TEST(Labels, WhatIsNoClassIndexIsNamed) {
  EXPECT_EQ(error_of("3\n-1"), "labels.txt:2: label '-1' is not a class index (0, 1, 2, ...)");
  EXPECT_EQ(error_of("\n1.5"), "labels.txt:2: label '1.5' is not a class index (0, 1, 2, ...)");
  EXPECT_NE(error_of("cat"), "ok");
  EXPECT_NE(error_of("1 2"), "ok");
  EXPECT_NE(error_of("99999999999999999999"), "ok");
  EXPECT_EQ(error_of("# nothing\n"), "labels.txt: holds no labels");
}

using RawWriterTest = TemporaryFolder;

TEST_F(RawWriterTest, WritesTheElementsAndNothingElse) {
  const Tensor tensor = Tensor::of<float>({2}, {1.0F, -2.5F});
  const auto path = folder() / "y.raw";
  ASSERT_TRUE(write_raw(path, tensor.view()).ok());
  EXPECT_EQ(*regular_file_size(path), 8U);
  std::string bytes(8, '\0');
  ASSERT_TRUE(read_file_into(path, std::as_writable_bytes(std::span(bytes))).ok());
  EXPECT_EQ(bytes, bytes_of<float>({1.0F, -2.5F}));
  EXPECT_FALSE(write_raw(folder() / "no" / "y.raw", tensor.view()).ok());
}

}  // namespace
}  // namespace halfstep::io
