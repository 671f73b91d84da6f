// atomic_file_test.cpp: contract under test: core/atomic_file.hpp.
#include "core/atomic_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace halfstep {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class AtomicFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("halfstep_atomic_file_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string content(const fs::path& path) const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::ptrdiff_t num_files() const { return std::distance(fs::directory_iterator(folder_), {}); }

  fs::path folder_;
};

TEST_F(AtomicFileTest, NothingAppearsBeforeCommit) {
  const fs::path path = folder_ / "out.txt";
  Result<AtomicFile> file = AtomicFile::create(path);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->write("one ").ok());
  ASSERT_TRUE(file->write("two").ok());
  EXPECT_EQ(file->size(), 7U);
  EXPECT_FALSE(fs::exists(path));
  ASSERT_TRUE(file->commit().ok());
  EXPECT_EQ(content(path), "one two");
  EXPECT_EQ(num_files(), 1);
}

TEST_F(AtomicFileTest, AbandonedWritesLeaveTheOldFileAlone) {
  const fs::path path = folder_ / "out.txt";
  ASSERT_TRUE(write_file(path, "old").ok());
  {
    Result<AtomicFile> file = AtomicFile::create(path);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->write(std::string(200'000, 'x')).ok());
    const AtomicFile moved = std::move(*file);
    EXPECT_EQ(moved.size(), 200'000U);
  }
  EXPECT_EQ(content(path), "old");
  EXPECT_EQ(num_files(), 1);
}

TEST_F(AtomicFileTest, LargeAndSmallWritesKeepTheirOrder) {
  const fs::path path = folder_ / "out.bin";
  std::string expected;
  Result<AtomicFile> file = AtomicFile::create(path);
  ASSERT_TRUE(file.ok());
  for (std::size_t length : {1UL, 65'535UL, 65'536UL, 3UL, 65'537UL, 0UL, 7UL, 300'000UL}) {
    const std::string part(length, static_cast<char>('a' + expected.size() % 26));
    ASSERT_TRUE(file->write(part).ok());
    expected += part;
  }
  ASSERT_TRUE(file->commit().ok());
  EXPECT_EQ(content(path), expected);
}

TEST_F(AtomicFileTest, SymbolicLinksAreFollowedAndPermissionsKept) {
  const fs::path real = folder_ / "real.txt";
  const fs::path link = folder_ / "link.txt";
  ASSERT_TRUE(write_file(real, "old").ok());
  fs::permissions(real, fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("real.txt", link);
  ASSERT_TRUE(write_file(link, "new").ok());
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(content(real), "new");
  EXPECT_EQ(fs::status(real).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(AtomicFileTest, LinksThatLeadNowhereYetStay) {
  fs::create_directories(folder_ / "far");
  fs::create_symlink("far/real.txt", folder_ / "second.txt");
  fs::create_symlink("second.txt", folder_ / "first.txt");
  ASSERT_TRUE(write_file(folder_ / "first.txt", "new").ok());
  EXPECT_TRUE(fs::is_symlink(folder_ / "first.txt"));
  EXPECT_TRUE(fs::is_symlink(folder_ / "second.txt"));
  EXPECT_EQ(content(folder_ / "far" / "real.txt"), "new");
  fs::create_symlink("circle.txt", folder_ / "circle.txt");
  const Result<void> circle = write_file(folder_ / "circle.txt", "x");
  ASSERT_FALSE(circle.ok());
  EXPECT_THAT(circle.error().message, HasSubstr("symbolic links"));
}

TEST_F(AtomicFileTest, NamesOfTheGreatestLengthWork) {
  EXPECT_TRUE(write_file(folder_ / std::string(255, 'n'), "x").ok());
}

TEST_F(AtomicFileTest, ErrorsNameThePathAndTheReason) {
  const Result<void> missing = write_file(folder_ / "no" / "out.txt", "x");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(missing.error().message, HasSubstr("no/out.txt': No such file or directory"));

  const Result<void> directory = write_file(folder_, "x");
  ASSERT_FALSE(directory.ok());
  EXPECT_THAT(directory.error().message, HasSubstr("Is a directory"));

  EXPECT_FALSE(write_file("", "x").ok());
}

TEST_F(AtomicFileTest, AFullDiskIsReported) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "needs /dev/full";
  const Result<void> small = write_file("/dev/full", "x");
  ASSERT_FALSE(small.ok());
  EXPECT_EQ(small.error().message, "cannot write '/dev/full': No space left on device");

  Result<AtomicFile> file = AtomicFile::create("/dev/full");
  ASSERT_TRUE(file.ok());
  EXPECT_FALSE(file->write(std::string(100'000, 'x')).ok());
  EXPECT_FALSE(file->write("more").ok());
  EXPECT_FALSE(file->commit().ok());
}

TEST_F(AtomicFileTest, DevicesAreWrittenToAndNotReplaced) {
  ASSERT_TRUE(write_file("/dev/null", "x").ok());
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

}  // namespace
}  // namespace halfstep
