// normalization_int.hpp: LayerNormalization, RMSNormalization, InstanceNormalization and GroupNormalization on codes.
//
// A row holds N codes that are normalized together. Exactly, without the zero point, which cancels:
//
//   D_i = N * q_i - sum of q,    V = sum of D_i^2
//
// RMSNormalization takes no mean out: there D_i = N * (q_i - z_x), and all else is the same.
//
// The real result is gamma * (x_i - mean) / sqrt(variance + epsilon) + beta with x_i - mean = s_x * D_i / N and
// variance = s_x^2 * V / N^3. In steps of the output that is
//
//   gamma / s_y * D_i * sqrt(N / W) + beta / s_y,    W = V + epsilon * N^3 / s_x^2
//
// As integers: E = round(epsilon * N^3 / s_x^2 * 2^24), G = round(gamma / s_y * 2^g), B = round(beta / s_y * 2^20),
// where g <= 24 is the largest number that keeps every |G| below 2^31. For each row, with w and j from V * 2^24 + E = w
// * 4^j (lower bits dropped if j > 0), 2^62 <= w < 2^64, and n = N * 4^a in [2^124, 2^126):
//
//   R = floor(sqrt(floor(n / w))),    2^30 <= R < 2^32,     k = a + j - 12       (R * 2^-k = sqrt(N / W))
//   q_y = clamp(z_y + round((D_i * R * G + B * 2^(k + g - 20)) / 2^(k + g)), q_min, q_max)
//
// rounded once, halves by the arithmetic's rule (q31_double as halves up). R is 0 where V is 0: a row of equal codes
// gives beta. R is low by less than 2^-29 of its value, G by 2^-(g+1): with |D_i * sqrt(N / W)| < sqrt(N), the value
// before the rounding is off by at most |q_y - z_y - beta / s_y| * 2^-29 + sqrt(N) * 2^-(g+1) + 2^-21 steps.
//
// Bounds: N <= 2^20 and q in 16 bits make |D| < 2^36 and V < N * 2^72 <= 2^92, the sum of squares is formed in 128
// bits; W < 2^100 is demanded, hence V * 2^24 + E < 2^125. V >= 1 gives 20 <= k, W < 2^100 gives k <= 82. |D_i * R *
// 2^-k| < 2^10, so the product is below 2^(10 + 82 + 31); |beta / s_y| < 2^18 is demanded, so the other term is below
// 2^(18 + 106).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "numerics/fixed_point.hpp"
#include "ops/node_args.hpp"

namespace halfstep::ops {

__extension__ typedef unsigned __int128 Uint128;

inline constexpr int kNormEpsilonBits = 24;  ///< Fractional bits of E.
inline constexpr int kNormBetaBits = 20;     ///< Fractional bits of B.

/// Which gamma and beta an element takes.
enum class NormAffine {
  kByColumn,  ///< Element i of a row takes entry i: LayerNormalization.
  kByRun,     ///< Each `run` elements in a row take the next entry, over and over: InstanceNormalization and groups.
};

struct IntNormPlan {
  std::int64_t rows = 0;
  std::int64_t columns = 0;  ///< N, 1 to 2^20.
  DType x_dtype = DType::kInt8;
  DType y_dtype = DType::kInt8;
  NormAffine affine = NormAffine::kByColumn;
  std::int64_t run = 1;                     ///< kByRun; divides `columns`.
  std::optional<std::int32_t> centre = {};  ///< Set: z_x stands for the mean (RMSNormalization).
  Uint128 epsilon = 0;                      ///< E
  std::vector<std::int32_t> gamma;          ///< G, |G| < 2^31.
  std::int32_t most_gamma = 0;              ///< The largest |G|; prepare_int_normalization() finds it.
  int gamma_bits = 24;                      ///< g, 0 to 24.
  std::vector<std::int64_t> beta;           ///< B, below 2^38.
  std::int32_t zero_point = 0;
  std::int32_t q_min = 0;
  std::int32_t q_max = 0;
  numerics::Rounding rounding = numerics::Rounding::kHalfUp;  ///< Not kDoubling.
};

/// May run in place.
Prepared prepare_int_normalization(IntNormPlan plan);

/// The largest integer whose square is at most x.
std::uint64_t integer_sqrt(std::uint64_t x);

}  // namespace halfstep::ops
