// reduce_loops.hpp: walks a ReducePlan with one accumulator type and operation.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "ops/shared/reduce_plan.hpp"

namespace halfstep::ops::reduce_detail {

/// Sums and products of integers wrap modulo 2^64, which the narrowing to T keeps exact.
template <class T>
using Wide = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;

template <class T>
T narrow(double value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    // The upper bound may round up to 2^63 or 2^64, hence >=.
    if (std::isnan(value)) return 0;
    if (value <= static_cast<double>(std::numeric_limits<T>::lowest())) return std::numeric_limits<T>::lowest();
    if (value >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    return static_cast<T>(value);
  }
}

/// The signed reading of a wrapped sum.
template <class T>
double as_double(Wide<T> acc) {
  if constexpr (std::is_signed_v<T> && std::is_integral_v<T>)
    return static_cast<double>(static_cast<std::int64_t>(acc));
  return static_cast<double>(acc);
}

// An operation: Acc; init(); step(acc, x, reference); merge(acc, acc);
// finish(acc, count, reference). `reference` is what the output held before,
// for operations that take a second pass.

template <class T>
struct Sum {
  using Acc = Wide<T>;
  static Acc init() { return 0; }
  static Acc step(Acc acc, T x, T) { return acc + static_cast<Acc>(x); }
  static Acc merge(Acc a, Acc b) { return a + b; }
  static T finish(Acc acc, std::int64_t, T) { return static_cast<T>(acc); }
};

template <class T>
struct Mean : Sum<T> {
  static T finish(Wide<T> acc, std::int64_t count, T) {
    if constexpr (std::is_floating_point_v<T>) {
      if (count == 0) return std::numeric_limits<T>::quiet_NaN();
      return static_cast<T>(acc / static_cast<double>(count));
    } else if constexpr (std::is_signed_v<T>) {
      return count == 0 ? T{0} : static_cast<T>(static_cast<std::int64_t>(acc) / count);
    } else {
      return count == 0 ? T{0} : static_cast<T>(acc / static_cast<std::uint64_t>(count));
    }
  }
};

template <class T>
struct LogSum : Sum<T> {
  static T finish(Wide<T> acc, std::int64_t, T) { return narrow<T>(std::log(as_double<T>(acc))); }
};

template <class T>
struct L1 : Sum<T> {
  static Wide<T> step(Wide<T> acc, T x, T) {
    if constexpr (std::is_floating_point_v<T>) {
      return acc + std::abs(static_cast<double>(x));
    } else {
      return x < T{0} ? acc - static_cast<Wide<T>>(x) : acc + static_cast<Wide<T>>(x);
    }
  }
};

template <class T>
struct SumSquare : Sum<T> {
  static Wide<T> step(Wide<T> acc, T x, T) { return acc + static_cast<Wide<T>>(x) * static_cast<Wide<T>>(x); }
};

template <class T>
struct L2 {
  using Acc = double;
  static Acc init() { return 0; }
  static Acc step(Acc acc, T x, T) { return acc + static_cast<double>(x) * static_cast<double>(x); }
  static Acc merge(Acc a, Acc b) { return a + b; }
  static T finish(Acc acc, std::int64_t, T) { return narrow<T>(std::sqrt(acc)); }
};

template <class T>
struct Prod {
  using Acc = Wide<T>;
  static Acc init() { return 1; }
  static Acc step(Acc acc, T x, T) { return acc * static_cast<Acc>(x); }
  static Acc merge(Acc a, Acc b) { return a * b; }
  static T finish(Acc acc, std::int64_t, T) { return static_cast<T>(acc); }
};

/// NaN wins, as in NumPy.
template <class T>
struct Max {
  using Acc = T;
  static Acc init() {
    if constexpr (std::is_floating_point_v<T>) return -std::numeric_limits<T>::infinity();
    return std::numeric_limits<T>::lowest();
  }
  static Acc step(Acc acc, T x, T) { return (static_cast<int>(x > acc) | static_cast<int>(x != x)) != 0 ? x : acc; }
  static Acc merge(Acc a, Acc b) { return step(a, b, b); }
  static T finish(Acc acc, std::int64_t, T) { return acc; }
};

template <class T>
struct Min {
  using Acc = T;
  static Acc init() {
    if constexpr (std::is_floating_point_v<T>) return std::numeric_limits<T>::infinity();
    return std::numeric_limits<T>::max();
  }
  static Acc step(Acc acc, T x, T) { return (static_cast<int>(x < acc) | static_cast<int>(x != x)) != 0 ? x : acc; }
  static Acc merge(Acc a, Acc b) { return step(a, b, b); }
  static T finish(Acc acc, std::int64_t, T) { return acc; }
};

/// Second pass of log(sum(exp(x))): the reference is the maximum.
template <class T>
struct LogSumExp {
  using Acc = double;
  /// An infinite maximum cannot be subtracted: inf - inf is NaN.
  static double shift(T reference) {
    const auto value = static_cast<double>(reference);
    return std::isfinite(value) ? value : 0.0;
  }
  static Acc init() { return 0; }
  static Acc step(Acc acc, T x, T reference) { return acc + std::exp(static_cast<double>(x) - shift(reference)); }
  static Acc merge(Acc a, Acc b) { return a + b; }
  static T finish(Acc acc, std::int64_t, T reference) { return narrow<T>(std::log(acc) + shift(reference)); }
};

/// Folds `length` contiguous elements into independent lanes, which the compiler can vectorise.
template <class Op, class T, std::size_t kLanes>
void fold_run(std::array<typename Op::Acc, kLanes>& lanes, const T* x, std::int64_t length, T reference) {
  constexpr auto kStep = static_cast<std::int64_t>(kLanes);
  std::int64_t i = 0;
  for (; i + kStep <= length; i += kStep) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = Op::step(lanes[lane], x[i + static_cast<std::int64_t>(lane)], reference);
    }
  }
  for (std::size_t lane = 0; i < length; ++i, ++lane) lanes[lane] = Op::step(lanes[lane], x[i], reference);
}

