// channel_joints.hpp: nodes through which a factor of a channel passes unchanged.
#pragma once

#include <vector>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::tune {

/// A tensor and its axis that runs over channels.
struct ChannelTensor {
  graph::ValueId value = graph::kNoValue;
  int axis = 0;
  friend bool operator==(const ChannelTensor&, const ChannelTensor&) = default;
};

/// Tensors that one node joins: scaled alike, channel by channel, they still satisfy it.
struct ChannelJoint {
  std::vector<ChannelTensor> tensors;  ///< Operands and output 0, constants left out.
  std::vector<ChannelTensor> addends;  ///< Constants that are added; the axis is that of the constant's own shape.
};

/// What `node` joins to `member`, one of its operands or its output 0, `num_channels` along its axis. Joined are sums
/// of equal shapes, functions f(s x) = s f(x), s > 0, of single channels (Relu, LeakyRelu, PRelu, pooling, reductions
/// over other axes, Resize), and other shapes of the same bytes whose channels stay apart.
/// Errors: kUnsupported with a message that goes on from "node 'x' (Mul), ": "whose result would change".
Result<ChannelJoint> joint_of(const graph::Graph& graph, const graph::Links& links, const ops::Facts& facts,
                              const graph::Node& node, ChannelTensor member, std::int64_t num_channels);

/// The share of independent noise's power that passes through `node`, which joint_of() took: 1 but for means.
double passed_noise(const ops::Facts& facts, const graph::Node& node);

/// The shape of `value` if it is float32 and every extent is known; else nullptr.
const Shape* known_float_shape(const ops::Facts& facts, graph::ValueId value);

}  // namespace halfstep::tune
