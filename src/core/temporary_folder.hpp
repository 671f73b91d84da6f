// temporary_folder.hpp: a folder for files that other parts of a run read by name.
#pragma once

#include <filesystem>

#include "halfstep/result.hpp"

namespace halfstep {

/// A folder in $TMPDIR, else in /tmp, that goes with what is in it when this goes. What killed runs left there goes
/// when one is made.
class TemporaryFolder {
 public:
  /// Errors: kInvalidInput with the system's reason and the remedy.
  static Result<TemporaryFolder> create();

  TemporaryFolder(TemporaryFolder&& other) noexcept;
  TemporaryFolder& operator=(TemporaryFolder&& other) noexcept;
  ~TemporaryFolder();

  const std::filesystem::path& path() const { return path_; }

 private:
  TemporaryFolder() = default;

  std::filesystem::path path_;
  int fd_ = -1;  ///< Holds it, see hold().
};

}  // namespace halfstep
