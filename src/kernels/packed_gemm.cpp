// packed_gemm.cpp: what is worked out once for each product.
#include "kernels/packed_gemm.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/kernel_table.hpp"
#include "kernels/weight_tiles.hpp"

namespace halfstep::kernels {
namespace {

std::int32_t group_of(Group group, const std::int32_t* w) {
  std::int32_t bits = 0;
  if (group == Group::kPairs) {
    const std::int16_t pair[2] = {static_cast<std::int16_t>(w[0]), static_cast<std::int16_t>(w[1])};
    std::memcpy(&bits, pair, sizeof bits);
  } else {
    const std::int8_t quad[4] = {static_cast<std::int8_t>(w[0]), static_cast<std::int8_t>(w[1]),
                                 static_cast<std::int8_t>(w[2]), static_cast<std::int8_t>(w[3])};
    std::memcpy(&bits, quad, sizeof bits);
  }
  return bits;
}

}  // namespace

PackedLeft pack_left(Group group, std::int64_t rows, std::int64_t k, std::span<const std::int32_t> left,
                     bool saturating) {
  const std::int64_t size = group_size(group);
  PackedLeft packed;
  packed.group = group;
  packed.rows = rows;
  packed.k_groups = (k + size - 1) / size;
  packed.groups.reserve(static_cast<std::size_t>(rows * packed.k_groups + kGroupSlack));
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int32_t sum = 0;
    for (std::int64_t first = 0; first < k; first += size) {
      std::int32_t w[4] = {};
      for (std::int64_t i = 0; i < std::min(size, k - first); ++i) {
        w[i] = left[static_cast<std::size_t>(row * k + first + i)];
        sum += w[i];
      }
      packed.groups.push_back(group_of(group, w));
    }
    if (group == Group::kQuads) packed.sums.push_back(sum);
  }
  packed.groups.resize(packed.groups.size() + static_cast<std::size_t>(kGroupSlack), 0);
  if (saturating && group == Group::kQuads) add_weight_tiles(packed);
  return packed;
}

PackedLeft pack_left(Group group, std::int64_t rows, std::int64_t k, std::span<const std::int32_t> left) {
  return pack_left(group, rows, k, left, active_table().saturates_byte_pairs);
}

bool make_row_finish(std::int64_t bias, const numerics::Requantizer& r, DType dtype, RowFinish& finish) noexcept {
  if (r.rounding == numerics::Rounding::kDoubling || r.rounding == numerics::Rounding::kFloatEven) return false;
  if (r.factor.right_shift < 1 || r.factor.right_shift > 31) return false;
  // Bounds are held in as many bits as the vectors limit with.
  const std::int64_t most = size_in_bytes(dtype) == 1 ? 32767 : 131072;
  const std::int64_t low = std::int64_t{r.q_min} - r.zero_point;
  const std::int64_t high = std::int64_t{r.q_max} - r.zero_point;
  if (low < -most || high > most || low > high) return false;
  finish.shift = 31 + r.factor.right_shift;
  finish.multiplier = r.factor.multiplier_q31;
  finish.offset = bias * r.factor.multiplier_q31;
  const std::int64_t half = std::int64_t{1} << (finish.shift - 1);
  finish.rounded = finish.offset + half - (r.rounding == numerics::Rounding::kHalfEven ? 1 : 0);
  finish.low = static_cast<std::int32_t>(low);
  finish.high = static_cast<std::int32_t>(high);
  finish.zero_point = r.zero_point;
  return true;
}

}  // namespace halfstep::kernels
