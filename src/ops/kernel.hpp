// kernel.hpp: a kernel that is ready to run, and what it runs on.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "core/tensor.hpp"
#include "halfstep/result.hpp"

namespace halfstep::ops {

/// What a kernel works on. Absent operands and outputs are !present().
struct KernelIo {
  std::span<const ConstView> inputs;
  std::span<const MutableView> outputs;
  std::span<std::byte> scratch;  ///< 64-byte aligned, Prepared::scratch_bytes long, content undefined.
};

/// May fail only on data, with one line that does not name the node (the
/// executor adds it). Thread-safe: called concurrently with different io.
using Kernel = std::function<Result<void>(const KernelIo&)>;

/// A kernel ready to run.
struct Prepared {
  Kernel run;
  std::size_t scratch_bytes = 0;
  /// The kernel has applied Node::clamp itself; otherwise the executor adds a clamp step.
  bool clamps = false;
};

}  // namespace halfstep::ops
