// leftovers.cpp: names tell what is ours, locks what is in use.
#include "core/leftovers.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace halfstep {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = ".halfstep-";
constexpr std::string_view kSuffix = ".tmp";

/// ".halfstep-12-3.tmp", and nothing that merely looks like it.
bool is_temporary_name(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return false;
  name.remove_prefix(kPrefix.size());
  name.remove_suffix(kSuffix.size());
  const std::size_t dash = name.find('-');
  const auto is_number = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return dash != std::string_view::npos && is_number(name.substr(0, dash)) && is_number(name.substr(dash + 1));
}

bool is_still_at(int fd, const fs::path& path) {
  struct stat open {};
  struct stat named {};
  return ::fstat(fd, &open) == 0 && ::lstat(path.c_str(), &named) == 0 && open.st_ino == named.st_ino &&
         open.st_dev == named.st_dev;
}

bool is_mine(int fd) {
  struct stat open {};
  return ::fstat(fd, &open) == 0 && open.st_uid == ::geteuid();
}

/// True once for each folder.
bool is_first_time(const fs::path& folder) {
  static std::mutex mutex;
  static std::set<fs::path> seen;
  const std::lock_guard lock(mutex);
  return seen.insert(folder).second;
}

}  // namespace

fs::path temporary_name(const fs::path& folder) {
  static std::atomic<unsigned> counter = 0;
  return folder /
         (std::string(kPrefix) + std::to_string(::getpid()) + "-" + std::to_string(counter++) + std::string(kSuffix));
}

bool hold(int fd, const fs::path& path) {
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return is_still_at(fd, path);
  return errno != EWOULDBLOCK;  // A file system without locks: nothing is swept there.
}

void sweep_leftovers(const fs::path& folder) {
  if (!is_first_time(folder)) return;
  std::vector<fs::path> found;
  std::error_code failure;
  fs::directory_iterator at(folder.empty() ? fs::path(".") : folder, failure);
  for (; !failure && at != fs::directory_iterator(); at.increment(failure)) {
    if (is_temporary_name(at->path().filename().string())) found.push_back(at->path());
  }
  for (const fs::path& path : found) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) continue;
    // Once it is locked nobody can hold it; it may have got its own name just before.
    if (is_mine(fd) && ::flock(fd, LOCK_EX | LOCK_NB) == 0 && is_still_at(fd, path)) fs::remove_all(path, failure);
    ::close(fd);
  }
}

}  // namespace halfstep
