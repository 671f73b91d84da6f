// pool.cpp: how much scratch float pooling needs.
#include "kernels/pool.hpp"

#include <algorithm>

#include "kernels/pool_scratch.hpp"

namespace halfstep::kernels {

std::int64_t max_pool_row_floats(const MaxPool& p) {
  constexpr std::int64_t kLanes = 16;
  // Windows in whole vectors, and the image with its padding, whichever is wider; both in pairs of columns.
  const std::int64_t windows = (p.out_w + kLanes + (p.kernel_w + 1) / 2) * p.stride_w;
  const std::int64_t columns = std::max(windows + p.kernel_w, p.pad_left + p.in_w);
  return (columns / 2 + kLanes) / kLanes * kLanes;
}

std::size_t max_pool_scratch_bytes(const MaxPool& p) {
  return static_cast<std::size_t>(4 * max_pool_row_floats(p)) * sizeof(float);
}

}  // namespace halfstep::kernels
