// output_paths.cpp: distinct, writable outputs.
#include "pipeline/output_paths.hpp"

#include <system_error>

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

}  // namespace halfstep::pipeline
