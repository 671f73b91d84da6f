// scaling_groups.cpp: spreads from the tensors that linear nodes read and write until every neighbour has been asked.
#include "tune/scaling_groups.hpp"

#include <algorithm>
#include <cmath>

#include "core/text.hpp"
#include "ops/operands.hpp"

namespace halfstep::tune {
namespace {

using graph::Node;
using graph::NodeId;
using graph::ValueId;

constexpr int kNoAxis = -1;

std::size_t slot(std::int32_t id) { return static_cast<std::size_t>(id); }

bool changes_when_scaled(float bound) { return bound != 0.0F && std::isfinite(bound); }

class GroupFinder {
 public:
  GroupFinder(const graph::Graph& graph, const ops::Facts& facts, const EncodingSet& imported)
      : graph_(graph),
        facts_(facts),
        imported_(imported),
        links_(graph::links_of(graph)),
        axis_(graph.values.size(), kNoAxis),
        joined_(graph.nodes.size()) {}

  ScalingGroups find() {
    for (const Node& node : graph_.nodes) {
      if (!is_linear(node) || ops::weight_of(graph_, node) == graph::kNoValue) continue;
      explore(node, node.inputs[0]);
      explore(node, node.outputs[0]);
    }
    return std::move(found_);
  }

 private:
  void explore(const Node& linear, ValueId seed) {
    if (seed == graph::kNoValue || graph::constant_of(graph_, seed) != nullptr || axis_[slot(seed)] != kNoAxis) return;
    const Shape* shape = known_float_shape(facts_, seed);
    group_ = {};
    reason_.clear();
    add(seed, shape == nullptr ? 0 : linear_channel_axis(linear, shape->rank()));
    while (!pending_.empty()) {
      const ValueId value = pending_.back();
      pending_.pop_back();
      visit(value);
    }
    if (reason_.empty() && group_.readers.empty()) refuse(seed, "read by nothing");
    if (reason_.empty()) {
      found_.groups.push_back(in_order(std::move(group_)));
    } else {
      found_.refused.push_back(reason_);
    }
  }

  ScalingGroup in_order(ScalingGroup group) const {
    std::ranges::sort(group.tensors, {}, [&](const GroupTensor& t) { return links_.producer[slot(t.value)]; });
    std::ranges::sort(group.writers, {}, &ScalableLinear::node);
    std::ranges::sort(group.readers, {}, &ScalableLinear::node);
    std::ranges::sort(group.joints);
    return group;
  }

  void refuse(ValueId value, const std::string& why) {
    if (reason_.empty()) reason_ = quoted(graph_.value(value).name) + ": " + why;
  }
  void refuse(ValueId value, const std::string& relation, const Node& node, const std::string& why) {
    refuse(value, relation + " by " + graph::describe(graph_, node) + ", " + why);
  }

  void add(ValueId value, int axis) {
    if (axis_[slot(value)] == axis) return;
    const Shape* shape = known_float_shape(facts_, value);
    const bool first = axis_[slot(value)] == kNoAxis;
    if (first) axis_[slot(value)] = axis;
    if (!first) return refuse(value, "its channels are along two axes");
    if (shape == nullptr) return refuse(value, "its shape is not known before running");
    if (axis < 0 || axis >= shape->rank()) return refuse(value, "it has no channels");
    if (group_.tensors.empty()) group_.num_channels = (*shape)[axis];
    if ((*shape)[axis] < 2) return refuse(value, "it has one channel");
    if ((*shape)[axis] != group_.num_channels) return refuse(value, "its channels are not those of its neighbours");
    group_.tensors.push_back({value, axis, shape->rank() - 1 - axis});
    pending_.push_back(value);
  }

  bool is_imported(ValueId id) const {
    return id != graph::kNoValue && find_encoding(imported_, graph_.value(id).name) != nullptr;
  }
  bool is_fixed(ValueId id) const { return id != graph::kNoValue && (graph_.value(id).pinned || is_imported(id)); }

