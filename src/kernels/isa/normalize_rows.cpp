// normalize_rows.cpp: moments of rows of codes, and their normalization.
//
// Cost: a moment is a widening product and two widening additions an element. Normalizing is two products and two
// additions in double beside the rounding of estimated_rows.hpp; the exact form is a 128-bit product, a 128-bit sum and
// a 128-bit shift, some twenty instructions an element.
#include "kernels/isa/estimated_rows.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

template <class T>
CodeMoments moments_of(const T* q, std::int64_t count) {
  CodeMoments moments;
  constexpr std::int64_t kSumBlock = 32768;  // So many 16-bit codes add up to less than 2^31.
  for (std::int64_t at = 0; at < count; at += kSumBlock) {
    const std::int64_t end = count - at < kSumBlock ? count : at + kSumBlock;
    std::int32_t sum = 0;
    std::uint64_t squares = 0;
    for (std::int64_t i = at; i < end; ++i) {
      const std::int32_t code = q[i];
      sum += code;
      squares +=
          static_cast<std::uint32_t>(code) * static_cast<std::uint32_t>(code);  // Modulo 2^32, which it is below.
    }
    moments.sum += sum;
    moments.squares += squares;
  }
  return moments;
}

/// The numbers of a row as double.
struct RowEstimate {
  double slope;      ///< N R 2^-k: N R is below 2^52 and exact.
  double intercept;  ///< sum R 2^-k
  double gamma_unit;
  double tolerance;
};

// q * slope, intercept, their difference, the product with gamma and the sum with beta round once each, by 2^-53 of
// their values: |y - v| < 2^-52 (2^16 slope + |intercept|) * 2 * most_gamma 2^-g + 2^-53 |y|, and |y| beyond the grid
// is limited.
RowEstimate estimate_of(const NormalizedRow& row) {
  RowEstimate estimate;
  const double unit = static_cast<double>(row.root) * power_of_two(-row.root_bits);
  estimate.slope = static_cast<double>(row.columns) * unit;
  estimate.intercept = static_cast<double>(row.sum) * unit;
  estimate.gamma_unit = power_of_two(-row.gamma_bits);
  const double magnitude = 65536.0 * estimate.slope + (row.sum < 0 ? -estimate.intercept : estimate.intercept);
  estimate.tolerance =
      magnitude * static_cast<double>(row.most_gamma) * estimate.gamma_unit * power_of_two(-51) + power_of_two(-30);
  return estimate;
}

std::int32_t exact_normalized(std::int64_t q, const NormalizedRow& row, std::int32_t gamma, std::int64_t beta,
                              const CodeTarget& target) {
  constexpr int kBetaBits = 20;
  const int shift = row.root_bits + row.gamma_bits;
  const std::int64_t factor = row.root * gamma;  // Below 2^32 * 2^31.
  const WideInt product = static_cast<WideInt>(row.columns * q - row.sum) * factor;
  const WideInt raised = product + static_cast<WideInt>(beta) * (static_cast<WideInt>(1) << (shift - kBetaBits));
  return onto_target(rounded_exactly(raised, shift, target.rounding), target);
}

/// x as a double, exactly. |x| < 2^51.
inline double to_double(std::int64_t x) {
  const std::int64_t bits = x + 0x4338000000000000;  // 1.5 * 2^52 + x
  double shifted;
  __builtin_memcpy(&shifted, &bits, sizeof shifted);
  return shifted - kRoundingMagic;
}

template <class T, class Q>
void normalize_each(const T* x, std::int64_t count, const NormalizedRow& row, const std::int32_t* gamma,
                    const std::int64_t* beta, const CodeTarget& target, Q* q) {
  const RowEstimate k = estimate_of(row);
  const double beta_unit = power_of_two(-20);
  const auto estimate = [=](std::int64_t at, int n, double* y) {
    const Padded<T> codes(x + at, n);
    const Padded<std::int32_t> gammas(gamma + at, n);
    const Padded<std::int64_t> betas(beta + at, n);
    for (int i = 0; i < kEstimateBlock; ++i) {
      const double normal = static_cast<double>(static_cast<std::int32_t>(codes.values[i])) * k.slope - k.intercept;
      y[i] = normal * (static_cast<double>(gammas.values[i]) * k.gamma_unit) + to_double(betas.values[i]) * beta_unit;
    }
  };
  const auto exact = [=, &row, &target](std::int64_t at) {
    return exact_normalized(x[at], row, gamma[at], beta[at], target);
  };
  estimated_row(count, k.tolerance, target, estimate, exact, q);
}

template <class T, class Q>
void normalize_alike(const T* x, std::int64_t count, const NormalizedRow& row, std::int32_t gamma, std::int64_t beta,
                     const CodeTarget& target, Q* q) {
  const RowEstimate k = estimate_of(row);
  const double real_gamma = static_cast<double>(gamma) * k.gamma_unit;
  const double real_beta = to_double(beta) * power_of_two(-20);
  const auto estimate = [=](std::int64_t at, int n, double* y) {
    const Padded<T> codes(x + at, n);
    for (int i = 0; i < kEstimateBlock; ++i) {
      const double normal = static_cast<double>(static_cast<std::int32_t>(codes.values[i])) * k.slope - k.intercept;
      y[i] = normal * real_gamma + real_beta;
    }
  };
  const auto exact = [=, &row, &target](std::int64_t at) { return exact_normalized(x[at], row, gamma, beta, target); };
  estimated_row(count, k.tolerance, target, estimate, exact, q);
}

}  // namespace

CodeMoments code_moments(const void* q, DType q_dtype, std::int64_t count) {
  CodeMoments moments;
  visit_codes(q_dtype, [&]<class T>(T*) { moments = moments_of(static_cast<const T*>(q), count); });
  return moments;
}

void normalize_row(const void* q_x, DType x_dtype, std::int64_t count, const NormalizedRow& row,
                   const std::int32_t* gamma, const std::int64_t* beta, AffineStep step, const CodeTarget& target,
                   void* q_y) {
  visit_codes(x_dtype, [&]<class T>(T*) {
    visit_codes(target.dtype, [&]<class Q>(Q*) {
      const T* x = static_cast<const T*>(q_x);
      Q* y = static_cast<Q*>(q_y);
      if (step == AffineStep::kOne) return normalize_alike(x, count, row, *gamma, *beta, target, y);
      normalize_each(x, count, row, gamma, beta, target, y);
    });
  });
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
