// encoding_targets.cpp: roles and axes from the operator table.
#include "precision/encoding_targets.hpp"

#include "ops/operands.hpp"

namespace halfstep::precision {

EncodingTargets encoding_targets(const graph::Graph& graph) {
  EncodingTargets targets;
  for (const graph::Value& value : graph.values) {
    EncodingTarget target;
    target.channel_axis = kActivationChannelAxis;
    if (value.constant) {
      target.channel_axis.reset();
      target.role = TensorRole::kWeight;
      target.shape = value.constant->shape();
    }
    targets.emplace(value.name, std::move(target));
  }
  for (const graph::Node& node : graph.nodes) {
    if (const graph::ValueId weight = ops::weight_of(graph, node); weight != graph::kNoValue) {
      EncodingTarget& target = targets[graph.value(weight).name];
      if (!target.channel_axis) target.channel_axis = ops::weight_axis(graph, node);
    }
    if (const graph::ValueId bias = ops::bias_of(graph, node); bias != graph::kNoValue) {
      EncodingTarget& target = targets[graph.value(bias).name];
      target.role = TensorRole::kBias;
      if (!target.channel_axis && target.shape->rank() > 0) target.channel_axis = target.shape->rank() - 1;
    }
  }
  return targets;
}

}  // namespace halfstep::precision
