// weight_ranges.cpp: pairs weights by name.
#include "pipeline/weight_ranges.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "ops/operands.hpp"

namespace halfstep::pipeline {
namespace {

std::vector<double> channel_magnitudes(const Tensor& weight, int axis) {
  const Shape& shape = weight.shape();
  const auto inner = static_cast<std::size_t>(shape.num_elements(axis + 1, shape.rank()));
  const std::span<const float> values = weight.values<float>();
  std::vector<double> largest(static_cast<std::size_t>(shape[axis]), 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    double& channel = largest[i / inner % largest.size()];
    channel = std::max(channel, static_cast<double>(std::abs(values[i])));
  }
  return largest;
}

}  // namespace

std::vector<report::WeightRanges> weight_ranges(const graph::Graph& before, const graph::Graph& after) {
  std::map<std::string_view, const Tensor*> constants;
  for (const graph::Value& value : after.values) {
    if (value.constant) constants.emplace(value.name, &*value.constant);
  }
  std::vector<report::WeightRanges> ranges;
  std::set<graph::ValueId> known;
  for (const graph::Node& node : before.nodes) {
    const graph::ValueId id = ops::weight_of(before, node);
    const std::optional<int> axis = ops::weight_axis(before, node);
    if (!axis || !known.insert(id).second) continue;
    const Tensor& weight = *graph::constant_of(before, id);
    const auto at = constants.find(before.value(id).name);
    if (at == constants.end() || at->second->type() != weight.type() || weight.num_elements() == 0) continue;
    if (std::ranges::equal(weight.values<float>(), at->second->values<float>())) continue;
    ranges.push_back({before.value(id).name, graph::describe(before, node), channel_magnitudes(weight, *axis),
                      channel_magnitudes(*at->second, *axis)});
  }
  return ranges;
}

}  // namespace halfstep::pipeline
