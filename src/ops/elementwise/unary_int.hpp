// unary_int.hpp: applies tables to codes.
#pragma once

#include <cstdint>

#include "core/tensor.hpp"
#include "ops/node_args.hpp"

namespace halfstep::ops {

/// A table for each channel.
struct IntTables {
  Tensor table;             ///< [channels, 256 or 65536], of the output's type; see kernels::look_up().
  std::size_t operand = 0;  ///< What is looked up.
  std::int64_t channels = 1;
  std::int64_t inner = 0;  ///< Elements between one channel and the next.
};

/// The kernel that looks every code up.
Kernel table_kernel(IntTables tables);

}  // namespace halfstep::ops
