// pool_kernels.cpp: window pooling, rows first and columns second.
//
// The rows under one output row are folded into a single row (contiguous
// memory, whatever the window's height and depth), which is then folded along
// the width, one tap for all outputs at a time.
#include "ops/window/pool_kernels.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "core/code_types.hpp"
#include "kernels/pool.hpp"

namespace halfstep::ops {
namespace {

template <class T>
struct MaxFold {
  static T neutral() {
    return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                : std::numeric_limits<T>::lowest();
  }
  static T load(T x) { return x; }
  static T join(T a, T b) { return b > a ? b : a; }
};

struct SumFold {
  static float neutral() { return 0.0F; }
  static float load(float x) { return x; }
  static float join(float a, float b) { return a + b; }
};

struct AbsoluteFold : SumFold {
  static float load(float x) { return std::fabs(x); }
};

struct SquareFold : SumFold {
  static float load(float x) { return x * x; }
};

struct PowerFold : SumFold {
  float p;
  float load(float x) const { return std::pow(std::fabs(x), p); }
};

template <class T, class Fold>
void fold_width(const WidthTap& tap, std::int64_t stride, const Fold& fold, const T* column, T* row) {
  const T* from = column + tap.first * stride + tap.offset;
  T* to = row + tap.first;
  // The usual strides as constants, so that these loops vectorise.
  if (stride == 1) {
    for (std::int64_t i = 0; i < tap.count; ++i) to[i] = fold.join(to[i], from[i]);
  } else if (stride == 2) {
    for (std::int64_t i = 0; i < tap.count; ++i) to[i] = fold.join(to[i], from[2 * i]);
  } else {
    for (std::int64_t i = 0; i < tap.count; ++i) to[i] = fold.join(to[i], from[i * stride]);
  }
}

/// Folds the rows under output row (d, h) into `column`.
template <class T, class Fold>
void fold_rows(const PoolPlan& plan, const RowRange& depth, const RowRange& height, const Fold& fold, const T* plane,
               T* column) {
  const std::int64_t width = plan.axes[2].in;
  std::fill_n(column, width, fold.neutral());
  for (std::int64_t kd = 0; kd < depth.count; ++kd) {
    const std::int64_t d = depth.first + kd * plan.axes[0].dilation;
    for (std::int64_t kh = 0; kh < height.count; ++kh) {
      const std::int64_t h = height.first + kh * plan.axes[1].dilation;
      const T* row = plane + (d * plan.axes[1].in + h) * width;
      for (std::int64_t w = 0; w < width; ++w) column[w] = fold.join(column[w], fold.load(row[w]));
    }
  }
}

/// Calls finish(row, depth, height) on each output row after it was folded.
template <class T, class Fold, class Finish>
void pool_planes(const PoolPlan& plan, const Fold& fold, const T* in, T* out, T* column, Finish finish) {
  const std::int64_t width = plan.axes[2].out;
  for (std::int64_t p = 0; p < plan.planes; ++p) {
    const T* plane = in + p * plan.in_plane();
    for (const RowRange& depth : plan.ranges[0]) {
      for (const RowRange& height : plan.ranges[1]) {
        fold_rows(plan, depth, height, fold, plane, column);
        std::fill_n(out, width, fold.neutral());
        for (const WidthTap& tap : plan.taps) fold_width(tap, plan.axes[2].stride, fold, column, out);
        finish(out, depth, height);
        out += width;
      }
    }
  }
}

template <class T>
Prepared max_pool_of(std::shared_ptr<const PoolPlan> plan) {
  const std::size_t scratch_bytes = static_cast<std::size_t>(plan->axes[2].in) * sizeof(T);
  const auto run = [plan](const KernelIo& io) -> Result<void> {
    pool_planes(*plan, MaxFold<T>{}, io.inputs[0].data<T>(), io.outputs[0].data<T>(),
                reinterpret_cast<T*>(io.scratch.data()), [](T*, const RowRange&, const RowRange&) {});
    return {};
  };
  return {.run = run, .scratch_bytes = scratch_bytes, .clamps = false};
}

/// The same by one kernel, where the width has a stride of 1 or 2, windows have no gaps, and there is no depth.
bool is_plain_max_pool(const PoolAxes& axes) {
  const bool is_flat = axes[0].in == 1 && axes[0].out == 1 && axes[0].kernel == 1;
  return is_flat && axes[1].dilation == 1 && axes[2].dilation == 1 && axes[2].stride <= 2;
}

Prepared plain_max_pool(std::int64_t planes, const PoolAxes& axes, DType dtype) {
  kernels::MaxPool all;
  all.planes = planes;
  all.dtype = dtype;
  all.in_h = axes[1].in;
  all.in_w = axes[2].in;
  all.out_h = axes[1].out;
  all.out_w = axes[2].out;
  all.kernel_h = axes[1].kernel;
  all.kernel_w = axes[2].kernel;
  all.stride_h = axes[1].stride;
  all.stride_w = axes[2].stride;
  all.pad_top = axes[1].pad_begin;
  all.pad_left = axes[2].pad_begin;
  return {.run = [all](const KernelIo& io) -> Result<void> {
            kernels::MaxPool mine = all;
            const Share share = share_of(io, all.planes);
            mine.planes = share.end - share.begin;
            const auto bytes = static_cast<std::int64_t>(size_in_bytes(all.dtype));
            mine.input = io.inputs[0].bytes + share.begin * all.in_h * all.in_w * bytes;
            mine.output = io.outputs[0].bytes + share.begin * all.out_h * all.out_w * bytes;
            kernels::max_pool(mine, io.scratch.data());
            return {};
          },
          .scratch_bytes = kernels::max_pool_scratch_bytes(all),
          .clamps = false,
          .splits = true};
}

/// The largest element of one window and where it is, row-major or column-major in its plane.
template <class T>
struct Largest {
  T value = MaxFold<T>::neutral();
  std::int64_t position = -1;
};

template <class T>
Largest<T> largest_in(const PoolPlan& plan, const std::array<const RowRange*, 3>& window,
                      const std::array<std::int64_t, 3>& strides, const T* plane) {
  Largest<T> best;
  const PoolAxes& axes = plan.axes;
  for (std::int64_t kd = 0; kd < window[0]->count; ++kd) {
    const std::int64_t d = window[0]->first + kd * axes[0].dilation;
    for (std::int64_t kh = 0; kh < window[1]->count; ++kh) {
      const std::int64_t h = window[1]->first + kh * axes[1].dilation;
      const T* row = plane + (d * axes[1].in + h) * axes[2].in;
      for (std::int64_t kw = 0; kw < window[2]->count; ++kw) {
        const std::int64_t w = window[2]->first + kw * axes[2].dilation;
        if (best.position < 0 || row[w] > best.value) {
          best = {row[w], d * strides[0] + h * strides[1] + w * strides[2]};
        }
      }
    }
  }
  return best;
}

template <class T>
Prepared max_pool_indices_of(std::shared_ptr<const PoolPlan> plan, StorageOrder order) {
  const PoolAxes& axes = plan->axes;
  // Leading axes of extent 1 that stand in for missing ones change neither numbering.
  const std::array<std::int64_t, 3> strides = order == StorageOrder::kRowMajor
                                                  ? std::array{axes[1].in * axes[2].in, axes[2].in, std::int64_t{1}}
                                                  : std::array{std::int64_t{1}, axes[0].in, axes[0].in * axes[1].in};
  const auto run = [plan, strides](const KernelIo& io) -> Result<void> {
    const T* plane = io.inputs[0].data<T>();
    T* value = io.outputs[0].present() ? io.outputs[0].data<T>() : nullptr;
    std::int64_t* index = io.outputs[1].data<std::int64_t>();
    for (std::int64_t p = 0; p < plan->planes; ++p) {
      const std::int64_t base = p * plan->in_plane();
      for (const RowRange& depth : plan->ranges[0]) {
        for (const RowRange& height : plan->ranges[1]) {
          for (const RowRange& width : plan->ranges[2]) {
            const Largest<T> best = largest_in(*plan, {&depth, &height, &width}, strides, plane + base);
            if (value != nullptr) *value++ = best.value;
            *index++ = best.position < 0 ? -1 : base + best.position;
          }
        }
      }
    }
    return {};
  };
  return {.run = run, .scratch_bytes = 0, .clamps = false};
}

template <class Fold, class Root>
Prepared lp_pool_of(std::shared_ptr<const PoolPlan> plan, Fold fold, Root root) {
  const std::size_t scratch_bytes = static_cast<std::size_t>(plan->axes[2].in) * sizeof(float);
  const auto run = [plan, fold, root](const KernelIo& io) -> Result<void> {
    const std::int64_t width = plan->axes[2].out;
    pool_planes(*plan, fold, io.inputs[0].data<float>(), io.outputs[0].data<float>(),
                reinterpret_cast<float*>(io.scratch.data()), [&](float* row, const RowRange&, const RowRange&) {
                  for (std::int64_t w = 0; w < width; ++w) row[w] = root(row[w]);
                });
    return {};
  };
  return {.run = run, .scratch_bytes = scratch_bytes, .clamps = false};
}

}  // namespace

Prepared prepare_max_pool(std::int64_t planes, const PoolAxes& axes, DType dtype) {
  if (is_plain_max_pool(axes)) return plain_max_pool(planes, axes, dtype);
  const auto plan = plan_pool(planes, axes, PadCounting::kExclude);
  if (dtype == DType::kFloat32) return max_pool_of<float>(plan);
  return visit_code_type(dtype, [&]<class T>() { return max_pool_of<T>(plan); });
}

Prepared prepare_max_pool_indices(std::int64_t planes, const PoolAxes& axes, DType dtype, StorageOrder order) {
  const auto plan = plan_pool(planes, axes, PadCounting::kExclude);
  if (dtype == DType::kFloat32) return max_pool_indices_of<float>(plan, order);
  return visit_code_type(dtype, [&]<class T>() { return max_pool_indices_of<T>(plan, order); });
}

Prepared prepare_average_pool(std::int64_t planes, const PoolAxes& axes, PadCounting counting) {
  const auto plan = plan_pool(planes, axes, counting);
  std::vector<float> counts;
  for (const RowRange& range : plan->ranges[2]) counts.push_back(static_cast<float>(range.counted));
  const std::size_t scratch_bytes = static_cast<std::size_t>(axes[2].in) * sizeof(float);
  const auto run = [plan, counts](const KernelIo& io) -> Result<void> {
    const auto divide = [&](float* row, const RowRange& depth, const RowRange& height) {
      const float rows = static_cast<float>(depth.counted * height.counted);
      // A window without elements has the sum 0; dividing by 1 keeps it.
      for (std::size_t w = 0; w < counts.size(); ++w) row[w] /= std::max(rows * counts[w], 1.0F);
    };
    pool_planes(*plan, SumFold{}, io.inputs[0].data<float>(), io.outputs[0].data<float>(),
                reinterpret_cast<float*>(io.scratch.data()), divide);
    return {};
  };
  return {.run = run, .scratch_bytes = scratch_bytes, .clamps = false};
}

Prepared prepare_lp_pool(std::int64_t planes, const PoolAxes& axes, std::int64_t p) {
  const auto plan = plan_pool(planes, axes, PadCounting::kExclude);
  if (p == 1) return lp_pool_of(plan, AbsoluteFold{}, [](float sum) { return sum; });
  if (p == 2) return lp_pool_of(plan, SquareFold{}, [](float sum) { return std::sqrt(sum); });
  PowerFold fold;
  fold.p = static_cast<float>(p);
  return lp_pool_of(plan, fold, [inverse = 1.0F / fold.p](float sum) { return std::pow(sum, inverse); });
}

}  // namespace halfstep::ops
