// normalization_int.cpp: exact moments of rows of codes, and an integer reciprocal square root.
#include "ops/normalization_int.hpp"

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "ops/fixed_codes.hpp"

namespace halfstep::ops {
namespace {

using numerics::Int128;

int bit_width(Uint128 x) {
  const auto high = static_cast<std::uint64_t>(x >> 64);
  return high != 0 ? 64 + std::bit_width(high) : std::bit_width(static_cast<std::uint64_t>(x));
}

/// sqrt(N / W) as root * 2^-exponent.
struct InverseDeviation {
  std::int64_t root = 0;
  int exponent = 20;
};

/// Requires weight > 0.
InverseDeviation inverse_deviation(std::int64_t columns, Uint128 weight) {
  const int width_n = std::bit_width(static_cast<std::uint64_t>(columns));
  const int a = (126 - width_n) / 2;  // N * 4^a has 125 or 126 bits.
  // An even shift after which 63 or 64 bits are left.
  const int surplus = bit_width(weight) - 64;
  const int j = surplus >= 0 ? (surplus + 1) / 2 : -(-surplus / 2);
  const auto w = static_cast<std::uint64_t>(j >= 0 ? weight >> (2 * j) : weight << (-2 * j));
  const Uint128 quotient = (static_cast<Uint128>(columns) << (2 * a)) / w;  // 2^60 <= quotient < 2^64.
  return {static_cast<std::int64_t>(integer_sqrt(static_cast<std::uint64_t>(quotient))), a + j - kNormEpsilonBits / 2};
}

template <class T>
std::int64_t sum_of(const T* x, std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += x[i];
  return sum;
}

/// V. Products of codes are added up: V = N^2 * sum of q^2 - N * (sum of q)^2, both terms below 2^92.
template <class T>
Uint128 squared_distances(const T* x, std::int64_t count, std::int64_t sum) {
  std::uint64_t squares = 0;  // Below 2^20 * 2^32.
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t q = x[i];
    squares += static_cast<std::uint64_t>(q * q);
  }
  const auto n = static_cast<Uint128>(count);
  const auto magnitude = static_cast<Uint128>(sum < 0 ? -sum : sum);
  return n * (n * squares - magnitude * magnitude);
}

/// Finishes one element: (distance * factor + shift) / 2^exponent on the grid.
std::int32_t finish(const IntNormPlan& plan, Int128 acc, int exponent) {
  const Int128 steps = numerics::rounding_shift_right(acc, exponent, plan.rounding);
  const Int128 q = steps + plan.zero_point;
  return static_cast<std::int32_t>(std::clamp<Int128>(q, plan.q_min, plan.q_max));
}

template <class T, class Y>
void normalize_row(const IntNormPlan& plan, const T* x, std::size_t row_entry, Y* y) {
  const std::int64_t sum = sum_of(x, plan.columns);
  const Uint128 squares = squared_distances(x, plan.columns, sum);
  InverseDeviation inverse;
  if (squares != 0) inverse = inverse_deviation(plan.columns, (squares << kNormEpsilonBits) + plan.epsilon);
  const int exponent = inverse.exponent + plan.gamma_bits;
  const int beta_shift = exponent - kNormBetaBits;
  for (std::int64_t i = 0; i < plan.columns; ++i) {
    const std::size_t entry = plan.affine == NormAffine::kByColumn ? static_cast<std::size_t>(i) : row_entry;
    const std::int64_t distance = plan.columns * x[i] - sum;
    const std::int64_t factor = inverse.root * plan.gamma[entry];  // Below 2^32 * 2^31.
    const Int128 acc = static_cast<Int128>(distance) * factor +
                       static_cast<Int128>(plan.beta[entry]) * (static_cast<Int128>(1) << beta_shift);
    y[i] = static_cast<Y>(finish(plan, acc, exponent));
  }
}

template <class T, class Y>
void normalize_rows(const IntNormPlan& plan, const T* x, Y* y) {
  for (std::int64_t r = 0; r < plan.rows; ++r, x += plan.columns, y += plan.columns) {
    normalize_row(plan, x, static_cast<std::size_t>(r) % plan.gamma.size(), y);
  }
}

}  // namespace

// Newton's iteration from above: each step stays at or above the root until it stops falling.
std::uint64_t integer_sqrt(std::uint64_t x) {
  if (x == 0) return 0;
  std::uint64_t root = std::uint64_t{1} << ((std::bit_width(x) + 1) / 2);  // >= sqrt(x), at most 2^32.
  while (true) {
    const std::uint64_t next = (root + x / root) / 2;
    if (next >= root) return root;
    root = next;
  }
}

Prepared prepare_int_normalization(IntNormPlan plan) {
  const auto shared = std::make_shared<const IntNormPlan>(std::move(plan));
  const auto run = [shared](const KernelIo& io) -> Result<void> {
    if (shared->rows == 0 || shared->columns == 0) return {};
    visit_code_type(shared->x_dtype, [&]<class T>() {
      visit_code_type(shared->y_dtype,
                      [&]<class Y>() { normalize_rows(*shared, io.inputs[0].data<T>(), io.outputs[0].data<Y>()); });
    });
    return {};
  };
  return {.run = run, .scratch_bytes = 0, .clamps = true};
}

}  // namespace halfstep::ops
