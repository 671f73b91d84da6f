// mapped_file.hpp: a whole file as read-only memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "halfstep/result.hpp"

namespace halfstep::io {

/// A read-only mapping, unmapped on destruction.
class MappedFile {
 public:
  /// Errors: kInvalidInput if `path` is not a readable regular file; the path is not repeated.
  static Result<std::shared_ptr<const MappedFile>> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> bytes_;
};

}  // namespace halfstep::io
