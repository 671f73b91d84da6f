// swish.cpp: x / (1 + e^(-alpha x)), a vector at a time.
//
// Cost: a division and some twenty other instructions a vector, so a nanosecond for one value or less: what follows a
// convolution of few channels takes a third as long as that.
#include "kernels/exp_terms.hpp"
#include "kernels/isa/float16.hpp"
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

// Where t is limited, 2^n is 0 or infinite, and the result as it should be.
inline Floats swish_of(Floats x, float alpha) {
  const Floats t = at_most(at_least(-alpha * x, spread_lanes(-88.0F)), spread_lanes(89.0F));
  const Floats shifted = t * kLog2OfE + kToInteger;
  const Floats n = shifted - kToInteger;
  const Floats r = (t - n * kLn2High) - n * kLn2Low;
  Floats q = spread_lanes(kExpTerms[0]);
#pragma GCC unroll 4
  for (int i = 1; i < 5; ++i) q = q * r + kExpTerms[i];
  const Floats mantissa = 1.0F + (r + r * r * q);
  const Ints exponent = (reinterpret_cast<Ints>(shifted) - reinterpret_cast<Ints>(spread_lanes(kToInteger)) + 127)
                        << 23;
  return x * (1.0F / (mantissa * reinterpret_cast<Floats>(exponent) + 1.0F));
}

}  // namespace

void swish(const float* x, float* y, std::int64_t count, float alpha) {
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store_lanes(swish_of(load_lanes(x + i), alpha), y + i);
  if (i == count) return;
  float rest[kLanes] = {};
  for (std::int64_t j = i; j < count; ++j) rest[j - i] = x[j];
  store_lanes(swish_of(load_lanes(rest), alpha), rest);
  for (std::int64_t j = i; j < count; ++j) y[j] = rest[j - i];
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
