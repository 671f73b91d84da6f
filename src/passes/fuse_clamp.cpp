// fuse_clamp.cpp: an activation that clamps becomes part of its producer.
//
//   before:  m = Conv(x, W); y = Clip(m, 0, 6)       after:  y = Conv(x, W) with clamp [0, 6]
//
// so that y, not m, gets an encoding. Relu is the clamp [0, infinity].
// Conditions: the producer computes a float tensor with a range of its own and
// has an integer form (the operator table says both) and no clamp yet; m has no
// other reader, is no graph output and not pinned; the bounds are constants.
// Node::clamp keeps m's and the activation's name for export.
#include <cmath>
#include <limits>

#include "ops/op_def.hpp"
#include "passes/edit.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {
namespace {

using graph::kNoNode;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The bounds of a Relu or of a float Clip with constant bounds.
std::optional<graph::FusedClamp> clamp_of(const Edit& edit, const Node& node) {
  graph::FusedClamp clamp;
  if (plain(node, "Relu")) {
    clamp.max = std::numeric_limits<float>::infinity();
  } else if (plain(node, "Clip")) {
    const auto bound = [&](std::size_t i, double absent) {
      return input_of(node, i) == kNoValue ? std::optional(absent) : scalar_of(edit.graph, node.inputs[i]);
    };
    const std::optional<double> low = bound(1, -kInfinity);
    const std::optional<double> high = bound(2, kInfinity);
    if (!low || !high || !(*low <= *high)) return std::nullopt;
    clamp.min = static_cast<float>(*low);
    clamp.max = static_cast<float>(*high);
  } else {
    return std::nullopt;
  }
  clamp.node_name = node.name;
  return clamp;
}

bool can_clamp(const Node& node, ValueId value) {
  const ops::OpDef* op = ops::find_op(node);
  return op != nullptr && op->has_integer_form && op->output_rule == ops::OutputRule::kObserved && !node.clamp &&
         only_first_output(node) && node.outputs[0] == value;
}

bool fuse_clamp_at(Edit& edit, NodeId n, const ops::Facts& facts) {
  std::optional<graph::FusedClamp> clamp = clamp_of(edit, edit.node(n));
  if (!clamp) return false;
  const ValueId between = edit.node(n).inputs[0];
  const TensorType* type = type_of(facts, between);
  if (type == nullptr || type->dtype != DType::kFloat32 || !edit.is_private(between)) return false;
  const NodeId producer = edit.producer(between);
  if (producer == kNoNode || !can_clamp(edit.node(producer), between)) return false;
  clamp->pre_name = edit.graph.value(between).name;
  edit.node(producer).clamp = std::move(*clamp);
  edit.node(producer).outputs[0] = edit.node(n).outputs[0];
  edit.detach(n);
  return true;
}

}  // namespace

Result<graph::Graph> fuse_clamp(graph::Graph graph, const PassContext& context) {
  return rewrite(std::move(graph), context, fuse_clamp_at);
}

}  // namespace halfstep::passes