  void visit(ValueId value) {
    if (is_fixed(value)) refuse(value, "it came with an encoding, or was named");
    if (links_.is_output[slot(value)]) refuse(value, "it is an output of the model");
    if (links_.producer[slot(value)] == graph::kNoNode) {
      refuse(value, "it is an input of the model");
    } else {
      visit_producer(value, links_.producer[slot(value)]);
    }
    NodeId before = graph::kNoNode;  // A node that reads twice is listed twice in a row.
    for (const NodeId reader : links_.consumers[slot(value)]) {
      if (reader != before) visit_reader(value, reader);
      before = reader;
    }
  }

  void visit_producer(ValueId value, NodeId id) {
    const Node& node = graph_.node(id);
    if (node.outputs[0] != value) return refuse(value, "written", node, "as a further output");
    if (!is_linear(node)) return visit_joint(value, id, "written");
    take_linear(value, id, "written", &ScalableLinear::out_channels, group_.writers);
    check_clamp(value, node);
  }

  void visit_reader(ValueId value, NodeId id) {
    const Node& node = graph_.node(id);
    if (!is_linear(node)) return visit_joint(value, id, "read");
    if (node.inputs[0] != value || std::ranges::count(node.inputs, value) != 1) {
      return refuse(value, "read", node, "as more than its data");
    }
    take_linear(value, id, "read", &ScalableLinear::in_channels, group_.readers);
  }

  void take_linear(ValueId value, NodeId id, const std::string& relation, std::int64_t ScalableLinear::*channels,
                   std::vector<ScalableLinear>& list) {
    const Node& node = graph_.node(id);
    const Result<ScalableLinear> linear = scalable_linear(graph_, links_, id);
    if (!linear.ok()) return refuse(value, relation, node, linear.error().message);
    if (is_fixed(linear->weight) || is_fixed(linear->bias)) {
      return refuse(value, relation, node, "whose weight or bias came with an encoding, or was named");
    }
    const int rank = facts_[slot(value)].type->shape.rank();
    if (axis_[slot(value)] != linear_channel_axis(node, rank) || (*linear).*channels != group_.num_channels) {
      return refuse(value, relation, node, "whose channels are along another axis");
    }
    list.push_back(*linear);
  }

  void visit_joint(ValueId value, NodeId id, const std::string& relation) {
    const Node& node = graph_.node(id);
    const ChannelTensor member{value, axis_[slot(value)]};
    const Result<ChannelJoint> joint = joint_of(graph_, links_, facts_, node, member, group_.num_channels);
    if (!joint.ok()) return refuse(value, relation, node, joint.error().message);
    if (joined_[slot(id)]) return;
    joined_[slot(id)] = true;
    group_.joints.push_back(id);
    for (const ChannelTensor& tensor : joint->tensors) add(tensor.value, tensor.axis);
    for (const ChannelTensor& addend : joint->addends) add_addend(node, addend);
    check_clamp(node.outputs[0], node);
  }

  void add_addend(const Node& node, const ChannelTensor& addend) {
    if (is_fixed(addend.value)) refuse(addend.value, "read", node, "came with an encoding, or was named");
    group_.addends.push_back(addend);
  }

  /// The bounds must be along the channels, or become so.
  void check_clamp(ValueId value, const Node& node) {
    if (!node.clamp) return;
    const int rank = facts_[slot(value)].type ? facts_[slot(value)].type->shape.rank() : 0;
    const auto& channels = node.clamp->channels;
    if (channels && (rank - 1 - channels->inner_axes != axis_[slot(value)] ||
                     static_cast<std::int64_t>(channels->min.size()) != group_.num_channels)) {
      return refuse(value, "written", node, "whose bounds are along another axis");
    }
    const bool bounded = channels || changes_when_scaled(node.clamp->min) || changes_when_scaled(node.clamp->max);
    if (bounded && !is_linear(node)) refuse(value, "written", node, "which can't have bounds for each channel");
  }

  const graph::Graph& graph_;
  const ops::Facts& facts_;
  const EncodingSet& imported_;
  graph::Links links_;
  std::vector<int> axis_;  // By ValueId; kNoAxis: not visited yet.
  std::vector<bool> joined_;
  std::vector<ValueId> pending_;
  ScalingGroup group_;
  std::string reason_;  // Why group_ is none.
  ScalingGroups found_;
};

}  // namespace

ScalingGroups find_scaling_groups(const graph::Graph& graph, const ops::Facts& facts, const EncodingSet& imported) {
  return GroupFinder(graph, facts, imported).find();
}

}  // namespace halfstep::tune
