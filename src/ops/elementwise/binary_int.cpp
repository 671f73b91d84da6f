// binary_int.cpp: loops over rows of codes, a block at a time.
#include "ops/elementwise/binary_int.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "core/code_types.hpp"
#include "kernels/requantize.hpp"
#include "ops/shared/broadcast.hpp"

namespace halfstep::ops {
namespace {

using numerics::Rounding;

constexpr std::int64_t kBlock = 256;

/// centred[i] = q[at + i * step] - zero.
void centre(const ConstView& q, std::int64_t at, std::int64_t step, std::int64_t count, std::int32_t zero,
            std::int32_t* centred) {
  visit_code_type(q.dtype(), [&]<class T>() {
    const T* from = q.data<T>() + at;
    if (step == 0) {
      std::fill_n(centred, count, std::int32_t{*from} - zero);
    } else {
      for (std::int64_t i = 0; i < count; ++i) centred[i] = std::int32_t{from[i]} - zero;
    }
  });
}

void* at_code(const MutableView& y, std::int64_t at) {
  return y.bytes + at * static_cast<std::int64_t>(size_in_bytes(y.dtype()));
}

void store_code(const MutableView& y, std::int64_t at, std::int32_t q) {
  visit_code_type(y.dtype(), [&]<class T>() { y.data<T>()[at] = static_cast<T>(q); });
}

/// Calls block(start, count) for pieces of [0, count) of at most kBlock elements.
template <class F>
void for_each_block(std::int64_t count, const F& block) {
  for (std::int64_t start = 0; start < count; start += kBlock) block(start, std::min(kBlock, count - start));
}

void multiply_row(const IntProduct& product, const KernelIo& io, std::int64_t at, const std::int64_t* from,
                  const ProductChannel& c) {
  const std::int64_t step_a = product.rows.inner_strides[0];
  const std::int64_t step_b = product.rows.inner_strides[1];
  const MutableView& y = io.outputs[0];
  for_each_block(product.rows.inner, [&](std::int64_t start, std::int64_t n) {
    std::int32_t a[kBlock];
    std::int32_t b[kBlock];
    centre(io.inputs[0], from[0] + start * step_a, step_a, n, c.zero_a, a);
    centre(io.inputs[1], from[1] + start * step_b, step_b, n, c.zero_b, b);
    if (product.wide) {
      std::int64_t wide[kBlock];
      for (std::int64_t i = 0; i < n; ++i) wide[i] = std::int64_t{a[i]} * b[i];
      kernels::requantize_row_wide(wide, n, 0, c.requantizer, y.dtype(), at_code(y, at + start));
    } else {
      for (std::int64_t i = 0; i < n; ++i) a[i] *= b[i];
      kernels::requantize_row(a, n, 0, c.requantizer, y.dtype(), at_code(y, at + start));
    }
  });
}

/// Picks the factor of x; gives what to multiply by it.
std::int32_t choose_factor(const SignedFactors& f, std::int32_t x, numerics::FixedPoint& factor) {
  factor = x < 0 ? f.below : f.above;
  return (x < 0 ? f.negate_below : f.negate_above) ? -x : x;
}

void scale_row(const IntMultiple& multiple, const KernelIo& io, std::int64_t at, const std::int64_t* from,
               const MultipleChannel& c) {
  const std::int64_t step_x = multiple.rows.inner_strides[0];
  const std::int64_t step_f = multiple.rows.inner_strides[1];
  const MutableView& y = io.outputs[0];
  const SignedFactors* factors = multiple.factors.data() + from[1];
  const bool one_factor = step_f == 0 && factors->above == factors->below;
  for_each_block(multiple.rows.inner, [&](std::int64_t start, std::int64_t n) {
    std::int32_t x[kBlock];
    centre(io.inputs[multiple.x], from[0] + start * step_x, step_x, n, c.zero, x);
    if (one_factor && factors->negate_above == factors->negate_below) {
      if (factors->negate_above) {
        for (std::int64_t i = 0; i < n; ++i) x[i] = -x[i];
      }
      numerics::Requantizer requantizer = c.requantizer;
      requantizer.factor = factors->above;
      kernels::requantize_row(x, n, 0, requantizer, y.dtype(), at_code(y, at + start));
      return;
    }
    visit_code_type(y.dtype(), [&]<class T>() {
      T* to = y.data<T>() + at + start;
      numerics::Requantizer requantizer = c.requantizer;
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int32_t value = choose_factor(factors[(start + i) * step_f], x[i], requantizer.factor);
        to[i] = static_cast<T>(numerics::requantize(value, requantizer));
      }
    });
  });
}

/// n / d to the nearest integer. Requires d != 0, |d| < 2^63 and |n| < 2^62.
std::int64_t rounded_quotient(std::int64_t n, std::int64_t d, Rounding rounding) {
  const bool negative = (n < 0) != (d < 0);
  const std::int64_t magnitude_n = n < 0 ? -n : n;
  const std::int64_t magnitude_d = d < 0 ? -d : d;
  const std::int64_t below = magnitude_n / magnitude_d;
  const std::int64_t rest = magnitude_n % magnitude_d;
  const std::int64_t missing = magnitude_d - rest;  // rest == missing is a tie.
  bool up = rest > missing;                         // Away from zero.
  if (rest == missing) {
    switch (rounding) {
      case Rounding::kHalfUp:
      case Rounding::kDoubling:
        up = !negative;
        break;
      case Rounding::kHalfEven:
      case Rounding::kFloatEven:
        up = (below & 1) != 0;
        break;
      case Rounding::kHalfAway:
        up = true;
        break;
    }
  }
  const std::int64_t magnitude = below + (up ? 1 : 0);
  return negative ? -magnitude : magnitude;
}

std::int32_t divide(std::int32_t a, std::int32_t b, const QuotientChannel& c, Rounding rounding) {
  if (b == 0) {
    if (a == 0) return std::clamp(c.zero_point, c.q_min, c.q_max);
    return a > 0 ? c.q_max : c.q_min;
  }
  const std::int64_t numerator = std::int64_t{a} * c.multiplier;
  const std::int64_t denominator = std::int64_t{b} * (std::int64_t{1} << c.fraction_bits);
  const std::int64_t q = c.zero_point + rounded_quotient(numerator, denominator, rounding);
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(q, c.q_min, c.q_max));
}

