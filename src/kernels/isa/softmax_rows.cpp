// softmax_rows.cpp: exponentials of a row of codes by table, and their quotients by the row's sum.
//
// Cost: the exponentials are a load, a subtraction, a limit and a look-up an element; the table has up to 2^16 entries
// of which a row touches what its values need. The quotients are one product and the rounding of estimated_rows.hpp,
// where a 64-bit division by a reciprocal costs a 128-bit product and a correction.
#include "kernels/isa/estimated_rows.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

template <class T>
std::int32_t largest_code(const T* q, std::int64_t count) {
  T largest = q[0];
  for (std::int64_t i = 1; i < count; ++i) largest = q[i] > largest ? q[i] : largest;
  return largest;
}

template <class T>
std::uint64_t exponentials_of(const T* q, std::int64_t count, const std::uint32_t* table, std::int64_t table_size,
                              std::uint32_t* e) {
  const std::int32_t largest = largest_code(q, count);
  const auto last = static_cast<std::int32_t>(table_size);
  std::uint64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int32_t distance = largest - q[i];
    const std::uint32_t value = table[distance < last ? distance : last];
    e[i] = value;
    sum += value;
  }
  return sum;
}

/// The quotient of whole numbers, which ties are seen in.
std::int32_t exact_quotient(std::uint32_t e, std::uint64_t sum, const Quotient& factor, const CodeTarget& target) {
  const WideUint numerator = static_cast<WideUint>(e) * factor.multiplier;  // Below 2^61.
  const WideUint denominator = static_cast<WideUint>(sum) << factor.shift;  // Even, below 2^125.
  const WideUint raised = numerator + denominator / 2;
  const WideUint rounded = raised / denominator;
  const bool odd_tie =
      target.rounding == numerics::Rounding::kHalfEven && (rounded & 1U) != 0 && rounded * denominator == raised;
  return onto_target(static_cast<WideInt>(rounded) - (odd_tie ? 1 : 0), target);
}

// Four roundings, 2^-53 of y each: |y| beyond the grid is limited, so y errs by less than 2^-33.
constexpr double kQuotientTolerance = 1.0 / (1 << 30);

double estimated_ratio(std::uint64_t sum, const Quotient& factor) {
  return static_cast<double>(factor.multiplier) / static_cast<double>(sum) * power_of_two(-factor.shift);
}

template <class Q>
void quotients_of_row(const std::uint32_t* e, std::int64_t count, std::uint64_t sum, const Quotient& factor,
                      const CodeTarget& target, Q* q) {
  const double ratio = estimated_ratio(sum, factor);
  const auto estimate = [e, ratio](std::int64_t at, int n, double* y) {
    const Padded<std::uint32_t> some(e + at, n);
    for (int i = 0; i < kEstimateBlock; ++i) {
      y[i] = static_cast<double>(static_cast<std::int32_t>(some.values[i])) * ratio;
    }
  };
  const auto exact = [&](std::int64_t at) { return exact_quotient(e[at], sum, factor, target); };
  estimated_row(count, kQuotientTolerance, target, estimate, exact, q);
}

template <class Q>
void quotients_of_columns(const std::uint32_t* e, std::int64_t rows, std::int64_t columns, const std::uint64_t* sums,
                          const Quotient& factor, const CodeTarget& target, Q* q, std::int64_t q_stride) {
  alignas(64) double ratios[kMostQuotientColumns] = {};
  for (std::int64_t c = 0; c < columns; ++c) ratios[c] = estimated_ratio(sums[c], factor);
  for (; rows > 0; --rows, e += columns, q += q_stride) {
    const auto estimate = [e, ratio = &ratios[0]](std::int64_t at, int n, double* y) {
      const Padded<std::uint32_t> some(e + at, n);
      for (int i = 0; i < kEstimateBlock; ++i) {
        y[i] = static_cast<double>(static_cast<std::int32_t>(some.values[i])) * ratio[at + i];
      }
    };
    const auto exact = [&](std::int64_t at) { return exact_quotient(e[at], sums[at], factor, target); };
    estimated_row(columns, kQuotientTolerance, target, estimate, exact, q);
  }
}

}  // namespace

std::uint64_t exponentials_row(const void* q, DType q_dtype, std::int64_t count, const std::uint32_t* table,
                               std::int64_t table_size, std::uint32_t* e) {
  std::uint64_t sum = 0;
  visit_codes(q_dtype,
              [&]<class T>(T*) { sum = exponentials_of(static_cast<const T*>(q), count, table, table_size, e); });
  return sum;
}

void quotient_row(const std::uint32_t* e, std::int64_t count, std::uint64_t sum, const Quotient& factor,
                  const CodeTarget& target, void* q) {
  visit_codes(target.dtype, [&]<class Q>(Q*) { quotients_of_row(e, count, sum, factor, target, static_cast<Q*>(q)); });
}

void quotient_columns(const std::uint32_t* e, std::int64_t rows, std::int64_t columns, const std::uint64_t* sums,
                      const Quotient& factor, const CodeTarget& target, void* q, std::int64_t q_stride) {
  visit_codes(target.dtype, [&]<class Q>(Q*) {
    quotients_of_columns(e, rows, columns, sums, factor, target, static_cast<Q*>(q), q_stride);
  });
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