template <class Op, class T>
void reduce_runs(const ReducePlan& plan, const T* x, T* y) {
  constexpr std::size_t kLanes = 16;
  Odometer outer(plan.kept);
  Odometer inner(plan.reduced);
  for (std::int64_t o = 0; o < plan.num_outputs; ++o, outer.advance()) {
    std::array<typename Op::Acc, kLanes> lanes;
    lanes.fill(Op::init());
    if (plan.count > 0) {
      do {
        fold_run<Op, T>(lanes, x + outer.offset() + inner.offset(), plan.run, y[o]);
      } while (inner.advance());
    }
    for (std::size_t width = kLanes / 2; width > 0; width /= 2) {
      for (std::size_t i = 0; i < width; ++i) lanes[i] = Op::merge(lanes[i], lanes[i + width]);
    }
    y[o] = Op::finish(lanes[0], plan.count, y[o]);
  }
}

/// Folds a row into as many accumulators, in groups of a fixed size that become vector code.
template <class Op, class T>
void fold_row(typename Op::Acc* acc, const T* row, const T* reference, std::int64_t width) {
  constexpr std::int64_t kGroup = 16;
  std::int64_t j = 0;
  for (; j + kGroup <= width; j += kGroup) {
    for (std::int64_t i = 0; i < kGroup; ++i) acc[j + i] = Op::step(acc[j + i], row[j + i], reference[j + i]);
  }
  for (; j < width; ++j) acc[j] = Op::step(acc[j], row[j], reference[j]);
}

template <class Op, class T>
void reduce_columns(const ReducePlan& plan, const T* x, T* y) {
  constexpr std::int64_t kBlock = 1024;
  if (plan.num_outputs == 0) return;
  Odometer outer(plan.kept);
  Odometer inner(plan.reduced);
  std::array<typename Op::Acc, kBlock> acc;
  do {
    for (std::int64_t first = 0; first < plan.run; first += kBlock) {
      const std::int64_t width = std::min(kBlock, plan.run - first);
      std::fill_n(acc.begin(), width, Op::init());
      if (plan.count > 0) {
        do {
          fold_row<Op, T>(acc.data(), x + outer.offset() + inner.offset() + first, y, width);
        } while (inner.advance());
      }
      for (std::int64_t j = 0; j < width; ++j) {
        y[j] = Op::finish(acc[static_cast<std::size_t>(j)], plan.count, y[j]);
      }
      y += width;
    }
  } while (outer.advance());
}

template <class Op, class T>
void reduce_with(const ReducePlan& plan, const T* x, T* y) {
  if (plan.run_is_reduced) {
    reduce_runs<Op, T>(plan, x, y);
  } else {
    reduce_columns<Op, T>(plan, x, y);
  }
}

}  // namespace halfstep::ops::reduce_detail
