// channel_joints.cpp: sums, functions that a positive factor passes, and views.
#include "tune/channel_joints.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "core/errors.hpp"
#include "ops/op_def.hpp"

namespace halfstep::tune {
namespace {

using graph::Node;
using graph::ValueId;

// The operator table does not say which functions are positively homogeneous. Sorted.
constexpr std::array<std::string_view, 8> kChannelFunctions = {
    "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LeakyRelu", "MaxPool", "PRelu", "Relu", "Resize"};
constexpr std::array<std::string_view, 4> kReductions = {"ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"};
constexpr std::array<std::string_view, 3> kMeans = {"AveragePool", "GlobalAveragePool", "ReduceMean"};

bool is_one_of(const Node& node, std::span<const std::string_view> types) {
  return node.domain.empty() && std::ranges::find(types, node.op_type) != types.end();
}

Error changes_result() { return unsupported("whose result would change"); }

/// By axis of the input: whether it is reduced. Empty if that is not known.
std::optional<std::vector<bool>> reduced_flags(const graph::Graph& graph, const ops::Facts& facts, const Node& node,
                                               int rank) {
  std::vector<bool> reduced(static_cast<std::size_t>(rank), false);
  const ValueId id = node.inputs.size() < 2 ? graph::kNoValue : node.inputs[1];
  const Tensor* axes = graph::constant_of(graph, id);
  if (axes == nullptr && id != graph::kNoValue && facts[static_cast<std::size_t>(id)].value) {
    axes = &*facts[static_cast<std::size_t>(id)].value;
  }
  if (axes == nullptr && id != graph::kNoValue) return std::nullopt;
  if (axes == nullptr || axes->num_elements() == 0) {
    reduced.assign(reduced.size(), node.attributes.get_int("noop_with_empty_axes", 0) == 0);
    return reduced;
  }
  for (const std::int64_t value : to_int64s(*axes)) {
    const Result<int> axis = normalize_axis(value, rank);
    if (!axis.ok()) return std::nullopt;
    reduced[static_cast<std::size_t>(*axis)] = true;
  }
  return reduced;
}

/// Where the channels of a view with shape `to` are if those of `from` are along `axis`.
std::optional<int> viewed_axis(const Shape& from, int axis, const Shape& to) {
  for (int other = 0; other < to.rank(); ++other) {
    if (to[other] == from[axis] && to.num_elements(0, other) == from.num_elements(0, axis)) return other;
  }
  return std::nullopt;
}

/// Maps an axis of input 0 to that of output 0.
class AxisMap {
 public:
  AxisMap(const graph::Graph& graph, const ops::Facts& facts, const Node& node, const Shape& input, const Shape& output)
      : node_(node), input_(input), output_(output), views_(ops::find_op(node)->aliases_input) {
    if (is_one_of(node, kReductions)) reduced_ = reduced_flags(graph, facts, node, input.rank());
  }

  std::optional<int> forward(int axis) const {
    if (views_) return viewed_axis(input_, axis, output_);
    if (is_one_of(node_, kReductions)) return behind_reduction(axis);
    const bool same = input_.rank() == output_.rank() && axis < input_.rank() && input_[axis] == output_[axis];
    return same ? std::optional(axis) : std::nullopt;
  }

  std::optional<int> backward(int axis) const {
    if (views_) return viewed_axis(output_, axis, input_);
    for (int from = 0; from < input_.rank(); ++from) {
      if (forward(from) == axis) return from;
    }
    return std::nullopt;
  }

 private:
  std::optional<int> behind_reduction(int axis) const {
    if (!reduced_ || (*reduced_)[static_cast<std::size_t>(axis)]) return std::nullopt;
    if (node_.attributes.get_int("keepdims", 1) != 0) return axis;
    return axis - static_cast<int>(std::count(reduced_->begin(), reduced_->begin() + axis, true));
  }

