// normalization_int.cpp: exact moments of rows of codes, and an integer reciprocal square root.
#include "ops/reduce/normalization_int.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <memory>
#include <utility>

#include "core/code_types.hpp"
#include "kernels/exact_rows.hpp"

namespace halfstep::ops {
namespace {

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

/// V. Products of codes are added up: V = N^2 * sum of q^2 - N * (sum of q)^2, both terms below 2^92.
Uint128 squared_distances(std::int64_t columns, const kernels::CodeMoments& moments) {
  const auto n = static_cast<Uint128>(columns);
  const auto magnitude = static_cast<Uint128>(moments.sum < 0 ? -moments.sum : moments.sum);
  return n * (n * moments.squares - magnitude * magnitude);
}

/// V around z: N^2 * sum of (q - z)^2, whose terms are below 2^53.
Uint128 squared_distances_from(std::int64_t z, std::int64_t columns, const kernels::CodeMoments& moments) {
  const auto n = static_cast<Uint128>(columns);
  const std::int64_t squares = static_cast<std::int64_t>(moments.squares) - 2 * z * moments.sum + columns * z * z;
  return n * n * static_cast<std::uint64_t>(squares);
}

template <class T>
kernels::NormalizedRow row_of(const IntNormPlan& plan, const T* x) {
  const kernels::CodeMoments moments = kernels::code_moments(x, plan.x_dtype, plan.columns);
  kernels::NormalizedRow row;
  row.columns = plan.columns;
  row.sum = plan.centre ? plan.columns * *plan.centre : moments.sum;
  const Uint128 squares = plan.centre ? squared_distances_from(*plan.centre, plan.columns, moments)
                                      : squared_distances(plan.columns, moments);
  InverseDeviation inverse;
  if (squares != 0) inverse = inverse_deviation(plan.columns, (squares << kNormEpsilonBits) + plan.epsilon);
  row.root = inverse.root;
  row.root_bits = inverse.exponent;
  row.gamma_bits = plan.gamma_bits;
  row.most_gamma = plan.most_gamma;
  return row;
}

kernels::CodeTarget target_of(const IntNormPlan& plan) {
  return {plan.zero_point, plan.q_min, plan.q_max, plan.rounding, plan.y_dtype};
}

/// Elements that all take one gamma and beta.
struct NormRun {
  const kernels::NormalizedRow& row;
  std::int32_t gamma;
  std::int64_t beta;
};

template <class T, class Y>
void normalize_run(const IntNormPlan& plan, const NormRun& run, const T* x, std::int64_t count, Y* y) {
  kernels::normalize_row(x, plan.x_dtype, count, run.row, &run.gamma, &run.beta, kernels::AffineStep::kOne,
                         target_of(plan), y);
}

/// The same for more 8-bit codes than there are different ones.
template <class T, class Y>
void normalize_by_table(const IntNormPlan& plan, const NormRun& run, const T* x, std::int64_t count, Y* y) {
  constexpr std::int64_t kLowest = std::numeric_limits<T>::lowest();
  std::array<T, 256> codes;
  std::array<Y, 256> table;
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<T>(static_cast<std::int64_t>(i) + kLowest);
  normalize_run(plan, run, codes.data(), std::ssize(codes), table.data());
  for (std::int64_t i = 0; i < count; ++i) y[i] = table[static_cast<std::size_t>(x[i] - kLowest)];
}

/// The runs of one row, the first of which takes entry `entry`.
template <class T, class Y>
void normalize_runs(const IntNormPlan& plan, const kernels::NormalizedRow& row, std::size_t entry, const T* x, Y* y) {
  for (std::int64_t done = 0; done < plan.columns; done += plan.run, x += plan.run, y += plan.run) {
    const std::size_t at = entry % plan.gamma.size();
    ++entry;
    const NormRun run = {row, plan.gamma[at], plan.beta[at]};
    if constexpr (sizeof(T) == 1) {
      if (plan.run > 256) {
        normalize_by_table(plan, run, x, plan.run, y);
        continue;
      }
    }
    normalize_run(plan, run, x, plan.run, y);
  }
}

template <class T, class Y>
void normalize_rows(const IntNormPlan& plan, const KernelIo& io) {
  const Share share = share_of(io, plan.rows);
  const T* x = io.inputs[0].data<T>() + share.begin * plan.columns;
  Y* y = io.outputs[0].data<Y>() + share.begin * plan.columns;
  for (std::int64_t r = share.begin; r < share.end; ++r, x += plan.columns, y += plan.columns) {
    const kernels::NormalizedRow row = row_of(plan, x);
    if (plan.affine == NormAffine::kByRun) {
      normalize_runs(plan, row, static_cast<std::size_t>(r * (plan.columns / plan.run)), x, y);
    } else {
      kernels::normalize_row(x, plan.x_dtype, plan.columns, row, plan.gamma.data(), plan.beta.data(),
                             kernels::AffineStep::kEach, target_of(plan), y);
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
  for (const std::int32_t gamma : plan.gamma) {
    plan.most_gamma = std::max(plan.most_gamma, gamma < 0 ? -gamma : gamma);
  }
  const auto shared = std::make_shared<const IntNormPlan>(std::move(plan));
  const auto run = [shared](const KernelIo& io) -> Result<void> {
    if (shared->rows == 0 || shared->columns == 0) return {};
    visit_code_type(shared->x_dtype, [&]<class T>() {
      visit_code_type(shared->y_dtype, [&]<class Y>() { normalize_rows<T, Y>(*shared, io); });
    });
    return {};
  };
  return {.run = run, .scratch_bytes = 0, .clamps = true, .splits = true};
}

}  // namespace halfstep::ops
