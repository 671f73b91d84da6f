// clip_weights.cpp: one bound a row or tensor, then the clip.
#include "tune/clip_weights.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <span>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "ops/operands.hpp"
#include "precision/parameter_grids.hpp"

namespace halfstep::tune {
namespace {

using graph::Graph;
using graph::ValueId;

constexpr double kNoBound = std::numeric_limits<double>::infinity();

/// Half of all normal values lie within this many standard deviations of their mean.
constexpr double kNormalMedian = 0.674489750196082;

Result<void> check_clip_options(const ClipOptions& options) {
  const auto at_least_one = [](double x) { return std::isfinite(x) && x >= 1.0; };
  if (options.method == ClipMethod::kPercentile) {
    if (options.shrink >= 0.0 && options.shrink < 100.0) return {};
    return usage("the share of weights to clip must be from 0 to below 100 percent");
  }
  if (!at_least_one(options.tensor_factor))
    return usage("the factor of the median to clip weights at must be 1 or more");
  if (!at_least_one(options.row_margin)) return usage("the margin to clip weights at must be 1 or more");
  return {};
}

/// The middle value, or the mean of the two in the middle. Requires: not empty.
double middle_of(std::vector<double> values) {
  const std::size_t half = values.size() / 2;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(half);
  std::ranges::nth_element(values, middle);
  const double upper = *middle;
  return values.size() % 2 != 0 ? upper : (*std::max_element(values.begin(), middle) + upper) / 2.0;
}

double median_bound(const std::vector<double>& magnitudes, double margin) {
  const auto count = static_cast<double>(magnitudes.size());
  if (static_cast<std::int64_t>(magnitudes.size()) < kMinRowValues) return kNoBound;
  const double deviation = middle_of(magnitudes) / kNormalMedian;
  const double bound = margin * deviation * std::sqrt(2.0 * std::log(2.0 * count));
  const auto num_beyond = std::ranges::count_if(magnitudes, [&](double magnitude) { return magnitude > bound; });
  const bool are_outliers = static_cast<double>(num_beyond) <= kMaxOutlierShare * count;
  return deviation > 0.0 && are_outliers ? bound : kNoBound;
}

double percentile_bound(std::vector<double> magnitudes, double shrink) {
  const auto last = static_cast<double>(magnitudes.size() - 1);
  const double num_beyond = std::min(last, std::floor(static_cast<double>(magnitudes.size()) * shrink / 100.0));
  const auto at = magnitudes.begin() + static_cast<std::ptrdiff_t>(last - num_beyond);
  std::ranges::nth_element(magnitudes, at);
  return *at > 0.0 ? *at : kNoBound;  // All but a few are 0: these few are what the weight does.
}

/// The magnitudes of each slice along `axis`, [C][n]; of the whole tensor without one.
std::vector<std::vector<double>> row_magnitudes(const Tensor& weight, std::optional<int> axis) {
  const Shape& shape = weight.shape();
  const std::int64_t num_rows = axis ? shape[*axis] : 1;
  const std::int64_t inner = axis ? shape.num_elements(*axis + 1, shape.rank()) : weight.num_elements();
  std::vector<std::vector<double>> rows(static_cast<std::size_t>(num_rows));
  for (std::int64_t i = 0; i < weight.num_elements(); ++i) {
    rows[static_cast<std::size_t>(i / inner % num_rows)].push_back(std::abs(weight.data<float>()[i]));
  }
  return rows;
}

double row_bound(const std::vector<double>& magnitudes, const ClipOptions& options) {
  return options.method == ClipMethod::kMedian ? median_bound(magnitudes, options.row_margin)
                                               : percentile_bound(magnitudes, options.shrink);
}

/// A multiple of the typical row's largest magnitude, for a tensor that has rows but one grid.
double bound_by_rows(const Tensor& weight, int row_axis, double factor) {
  std::vector<double> largest;
  for (const std::vector<double>& row : row_magnitudes(weight, row_axis)) largest.push_back(std::ranges::max(row));
  const double median = middle_of(std::move(largest));
  return median > 0.0 ? factor * median : kNoBound;
}

/// One for each slice along `grid_axis`; one for all without it.
std::vector<double> bounds_of(const Tensor& weight, std::optional<int> grid_axis, std::optional<int> row_axis,
                              const ClipOptions& options) {
  if (!grid_axis && row_axis && options.method == ClipMethod::kMedian) {
    return {bound_by_rows(weight, *row_axis, options.tensor_factor)};
  }
  std::vector<double> bounds;
  for (const std::vector<double>& row : row_magnitudes(weight, grid_axis)) bounds.push_back(row_bound(row, options));
  return bounds;
}

/// `weight` within `bounds`; `report` is told of what changed.
Tensor clip_to_bounds(const Tensor& weight, std::optional<int> axis, const std::vector<double>& bounds,
                      ClippedWeight& report) {
  const Shape& shape = weight.shape();
  const std::int64_t inner = axis ? shape.num_elements(*axis + 1, shape.rank()) : weight.num_elements();
  const auto num_rows = static_cast<std::int64_t>(bounds.size());
  Tensor clipped(weight.type());
  for (std::int64_t i = 0; i < weight.num_elements(); ++i) {
    const double value = weight.data<float>()[i];
    const double bound = bounds[static_cast<std::size_t>(i / inner % num_rows)];
    clipped.mutable_data<float>()[i] = static_cast<float>(std::clamp(value, -bound, bound));
    if (std::abs(value) <= bound) continue;
    ++report.num_clipped;
    // The reduction that is largest beside what is left of the value.
    if (report.num_clipped == 1 || std::abs(value) * report.largest_after > report.largest_before * bound) {
      report.largest_before = std::abs(value);
      report.largest_after = bound;
    }
  }
  return clipped;
}

/// By ValueId: the axis of the rows, from the first node that reads the value as its weight.
std::vector<std::optional<int>> row_axes_of(const Graph& graph) {
  std::vector<std::optional<int>> axes(graph.values.size());
  std::vector<bool> seen(graph.values.size(), false);
  for (const graph::Node& node : graph.nodes) {
    const ValueId weight = ops::weight_of(graph, node);
    if (weight == graph::kNoValue || seen[static_cast<std::size_t>(weight)]) continue;
    seen[static_cast<std::size_t>(weight)] = true;
    axes[static_cast<std::size_t>(weight)] = ops::weight_axis(graph, node);
  }
  return axes;
}

bool may_be_clipped(const graph::Value& value, const precision::TensorPlan& planned) {
  return value.constant && !value.pinned && planned.source == precision::Source::kConstant &&
         planned.role == ops::OperandRole::kWeight && value.constant->num_elements() > 0;
}

}  // namespace

std::string to_string(const ClippedWeight& weight) {
  char reduction[80];
  std::snprintf(reduction, sizeof(reduction), "%.6g to %.6g", weight.largest_before, weight.largest_after);
  return quoted(weight.weight) + ": " + std::to_string(weight.num_clipped) + " of " +
         std::to_string(weight.num_values) + " values clipped, one from " + reduction;
}

Result<WeightClipping> clip_weights(const Graph& graph, const precision::Plan& plan, const ClipOptions& options) {
  if (const Result<void> sound = check_clip_options(options); !sound.ok()) return sound.error();
  WeightClipping result{graph, {}};
  const std::vector<std::optional<int>> row_axes = row_axes_of(graph);
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    const graph::Value& value = graph.values[v];
    const precision::TensorPlan& planned = plan.tensors[v];
    if (!may_be_clipped(value, planned)) continue;
    const Tensor& weight = *value.constant;
    if (const Result<double> finite = precision::largest_magnitude(weight, value.name); !finite.ok()) {
      return finite.error();
    }
    ClippedWeight report{.weight = value.name, .num_values = weight.num_elements()};
    const std::vector<double> bounds = bounds_of(weight, planned.axis, row_axes[v], options);
    Tensor clipped = clip_to_bounds(weight, planned.axis, bounds, report);
    if (report.num_clipped == 0) continue;
    result.graph.values[v].constant = std::move(clipped);
    result.clipped.push_back(std::move(report));
  }
  return result;
}

}  // namespace halfstep::tune
