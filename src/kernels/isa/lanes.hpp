// lanes.hpp: vectors of 32-bit lanes, as wide as the registers of the instruction set.
//
// They are vectors of the compiler: their arithmetic is element by element, so no result depends on the width.
#pragma once

#include <cstdint>

namespace halfstep::kernels::HALFSTEP_ISA {

// In an unnamed namespace: code of one instruction set must not leave symbols that another file may define, too.
namespace {

#if defined(__AVX512BW__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
typedef float Floats __attribute__((vector_size(kLanes * sizeof(float))));
typedef std::int32_t Ints __attribute__((vector_size(kLanes * sizeof(std::int32_t))));

/// Modulo 2^32.
[[gnu::always_inline]] inline Ints add_wrapping(Ints a, Ints b) {
  typedef std::uint32_t Words __attribute__((vector_size(sizeof(Ints))));
  return reinterpret_cast<Ints>(reinterpret_cast<Words>(a) + reinterpret_cast<Words>(b));
}

[[gnu::always_inline]] inline Floats load_lanes(const float* from) {
  Floats v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

[[gnu::always_inline]] inline void store_lanes(Floats v, float* to) { __builtin_memcpy(to, &v, sizeof v); }

/// Minus 0, not plus 0: that leaves every value as it is, so no arithmetic remains.
[[gnu::always_inline]] inline Floats spread_lanes(float value) { return value - Floats{}; }

/// Modulo 2^32.
inline std::int32_t sum_of_lanes(Ints lanes) {
  typedef std::uint32_t Words __attribute__((vector_size(sizeof(Ints))));
  typedef std::uint32_t Four __attribute__((vector_size(16)));
  const Words v = reinterpret_cast<Words>(lanes);
#if defined(__AVX512BW__)
  typedef std::uint32_t Eight __attribute__((vector_size(32)));
  const Eight eight = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                      __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  const Four four =
      __builtin_shufflevector(eight, eight, 0, 1, 2, 3) + __builtin_shufflevector(eight, eight, 4, 5, 6, 7);
#elif defined(__AVX2__)
  const Four four = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
  const Four four = v;
#endif
  return static_cast<std::int32_t>((four[0] + four[1]) + (four[2] + four[3]));
}

}  // namespace
}  // namespace halfstep::kernels::HALFSTEP_ISA
