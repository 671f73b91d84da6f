// pool_int.cpp: sums of codes under windows, rows first and columns second.
#include "ops/window/pool_int.hpp"

#include <algorithm>
#include <utility>

#include "core/code_types.hpp"
#include "kernels/requantize.hpp"

namespace halfstep::ops {
namespace {

/// Adds up the input rows under output row (depth, height), column by column.
template <class T, class Acc>
void add_rows(const PoolPlan& plan, const RowRange& depth, const RowRange& height, const T* plane, Acc* column) {
  const std::int64_t width = plan.axes[2].in;
  std::fill_n(column, width, Acc{0});
  for (std::int64_t kd = 0; kd < depth.count; ++kd) {
    const std::int64_t d = depth.first + kd * plan.axes[0].dilation;
    for (std::int64_t kh = 0; kh < height.count; ++kh) {
      const std::int64_t h = height.first + kh * plan.axes[1].dilation;
      const T* row = plane + (d * plan.axes[1].in + h) * width;
      for (std::int64_t w = 0; w < width; ++w) column[w] += row[w];
    }
  }
}

template <class Acc>
void add_columns(const PoolPlan& plan, const Acc* column, Acc* sums) {
  const std::int64_t stride = plan.axes[2].stride;
  std::fill_n(sums, plan.axes[2].out, Acc{0});
  for (const WidthTap& tap : plan.taps) {
    const Acc* from = column + tap.first * stride + tap.offset;
    Acc* to = sums + tap.first;
    // The usual strides as constants, so that these loops vectorise.
    if (stride == 1) {
      for (std::int64_t i = 0; i < tap.count; ++i) to[i] += from[i];
    } else if (stride == 2) {
      for (std::int64_t i = 0; i < tap.count; ++i) to[i] += from[2 * i];
    } else {
      for (std::int64_t i = 0; i < tap.count; ++i) to[i] += from[i * stride];
    }
  }
}

void finish_run(const std::int32_t* sums, std::int64_t count, std::int64_t zero, const numerics::Requantizer& r,
                DType dtype, void* q) {
  kernels::requantize_row(sums, count, static_cast<std::int32_t>(-zero), r, dtype, q);
}

void finish_run(const std::int64_t* sums, std::int64_t count, std::int64_t zero, const numerics::Requantizer& r,
                DType dtype, void* q) {
  kernels::requantize_row_wide(sums, count, -zero, r, dtype, q);
}

template <class T, class Acc>
void average_planes(const IntAveragePlan& plan, const T* in, std::byte* out, Acc* column) {
  const PoolPlan& pool = *plan.pool;
  const MeanRules& rules = plan.rules;
  Acc* sums = column + pool.axes[2].in;
  const auto code_bytes = static_cast<std::int64_t>(size_in_bytes(rules.y_dtype));
  for (std::int64_t p = 0; p < pool.planes; ++p, in += pool.in_plane()) {
    const std::int64_t channel = p % rules.channels;
    const std::int64_t zero_point = rules.zero_point(channel);
    const std::int32_t* divisor = plan.divisors.data();
    for (const RowRange& depth : pool.ranges[0]) {
      for (const RowRange& height : pool.ranges[1]) {
        add_rows(pool, depth, height, in, column);
        add_columns(pool, column, sums);
        for (const AverageRun& run : plan.runs) {
          const std::int64_t zero = depth.count * height.count * run.inside * zero_point;
          finish_run(sums + run.first, run.count, zero, rules.requantizer(channel, *divisor++), rules.y_dtype,
                     out + run.first * code_bytes);
        }
        out += pool.axes[2].out * code_bytes;
      }
    }
  }
}

}  // namespace

Prepared prepare_int_average_pool(IntAveragePlan plan) {
  const bool wide = plan.rules.wide;
  const std::int64_t elements = plan.pool->axes[2].in + plan.pool->axes[2].out;
  const auto shared = std::make_shared<const IntAveragePlan>(std::move(plan));
  const auto run = [shared](const KernelIo& io) -> Result<void> {
    visit_code_type(shared->rules.x_dtype, [&]<class T>() {
      const T* in = io.inputs[0].data<T>();
      if (shared->rules.wide) {
        average_planes(*shared, in, io.outputs[0].bytes, reinterpret_cast<std::int64_t*>(io.scratch.data()));
      } else {
        average_planes(*shared, in, io.outputs[0].bytes, reinterpret_cast<std::int32_t*>(io.scratch.data()));
      }
    });
    return {};
  };
  return {.run = run, .scratch_bytes = static_cast<std::size_t>(elements) * (wide ? 8U : 4U), .clamps = true};
}

}  // namespace halfstep::ops
