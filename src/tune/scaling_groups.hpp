// scaling_groups.hpp: tensors whose channels can be scaled together without changing what the model computes.
//
//   x -> Conv -> a -> Add -> c -> Conv -> y         a, b and c are one group: with a_c / s_c, b_c / s_c, c_c / s_c,
//   z -> Conv -> b --^                              rows of both writers / s_c and columns of the reader * s_c, y stays
//
// A depthwise convolution reads one group and writes another.
#pragma once

#include <string>
#include <vector>

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"
#include "tune/channel_joints.hpp"
#include "tune/scalable_linear.hpp"

namespace halfstep::tune {

/// A member of a group.
struct GroupTensor {
  graph::ValueId value = graph::kNoValue;
  int axis = 0;        ///< The one that runs over channels.
  int inner_axes = 0;  ///< Axes behind it.
};

/// Scaling all of it by the same positive factors, one a channel, leaves the float function as it is.
struct ScalingGroup {
  std::int64_t num_channels = 0;        ///< C >= 2.
  std::vector<GroupTensor> tensors;     ///< Activations, in the order in which they are written. [.., C, ..]
  std::vector<ChannelTensor> addends;   ///< Constants that are added; the axis is that of the constant's own shape.
  std::vector<ScalableLinear> writers;  ///< Their rows and biases are divided. In node order.
  std::vector<ScalableLinear> readers;  ///< Their columns are multiplied. In node order.
  std::vector<graph::NodeId> joints;    ///< Nodes between members: Add, Relu, pooling, views. In node order.
};

struct ScalingGroups {
  std::vector<ScalingGroup> groups;  ///< In the order in which their first tensors are written.
  /// One line for each set of tensors that is none: "'x': read by node 'mul_3' (Mul), whose result would change".
  std::vector<std::string> refused;
};

/// Every group of `graph`, a tensor in at most one. `facts` are those of the samples' shapes: where an extent is not
/// known, there is no group. None has a pinned value, one that `imported` names, a graph input or output, or a bound of
/// a clamp, other than 0 and infinity, behind a node that is not linear (integer forms have no bounds by channel
/// there).
ScalingGroups find_scaling_groups(const graph::Graph& graph, const ops::Facts& facts, const EncodingSet& imported = {});

}  // namespace halfstep::tune
