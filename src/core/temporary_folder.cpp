// temporary_folder.cpp: made, held, removed.
#include "core/temporary_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "core/errors.hpp"
#include "core/leftovers.hpp"
#include "core/text.hpp"

namespace halfstep {

namespace fs = std::filesystem;

constexpr int kMaxTries = 1000;

Result<TemporaryFolder> TemporaryFolder::create() {
  std::error_code failure;
  const fs::path parent = fs::temp_directory_path(failure);
  if (failure) return invalid("there is no folder for temporary files: " + failure.message() + "; set TMPDIR");
  sweep_leftovers(parent);
  int reason = 0;
  for (int i = 0; i < kMaxTries; ++i) {
    const fs::path name = temporary_name(parent);
    reason = ::mkdir(name.c_str(), 0700) == 0 ? 0 : errno;
    if (reason != 0 && reason != EEXIST) break;
    if (reason == EEXIST) continue;
    TemporaryFolder folder;
    folder.path_ = name;
    folder.fd_ = ::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder.fd_ >= 0 && hold(folder.fd_, folder.path_)) return folder;
  }
  return invalid("a temporary folder cannot be made in " + quoted(parent.string()) + ": " +
                 std::error_code(reason, std::generic_category()).message() + "; set TMPDIR to another");
}

TemporaryFolder::TemporaryFolder(TemporaryFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})), fd_(std::exchange(other.fd_, -1)) {}

TemporaryFolder& TemporaryFolder::operator=(TemporaryFolder&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  return *this;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace halfstep
