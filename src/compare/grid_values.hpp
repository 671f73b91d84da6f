// grid_values.hpp: measures of a tensor that need the grid its values are on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "compare/metrics.hpp"
#include "core/tensor.hpp"
#include "encoding/encoding.hpp"

namespace halfstep::compare {

/// How many codes differ by 0, 1, 2, 3 to 4, 5 to 8 and more than 8 steps.
inline constexpr std::size_t kNumOffByClasses = 6;
using OffBy = std::array<std::int64_t, kNumOffByClasses>;

/// Root mean square of the scales of all channels, real units per step.
double rms_scale(const Encoding& encoding);

/// How many of `real` (float32) lie more than half a step outside the grid, so
/// that rounding them errs by more than half a step. NaN counts.
/// Requires: the encoding's channels match the shape.
std::int64_t count_clipped(const ConstView& real, const Encoding& encoding);

/// ErrorSums of `reference` (float32) and `other`, which holds codes on `encoding` or, if that is nullptr, real
/// numbers. One pass over both. `clipping` and `num_clipped`, if set: adds what count_clipped() says of `reference` on
/// the way. Requires: as count_clipped(); both have the same shape.
ErrorSums errors_of(const ConstView& reference, const ConstView& other, const Encoding* encoding,
                    const Encoding* clipping = nullptr, std::int64_t* num_clipped = nullptr);

/// What errors_of() says of two tensors beside one reference. Both hold codes on `encoding`, or real numbers.
struct ErrorsOfTwo {
  ErrorSums first;
  ErrorSums second;
};
/// In one pass over all three where the grid is one of the whole tensor. `clipping` and `num_clipped`: as in
/// errors_of().
ErrorsOfTwo errors_of_two(const ConstView& reference, const ConstView& first, const ConstView& second,
                          const Encoding* encoding, const Encoding* clipping, std::int64_t* num_clipped);

/// Distances between `codes` and the codes of `real` per (Q1), in steps.
/// Requires: as count_clipped(); both have the same shape, and `codes` the grid's storage type.
OffBy off_by(const ConstView& codes, const ConstView& real, const Encoding& encoding);

/// Overwrites `content`, which holds codes of the grid or, if it is float32, real numbers on it, by `real` (float32)
/// rounded onto the grid. False, and nothing is done, if types do not allow it.
bool overwrite(const ConstView& real, const Encoding& encoding, const MutableView& content);

}  // namespace halfstep::compare
