// pool_plan.cpp: where the taps of every output position of a pool lie.
#include "ops/window/pool_plan.hpp"

#include <algorithm>

namespace halfstep::ops {
namespace {

std::vector<RowRange> ranges_of(const WindowAxis& axis, PadCounting counting) {
  std::vector<RowRange> ranges(static_cast<std::size_t>(axis.out));
  for (std::int64_t o = 0; o < axis.out; ++o) {
    const TapRange inside = taps_between(axis, o, 0, axis.in);
    RowRange& range = ranges[static_cast<std::size_t>(o)];
    range.first = axis.start(o) + inside.first * axis.dilation;
    range.count = inside.count();
    range.counted = counting == PadCounting::kExclude
                        ? range.count
                        : taps_between(axis, o, -axis.pad_begin, axis.in + axis.pad_end).count();
  }
  return ranges;
}

std::vector<WidthTap> taps_of(const WindowAxis& axis) {
  std::vector<WidthTap> taps;
  // Tap k touches the input only if some window places it there: the last
  // window reaches lowest, the first one highest.
  const std::int64_t first = taps_between(axis, axis.out - 1, 0, axis.in).first;
  const std::int64_t last = taps_between(axis, 0, 0, axis.in).last;
  for (std::int64_t k = first; k < last; ++k) {
    const std::int64_t offset = k * axis.dilation - axis.pad_begin;
    const std::int64_t begin = offset >= 0 ? 0 : (-offset + axis.stride - 1) / axis.stride;
    const std::int64_t beyond = axis.in - offset;
    const std::int64_t end = beyond <= 0 ? 0 : std::min(axis.out, (beyond + axis.stride - 1) / axis.stride);
    if (begin < end) taps.push_back({offset, begin, end - begin});
  }
  return taps;
}

}  // namespace

std::shared_ptr<const PoolPlan> plan_pool(std::int64_t planes, const PoolAxes& axes, PadCounting counting) {
  auto plan = std::make_shared<PoolPlan>();
  plan->planes = planes;
  plan->axes = axes;
  for (std::size_t i = 0; i < axes.size(); ++i) plan->ranges[i] = ranges_of(axes[i], counting);
  plan->taps = taps_of(axes[2]);
  return plan;
}

}  // namespace halfstep::ops
