// unary_int.cpp: one look-up a code.
#include "ops/elementwise/unary_int.hpp"

#include <utility>

#include "kernels/requantize.hpp"
#include "ops/shared/broadcast.hpp"

namespace halfstep::ops {

Kernel table_kernel(IntTables tables) {
  return [tables = std::move(tables)](const KernelIo& io) -> Result<void> {
    if (!has_output(io)) return {};
    const ConstView& x = io.inputs[tables.operand];
    const MutableView& y = io.outputs[0];
    const std::int64_t count = x.num_elements();
    const auto x_size = static_cast<std::int64_t>(size_in_bytes(x.dtype()));
    const auto y_size = static_cast<std::int64_t>(size_in_bytes(y.dtype()));
    const std::int64_t table_bytes = tables.table.num_bytes() / tables.channels;
    std::int64_t channel = 0;
    for (std::int64_t at = 0; at < count; at += tables.inner) {
      kernels::look_up(x.bytes + at * x_size, x.dtype(), tables.inner, tables.table.bytes() + channel * table_bytes,
                       y.dtype(), y.bytes + at * y_size);
      if (++channel == tables.channels) channel = 0;
    }
    return {};
  };
}

}  // namespace halfstep::ops
