// memory_budget.hpp: memory is asked for before it is taken; halfstep/memory_limit.hpp says how much there is.
#pragma once

#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "core/tensor.hpp"
#include "halfstep/memory_limit.hpp"
#include "halfstep/result.hpp"

namespace halfstep {

/// "1.5 GiB", "512.0 MiB", "100 bytes".
std::string bytes_text(std::int64_t num_bytes);

/// Whether one tensor fits into the limit alone. Requires check_shape(): the size does not overflow.
/// Errors: kUnsupported with type, size, limit and remedy; the caller names the node.
Result<void> check_tensor_memory(const TensorType& type);

/// A share of the limit, given back when this goes. What verbs hold at the same time adds up to the limit at most.
/// Thread-safe, but for one object.
class MemoryReservation {
 public:
  MemoryReservation() = default;
  MemoryReservation(MemoryReservation&& other) noexcept : num_bytes_(std::exchange(other.num_bytes_, 0)) {}
  MemoryReservation& operator=(MemoryReservation&& other) noexcept {
    std::swap(num_bytes_, other.num_bytes_);
    return *this;
  }
  ~MemoryReservation() { shrink_to(0); }

  /// Nothing is reserved where this fails.
  /// Errors: kUnsupported: "`what` need <size>, <reserved> are in use and ...", with the remedy.
  static Result<MemoryReservation> of(std::int64_t num_bytes, const std::string& what);

  /// Makes it at least `num_bytes` in all; unchanged where this fails. Errors: as of().
  Result<void> grow_to(std::int64_t num_bytes, const std::string& what);

  std::int64_t num_bytes() const { return num_bytes_; }

 private:
  void shrink_to(std::int64_t num_bytes) noexcept;

  std::int64_t num_bytes_ = 0;
};

/// What f() returns, or out_of_memory() where it throws that; for callers that can name the place.
template <class F>
std::invoke_result_t<F> unless_out_of_memory(F&& f) {
  try {
    return std::forward<F>(f)();
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::length_error&) {  // A container was to be larger than memory can be.
    return out_of_memory();
  }
}

}  // namespace halfstep
