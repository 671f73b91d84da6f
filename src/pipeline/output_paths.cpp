// output_paths.cpp: distinct, writable outputs.
#include "pipeline/output_paths.hpp"

#include <sys/stat.h>

#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "core/atomic_file.hpp"

namespace halfstep::pipeline {
namespace {

std::filesystem::path resolved(const std::filesystem::path& path) {
  std::error_code failure;
  std::filesystem::path absolute = std::filesystem::weakly_canonical(std::filesystem::absolute(path, failure), failure);
  return failure ? path.lexically_normal() : absolute;
}

/// Devices such as /dev/null may serve twice.
bool may_repeat(const std::filesystem::path& path) {
  std::error_code failure;
  return std::filesystem::is_character_file(path, failure);
}

}  // namespace

Result<void> check_outputs(const std::vector<NamedPath>& inputs, const std::vector<NamedPath>& outputs) {
  std::vector<NamedPath> taken = inputs;
  for (const NamedPath& output : outputs) {
    for (const NamedPath& other : taken) {
      if (resolved(output.path) != resolved(other.path) || may_repeat(output.path)) continue;
      return Error{ErrorCode::kUsage,
                   output.path.string() + ": " + other.role + " and " + output.role + " can't be the same file"};
    }
    taken.push_back(output);
  }
  for (const NamedPath& output : outputs) {
    // Created under a temporary name and discarded.
    if (Result<AtomicFile> file = AtomicFile::create(output.path); !file.ok()) return file.error();
  }
  return {};
}

Result<void> check_not_samples(const io::InputList& list, const std::vector<NamedPath>& outputs) {
  // By the file, not its name: there may be many samples, and few outputs are there already.
  const auto identity = [](const std::filesystem::path& path) -> std::optional<std::pair<dev_t, ino_t>> {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return std::nullopt;
    return std::pair(found.st_dev, found.st_ino);
  };
  std::map<std::pair<dev_t, ino_t>, const NamedPath*> existing;
  for (const NamedPath& output : outputs) {
    if (const auto file = identity(output.path)) existing.emplace(*file, &output);
  }
  if (existing.empty()) return {};
  for (const io::SampleLine& line : list.samples) {
    for (const io::SampleFile& sample : line.files) {
      const auto file = identity(sample.path);
      const auto same = file ? existing.find(*file) : existing.end();
      if (same == existing.end()) continue;
      return Error{ErrorCode::kUsage, list.place(line) + ": " + sample.path.string() + ", a sample, and " +
                                          same->second->role + " can't be the same file"};
    }
  }
  return {};
}

}  // namespace halfstep::pipeline
