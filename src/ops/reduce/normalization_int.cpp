// normalization_int.cpp: exact moments of rows of codes, and an integer reciprocal square root.
#include "ops/reduce/normalization_int.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <memory>
#include <utility>

#include "core/code_types.hpp"
#include "ops/shared/rounded_shift.hpp"

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

/// V around z: N^2 * sum of (q - z)^2.
template <class T>
Uint128 squared_distances_from(std::int64_t z, const T* x, std::int64_t count) {
  std::uint64_t squares = 0;  // Below 2^20 * 2^32.
  for (std::int64_t i = 0; i < count; ++i) squares += static_cast<std::uint64_t>((x[i] - z) * (x[i] - z));
  const auto n = static_cast<Uint128>(count);
  return n * n * squares;
}

/// What is the same for a whole row.
struct RowState {
  std::int64_t sum = 0;
  std::int64_t root = 0;
  int exponent = 0;
  int beta_shift = 0;
};

template <class T>
RowState state_of(const IntNormPlan& plan, const T* x) {
  RowState row;
  row.sum = plan.centre ? plan.columns * *plan.centre : sum_of(x, plan.columns);
  const Uint128 squares =
      plan.centre ? squared_distances_from(*plan.centre, x, plan.columns) : squared_distances(x, plan.columns, row.sum);
  InverseDeviation inverse;
  if (squares != 0) inverse = inverse_deviation(plan.columns, (squares << kNormEpsilonBits) + plan.epsilon);
  row.root = inverse.root;
  row.exponent = inverse.exponent + plan.gamma_bits;
  row.beta_shift = row.exponent - kNormBetaBits;
  return row;
}

/// The code for code `q` of a row, with entry `entry` of gamma and beta.
template <numerics::Rounding kRounding>
std::int32_t normalized(const IntNormPlan& plan, const RowState& row, std::int64_t q, std::size_t entry) {
  const std::int64_t distance = plan.columns * q - row.sum;
  const std::int64_t factor = row.root * plan.gamma[entry];  // Below 2^32 * 2^31.
  const Int128 beta = static_cast<Int128>(plan.beta[entry]) * (static_cast<Int128>(1) << row.beta_shift);
  const Int128 steps = rounded_shift<kRounding>(static_cast<Int128>(distance) * factor + beta, row.exponent);
  // |steps| < 2^43 by the bounds in the header.
  const std::int64_t code = static_cast<std::int64_t>(steps) + plan.zero_point;
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(code, plan.q_min, plan.q_max));
}

/// Elements that all take one gamma and beta, and are more 8-bit codes than there are different ones.
template <numerics::Rounding kRounding, class T, class Y>
void normalize_by_table(const IntNormPlan& plan, const RowState& row, std::size_t entry, const T* x, std::int64_t count,
                        Y* y) {
  constexpr std::int64_t kLowest = std::numeric_limits<T>::lowest();
  std::array<Y, 256> table;
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = static_cast<Y>(normalized<kRounding>(plan, row, static_cast<std::int64_t>(i) + kLowest, entry));
  }
  for (std::int64_t i = 0; i < count; ++i) y[i] = table[static_cast<std::size_t>(x[i] - kLowest)];
}

/// The runs of one row, the first of which takes entry `entry`.
template <numerics::Rounding kRounding, class T, class Y>
void normalize_runs(const IntNormPlan& plan, const RowState& row, std::size_t entry, const T* x, Y* y) {
  for (std::int64_t done = 0; done < plan.columns; done += plan.run, x += plan.run, y += plan.run) {
    const std::size_t at = entry % plan.gamma.size();
    ++entry;
    if constexpr (sizeof(T) == 1) {
      if (plan.run > 256) {
        normalize_by_table<kRounding>(plan, row, at, x, plan.run, y);
        continue;
      }
    }
    for (std::int64_t i = 0; i < plan.run; ++i) y[i] = static_cast<Y>(normalized<kRounding>(plan, row, x[i], at));
  }
}

template <numerics::Rounding kRounding, class T, class Y>
void normalize_rows(const IntNormPlan& plan, const T* x, Y* y) {
  for (std::int64_t r = 0; r < plan.rows; ++r, x += plan.columns, y += plan.columns) {
    const RowState row = state_of(plan, x);
    if (plan.affine == NormAffine::kByRun) {
      normalize_runs<kRounding>(plan, row, static_cast<std::size_t>(r * (plan.columns / plan.run)), x, y);
      continue;
    }
    for (std::int64_t i = 0; i < plan.columns; ++i) {
      y[i] = static_cast<Y>(normalized<kRounding>(plan, row, x[i], static_cast<std::size_t>(i)));
    }
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
      visit_code_type(shared->y_dtype, [&]<class Y>() {
        visit_rounding(shared->rounding, [&]<numerics::Rounding kRounding>() {
          normalize_rows<kRounding>(*shared, io.inputs[0].data<T>(), io.outputs[0].data<Y>());
        });
      });
    });
    return {};
  };
  return {.run = run, .scratch_bytes = 0, .clamps = true};
}

}  // namespace halfstep::ops
