// grid_error.cpp: the squared error of a grid over a density made of steps.
//
// Cost: some twenty operations on doubles an edge, in vectors; arithmetic binds. Eight sums side by side fix the order
// of additions for every register width.
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

constexpr int kNumSums = 8;
#if defined(__AVX512F__)
constexpr int kLanes = 8;
#elif defined(__AVX2__)
constexpr int kLanes = 4;
#else
constexpr int kLanes = 2;
#endif
typedef double Doubles __attribute__((vector_size(kLanes * sizeof(double))));

Doubles load(const double* x) {
  Doubles values;
  __builtin_memcpy(&values, x, sizeof values);
  return values;
}

Doubles limited(Doubles x, double low, double high) {
  x = x < low ? Doubles{} + low : x;
  return x > high ? Doubles{} + high : x;
}

Doubles cube(Doubles x) { return x * x * x; }

struct Grid {
  double scale;
  double lowest;
  double highest;
  double clip_weight;

  // The integral of the squared error from 0 to x, in units of scale^3.
  Doubles integral_to(Doubles x) const {
    // 1.5 * 2^52: adding it rounds |t| < 2^51 to an integer, subtracting it is exact.
    constexpr double kRounder = 6755399441055744.0;
    const Doubles t = x / scale;
    const Doubles n = (limited(t, lowest, highest) + kRounder) - kRounder;
    const Doubles r = t - n;
    const Doubles inside = cube(limited(r, -0.5, 0.5));
    return n / 12.0 + (inside + clip_weight * (cube(r) - inside)) / 3.0;
  }
};

}  // namespace

double weighted_grid_error(const double* edges, const double* weights, std::int64_t count, double scale, double lowest,
                           double highest, double clip_weight) {
  const Grid grid{scale, lowest, highest, clip_weight};
  constexpr int kNumParts = kNumSums / kLanes;
  Doubles sums[kNumParts] = {};
  for (std::int64_t i = 0; i < count; i += kNumSums) {
    double last_edges[kNumSums] = {};
    double last_weights[kNumSums] = {};
    const double* x = edges + i;
    const double* w = weights + i;
    if (count - i < kNumSums) {
      for (std::int64_t k = 0; k < count - i; ++k) {
        last_edges[k] = x[k];
        last_weights[k] = w[k];
      }
      x = last_edges;
      w = last_weights;
    }
    for (int part = 0; part < kNumParts; ++part) {
      sums[part] += load(w + part * kLanes) * grid.integral_to(load(x + part * kLanes));
    }
  }
  double lanes[kNumSums];
  __builtin_memcpy(lanes, sums, sizeof lanes);
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
