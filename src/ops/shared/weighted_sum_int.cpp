// weighted_sum_int.cpp: blocks of 64-bit sums, in loops that compilers vectorise.
#include "ops/shared/weighted_sum_int.hpp"

#include <algorithm>
#include <utility>

#include "core/code_types.hpp"
#include "kernels/byte_sum.hpp"
#include "ops/shared/broadcast.hpp"

namespace halfstep::ops {
namespace {

using numerics::Rounding;

constexpr std::int64_t kBlock = 256;

template <class T>
using Unsigned = std::make_unsigned_t<T>;

/// v / 2^shift rounded, for v = kSumBias + x with |x| < 2^62. kSumBias is an even multiple of 2^shift.
template <Rounding kRounding>
std::uint64_t shifted(std::uint64_t v, int shift) {
  const std::uint64_t half = std::uint64_t{1} << (shift - 1);
  if constexpr (kRounding == Rounding::kHalfUp) {
    return (v + half) >> shift;
  } else if constexpr (kRounding == Rounding::kHalfEven) {
    return (v + (half - 1) + (v >> shift & 1)) >> shift;
  } else {
    return (v + (half - 1) + (v >> 62)) >> shift;  // Bit 62 is set for x >= 0.
  }
}

/// Writes count <= kBlock codes. `narrow`: see IntSum.
template <Rounding kRounding, class Y>
void finish(const std::uint64_t* v, std::int64_t count, const SumChannel& c, bool narrow, Y* y) {
  const int shift = c.fraction_bits;
  if (narrow) {
    const auto offset = static_cast<std::uint64_t>(c.offset);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto q = static_cast<std::int32_t>(static_cast<std::uint32_t>(shifted<kRounding>(v[i], shift) + offset));
      y[i] = static_cast<Y>(std::min(std::max(q, c.q_min), c.q_max));
    }
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const auto q = static_cast<std::int64_t>(shifted<kRounding>(v[i], shift)) + c.offset;
    y[i] = static_cast<Y>(std::clamp<std::int64_t>(q, c.q_min, c.q_max));
  }
}

/// v += multiplier * u for one operand.
template <class T>
void add_codes(const T* q, std::int64_t step, std::int64_t count, SumTerm term, std::uint64_t* v) {
  const auto flip = static_cast<Unsigned<T>>(term.flip);
  const auto unsigned_of = [flip](T code) {
    return static_cast<std::uint32_t>(static_cast<Unsigned<T>>(static_cast<Unsigned<T>>(code) ^ flip));
  };
  if (step == 0) {
    const std::uint64_t product = std::uint64_t{term.multiplier} * unsigned_of(*q);
    for (std::int64_t i = 0; i < count; ++i) v[i] += product;
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) v[i] += std::uint64_t{term.multiplier} * unsigned_of(q[i]);
}

void add_operand(const ConstView& x, std::int64_t at, std::int64_t step, std::int64_t count, SumTerm term,
                 std::uint64_t* v) {
  if (x.dtype() == DType::kInt64) {
    const std::int64_t* from = x.data<std::int64_t>() + at;
    for (std::int64_t i = 0; i < count; ++i) v[i] += static_cast<std::uint64_t>(from[i * step]);
    return;
  }
  visit_code_type(x.dtype(), [&]<class T>() { add_codes(x.data<T>() + at, step, count, term, v); });
}

/// Calls row(at, from, channel, begin, end) for the elements [begin, end) that are this part's of each row.
template <class F>
void for_each_share(const ElementRows& rows, const KernelIo& io, const F& row) {
  const bool is_one_row = rows.count == rows.inner;
  const Share mine = share_of(io, rows.count, is_one_row ? kBlock : rows.inner);
  rows.for_each_row(io.scratch, [&](std::int64_t at, const std::int64_t* from, std::size_t channel) {
    const std::int64_t begin = std::max(mine.begin - at, std::int64_t{0});
    const std::int64_t end = std::min(mine.end - at, rows.inner);
    if (begin < end) row(at, from, channel, begin, end);
  });
}

/// Two operands of 8 bits and an output of 8 bits side by side: most sums there are.
bool is_byte_sum(const IntSum& sum, const KernelIo& io) {
  const auto is_byte = [](DType dtype) { return size_in_bytes(dtype) == 1; };
  return sum.rows.operands == 2 && sum.narrow && is_byte(io.inputs[0].dtype()) && is_byte(io.inputs[1].dtype()) &&
         is_byte(io.outputs[0].dtype()) && sum.rows.inner_strides[0] == 1 && sum.rows.inner_strides[1] == 1;
}

void run_byte_sum(const IntSum& sum, Rounding rounding, const KernelIo& io) {
  const auto run = [&](std::int64_t at, const std::int64_t* from, std::size_t channel, std::int64_t begin,
                       std::int64_t end) {
    const SumChannel& c = sum.channels[channel];
    kernels::ByteSum bytes;
    for (std::size_t k = 0; k < 2; ++k) {
      const SumTerm& term = sum.terms[channel * 2 + k];
      bytes.operands[k] = {reinterpret_cast<const std::uint8_t*>(io.inputs[k].bytes) + from[k] + begin,
                           static_cast<std::uint8_t>(term.flip), term.multiplier};
    }
    bytes.base = c.base;
    bytes.offset = c.offset;
    bytes.fraction_bits = c.fraction_bits;
    bytes.q_min = c.q_min;
    bytes.q_max = c.q_max;
    bytes.rounding = rounding;
    bytes.count = end - begin;
    bytes.y = reinterpret_cast<std::uint8_t*>(io.outputs[0].bytes) + at + begin;
    kernels::byte_sum(bytes);
  };
  for_each_share(sum.rows, io, run);
}

template <Rounding kRounding>
void run_sum(const IntSum& sum, const KernelIo& io) {
  const MutableView& y = io.outputs[0];
  const std::size_t operands = sum.rows.operands;
  if (is_byte_sum(sum, io)) return run_byte_sum(sum, kRounding, io);
  const auto run = [&](std::int64_t at, const std::int64_t* from, std::size_t channel, std::int64_t begin,
                       std::int64_t end) {
    const SumChannel& c = sum.channels[channel];
    const SumTerm* terms = sum.terms.data() + channel * operands;
    std::uint64_t v[kBlock];
    for (std::int64_t start = begin; start < end; start += kBlock) {
      const std::int64_t n = std::min(kBlock, end - start);
      std::fill_n(v, n, c.base);
      for (std::size_t k = 0; k < operands; ++k) {
        const std::int64_t step = sum.rows.inner_strides[k];
        add_operand(io.inputs[k], from[k] + start * step, step, n, terms[k], v);
      }
      visit_code_type(y.dtype(), [&]<class Y>() { finish<kRounding>(v, n, c, sum.narrow, y.data<Y>() + at + start); });
    }
  };
  for_each_share(sum.rows, io, run);
}

}  // namespace

Kernel weighted_sum_kernel(IntSum sum) {
  return [sum = std::move(sum)](const KernelIo& io) -> Result<void> {
    if (!has_output(io)) return {};
    switch (sum.rounding) {
      case Rounding::kHalfEven:
      case Rounding::kFloatEven:
        run_sum<Rounding::kHalfEven>(sum, io);
        break;
      case Rounding::kHalfAway:
        run_sum<Rounding::kHalfAway>(sum, io);
        break;
      case Rounding::kHalfUp:
      case Rounding::kDoubling:
        run_sum<Rounding::kHalfUp>(sum, io);
        break;
    }
    return {};
  };
}

}  // namespace halfstep::ops
