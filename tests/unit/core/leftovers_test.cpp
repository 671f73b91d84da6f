// leftovers_test.cpp: what is swept, and what is not.
#include "core/leftovers.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/atomic_file.hpp"
#include "core/temporary_folder.hpp"

namespace halfstep {
namespace {

namespace fs = std::filesystem;

// Folders are swept once: each test has its own.
class Leftovers : public testing::Test {
 protected:
  Leftovers()
      : folder_(fs::temp_directory_path() /
                (std::string("halfstep_leftovers_") + testing::UnitTest::GetInstance()->current_test_info()->name() +
                 std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~Leftovers() override { fs::remove_all(folder_); }

  fs::path file(const std::string& name) const {
    std::ofstream(folder_ / name) << "text";
    return folder_ / name;
  }

  fs::path folder_;
};

TEST_F(Leftovers, AreFilesAndFoldersOfOurNames) {
  const fs::path left = file(".halfstep-12-3.tmp");
  const fs::path left_folder = folder_ / ".halfstep-12-4.tmp";
  fs::create_directories(left_folder / "deep");
  std::ofstream(left_folder / "deep" / "file") << "text";
  sweep_leftovers(folder_);
  EXPECT_FALSE(fs::exists(left));
  EXPECT_FALSE(fs::exists(left_folder));
}

TEST_F(Leftovers, AreNothingElse) {
  for (const char* name : {"halfstep-12-3.tmp", ".halfstep-12-3", ".halfstep-12.tmp", ".halfstep--3.tmp",
                           ".halfstep-a-3.tmp", ".halfstep-12-3-4.tmp", ".halfstep-.tmp", "x.halfstep-12-3.tmp"}) {
    file(name);
  }
  const fs::path elsewhere = file("precious");
  fs::create_symlink(elsewhere, folder_ / ".halfstep-1-1.tmp");
  sweep_leftovers(folder_);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 10);
  EXPECT_TRUE(fs::exists(elsewhere));
}

TEST_F(Leftovers, AreNotWhatSomebodyHolds) {
  const fs::path path = file(".halfstep-12-3.tmp");
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_TRUE(hold(fd, path));
  sweep_leftovers(folder_);
  EXPECT_TRUE(fs::exists(path));
  ::close(fd);
  sweep_leftovers(folder_ / "");  // The same folder by another name: it was swept once by the first.
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(Leftovers, CannotBeHeldOnceTheyAreGone) {
  const fs::path path = file(".halfstep-12-3.tmp");
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  fs::remove(path);
  EXPECT_FALSE(hold(fd, path));
  file(".halfstep-12-3.tmp");
  EXPECT_FALSE(hold(fd, path));
  ::close(fd);
}

TEST_F(Leftovers, GoWhenAFileIsWritten) {
  const fs::path left = file(".halfstep-12-3.tmp");
  ASSERT_TRUE(write_file(folder_ / "out", "text").ok());
  EXPECT_FALSE(fs::exists(left));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(Leftovers, AFileBeingWrittenIsNone) {
  Result<AtomicFile> first = AtomicFile::create(folder_ / "out");
  ASSERT_TRUE(first.ok());
  sweep_leftovers(folder_ / ".");  // Another process would call it by its own name.
  ASSERT_TRUE(first->write("text").ok());
  EXPECT_TRUE(first->commit().ok());
  EXPECT_TRUE(fs::exists(folder_ / "out"));
}

TEST_F(Leftovers, TemporaryFoldersGoWithTheirContent) {
  const char* before = std::getenv("TMPDIR");
  const std::string saved = before == nullptr ? "" : before;
  ::setenv("TMPDIR", folder_.c_str(), 1);
  const fs::path left = folder_ / ".halfstep-12-3.tmp";
  fs::create_directories(left / "float");
  {
    Result<TemporaryFolder> made = TemporaryFolder::create();
    ASSERT_TRUE(made.ok());
    EXPECT_FALSE(fs::exists(left));
    const TemporaryFolder kept = *std::move(made);
    EXPECT_TRUE(write_file(kept.path() / "file", "text").ok());
    EXPECT_EQ(fs::status(kept.path()).permissions(), fs::perms::owner_all);
    sweep_leftovers(folder_ / ".");
    EXPECT_TRUE(fs::exists(kept.path()));
  }
  EXPECT_TRUE(fs::is_empty(folder_));
  ::setenv("TMPDIR", (folder_ / "missing").c_str(), 1);
  EXPECT_FALSE(TemporaryFolder::create().ok());
  before == nullptr ? ::unsetenv("TMPDIR") : ::setenv("TMPDIR", saved.c_str(), 1);
}

}  // namespace
}  // namespace halfstep
