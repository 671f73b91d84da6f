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
Result<std::vector<calib::Moments>> moments_of(const Tensor& values, const Slices& slices, std::string_view name) {
  std::vector<calib::Moments> result(static_cast<std::size_t>(slices.channels));
  const auto inner = static_cast<std::size_t>(slices.inner);
  const float* x = values.data<float>();
  for (std::int64_t o = 0; o < slices.outer; ++o) {
    for (calib::Moments& slice : result) {
      const calib::MeasuredRun run = inner < kFewValues ? measure_few({x, inner}) : calib::measure({x, inner});
      if (run.num_nonfinite > 0) {
        return not_finite(values, std::find_if(x, x + inner, [](float v) { return !std::isfinite(v); }), name);
      }
      slice.merge(run.moments);
      x += inner;
    }
  }
  return result;
}

/// Calls f(c, values of slice c) for each slice, in order; memory is that of one.
template <class F>
void for_each_slice(const Tensor& values, const Slices& slices, F&& f) {
  std::vector<float> gathered(static_cast<std::size_t>(slices.outer * slices.inner));
  for (std::int64_t c = 0; c < slices.channels; ++c) {
    for (std::int64_t o = 0; o < slices.outer; ++o) {
      const float* run = values.data<float>() + (o * slices.channels + c) * slices.inner;
      std::copy(run, run + slices.inner, gathered.data() + o * slices.inner);
    }
    f(static_cast<std::size_t>(c), std::span<const float>(gathered));
  }
}

double magnitude(RealRange range) { return std::max(-range.min, range.max); }

/// Grids of constants: ranges are exact, so that only all but dead slices are widened.
GridRequest request_for(GridRequest request, const std::vector<calib::Moments>& slices) {
  RealRange whole;
  for (const calib::Moments& slice : slices) {
    if (slice.count == 0) continue;
    whole = {std::min<double>(whole.min, slice.min), std::max<double>(whole.max, slice.max)};
  }
  const double largest = magnitude(whole);
  request.min_range = std::max(largest == 0.0 ? kMinRange : largest * kMinChannelShare, kMinConstantRange);
  return for_channels_of(request, whole.min);
}

/// The grid of each slice along `axis`, or of the whole, on the range that `rule` chooses.
Result<ParameterGrid> fit_slices(const Tensor& values, std::optional<int> axis, GridRequest request,
                                 const RangeRule& rule, std::string_view name) {
  const Slices slices = slices_of(values.shape(), axis);
  const Result<std::vector<calib::Moments>> moments = moments_of(values, slices, name);
  if (!moments.ok()) return moments.error();
  request = request_for(request, *moments);
  std::vector<calib::Distribution> distributions(moments->size());
  for (std::size_t c = 0; c < moments->size(); ++c) {
    if ((*moments)[c].count == 0) continue;
    distributions[c].moments.add((*moments)[c]);
    distributions[c].samples.add((*moments)[c]);
  }
  std::vector<RealRange> ranges(distributions.size());
  const auto estimate = [&](std::size_t c) { ranges[c] = calib::estimate_range(distributions[c], request, rule); };
  if (calib::needs_histogram(rule)) {
    for_each_slice(values, slices, [&](std::size_t c, std::span<const float> slice) {
      calib::Distribution& distribution = distributions[c];
      if (!slice.empty()) distribution.histogram.add(slice, distribution.moments.min, distribution.moments.max);
      estimate(c);
      distribution.histogram = calib::DyadicHistogram();
    });
  } else {
    for (std::size_t c = 0; c < ranges.size(); ++c) estimate(c);
  }
  return fit_ranges(ranges, axis, request);
}

}  // namespace

Result<Encoding> ParameterGrid::encoding() const {
  if (block_axis) return Encoding::per_block(grid, *block_axis, block_size, params);
  return axis ? Encoding::per_channel(grid, *axis, params) : Encoding::per_tensor(grid, params[0]);
}

GridRequest for_channels_of(GridRequest request, double min) {
  if (request.schema == Schema::kUnsignedSymmetric && min < 0.0) request.schema = Schema::kSymmetric;
  return request;
}

Result<ParameterGrid> fit_ranges(const std::vector<RealRange>& ranges, std::optional<int> axis,
                                 const GridRequest& request) {
  ParameterGrid result;
  result.axis = axis;
  for (RealRange range : ranges) {
    range = {std::min(range.min, 0.0), std::max(range.max, 0.0)};
    if (magnitude(range) == 0.0) range.max = request.min_range;
    const Result<FittedGrid> fitted = fit_grid(range, request);
    if (!fitted.ok()) return fitted.error();
    result.grid = fitted->grid;
    result.params.push_back(fitted->params);
  }
  return result;
}

Result<ParameterGrid> fit_tensor(const Tensor& values, GridRequest request, const RangeRule& rule,
                                 std::string_view name) {
  return fit_slices(values, std::nullopt, request, rule, name);
}

Result<ParameterGrid> fit_channels(const Tensor& values, int axis, GridRequest request, const RangeRule& rule,
                                   std::string_view name) {
  if (values.shape()[axis] == 0) return fit_tensor(values, request, rule, name);
  return fit_slices(values, axis, request, rule, name);
}

Result<ParameterGrid> fit_blocks(const Tensor& values, int axis, std::int64_t block_size, GridRequest request,
                                 const RangeRule& rule, std::string_view name) {
  const Shape& shape = values.shape();
  if (shape.num_elements() == 0) return fit_tensor(values, request, rule, name);
  const std::int64_t extent = shape[axis];
  const std::int64_t inner = shape.num_elements(axis + 1, shape.rank());
  const std::int64_t num_blocks = (extent + block_size - 1) / block_size;
  // A row for each block: then blocks are channels.
  Tensor rows(TensorType{DType::kFloat32, Shape{shape.num_elements(0, axis) * num_blocks * inner, block_size}});
  for (std::int64_t e = 0; e < values.num_elements(); ++e) {
    const std::int64_t k = e / inner % extent;
    const std::int64_t row = (e / (inner * extent) * num_blocks + k / block_size) * inner + e % inner;
    rows.mutable_data<float>()[row * block_size + k % block_size] = values.data<float>()[e];
  }
  Result<ParameterGrid> grid = fit_slices(rows, 0, request, rule, name);
  if (!grid.ok()) return grid;
  grid->axis.reset();
  grid->block_axis = axis;
  grid->block_size = block_size;
  return grid;
}

Result<double> largest_magnitude(const Tensor& values, std::string_view name) {
  const Result<std::vector<calib::Moments>> moments = moments_of(values, slices_of(values.shape(), std::nullopt), name);
  if (!moments.ok()) return moments.error();
  const calib::Moments& whole = moments->front();
  return whole.count == 0 ? 0.0 : std::max<double>(-whole.min, whole.max);
}

}  // namespace halfstep::precision