  const Node& node_;
  const Shape& input_;
  const Shape& output_;
  bool views_;
  std::optional<std::vector<bool>> reduced_;
};

/// A constant addend that has all channels and no other reader.
std::optional<ChannelTensor> scalable_addend(const graph::Graph& graph, const graph::Links& links, ValueId id,
                                             int inner_axes, std::int64_t num_channels) {
  const Shape& shape = graph::constant_of(graph, id)->shape();
  const int axis = shape.rank() - 1 - inner_axes;
  const auto at = static_cast<std::size_t>(id);
  if (axis < 0 || shape[axis] != num_channels || links.is_output[at] || links.consumers[at].size() > 1) {
    return std::nullopt;
  }
  return ChannelTensor{id, axis};
}

Result<ChannelJoint> joint_of_sum(const graph::Graph& graph, const graph::Links& links, const ops::Facts& facts,
                                  const Node& node, ChannelTensor member, std::int64_t num_channels) {
  const Shape* output = known_float_shape(facts, node.outputs[0]);
  const Shape* own = known_float_shape(facts, member.value);
  if (output == nullptr || own == nullptr || *own != *output) return unsupported("which adds tensors of other shapes");
  ChannelJoint joint;
  joint.tensors.push_back({node.outputs[0], member.axis});
  for (const ValueId id : node.inputs) {
    const Shape* shape = known_float_shape(facts, id);
    if (shape == nullptr) return unsupported("which adds a tensor of unknown shape");
    if (graph::constant_of(graph, id) != nullptr) {
      const auto addend = scalable_addend(graph, links, id, output->rank() - 1 - member.axis, num_channels);
      if (!addend) return unsupported("which adds a constant that is not by channel or read elsewhere, too");
      joint.addends.push_back(*addend);
    } else {
      if (*shape != *output) return unsupported("which adds tensors of other shapes");
      joint.tensors.push_back({id, member.axis});
    }
  }
  return joint;
}

bool passes_factors(const Node& node) {
  if (node.op_type == "Resize" &&
      node.attributes.get_string("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize") {
    return false;  // It fills with a value of its own.
  }
  return ops::find_op(node)->aliases_input || is_one_of(node, kChannelFunctions) || is_one_of(node, kReductions);
}

}  // namespace

const Shape* known_float_shape(const ops::Facts& facts, ValueId value) {
  if (value == graph::kNoValue) return nullptr;
  const auto& type = facts[static_cast<std::size_t>(value)].type;
  if (!type || type->dtype != DType::kFloat32) return nullptr;
  return std::ranges::any_of(type->shape, [](std::int64_t dim) { return dim < 0; }) ? nullptr : &type->shape;
}

Result<ChannelJoint> joint_of(const graph::Graph& graph, const graph::Links& links, const ops::Facts& facts,
                              const Node& node, ChannelTensor member, std::int64_t num_channels) {
  const ops::OpDef* op = ops::find_op(node);
  if (op == nullptr || node.inputs.empty() || node.outputs.empty()) return changes_result();
  if (op->sums) return joint_of_sum(graph, links, facts, node, member, num_channels);
  const bool is_operand = std::ranges::count(node.inputs, member.value) == 1 && node.inputs[0] == member.value;
  if (!passes_factors(node) || (!is_operand && node.outputs[0] != member.value)) return changes_result();
  const Shape* input = known_float_shape(facts, node.inputs[0]);
  const Shape* output = known_float_shape(facts, node.outputs[0]);
  if (input == nullptr || output == nullptr) return unsupported("whose shapes are not known before running");
  if (graph::constant_of(graph, node.inputs[0]) != nullptr) return unsupported("which reads a constant");
  const AxisMap map(graph, facts, node, *input, *output);
  const std::optional<int> other = is_operand ? map.forward(member.axis) : map.backward(member.axis);
  if (!other) return unsupported("which mixes channels with other axes");
  const ChannelTensor behind{node.outputs[0], is_operand ? *other : member.axis};
  return ChannelJoint{.tensors = {{node.inputs[0], is_operand ? member.axis : *other}, behind}, .addends = {}};
}

double passed_noise(const ops::Facts& facts, const Node& node) {
  if (!is_one_of(node, kMeans)) return 1.0;
  const Shape& input = *known_float_shape(facts, node.inputs[0]);
  const Shape& output = *known_float_shape(facts, node.outputs[0]);
  const double num_inputs = std::max(1.0, static_cast<double>(input.num_elements()));
  return std::min(1.0, static_cast<double>(output.num_elements()) / num_inputs);
}

}  // namespace halfstep::tune
