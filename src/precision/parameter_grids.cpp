// parameter_grids.cpp: exact ranges of constants, whole or by channel.
#include "precision/parameter_grids.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/text.hpp"

namespace halfstep::precision {
namespace {

/// The range of each slice along axis 1 of `values` seen as [outer, channels, inner], widened to contain 0.
Result<std::vector<RealRange>> channel_ranges(const Tensor& values, std::int64_t outer, std::int64_t channels,
                                              std::int64_t inner, std::string_view name) {
  std::vector<RealRange> ranges(static_cast<std::size_t>(channels));
  const float* x = values.data<float>();
  for (std::int64_t o = 0; o < outer; ++o) {
    for (RealRange& range : ranges) {
      float low = 0.0F;
      float high = 0.0F;
      bool all_finite = true;
      for (std::int64_t i = 0; i < inner; ++i) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
        all_finite &= std::isfinite(x[i]);
      }
      if (!all_finite) {
        const float* bad = std::find_if(x, x + inner, [](float v) { return !std::isfinite(v); });
        return Error{ErrorCode::kCalibration, "constant " + halfstep::quoted(name) + " holds " +
                                                  (std::isnan(*bad) ? "NaN" : "an infinity") + " at element " +
                                                  std::to_string(bad - values.data<float>())};
      }
      range = {std::min(range.min, static_cast<double>(low)), std::max(range.max, static_cast<double>(high))};
      x += inner;
    }
  }
  return ranges;
}

double magnitude(RealRange range) { return std::max(-range.min, range.max); }

Result<ParameterGrid> fit(const std::vector<RealRange>& ranges, std::optional<int> axis, GridRequest request) {
  RealRange whole;
  for (const RealRange& range : ranges) {
    whole = {std::min(whole.min, range.min), std::max(whole.max, range.max)};
  }
  // One grid for all channels: decided by the whole tensor.
  if (request.schema == Schema::kUnsignedSymmetric && whole.min < 0.0) request.schema = Schema::kSymmetric;
  const double floor = magnitude(whole) == 0.0 ? kMinRange : magnitude(whole) * kMinChannelShare;
  request.min_range = std::max(floor, kMinConstantRange);

  ParameterGrid result{.grid = {}, .axis = axis, .params = {}};
  for (RealRange range : ranges) {
    if (magnitude(range) == 0.0) range.max = request.min_range;
    const Result<FittedGrid> fitted = fit_grid(range, request);
    if (!fitted.ok()) return fitted.error();
    result.grid = fitted->grid;
    result.params.push_back(fitted->params);
  }
  return result;
}

}  // namespace

Result<Encoding> ParameterGrid::encoding() const {
  return axis ? Encoding::per_channel(grid, *axis, params) : Encoding::per_tensor(grid, params[0]);
}

Result<ParameterGrid> fit_tensor(const Tensor& values, GridRequest request, std::string_view name) {
  const auto ranges = channel_ranges(values, 1, 1, values.num_elements(), name);
  if (!ranges.ok()) return ranges.error();
  return fit(*ranges, std::nullopt, request);
}

Result<ParameterGrid> fit_channels(const Tensor& values, int axis, GridRequest request, std::string_view name) {
  const Shape& shape = values.shape();
  if (shape[axis] == 0) return fit_tensor(values, request, name);
  const auto ranges = channel_ranges(values, shape.num_elements(0, axis), shape[axis],
                                     shape.num_elements(axis + 1, shape.rank()), name);
  if (!ranges.ok()) return ranges.error();
  return fit(*ranges, axis, request);
}

Result<double> largest_magnitude(const Tensor& values, std::string_view name) {
  const auto ranges = channel_ranges(values, 1, 1, values.num_elements(), name);
  if (!ranges.ok()) return ranges.error();
  return magnitude(ranges->front());
}

}  // namespace halfstep::precision
