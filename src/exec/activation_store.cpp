// activation_store.cpp: memory first, then a file without a name.
#include "exec/activation_store.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "core/errors.hpp"

namespace halfstep::exec {
namespace {

std::string spill_folder() {
  const char* folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder != '\0' ? folder : "/tmp";
}

Error file_error(const char* what) {
  return invalid(spill_folder() + ": " + what + " temporary file for activations: " + std::strerror(errno) +
                 "; set TMPDIR to a folder with room");
}

Result<int> open_nameless() {
  std::string path = spill_folder() + "/halfstep-XXXXXX";
  const int file = mkostemp(path.data(), O_CLOEXEC);
  if (file < 0) return file_error("cannot make a");
  unlink(path.c_str());
  return file;
}

Result<void> write_at(int file, const std::byte* bytes, std::size_t count, std::int64_t offset) {
  while (count > 0) {
    const ssize_t written = pwrite(file, bytes, count, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return file_error("cannot write a");
    bytes += written;
    offset += written;
    count -= static_cast<std::size_t>(written);
  }
  return {};
}

Result<void> read_at(int file, std::byte* bytes, std::size_t count, std::int64_t offset) {
  while (count > 0) {
    const ssize_t read = pread(file, bytes, count, offset);
    if (read < 0 && errno == EINTR) continue;
    if (read <= 0) return file_error("cannot read a");
    bytes += read;
    offset += read;
    count -= static_cast<std::size_t>(read);
  }
  return {};
}

}  // namespace

ActivationStore::~ActivationStore() {
  if (file_ >= 0) close(file_);
}

Result<std::int64_t> ActivationStore::reserve_in_file(std::size_t num_bytes) {
  if (file_ < 0) {
    const Result<int> opened = open_nameless();
    if (!opened.ok()) return opened.error();
    file_ = *opened;
  }
  if (auto& free = free_extents_[num_bytes]; !free.empty()) {
    const std::int64_t offset = free.back();
    free.pop_back();
    return offset;
  }
  const std::int64_t offset = file_bytes_;
  file_bytes_ += static_cast<std::int64_t>(num_bytes);
  return offset;
}

Result<void> ActivationStore::put(const std::string& name, std::int64_t sample, ConstView view) {
  const auto num_bytes = static_cast<std::size_t>(view.type->num_bytes());
  Kept kept{.tensor = {}, .type = *view.type};
  {
    const std::lock_guard lock(mutex_);
    kept.in_file = used_bytes_ + num_bytes > memory_bytes_ && num_bytes > 0;
    if (kept.in_file) {
      const Result<std::int64_t> offset = reserve_in_file(num_bytes);
      if (!offset.ok()) return offset.error();
      kept.offset = *offset;
    } else {
      used_bytes_ += num_bytes;
      peak_bytes_ = std::max(peak_bytes_, used_bytes_);
    }
  }
  if (kept.in_file) {
    if (auto done = write_at(file_, view.bytes, num_bytes, kept.offset); !done.ok()) return done;
  } else {
    kept.tensor = Tensor::copy_of(view);
  }
  const std::lock_guard lock(mutex_);
  kept_.insert_or_assign({name, sample}, std::move(kept));
  return {};
}

Result<Tensor> ActivationStore::get(const std::string& name, std::int64_t sample) const {
  TensorType type;
  std::int64_t offset = 0;
  {
    const std::lock_guard lock(mutex_);
    const Kept& kept = kept_.at({name, sample});
    if (!kept.in_file) return kept.tensor;
    type = kept.type;
    offset = kept.offset;
  }
  Tensor tensor(type);
  if (auto done = read_at(file_, tensor.mutable_bytes(), static_cast<std::size_t>(type.num_bytes()), offset);
      !done.ok()) {
    return done.error();
  }
  return tensor;
}

void ActivationStore::drop(const std::string& name, std::int64_t sample) {
  const std::lock_guard lock(mutex_);
  const auto at = kept_.find({name, sample});
  if (at == kept_.end()) return;
  const auto num_bytes = static_cast<std::size_t>(at->second.type.num_bytes());
  if (at->second.in_file) {
    free_extents_[num_bytes].push_back(at->second.offset);
  } else {
    used_bytes_ -= num_bytes;
  }
  kept_.erase(at);
}

std::size_t ActivationStore::bytes_in_memory() const {
  const std::lock_guard lock(mutex_);
  return used_bytes_;
}

std::size_t ActivationStore::peak_bytes_in_memory() const {
  const std::lock_guard lock(mutex_);
  return peak_bytes_;
}

std::size_t ActivationStore::num_tensors() const {
  const std::lock_guard lock(mutex_);
  return kept_.size();
}

std::size_t ActivationStore::bytes_in_file() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(file_bytes_);
}

}  // namespace halfstep::exec
