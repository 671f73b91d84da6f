// element_rows.hpp: walking any number of operands over a common shape, without allocating while it runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/shape.hpp"

namespace halfstep::ops {

/// How operands advance over a result whose rows never cross a channel. Axes of extent 1 are gone, and neighbouring
/// axes that all operands walk alike are merged.
struct ElementRows {
  std::size_t operands = 0;                 ///< Without the channel, which is walked like one more operand.
  std::vector<std::int64_t> extents;        ///< Outer axes, outermost first.
  std::vector<std::int64_t> strides;        ///< [outer axis][operands + 1], in elements.
  std::vector<std::int64_t> inner_strides;  ///< [operands]: 0 or 1.
  std::int64_t inner = 1;                   ///< Elements of a row.
  std::int64_t count = 0;                   ///< Elements of the result.

  /// What for_each_row() needs.
  std::size_t scratch_bytes() const { return (operands + 1 + extents.size()) * sizeof(std::int64_t); }

  /// Calls row(at, from, channel) for each run of `inner` elements, in order: `at` is the first element of the result,
  /// from[k] that of operand k. `scratch` has scratch_bytes() bytes.
  template <class F>
  void for_each_row(std::span<std::byte> scratch, const F& row) const {
    if (count == 0) return;
    const std::size_t width = operands + 1;
    std::int64_t* from = reinterpret_cast<std::int64_t*>(scratch.data());
    std::int64_t* index = from + width;
    for (std::size_t i = 0; i < width + extents.size(); ++i) from[i] = 0;
    for (std::int64_t at = 0; at < count; at += inner) {
      row(at, static_cast<const std::int64_t*>(from), static_cast<std::size_t>(from[operands]));
      for (std::size_t axis = extents.size(); axis-- > 0;) {
        const std::int64_t* step = strides.data() + axis * width;
        for (std::size_t k = 0; k < width; ++k) from[k] += step[k];
        if (++index[axis] < extents[axis]) break;
        for (std::size_t k = 0; k < width; ++k) from[k] -= step[k] * extents[axis];
        index[axis] = 0;
      }
    }
  }
};

/// Requires: each of `operands` broadcasts to `result`. `channel_axis` of the result counts channels; empty: there is
/// channel 0 only.
ElementRows plan_rows(const Shape& result, std::span<const Shape> operands, std::optional<int> channel_axis);

}  // namespace halfstep::ops
