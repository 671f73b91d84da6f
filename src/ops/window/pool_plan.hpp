// pool_plan.hpp: how window pooling walks its input, rows first and columns second.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "ops/shared/pool_window.hpp"

namespace halfstep::ops {

/// The three spatial axes of a pool, outermost first; missing ones stand in front with extent 1.
using PoolAxes = std::array<WindowAxis, 3>;

/// Which pads an average divides by.
enum class PadCounting { kExclude, kInclude };

/// Input rows under one output row, along one axis.
struct RowRange {
  std::int64_t first = 0;    ///< Input position of the first tap inside the input.
  std::int64_t count = 0;    ///< Taps inside the input.
  std::int64_t counted = 0;  ///< Taps an average divides by.
};

/// One tap along the width: outputs [first, first + count) read positions first * stride + offset, ...
struct WidthTap {
  std::int64_t offset = 0;
  std::int64_t first = 0;
  std::int64_t count = 0;
};

struct PoolPlan {
  std::int64_t planes = 0;
  PoolAxes axes;
  std::array<std::vector<RowRange>, 3> ranges;  ///< By axis and output position.
  std::vector<WidthTap> taps;

  std::int64_t in_plane() const { return axes[0].in * axes[1].in * axes[2].in; }
  std::int64_t out_plane() const { return axes[0].out * axes[1].out * axes[2].out; }
};

std::shared_ptr<const PoolPlan> plan_pool(std::int64_t planes, const PoolAxes& axes, PadCounting counting);

}  // namespace halfstep::ops
