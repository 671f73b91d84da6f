// machine_memory.cpp: physical memory and the limits of control groups.
#include "core/machine_memory.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace halfstep {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

std::int64_t physical_bytes() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page_bytes = sysconf(_SC_PAGE_SIZE);
  if (pages <= 0 || page_bytes <= 0) return kUnlimited;
  return static_cast<std::int64_t>(pages) * static_cast<std::int64_t>(page_bytes);
}

/// The number in a file; kUnlimited if there is no such file or it says "max".
std::int64_t limit_in(const fs::path& file) {
  std::ifstream in(file);
  std::int64_t bytes = 0;
  return in >> bytes && bytes > 0 ? bytes : kUnlimited;
}

/// The least limit of the group at `group` below `mount` and of those around it. A container may see its own group as
/// the mount itself, whatever path the kernel names: the mount counts always.
std::int64_t least_limit(const fs::path& mount, const fs::path& group, const char* file) {
  std::int64_t least = limit_in(mount / file);
  fs::path at = mount;
  for (const fs::path& part : group.relative_path()) {
    at /= part;
    least = std::min(least, limit_in(at / file));
  }
  return least;
}

}  // namespace

std::int64_t machine_memory_bytes(const fs::path& root) {
  std::int64_t bytes = physical_bytes();
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "0::/user.slice", "9:memory:/docker/1a2b".
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const fs::path group = line.substr(second + 1);
    if (controllers == ",,") bytes = std::min(bytes, least_limit(root / "sys/fs/cgroup", group, "memory.max"));
    if (controllers.find(",memory,") != std::string::npos) {
      bytes = std::min(bytes, least_limit(root / "sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
    }
  }
  return bytes;
}

}  // namespace halfstep
