// histogram.hpp: one-pass statistics of float data, for calibration.
#pragma once

#include <cstdint>
#include <limits>

namespace halfstep::kernels {

/// Statistics of the finite values among `count` values.
struct FiniteSums {
  std::int64_t count = 0;                               ///< All values looked at.
  std::int64_t num_nonfinite = 0;                       ///< NaN or infinite: left out of the rest.
  float min = std::numeric_limits<float>::infinity();   ///< +infinity if there is no finite value.
  float max = -std::numeric_limits<float>::infinity();  ///< -infinity if there is no finite value.
  double sum = 0.0;
  double sum_of_squares = 0.0;
};

/// Adds up in a fixed order: the result is the same, to the bit, on every
/// instruction set.
FiniteSums minmax_sum(const float* x, std::int64_t count);

/// For each x[i], with bin = floor(x[i] * 2^-log2_width) - first_bin computed
/// exactly: if 0 <= bin < num_bins, counts[bin] += 1. Every other value, NaN and
/// infinities included, changes no counter.
/// Returns how many values were left out.
/// Requires: -300 <= log2_width <= 300; |first_bin| <= 2^50;
/// 0 <= num_bins <= 2^30; `counts` has num_bins elements, none of which overflows.
std::int64_t dyadic_bin_counts(const float* x, std::int64_t count, int log2_width, std::int64_t first_bin,
                               std::int64_t num_bins, std::uint32_t* counts);

/// The same at a fraction of the cost, for large counts: of each `one_in` neighbouring blocks of 512 values one is
/// looked at, which a hash of group and `seed` says, and counts so many times. What fills no group of blocks is counted
/// as it is, so that the total is `count`. Requires: one_in is 1, 2, 4 or 8.
std::int64_t dyadic_bin_counts_of_part(const float* x, std::int64_t count, std::int64_t one_in, std::uint64_t seed,
                                       int log2_width, std::int64_t first_bin, std::int64_t num_bins,
                                       std::uint32_t* counts);

}  // namespace halfstep::kernels
