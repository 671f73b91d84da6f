// exact_rows.hpp: rows of codes by formulas whose exact integers are too wide for vectors.
//
// Each function gives the bits of its formula in integers, rounded once. Most elements are settled by an estimate in
// double whose error is bounded (isa/estimated_rows.hpp); those too near to a tie are computed in 128 bits.
#pragma once

#include <cstdint>

#include "core/dtype.hpp"
#include "numerics/fixed_point.hpp"

namespace halfstep::kernels {

/// Where rounded steps go: q = clamp(zero_point + steps, q_min, q_max), stored as `dtype` (8 or 16 bits, signed or
/// not). Requires |q_min - zero_point|, |q_max - zero_point| <= 2^17. Halves by `rounding`, which is not kFloatEven
/// here; kDoubling counts as kHalfUp.
struct CodeTarget {
  std::int32_t zero_point = 0;
  std::int32_t q_min = 0;
  std::int32_t q_max = 0;
  numerics::Rounding rounding = numerics::Rounding::kHalfUp;
  DType dtype = DType::kInt8;
};

/// e[i] = table[max(q) - q[i]] for `count` >= 1 codes of type `q_dtype`; 0 from entry `table_size` on. `table` has one
/// more entry, which is 0. Returns the sum of e.
std::uint64_t exponentials_row(const void* q, DType q_dtype, std::int64_t count, const std::uint32_t* table,
                               std::int64_t table_size, std::uint32_t* e);

/// multiplier / 2^shift, to be divided by a sum: 1 <= shift <= 62, multiplier < 2^31, 2^30 <= sum < 2^63.
struct Quotient {
  std::uint32_t multiplier = 0;
  int shift = 1;
};

/// q[i] = e[i] * factor / sum on the grid, e[i] <= 2^30 (softmax_int.hpp).
void quotient_row(const std::uint32_t* e, std::int64_t count, std::uint64_t sum, const Quotient& factor,
                  const CodeTarget& target, void* q);

/// Of quotient_columns().
inline constexpr std::int64_t kMostQuotientColumns = 64;

/// The same for `rows` rows of `columns` <= kMostQuotientColumns elements, column c divided by sums[c]. Rows of q begin
/// `q_stride` codes apart.
void quotient_columns(const std::uint32_t* e, std::int64_t rows, std::int64_t columns, const std::uint64_t* sums,
                      const Quotient& factor, const CodeTarget& target, void* q, std::int64_t q_stride);

struct CodeMoments {
  std::int64_t sum = 0;
  std::uint64_t squares = 0;  ///< Sum of q * q.
};

/// Of `count` <= 2^30 codes of type `q_dtype`.
CodeMoments code_moments(const void* q, DType q_dtype, std::int64_t count);

/// A row and its affine map by the names of normalization_int.hpp:
/// (D R G + B 2^(k + g - 20)) / 2^(k + g) with D = N q - sum.
struct NormalizedRow {
  std::int64_t columns = 1;  ///< N, at most 2^20.
  std::int64_t sum = 0;
  std::int64_t root = 0;        ///< R, below 2^32.
  int root_bits = 20;           ///< k, 20 to 82.
  int gamma_bits = 24;          ///< g, 0 to 24.
  std::int32_t most_gamma = 0;  ///< The largest |G|.
};

/// Which gamma and beta the elements take.
enum class AffineStep { kEach, kOne };

/// q_y[i] for `count` codes of the row; gamma[i] and beta[i], or (kOne) always *gamma and *beta. May run in place if
/// both types have one size.
void normalize_row(const void* q_x, DType x_dtype, std::int64_t count, const NormalizedRow& row,
                   const std::int32_t* gamma, const std::int64_t* beta, AffineStep step, const CodeTarget& target,
                   void* q_y);

/// Two rows and what blends them: row r of the result is (weights[2 r] * a[i] + weights[2 r + 1] * b[i] + bias) *
/// factor.
struct Blend {
  const std::int32_t* a = nullptr;  ///< |a[i]|, |b[i]| < 2^31
  const std::int32_t* b = nullptr;
  const std::int32_t* weights = nullptr;  ///< Each >= 0, each pair adding up to 2^15.
  std::int64_t rows = 1;
  std::int64_t bias = 0;  ///< The sum of all three terms is below 2^46, without sign.
  numerics::FixedPoint factor = {};
};

/// Rows of `count` codes, one behind the other. Rows with the same a and b are cheaper in one call.
void blend_rows(const Blend& blend, std::int64_t count, const CodeTarget& target, void* q);

}  // namespace halfstep::kernels
