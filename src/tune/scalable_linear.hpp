// scalable_linear.hpp: linear nodes whose constants can take factors along their channels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::tune {

/// A linear node y = gain * W x + b whose weight and bias nobody else reads.
struct ScalableLinear {
  graph::NodeId node = graph::kNoNode;
  graph::ValueId weight = graph::kNoValue;
  graph::ValueId bias =
      graph::kNoValue;  ///< kNoValue: none. Else out_channels values, the last axis running over them.
  std::int64_t groups = 1;
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  std::int64_t num_taps = 1;  ///< Weights for each pair of channels.
  bool output_first = true;   ///< Axis 0 of the weight runs over output channels, axis 1 over input channels.
  double gain = 1.0;          ///< alpha of Gemm.

  std::int64_t in_per_group() const { return in_channels / groups; }
  std::int64_t out_per_group() const { return out_channels / groups; }
  /// Each output channel reads one input channel of several.
  bool is_depthwise() const { return groups > 1 && in_per_group() == 1; }
};

/// `node` as such.
/// Errors: kUnsupported with a message that goes on from "node 'x' (Conv), ": "whose weight is not constant".
Result<ScalableLinear> scalable_linear(const graph::Graph& graph, const graph::Links& links, graph::NodeId node);

/// True if the operator table says that `node` multiplies by a weight, constant or not.
bool is_linear(const graph::Node& node);

/// The axis of a linear node's input 0, or of its output 0, of this rank, that runs over channels.
int linear_channel_axis(const graph::Node& node, int rank);

/// Calls f(position, in_channel, out_channel) for each element of the weight, in memory order.
template <class F>
void for_each_weight(const ScalableLinear& linear, F&& f) {
  const std::int64_t extent_0 = linear.output_first ? linear.out_channels : linear.in_channels;
  const std::int64_t step_0 = linear.output_first ? linear.out_per_group() : linear.in_per_group();
  const std::int64_t extent_1 = linear.output_first ? linear.in_per_group() : linear.out_per_group();
  std::size_t position = 0;
  for (std::int64_t i = 0; i < extent_0; ++i) {
    for (std::int64_t j = 0; j < extent_1; ++j) {
      const auto first = static_cast<std::size_t>(i);
      const auto second = static_cast<std::size_t>(i / step_0 * extent_1 + j);
      for (std::int64_t tap = 0; tap < linear.num_taps; ++tap, ++position) {
        f(position, linear.output_first ? second : first, linear.output_first ? first : second);
      }
    }
  }
}

}  // namespace halfstep::tune
