// kernel.hpp: a kernel that is ready to run, and what it runs on.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/tensor.hpp"
#include "halfstep/result.hpp"

namespace halfstep::ops {

/// What a kernel works on. Absent operands and outputs are !present().
struct KernelIo {
  std::span<const ConstView> inputs;
  std::span<const MutableView> outputs;
  std::span<std::byte> scratch;  ///< 64-byte aligned, Prepared::scratch_bytes long, content undefined.
  /// Which of several parts of the work this call is to do; only where Prepared::splits.
  int part = 0;
  int num_parts = 1;
};

/// Consecutive work items.
struct Share {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// The items, of `count`, that are this part's: the same number for each part, in whole `granules` if possible.
inline Share share_of(const KernelIo& io, std::int64_t count, std::int64_t granule = 1) {
  if (io.num_parts == 1) return {0, count};
  const std::int64_t granules = (count + granule - 1) / granule;
  return {std::min(count, granules * io.part / io.num_parts * granule),
          std::min(count, granules * (io.part + 1) / io.num_parts * granule)};
}

/// May fail only on data, with one line that does not name the node (the
/// executor adds it). Thread-safe: called concurrently with different io.
using Kernel = std::function<Result<void>(const KernelIo&)>;

/// A kernel ready to run.
struct Prepared {
  Kernel run;
  std::size_t scratch_bytes = 0;
  /// The kernel has applied Node::clamp itself; otherwise the executor adds a clamp step.
  bool clamps = false;
  /// `run` may be called once for each part, at the same time, with scratch of its own. What a part writes and its bits
  /// must not depend on how many there are. A call for part 0 of 1 does everything.
  bool splits = false;
  /// Not empty: output 0 is the bytes of the operands one behind the other, operand i from part_offsets[i] on, and
  /// `run` leaves alone what stands there already, because operand and part are the same storage.
  std::vector<std::int64_t> part_offsets = {};
};

}  // namespace halfstep::ops
