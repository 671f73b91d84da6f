// packed_gemm.cpp: what is worked out once for each product.
#include "kernels/packed_gemm.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/kernel_table.hpp"
#include "kernels/weight_tiles.hpp"

namespace halfstep::kernels {
namespace {

/// The numbers of a row one after the other, as Ts; those behind the last are zeros. Returns their sum.
template <class T>
std::int32_t pack_row(const std::int32_t* left, std::int64_t k, std::int32_t* groups) {
  auto* to = reinterpret_cast<std::byte*>(groups);
  std::int32_t sum = 0;
  for (std::int64_t i = 0; i < k; ++i) {
    const T number = static_cast<T>(left[i]);
    std::memcpy(to + i * static_cast<std::int64_t>(sizeof(T)), &number, sizeof(T));
    sum += left[i];
  }
  return sum;
}

}  // namespace

PackedLeft pack_left(Group group, std::int64_t rows, std::int64_t k, std::span<const std::int32_t> left,
                     bool saturating) {
  const std::int64_t size = group_size(group);
  PackedLeft packed;
  packed.group = group;
  packed.rows = rows;
  packed.k_groups = (k + size - 1) / size;
  packed.groups.assign(static_cast<std::size_t>(rows * packed.k_groups + kGroupSlack), 0);
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int32_t* from = left.data() + row * k;
    std::int32_t* to = packed.groups.data() + row * packed.k_groups;
    if (group == Group::kQuads) {
      packed.sums.push_back(pack_row<std::int8_t>(from, k, to));
    } else {
      pack_row<std::int16_t>(from, k, to);
    }
  }
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
