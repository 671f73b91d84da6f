// Contract under test: io/samples/masks.hpp. PNG files are tried in tests/cli/eval_gates_test.py.
#include "io/samples/masks.hpp"

#include <gmock/gmock.h>

#include "unit/io_samples/temporary_folder.hpp"

namespace halfstep::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using MasksTest = TemporaryFolder;

TEST_F(MasksTest, RawBytesAndRawInt64) {
  const std::filesystem::path bytes = write("b.raw", std::string("\x00\x01\xff\x02\x03\x04", 6));
  EXPECT_THAT(*read_mask(bytes, 2, 3), ElementsAre(0, 1, 255, 2, 3, 4));
  const std::filesystem::path wide = write("w.raw", std::string("\x05\0\0\0\0\0\0\0\xff\0\0\0\0\0\0\0", 16));
  EXPECT_THAT(*read_mask(wide, 1, 2), ElementsAre(5, 255));
}

TEST_F(MasksTest, WrongSizesAndValues) {
  const std::filesystem::path bytes = write("b.raw", "12345");
  EXPECT_THAT(read_mask(bytes, 2, 3).error().message, HasSubstr("has 5 bytes, a mask of 2 x 3 pixels has 6"));
  const std::filesystem::path wide = write("w.raw", std::string("\0\x01\0\0\0\0\0\0", 8));
  EXPECT_THAT(read_mask(wide, 1, 1).error().message, HasSubstr("pixel 0 is 256"));
  EXPECT_FALSE(read_mask(folder() / "absent", 1, 1).ok());
}

TEST_F(MasksTest, DamagedPng) {
  const std::filesystem::path png = write("p.png", "\x89PNG\r\n\x1a\nnonsense follows");
  EXPECT_THAT(read_mask(png, 1, 1).error().message, HasSubstr("cannot be decoded as PNG"));
  const std::filesystem::path only_signature = write("s.png", "\x89PNG\r\n\x1a\n");
  EXPECT_THAT(read_mask(only_signature, 1, 8).error().message, HasSubstr("cannot be decoded as PNG"));
}

TEST_F(MasksTest, ListsAreRelativeToTheirFolder) {
  write("deep/a.png", "");
  const std::filesystem::path list = write("list.txt", "deep/a.png\n\n  deep/a.png\r\n");
  const auto masks = read_mask_list(list);
  ASSERT_TRUE(masks.ok()) << masks.error().message;
  EXPECT_THAT(*masks, ElementsAre(folder() / "deep/a.png", folder() / "deep/a.png"));
  EXPECT_THAT(read_mask_list(write("bad.txt", "deep/a.png\nb.png\n")).error().message, HasSubstr("bad.txt:2: no mask"));
  EXPECT_THAT(read_mask_list(write("empty.txt", "\n")).error().message, HasSubstr("names no masks"));
}

}  // namespace
}  // namespace halfstep::io
