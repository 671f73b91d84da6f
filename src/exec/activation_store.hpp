// activation_store.hpp: tensors of many samples between one layer and the next, in bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor.hpp"
#include "halfstep/result.hpp"

namespace halfstep::exec {

/// Holds one tensor for each (name, sample), in memory up to a budget, beyond it in a temporary file that has no name
/// and goes with the process. All members but the constructor are thread-safe.
class ActivationStore {
 public:
  /// The file, if one is needed, is made in $TMPDIR, else in /tmp.
  explicit ActivationStore(std::size_t memory_bytes) : memory_bytes_(memory_bytes) {}
  ~ActivationStore();
  ActivationStore(const ActivationStore&) = delete;
  ActivationStore& operator=(const ActivationStore&) = delete;

  /// Keeps a copy. Requires: nothing is kept for this name and sample.
  /// Errors: kInvalidInput naming the folder if the file cannot be made or written (full disk).
  Result<void> put(const std::string& name, std::int64_t sample, ConstView view);

  /// Requires: put() before, not dropped since. Errors: kInvalidInput if the file cannot be read.
  Result<Tensor> get(const std::string& name, std::int64_t sample) const;

  /// Forgets it; nothing happens if there is none.
  void drop(const std::string& name, std::int64_t sample);

  /// Of tensors in memory, now and at most so far.
  std::size_t bytes_in_memory() const;
  std::size_t peak_bytes_in_memory() const;
  /// Of the file, at its largest.
  std::size_t bytes_in_file() const;
  /// Kept now, wherever they are.
  std::size_t num_tensors() const;

 private:
  using Key = std::pair<std::string, std::int64_t>;
  struct Kept {
    Tensor tensor;  ///< In memory: the tensor itself. In the file: empty.
    TensorType type;
    bool in_file = false;
    std::int64_t offset = 0;
  };

  Result<std::int64_t> reserve_in_file(std::size_t num_bytes);

  std::size_t memory_bytes_;
  mutable std::mutex mutex_;  // Of all that follows; not held while the file is read or written.
  std::map<Key, Kept> kept_;
  std::size_t used_bytes_ = 0;
  std::size_t peak_bytes_ = 0;
  int file_ = -1;
  std::int64_t file_bytes_ = 0;
  std::map<std::size_t, std::vector<std::int64_t>> free_extents_;  // By size: offsets to use again.
};

}  // namespace halfstep::exec
