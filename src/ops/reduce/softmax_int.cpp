// softmax_int.cpp: exponentials by table, sums, and one division or one logarithm.
#include "ops/reduce/softmax_int.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <utility>

#include "core/code_types.hpp"
#include "kernels/exact_rows.hpp"

namespace halfstep::ops {
namespace {

__extension__ typedef unsigned __int128 Uint128;

/// What every element needs, copied so that stores of codes, which may alias anything, do not force it to be reloaded.
class Codes {
 public:
  explicit Codes(const IntSoftmaxRows& rows)
      : exponentials_(rows.exponentials.data()),
        size_(rows.exponentials.size()),
        zero_point_(rows.zero_point),
        q_min_(rows.q_min),
        q_max_(rows.q_max) {}

  /// e[distance]
  std::uint64_t exponential(std::int32_t distance) const {
    const auto d = static_cast<std::size_t>(distance);
    return d < size_ ? exponentials_[d] : 0;
  }

  /// zero_point + steps on the grid. |steps| < 2^62.
  std::int32_t on_grid(std::int64_t steps) const {
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(steps + zero_point_, q_min_, q_max_));
  }

 private:
  const std::uint32_t* exponentials_;
  std::size_t size_;
  std::int64_t zero_point_;
  std::int64_t q_min_;
  std::int64_t q_max_;
};

/// An even number that many numerators below 2^61 are divided by.
template <class U>
struct Denominator {
  U value;
  U half;
  std::uint64_t inverse = 0;  ///< floor((2^64 - 1) / value); unused at 128 bits.

  Denominator() = default;
  explicit Denominator(U denominator) : value(denominator), half(denominator / 2) {
    if constexpr (sizeof(U) == 8) inverse = ~std::uint64_t{0} / denominator;
  }

