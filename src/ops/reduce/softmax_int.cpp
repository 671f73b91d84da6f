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

/// `store(i, c, e)` is given each exponential.
template <class T, class Store>
void scan_columns(const IntSoftmaxRows& rows, const T* x, std::int64_t count, Columns& columns, const Store& store) {
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
      const std::uint64_t e = codes.exponential(columns.largest[at] - row[c]);
      columns.sum[at] += e;
      store(i, c, e);
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
      scan_columns(rows, x, count, columns, [](std::int64_t, std::int64_t, std::uint64_t) {});
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

kernels::CodeTarget target_of(const IntSoftmaxRows& rows) {
  return {rows.zero_point, rows.q_min, rows.q_max, rows.rounding, rows.y_dtype};
}

/// Scratch: the exponentials of kColumns columns, row by row.
template <class T, class Y>
void run_softmax_columns(const IntSoftmaxPlan& plan, const KernelIo& io) {
  static_assert(kColumns <= kernels::kMostQuotientColumns);
  const IntSoftmaxRows& rows = plan.rows;
  auto* exponentials = reinterpret_cast<std::uint32_t*>(io.scratch.data());
  Columns columns;
  const std::int64_t groups = (rows.inner + kColumns - 1) / kColumns;
  const Share share = share_of(io, rows.outer * groups);
  for (std::int64_t g = share.begin; g < share.end; ++g) {
    const std::int64_t first = g % groups * kColumns;
    const std::int64_t offset = g / groups * rows.extent * rows.inner + first;
    const std::int64_t count = std::min(kColumns, rows.inner - first);
    scan_columns(rows, io.inputs[0].data<T>() + offset, count, columns,
                 [exponentials, count](std::int64_t i, std::int64_t c, std::uint64_t e) {
                   exponentials[i * count + c] = static_cast<std::uint32_t>(e);
                 });
    kernels::quotient_columns(exponentials, rows.extent, count, columns.sum.data(), {plan.multiplier, plan.shift},
                              target_of(rows), io.outputs[0].data<Y>() + offset, rows.inner);
  }
}

/// Along the last axis. Scratch: the exponentials of a row.
template <class T, class Y>
void run_softmax_rows(const IntSoftmaxPlan& plan, const KernelIo& io) {
  const IntSoftmaxRows& rows = plan.rows;
  const kernels::CodeTarget target = target_of(rows);
  auto* exponentials = reinterpret_cast<std::uint32_t*>(io.scratch.data());
  const auto table_size = static_cast<std::int64_t>(rows.exponentials.size()) - 1;
  const Share share = share_of(io, rows.outer);
  for (std::int64_t r = share.begin; r < share.end; ++r) {
    const std::uint64_t sum =
        kernels::exponentials_row(io.inputs[0].data<T>() + r * rows.extent, rows.x_dtype, rows.extent,
                                  rows.exponentials.data(), table_size, exponentials);
    kernels::quotient_row(exponentials, rows.extent, sum, {plan.multiplier, plan.shift}, target,
                          io.outputs[0].data<Y>() + r * rows.extent);
  }
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
  const std::int64_t scratch_columns = std::min(plan.rows.inner, kColumns);
  const auto scratch_bytes = static_cast<std::size_t>(plan.rows.extent * scratch_columns) * sizeof(std::uint32_t);
  plan.rows.exponentials.push_back(0);  // What the kernel reads for all behind the table's end.
  const auto shared = std::make_shared<const IntSoftmaxPlan>(std::move(plan));
  const auto run = [shared](const KernelIo& io) -> Result<void> {
    if (shared->rows.extent == 0) return {};
    visit_code_type(shared->rows.x_dtype, [&]<class T>() {
      visit_code_type(shared->rows.y_dtype, [&]<class Y>() {
        if (shared->rows.inner == 1) return run_softmax_rows<T, Y>(*shared, io);
        run_softmax_columns<T, Y>(*shared, io);
      });
    });
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
