// parameter_grids.cpp: exact ranges of constants, whole or by channel.
#include "precision/parameter_grids.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <string>

#include "core/text.hpp"

namespace halfstep::precision {
namespace {

/// A constant seen as [outer, channels, inner].
struct Slices {
  std::int64_t outer = 1;
  std::int64_t channels = 1;
  std::int64_t inner = 1;
};

Slices slices_of(const Shape& shape, std::optional<int> axis) {
  if (!axis) return {1, 1, shape.num_elements()};
  return {shape.num_elements(0, *axis), shape[*axis], shape.num_elements(*axis + 1, shape.rank())};
}

Error not_finite(const Tensor& values, const float* bad, std::string_view name) {
  return Error{ErrorCode::kCalibration, "constant " + halfstep::quoted(name) + " holds " +
                                            (std::isnan(*bad) ? "NaN" : "an infinity") + " at element " +
                                            std::to_string(bad - values.data<float>())};
}

/// Runs this short are measured in place: windows of convolutions, columns of matrices.
constexpr std::size_t kFewValues = 16;

calib::MeasuredRun measure_few(std::span<const float> values) {
  calib::MeasuredRun run;
  for (const float x : values) {
    if (!std::isfinite(x)) {
      ++run.num_nonfinite;
      continue;
    }
    ++run.moments.count;
    run.moments.min = std::min(run.moments.min, x);
    run.moments.max = std::max(run.moments.max, x);
    run.moments.sum += static_cast<double>(x);
    run.moments.sum_of_squares += static_cast<double>(x) * static_cast<double>(x);
  }
  return run;
}

/// Moments of each slice, in one pass over `values`.
Result<std::vector<calib::Distribution>> moments_of(const Tensor& values, const Slices& slices, std::string_view name) {
  std::vector<calib::Distribution> result(static_cast<std::size_t>(slices.channels));
  const auto inner = static_cast<std::size_t>(slices.inner);
  const float* x = values.data<float>();
  for (std::int64_t o = 0; o < slices.outer; ++o) {
    for (calib::Distribution& slice : result) {
      const calib::MeasuredRun run = inner < kFewValues ? measure_few({x, inner}) : calib::measure({x, inner});
      if (run.num_nonfinite > 0) {
        return not_finite(values, std::find_if(x, x + inner, [](float v) { return !std::isfinite(v); }), name);
      }
      slice.moments.merge(run.moments);
      x += inner;
    }
  }
  return result;
}

/// Fills the histogram of each slice; slice by slice, so that memory is that of one.
void count(const Tensor& values, const Slices& slices, std::vector<calib::Distribution>& result) {
  std::vector<float> gathered(static_cast<std::size_t>(slices.outer * slices.inner));
  for (std::int64_t c = 0; c < slices.channels; ++c) {
    for (std::int64_t o = 0; o < slices.outer; ++o) {
      const float* run = values.data<float>() + (o * slices.channels + c) * slices.inner;
      std::copy(run, run + slices.inner, gathered.data() + o * slices.inner);
    }
    calib::Distribution& slice = result[static_cast<std::size_t>(c)];
    if (!gathered.empty()) slice.histogram.add(gathered, slice.moments.min, slice.moments.max);
  }
}

/// The range of each slice along `axis`, or of the whole, that `rule` chooses, widened to contain 0.
Result<std::vector<RealRange>> ranges_of(const Tensor& values, std::optional<int> axis, const GridRequest& request,
                                         const calib::RangeRule& rule, std::string_view name) {
  const Slices slices = slices_of(values.shape(), axis);
  Result<std::vector<calib::Distribution>> distributions = moments_of(values, slices, name);
  if (!distributions.ok()) return distributions.error();
  if (calib::needs_histogram(rule)) count(values, slices, *distributions);
  std::vector<RealRange> ranges;
  for (calib::Distribution& slice : *distributions) {
    if (slice.moments.count > 0) slice.samples.add(slice.moments);
    const RealRange range = calib::estimate_range(slice, request, rule);
    ranges.push_back({std::min(range.min, 0.0), std::max(range.max, 0.0)});
  }
  return ranges;
}

double magnitude(RealRange range) { return std::max(-range.min, range.max); }

/// Grids of constants: ranges are exact, so that only all but dead channels are widened.
Result<ParameterGrid> fit_constant_ranges(const std::vector<RealRange>& ranges, std::optional<int> axis,
                                          GridRequest request) {
  double largest = 0.0;
  for (const RealRange& range : ranges) largest = std::max(largest, magnitude(range));
  request.min_range = std::max(largest == 0.0 ? kMinRange : largest * kMinChannelShare, kMinConstantRange);
  return fit_ranges(ranges, axis, request);
}

}  // namespace

Result<Encoding> ParameterGrid::encoding() const {
  return axis ? Encoding::per_channel(grid, *axis, params) : Encoding::per_tensor(grid, params[0]);
}

Result<ParameterGrid> fit_ranges(const std::vector<RealRange>& ranges, std::optional<int> axis, GridRequest request) {
  RealRange whole;
  for (const RealRange& range : ranges) {
    whole = {std::min(whole.min, range.min), std::max(whole.max, range.max)};
  }
  // One grid for all channels: decided by the whole tensor.
  if (request.schema == Schema::kUnsignedSymmetric && whole.min < 0.0) request.schema = Schema::kSymmetric;
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

Result<ParameterGrid> fit_tensor(const Tensor& values, GridRequest request, const calib::RangeRule& rule,
                                 std::string_view name) {
  const auto ranges = ranges_of(values, std::nullopt, request, rule, name);
  if (!ranges.ok()) return ranges.error();
  return fit_constant_ranges(*ranges, std::nullopt, request);
}

Result<ParameterGrid> fit_channels(const Tensor& values, int axis, GridRequest request, const calib::RangeRule& rule,
                                   std::string_view name) {
  if (values.shape()[axis] == 0) return fit_tensor(values, request, rule, name);
  const auto ranges = ranges_of(values, axis, request, rule, name);
  if (!ranges.ok()) return ranges.error();
  return fit_constant_ranges(*ranges, axis, request);
}

Result<double> largest_magnitude(const Tensor& values, std::string_view name) {
  const auto ranges = ranges_of(values, std::nullopt, {}, {}, name);
  if (!ranges.ok()) return ranges.error();
  return magnitude(ranges->front());
}

}  // namespace halfstep::precision