  U quotient(U numerator) const {
    if constexpr (sizeof(U) == 8) {
      // inverse > 2^64 / value - 1, so before it is cut the guess is low by less than numerator / 2^64 < 1.
      const auto guess = static_cast<std::uint64_t>(static_cast<Uint128>(numerator) * inverse >> 64);
      return guess + (numerator - guess * value >= value ? 1U : 0U);
    } else {
      return numerator / value;
    }
  }
};

/// numerator / denominator rounded to nearest. With 64 bits the sum below stays under 2^61 + 2^63.
template <class U>
std::int64_t rounded_quotient(U numerator, const Denominator<U>& denominator, numerics::Rounding rounding) {
  const U raised = numerator + denominator.half;
  const U rounded = denominator.quotient(raised);
  const bool odd_tie =
      rounding == numerics::Rounding::kHalfEven && (rounded & 1) != 0 && rounded * denominator.value == raised;
  return static_cast<std::int64_t>(rounded) - (odd_tie ? 1 : 0);
}

/// What a group of up to kColumns columns, side by side in memory, needs beside the codes.
constexpr std::int64_t kColumns = 64;
struct Columns {
  std::array<std::int32_t, kColumns> largest;
  std::array<std::uint64_t, kColumns> sum;
};

template <class T>
void scan_row(const IntSoftmaxRows& rows, const T* x, Columns& columns) {
  T largest = x[0];
  for (std::int64_t i = 1; i < rows.extent; ++i) largest = x[i] > largest ? x[i] : largest;
  const Codes codes(rows);
  std::uint64_t sum = 0;
  for (std::int64_t i = 0; i < rows.extent; ++i) sum += codes.exponential(largest - x[i]);
  columns.largest[0] = largest;
  columns.sum[0] = sum;
}

template <class T>
void scan_columns(const IntSoftmaxRows& rows, const T* x, std::int64_t count, Columns& columns) {
  std::copy_n(x, count, columns.largest.begin());
  std::fill_n(columns.sum.begin(), count, 0);
  for (std::int64_t i = 1; i < rows.extent; ++i) {
    const T* row = x + i * rows.inner;
    std::int32_t* largest = columns.largest.data();
    for (std::int64_t c = 0; c < count; ++c) largest[c] = row[c] > largest[c] ? row[c] : largest[c];
  }
  const Codes codes(rows);
  for (std::int64_t i = 0; i < rows.extent; ++i) {
    const T* row = x + i * rows.inner;
    for (std::int64_t c = 0; c < count; ++c) {
      const auto at = static_cast<std::size_t>(c);
      columns.sum[at] += codes.exponential(columns.largest[at] - row[c]);
    }
  }
}

/// Calls start(sum) for each column, and with what it returns value(started, distance) for each of its elements. Parts
/// take groups of columns.
template <class T, class Y, class Start, class Value>
void run_columns(const IntSoftmaxRows& rows, const KernelIo& io, const Start& start, const Value& value) {
  using Started = decltype(start(std::uint64_t{}));
  std::array<Started, kColumns> started;
  Columns columns;
  const std::int64_t groups = (rows.inner + kColumns - 1) / kColumns;
  const Share share = share_of(io, rows.outer * groups);
  for (std::int64_t g = share.begin; g < share.end; ++g) {
    const std::int64_t first = g % groups * kColumns;
    const std::int64_t offset = g / groups * rows.extent * rows.inner + first;
    const T* x = io.inputs[0].data<T>() + offset;
    Y* y = io.outputs[0].data<Y>() + offset;
    const std::int64_t count = std::min(kColumns, rows.inner - first);
    if (rows.inner == 1) {
      scan_row(rows, x, columns);
    } else {
      scan_columns(rows, x, count, columns);
    }
    for (std::size_t c = 0; c < static_cast<std::size_t>(count); ++c) started[c] = start(columns.sum[c]);
    for (std::int64_t i = 0; i < rows.extent; ++i, x += rows.inner, y += rows.inner) {
      for (std::int64_t c = 0; c < count; ++c) {
        const auto at = static_cast<std::size_t>(c);
        y[c] = static_cast<Y>(value(started[at], columns.largest[at] - x[c]));
      }
    }
  }
}

template <class Start, class Value>
void run_typed(const IntSoftmaxRows& rows, const KernelIo& io, const Start& start, const Value& value) {
  if (rows.extent == 0) return;
  visit_code_type(rows.x_dtype, [&]<class T>() {
    visit_code_type(rows.y_dtype, [&]<class Y>() { run_columns<T, Y>(rows, io, start, value); });
  });
}

template <class U>
void run_softmax_columns(const IntSoftmaxPlan& plan, const KernelIo& io) {
  const Codes codes(plan.rows);
  const auto start = [&](std::uint64_t sum) { return Denominator<U>(static_cast<U>(sum) << plan.shift); };
  const auto value = [codes, multiplier = std::uint64_t{plan.multiplier}, rounding = plan.rows.rounding](
                         const Denominator<U>& denominator, std::int32_t distance) {
    const U numerator = codes.exponential(distance) * multiplier;
    return codes.on_grid(rounded_quotient<U>(numerator, denominator, rounding));
  };
  run_typed(plan.rows, io, start, value);
}

/// Along the last axis. Scratch: the exponentials of a row.
void run_softmax_rows(const IntSoftmaxPlan& plan, const KernelIo& io) {
  const IntSoftmaxRows& rows = plan.rows;
  if (rows.extent == 0) return;
  const kernels::CodeTarget target = {rows.zero_point, rows.q_min, rows.q_max, rows.rounding, rows.y_dtype};
  const std::int64_t x_bytes = rows.extent * static_cast<std::int64_t>(size_in_bytes(rows.x_dtype));
  const std::int64_t y_bytes = rows.extent * static_cast<std::int64_t>(size_in_bytes(rows.y_dtype));
  auto* e = reinterpret_cast<std::uint32_t*>(io.scratch.data());
  const auto table_size = static_cast<std::int64_t>(rows.exponentials.size()) - 1;
  const Share share = share_of(io, rows.outer);
  for (std::int64_t r = share.begin; r < share.end; ++r) {
    const std::byte* x = io.inputs[0].bytes + r * x_bytes;
    const std::uint64_t sum =
        kernels::exponentials_row(x, rows.x_dtype, rows.extent, rows.exponentials.data(), table_size, e);
    kernels::quotient_row(e, rows.extent, {plan.multiplier, sum, plan.shift}, target,
                          io.outputs[0].bytes + r * y_bytes);
  }
}

/// True if extent * 2^30 * 2^shift < 2^64.
bool fits_64_bits(const IntSoftmaxPlan& plan) {
  return std::bit_width(static_cast<std::uint64_t>(plan.rows.extent)) + 30 + plan.shift <= 64;
}

void run_log_softmax(const IntLogSoftmaxPlan& plan, const KernelIo& io) {
  const IntSoftmaxRows& rows = plan.rows;
  const auto start = [&](std::uint64_t sum) {
    const std::int64_t log = log2_q32(sum) - (std::int64_t{30} << 32);
    const numerics::Int128 product = static_cast<numerics::Int128>(log) * plan.log_two;
    return static_cast<std::int64_t>(numerics::rounding_shift_right(product, 32, numerics::Rounding::kHalfUp));
  };
  const Codes codes(rows);
  const auto value = [codes, step = plan.step, bits = plan.fraction_bits, rounding = rows.rounding](
                         std::int64_t log_sum, std::int32_t distance) {
    return codes.on_grid(numerics::rounding_shift_right(-distance * step - log_sum, bits, rounding));
  };
  run_typed(rows, io, start, value);
}

}  // namespace

