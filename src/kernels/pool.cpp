// pool.cpp: how much scratch pooling needs.
#include "kernels/pool.hpp"

#include <algorithm>

#include "kernels/pool_scratch.hpp"

namespace halfstep::kernels {

std::int64_t max_pool_row_elements(const MaxPool& p) {
  const std::int64_t lanes = 64 / static_cast<std::int64_t>(size_in_bytes(p.dtype));
  // Windows in whole vectors, and the image with its padding, whichever is wider; both in pairs of columns.
  const std::int64_t windows = (p.out_w + lanes + (p.kernel_w + 1) / 2) * p.stride_w;
  const std::int64_t columns = std::max(windows + p.kernel_w, p.pad_left + p.in_w);
  return (columns / 2 + lanes) / lanes * lanes;
}

std::size_t max_pool_scratch_bytes(const MaxPool& p) {
  return static_cast<std::size_t>(4 * max_pool_row_elements(p)) * size_in_bytes(p.dtype);
}

}  // namespace halfstep::kernels