void divide_row(const IntQuotient& quotient, const KernelIo& io, std::int64_t at, const std::int64_t* from,
                const QuotientChannel& c) {
  const std::int64_t step_a = quotient.rows.inner_strides[0];
  const std::int64_t step_b = quotient.rows.inner_strides[1];
  for_each_block(quotient.rows.inner, [&](std::int64_t start, std::int64_t n) {
    std::int32_t a[kBlock];
    std::int32_t b[kBlock];
    centre(io.inputs[0], from[0] + start * step_a, step_a, n, c.zero_a, a);
    centre(io.inputs[1], from[1] + start * step_b, step_b, n, c.zero_b, b);
    for (std::int64_t i = 0; i < n; ++i) {
      store_code(io.outputs[0], at + start + i, divide(a[i], b[i], c, quotient.rounding));
    }
  });
}

/// best[i] = the smaller or larger of best[i] and q[i * step].
template <class T>
void take_extreme(Extreme which, const T* q, std::int64_t step, std::int64_t count, T* best) {
  if (which == Extreme::kMin) {
    for (std::int64_t i = 0; i < count; ++i) best[i] = std::min(best[i], q[i * step]);
  } else {
    for (std::int64_t i = 0; i < count; ++i) best[i] = std::max(best[i], q[i * step]);
  }
}

template <class T>
void extreme_row(const IntExtreme& extreme, const KernelIo& io, std::int64_t at, const std::int64_t* from,
                 const MultipleChannel* channel) {
  const DType dtype = io.outputs[0].dtype();
  for_each_block(extreme.rows.inner, [&](std::int64_t start, std::int64_t n) {
    std::int32_t x[kBlock];
    T q[kBlock];
    T best[kBlock];
    std::fill_n(best, n,
                extreme.which == Extreme::kMin ? std::numeric_limits<T>::max() : std::numeric_limits<T>::lowest());
    for (std::size_t k = 0; k < extreme.rows.operands; ++k) {
      const std::int64_t step = extreme.rows.inner_strides[k];
      const std::int64_t first = from[k] + start * step;
      if (extreme.constants[k].num_elements() > 0) {
        take_extreme(extreme.which, extreme.constants[k].data<T>() + first, step, n, best);
        continue;
      }
      centre(io.inputs[k], first, step, n, channel[k].zero, x);
      kernels::requantize_row(x, n, 0, channel[k].requantizer, dtype, q);
      take_extreme(extreme.which, q, 1, n, best);
    }
    std::memcpy(at_code(io.outputs[0], at + start), best, static_cast<std::size_t>(n) * sizeof(T));
  });
}

}  // namespace

Kernel product_kernel(IntProduct product) {
  return [product = std::move(product)](const KernelIo& io) -> Result<void> {
    if (!has_output(io)) return {};
    product.rows.for_each_row(io.scratch, [&](std::int64_t at, const std::int64_t* from, std::size_t channel) {
      multiply_row(product, io, at, from, product.channels[channel]);
    });
    return {};
  };
}

Kernel multiple_kernel(IntMultiple multiple) {
  return [multiple = std::move(multiple)](const KernelIo& io) -> Result<void> {
    if (!has_output(io)) return {};
    multiple.rows.for_each_row(io.scratch, [&](std::int64_t at, const std::int64_t* from, std::size_t channel) {
      scale_row(multiple, io, at, from, multiple.channels[channel]);
    });
    return {};
  };
}

Kernel quotient_kernel(IntQuotient quotient) {
  return [quotient = std::move(quotient)](const KernelIo& io) -> Result<void> {
    if (!has_output(io)) return {};
    quotient.rows.for_each_row(io.scratch, [&](std::int64_t at, const std::int64_t* from, std::size_t channel) {
      divide_row(quotient, io, at, from, quotient.channels[channel]);
    });
    return {};
  };
}

Kernel extreme_kernel(IntExtreme extreme) {
  return [extreme = std::move(extreme)](const KernelIo& io) -> Result<void> {
    if (!has_output(io)) return {};
    visit_code_type(io.outputs[0].dtype(), [&]<class T>() {
      extreme.rows.for_each_row(io.scratch, [&](std::int64_t at, const std::int64_t* from, std::size_t channel) {
        extreme_row<T>(extreme, io, at, from, extreme.channels.data() + channel * extreme.rows.operands);
      });
    });
    return {};
  };
}

}  // namespace halfstep::ops