// x = 2^p * m with 1 <= m < 2. Squaring m doubles its logarithm: the integer part of the result is the next bit. Each
// square is cut to 63 fractional bits; the relative error doubles with each step and ends below 2^32 * 2^-63,
// which moves the last bit at most.
std::int64_t log2_q32(std::uint64_t x) {
  const int power = std::bit_width(x) - 1;
  std::uint64_t mantissa = x << (63 - power);
  std::int64_t log = power;
  for (int i = 0; i < 32; ++i) {
    const Uint128 square = static_cast<Uint128>(mantissa) * mantissa;  // In [2^126, 2^128).
    const int bit = static_cast<int>(square >> 127);
    mantissa = static_cast<std::uint64_t>(square >> (63 + bit));
    log = 2 * log + bit;
  }
  return log;
}

Prepared prepare_int_softmax(IntSoftmaxPlan plan) {
  const bool along_last_axis = plan.rows.inner == 1;
  const std::size_t scratch_bytes =
      along_last_axis ? static_cast<std::size_t>(plan.rows.extent) * sizeof(std::uint32_t) : 0;
  plan.rows.exponentials.push_back(0);  // What the kernel reads for all behind the table's end.
  const auto shared = std::make_shared<const IntSoftmaxPlan>(std::move(plan));
  const auto run = [shared, along_last_axis](const KernelIo& io) -> Result<void> {
    if (along_last_axis) {
      run_softmax_rows(*shared, io);
    } else if (fits_64_bits(*shared)) {
      run_softmax_columns<std::uint64_t>(*shared, io);
    } else {
      run_softmax_columns<Uint128>(*shared, io);
    }
    return {};
  };
  return {.run = run, .scratch_bytes = scratch_bytes, .clamps = true, .splits = true};
}

Prepared prepare_int_log_softmax(IntLogSoftmaxPlan plan) {
  const auto shared = std::make_shared<const IntLogSoftmaxPlan>(std::move(plan));
  const auto run = [shared](const KernelIo& io) -> Result<void> {
    run_log_softmax(*shared, io);
    return {};
  };
  return {.run = run, .scratch_bytes = 0, .clamps = true, .splits = true};
}

}  // namespace halfstep::ops
