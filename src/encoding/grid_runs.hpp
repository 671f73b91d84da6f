// grid_runs.hpp: which elements of a tensor share one scale.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/shape.hpp"
#include "encoding/encoding.hpp"

namespace halfstep {

/// Calls f(offset, count, i) for every run of elements in a row that share the grid of params()[i], in the order of
/// elements. Requires: check_fits(encoding, shape).
template <class F>
void for_each_grid_run(const Shape& shape, const Encoding& encoding, F&& f) {
  if (encoding.is_per_tensor()) {
    f(std::int64_t{0}, shape.num_elements(), std::size_t{0});
    return;
  }
  const int axis = encoding.axis() ? *encoding.axis() : *encoding.block_axis();
  const std::int64_t outer = shape.num_elements(0, axis);
  const std::int64_t extent = shape[axis];
  const std::int64_t inner = shape.num_elements(axis + 1, shape.rank());
  if (encoding.axis()) {
    for (std::int64_t run = 0; run < outer * extent; ++run) {
      f(run * inner, inner, static_cast<std::size_t>(run % extent));
    }
    return;
  }
  // Scales are as dense as elements in all axes but the blocks': runs are long only where that axis is the last.
  const std::int64_t size = encoding.block_size();
  const std::int64_t num_blocks = (extent + size - 1) / size;
  const std::int64_t rows = inner == 1 ? size : 1;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t k = 0; k < extent; k += rows) {
      const std::int64_t first = (o * extent + k) * inner;
      const std::int64_t scale = (o * num_blocks + k / size) * inner;
      const std::int64_t count = inner == 1 ? std::min(rows, extent - k) : 1;
      for (std::int64_t i = 0; i < inner; ++i) f(first + i, count, static_cast<std::size_t>(scale + i));
    }
  }
}

}  // namespace halfstep
