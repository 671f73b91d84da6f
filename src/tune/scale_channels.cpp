// scale_channels.cpp: a weight that two groups touch, or one on both sides, is rounded once all the same.
#include "tune/scale_channels.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "tune/channel_scaling.hpp"

namespace halfstep::tune {
namespace {

using ChannelFactors = std::vector<double>;

/// What one linear node's constants are to be multiplied and divided by; nullptr: nothing.
struct LinearScaling {
  const ScalableLinear* linear = nullptr;
  const ChannelFactors* columns = nullptr;  // Multiply.
  const ChannelFactors* rows = nullptr;     // Divide.
};

double factor_at(const ChannelFactors* factors, std::size_t channel) {
  return factors == nullptr ? 1.0 : (*factors)[channel];
}

Result<void> replace_constant(graph::Graph& graph, graph::ValueId id, Tensor scaled) {
  const auto values = scaled.values<float>();
  if (!std::ranges::all_of(values, [](float x) { return std::isfinite(x); })) {
    return unsupported(quoted(graph.value(id).name) + ": a factor of its channels would leave the float32 numbers");
  }
  graph.value(id).constant = std::move(scaled);
  return {};
}

Result<void> scale_linear(graph::Graph& graph, const LinearScaling& scaling) {
  const ScalableLinear& linear = *scaling.linear;
  const Tensor& weight = *graph::constant_of(graph, linear.weight);
  Tensor scaled(weight.type());
  const float* from = weight.data<float>();
  float* to = scaled.mutable_data<float>();
  for_each_weight(linear, [&](std::size_t at, std::size_t in, std::size_t out) {
    to[at] = static_cast<float>(from[at] * factor_at(scaling.columns, in) / factor_at(scaling.rows, out));
  });
  if (Result<void> done = replace_constant(graph, linear.weight, std::move(scaled)); !done.ok()) return done;
  if (linear.bias == graph::kNoValue || scaling.rows == nullptr) return {};
  const Tensor& bias = *graph::constant_of(graph, linear.bias);
  Tensor scaled_bias(bias.type());
  for (std::size_t c = 0; c < scaling.rows->size(); ++c) {
    scaled_bias.mutable_data<float>()[c] = static_cast<float>(bias.data<float>()[c] / (*scaling.rows)[c]);
  }
  return replace_constant(graph, linear.bias, std::move(scaled_bias));
}

Result<void> scale_addend(graph::Graph& graph, const ChannelTensor& addend, const ChannelFactors& factors) {
  const Tensor& before = *graph::constant_of(graph, addend.value);
  Tensor scaled(before.type());
  const auto inner = static_cast<std::size_t>(before.shape().num_elements(addend.axis + 1, before.shape().rank()));
  for (std::size_t i = 0; i < before.values<float>().size(); ++i) {
    const double factor = factors[i / inner % factors.size()];
    scaled.mutable_data<float>()[i] = static_cast<float>(before.data<float>()[i] / factor);
  }
  return replace_constant(graph, addend.value, std::move(scaled));
}

bool all_equal(const std::vector<float>& values) {
  return std::ranges::all_of(values, [&](float x) { return x == values[0]; });
}

/// Bounds of 0 and infinity stay as they are.
Result<void> scale_clamp(graph::Graph& graph, graph::Node& node, const ChannelFactors& factors, int inner_axes) {
  graph::FusedClamp& clamp = *node.clamp;
  graph::ChannelBounds bounds{.min = {}, .max = {}, .inner_axes = inner_axes};
  for (std::size_t c = 0; c < factors.size(); ++c) {
    bounds.min.push_back(static_cast<float>(clamp.min_of(c) / factors[c]));
    bounds.max.push_back(static_cast<float>(clamp.max_of(c) / factors[c]));
    if (std::isfinite(clamp.min_of(c)) != std::isfinite(bounds.min[c]) ||
        std::isfinite(clamp.max_of(c)) != std::isfinite(bounds.max[c])) {
      return unsupported(graph::describe(graph, node) + ": a factor would take its bounds out of the float32 numbers");
    }
  }
  clamp.min = *std::ranges::min_element(bounds.min);
  clamp.max = *std::ranges::max_element(bounds.max);
  clamp.channels.reset();
  if (!all_equal(bounds.min) || !all_equal(bounds.max)) clamp.channels = std::move(bounds);
  return {};
}

/// What BatchNorm said of the writers' outputs is said of the scaled ones.
void scale_statistics(graph::Graph& graph, const ScalingGroup& group, const ChannelFactors& factors) {
  for (const ScalableLinear& writer : group.writers) {
    std::optional<graph::NormalStatistics>& statistics = graph.node(writer.node).statistics;
    for (std::size_t c = 0; statistics && c < factors.size(); ++c) {
      statistics->mean[c] = static_cast<float>(statistics->mean[c] / factors[c]);
      statistics->standard_deviation[c] = static_cast<float>(statistics->standard_deviation[c] / factors[c]);
    }
  }
}

/// The clamps of the group's writers. Those of other nodes have bounds of 0 and infinity only.
Result<void> scale_clamps(graph::Graph& graph, const ScalingGroup& group, const ChannelFactors& factors) {
  for (const ScalableLinear& writer : group.writers) {
    graph::Node& node = graph.node(writer.node);
    if (!node.clamp) continue;
    const auto member = std::ranges::find(group.tensors, node.outputs[0], &GroupTensor::value);
    if (Result<void> done = scale_clamp(graph, node, factors, member->inner_axes); !done.ok()) return done;
  }
  return {};
}

}  // namespace

Result<graph::Graph> scale_channels(graph::Graph graph, std::span<const ScalingGroup> groups,
                                    std::span<const std::vector<double>> factors) {
  std::map<graph::NodeId, LinearScaling> linears;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (!scales(factors[g])) continue;
    for (const ScalableLinear& writer : groups[g].writers) {
      linears[writer.node].linear = &writer;
      linears[writer.node].rows = &factors[g];
    }
    for (const ScalableLinear& reader : groups[g].readers) {
      linears[reader.node].linear = &reader;
      linears[reader.node].columns = &factors[g];
    }
    for (const ChannelTensor& addend : groups[g].addends) {
      if (Result<void> done = scale_addend(graph, addend, factors[g]); !done.ok()) return done.error();
    }
    if (Result<void> done = scale_clamps(graph, groups[g], factors[g]); !done.ok()) return done.error();
    scale_statistics(graph, groups[g], factors[g]);
  }
  for (const auto& [node, scaling] : linears) {
    if (Result<void> done = scale_linear(graph, scaling); !done.ok()) return done.error();
  }
  return graph;
}

}  // namespace halfstep::tune
