// atomic_file.cpp: files that appear complete or not at all.
#include "core/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "core/leftovers.hpp"
#include "core/text.hpp"

namespace halfstep {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBufferBytes = std::size_t{1} << 16;
constexpr int kMaxNameTries = 1000;
constexpr int kMaxLinks = 40;  // As Linux has it.

Error write_error(const fs::path& path, int reason) {
  return {ErrorCode::kInvalidInput, "cannot write " + halfstep::quoted(path.string()) + ": " +
                                        std::error_code(reason, std::generic_category()).message()};
}

// 0, or the errno of a failed write.
int write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0 ? errno : EIO;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return 0;
}

}  // namespace

Result<AtomicFile> AtomicFile::create(const fs::path& path) {
  AtomicFile file;
  file.path_ = path;
  if (path.empty()) return write_error(path, ENOENT);

  struct stat existing {};
  const bool exists = ::stat(path.c_str(), &existing) == 0;
  if (exists && S_ISDIR(existing.st_mode)) return write_error(path, EISDIR);
  if (!exists && !path.has_filename()) return write_error(path, ENOENT);
  if (exists && !S_ISREG(existing.st_mode)) {
    file.fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file.fd_ < 0) return write_error(path, errno);
    return file;
  }
  if (exists && ::access(path.c_str(), W_OK) != 0) return write_error(path, errno);

  file.target_ = path;
  std::error_code error;
  for (int i = 0; fs::is_symlink(fs::symlink_status(file.target_, error)); ++i) {
    if (i == kMaxLinks) return write_error(path, ELOOP);
    const fs::path next = fs::read_symlink(file.target_, error);
    if (error) return write_error(path, error.value());
    file.target_ = file.target_.parent_path() / next;  // `next` alone if it is absolute.
  }
  sweep_leftovers(file.target_.parent_path());
  for (int i = 0; file.fd_ < 0; ++i) {
    file.temporary_ = temporary_name(file.target_.parent_path());
    file.fd_ = ::open(file.temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file.fd_ < 0 && (errno != EEXIST || i >= kMaxNameTries)) {
      file.temporary_.clear();
      return write_error(path, errno);
    }
    if (file.fd_ >= 0 && !hold(file.fd_, file.temporary_)) ::close(std::exchange(file.fd_, -1));
  }
  if (exists && ::fchmod(file.fd_, existing.st_mode & 07777) != 0) return write_error(path, errno);
  return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept { *this = std::move(other); }

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this == &other) return *this;
  discard();
  path_ = std::move(other.path_);
  target_ = std::move(other.target_);
  temporary_ = std::exchange(other.temporary_, {});
  fd_ = std::exchange(other.fd_, -1);
  failure_ = other.failure_;
  size_ = other.size_;
  buffer_ = std::move(other.buffer_);
  return *this;
}

AtomicFile::~AtomicFile() { discard(); }

Result<void> AtomicFile::write(std::span<const std::byte> bytes) {
  assert(fd_ >= 0);
  if (failure_ != 0) return fail(failure_);
  size_ += bytes.size();
  if (buffer_.size() + bytes.size() > kBufferBytes) {
    if (auto finished = finish(); !finished.ok()) return finished;
  }
  if (bytes.size() <= kBufferBytes) {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    return {};
  }
  return fail(write_all(fd_, bytes));
}

Result<void> AtomicFile::write(std::string_view text) { return write(std::as_bytes(std::span(text))); }

Result<void> AtomicFile::commit() {
  assert(fd_ >= 0);
  Result<void> result = failure_ != 0 ? fail(failure_) : finish();
  const int holder = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);  // A sweep must not see a moment between closing and renaming.
  if (result.ok()) {
    // A network file system may report a full disk only now.
    const int reason = ::close(std::exchange(fd_, -1)) == 0 ? 0 : errno;
    result = fail(reason);
  }
  if (result.ok() && !temporary_.empty()) {
    const int reason = ::rename(temporary_.c_str(), target_.c_str()) == 0 ? 0 : errno;
    result = fail(reason);
    if (result.ok()) temporary_.clear();
  }
  if (holder >= 0) ::close(holder);
  discard();
  return result;
}

Result<void> AtomicFile::finish() {
  const int reason = write_all(fd_, buffer_);
  buffer_.clear();
  return fail(reason);
}

Result<void> AtomicFile::fail(int reason) {
  failure_ = reason;
  if (reason == 0) return {};
  return write_error(path_, reason);
}

void AtomicFile::discard() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

Result<void> write_file(const fs::path& path, std::span<const std::byte> bytes) {
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file.ok()) return file.error();
  if (auto written = file->write(bytes); !written.ok()) return written;
  return file->commit();
}

Result<void> write_file(const fs::path& path, std::string_view text) {
  return write_file(path, std::as_bytes(std::span(text)));
}

Result<void> write_files(const std::vector<FileText>& texts) {
  std::vector<AtomicFile> files;
  for (const FileText& text : texts) {
    Result<AtomicFile> file = AtomicFile::create(text.path);
    if (!file.ok()) return file.error();
    files.push_back(*std::move(file));
    if (auto written = files.back().write(text.text); !written.ok()) return written;
    if (auto finished = files.back().finish(); !finished.ok()) return finished;
  }
  for (AtomicFile& file : files) {
    if (auto committed = file.commit(); !committed.ok()) return committed;
  }
  return {};
}

}  // namespace halfstep
