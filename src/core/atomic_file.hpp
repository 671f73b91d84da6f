// atomic_file.hpp: files that appear complete or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "halfstep/result.hpp"

namespace halfstep {

/// A file being written under a temporary name in the folder it will live in.
/// commit() renames it to its own name; without commit() the temporary is
/// removed and an older file of that name stays as it was. Nothing is finished to
/// the disk's platters: this guards against errors and kills, not power cuts.
/// What killed runs left in the folder goes when a file is created there.
///
/// A symbolic link is followed: the file it points to is replaced, or made. An existing
/// file's permissions are kept. What is neither a file nor a folder (a pipe,
/// /dev/stdout) is written to directly.
///
///   Result<AtomicFile> file = AtomicFile::create(path);
///   if (!file.ok()) return file.error();
///   if (auto written = file->write(text); !written.ok()) return written.error();
///   return file->commit();
class AtomicFile {
 public:
  /// Errors: kInvalidInput with the path and the system's reason.
  static Result<AtomicFile> create(const std::filesystem::path& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  ~AtomicFile();

  /// Appends. Errors: kInvalidInput with the path and the system's reason (a
  /// full disk); later calls then fail as well.
  Result<void> write(std::span<const std::byte> bytes);
  Result<void> write(std::string_view text);

  /// Bytes written so far.
  std::uint64_t size() const { return size_; }

  /// Hands what is still buffered to the system, so that a full disk shows before
  /// any of several files is committed. Optional. Errors: as write().
  Result<void> finish();

  /// Closes the file and gives it its name. Call once, last.
  /// Errors: as write(); the temporary is then gone.
  Result<void> commit();

 private:
  AtomicFile() = default;
  Result<void> fail(int reason);
  void discard() noexcept;

  std::filesystem::path path_;       ///< As the caller gave it; for messages.
  std::filesystem::path target_;     ///< What commit() replaces.
  std::filesystem::path temporary_;  ///< Empty: written to directly.
  int fd_ = -1;
  int failure_ = 0;  ///< errno of the first failed write.
  std::uint64_t size_ = 0;
  std::vector<std::byte> buffer_;
};

/// create(), write(), commit().
Result<void> write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);
Result<void> write_file(const std::filesystem::path& path, std::string_view text);

/// A file and what shall be in it.
struct FileText {
  std::filesystem::path path;
  std::string text;
};

/// All of them, or none: each is written under a temporary name first. Errors: those of AtomicFile.
Result<void> write_files(const std::vector<FileText>& texts);

}  // namespace halfstep
