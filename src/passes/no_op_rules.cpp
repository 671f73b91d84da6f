// no_op_rules.cpp: operator by operator, when a node's output is its input.
#include "passes/no_op_rules.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

namespace halfstep::passes {
namespace {

using graph::kNoValue;
using graph::Node;
using graph::ValueId;

constexpr float kBeyondAll = std::numeric_limits<float>::infinity();

struct Case {
  const Edit& edit;
  const Node& node;
  const ops::Facts& facts;

  ValueId input(std::size_t i) const { return input_of(node, i); }
  const TensorType* type(std::size_t i) const { return type_of(facts, input(i)); }
  const TensorType* output() const { return type_of(facts, node.outputs[0]); }
  std::optional<std::vector<std::int64_t>> integers(std::size_t i) const { return integers_of(edit.graph, input(i)); }
};

/// Every extent is known and the same.
bool same_known_type(const TensorType* a, const TensorType* b) {
  return a != nullptr && b != nullptr && *a == *b &&
         std::ranges::none_of(a->shape, [](std::int64_t extent) { return extent < 0; });
}

bool all_equal(const std::optional<std::vector<std::int64_t>>& values, std::int64_t expected) {
  return values && std::ranges::all_of(*values, [&](std::int64_t value) { return value == expected; });
}

bool dropout_is_off(const Case& c) {
  const Tensor* training = graph::constant_of(c.edit.graph, c.input(2));
  if (c.input(2) == kNoValue) return true;
  return training != nullptr && training->dtype() == DType::kBool && training->num_elements() == 1 &&
         !training->data<bool>()[0];
}

/// Only axes of extent 1 move.
bool transpose_keeps_order(const Case& c) {
  const auto perm = c.node.attributes.get_ints("perm");
  if (!perm.empty() && std::ranges::is_sorted(perm)) return true;
  if (!same_known_type(c.type(0), c.output()) || perm.size() != static_cast<std::size_t>(c.type(0)->shape.rank())) {
    return false;
  }
  std::int64_t last = -1;
  for (std::int64_t axis : perm) {
    if (c.type(0)->shape[static_cast<int>(axis)] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

bool expand_keeps_shape(const Case& c) {
  if (same_known_type(c.type(0), c.output())) return true;
  const auto target = c.integers(1);
  if (!target || c.input(1) == kNoValue || c.type(0) == nullptr) return false;
  const Shape& shape = c.type(0)->shape;
  const int missing = shape.rank() - static_cast<int>(target->size());
  if (missing < 0) return false;
  for (std::size_t i = 0; i < target->size(); ++i) {
    const std::int64_t extent = shape[missing + static_cast<int>(i)];
    if ((*target)[i] != 1 && (*target)[i] != extent) return false;
  }
  return true;
}

/// Every sliced axis keeps its known extent, or is taken from 0 to the largest end; by steps of 1.
bool slice_keeps_all(const Case& c) {
  const auto starts = c.integers(1);
  const auto ends = c.integers(2);
  const auto axes = c.integers(3);
  if (!starts || !ends || !axes || starts->size() != ends->size() || !all_equal(c.integers(4), 1)) return false;
  if (c.type(0) == nullptr || c.output() == nullptr || *c.type(0) != *c.output()) return false;
  const Shape& shape = c.type(0)->shape;
  constexpr std::int64_t kToTheEnd = std::numeric_limits<std::int32_t>::max();
  for (std::size_t i = 0; i < starts->size(); ++i) {
    std::int64_t axis = i < axes->size() ? (*axes)[i] : static_cast<std::int64_t>(i);
    axis += axis < 0 ? shape.rank() : 0;
    if (axis < 0 || axis >= shape.rank()) return false;
    const bool whole = (*starts)[i] == 0 && (*ends)[i] >= kToTheEnd;
    if (shape[static_cast<int>(axis)] < 0 && !whole) return false;
  }
  return true;
}

/// A scale of 1 maps every coordinate to itself in all modes but tf_crop_and_resize.
bool resize_keeps_all(const Case& c) {
  const auto& attributes = c.node.attributes;
  if (attributes.get_string("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize") return false;
  if (attributes.get_string("keep_aspect_ratio_policy", "stretch") != "stretch") return false;
  const Tensor* scales = graph::constant_of(c.edit.graph, c.input(2));
  if (scales != nullptr && scales->num_elements() > 0) {
    const std::vector<float> values = to_floats(scales->view());
    return std::ranges::all_of(values, [](float scale) { return scale == 1.0F; });
  }
  return c.input(3) != kNoValue && same_known_type(c.type(0), c.output());
}

/// Operand `i` is a constant full of `neutral` that does not broadcast the other operand up.
bool is_neutral(const Case& c, std::size_t i, float neutral) {
  const Tensor* constant = graph::constant_of(c.edit.graph, c.input(i));
  const TensorType* other = c.type(1 - i);
  if (constant == nullptr || other == nullptr || c.edit.graph.value(c.input(i)).pinned) return false;
  const int missing = other->shape.rank() - constant->shape().rank();
  if (missing < 0) return false;
  for (int axis = 0; axis < constant->shape().rank(); ++axis) {
    const std::int64_t extent = constant->shape()[axis];
    if (extent != 1 && extent != other->shape[missing + axis]) return false;
  }
  const std::vector<float> values = to_floats(constant->view());
  return std::ranges::all_of(values, [&](float value) { return value == neutral; });
}

ValueId unchanged_operand(const Case& c, float neutral, bool commutes) {
  if (is_neutral(c, 1, neutral)) return c.input(0);
  if (commutes && is_neutral(c, 0, neutral)) return c.input(1);
  return kNoValue;
}

bool cast_keeps_type(const Case& c) {
  return c.type(0) != nullptr && c.output() != nullptr && c.type(0)->dtype == c.output()->dtype;
}

struct NoOpRule {
  std::string_view op_type;
  bool (*holds)(const Case&);
};

bool always(const Case&) { return true; }
bool single_input(const Case& c) { return c.node.inputs.size() == 1; }
bool no_bounds(const Case& c) { return c.input(1) == kNoValue && c.input(2) == kNoValue; }
bool no_repeats(const Case& c) { return c.input(1) != kNoValue && all_equal(c.integers(1), 1); }
bool no_pads(const Case& c) { return c.input(1) != kNoValue && all_equal(c.integers(1), 0); }
bool block_of_one(const Case& c) { return c.node.attributes.get_int("blocksize", 0) == 1; }

constexpr std::array kRules = {
    NoOpRule{"Identity", always},
    NoOpRule{"Dropout", dropout_is_off},
    NoOpRule{"Transpose", transpose_keeps_order},
    NoOpRule{"Expand", expand_keeps_shape},
    NoOpRule{"Tile", no_repeats},
    NoOpRule{"Slice", slice_keeps_all},
    NoOpRule{"Pad", no_pads},
    NoOpRule{"Concat", single_input},
    NoOpRule{"Sum", single_input},
    NoOpRule{"Max", single_input},
    NoOpRule{"Min", single_input},
    NoOpRule{"Mean", single_input},
    NoOpRule{"Clip", no_bounds},
    NoOpRule{"Resize", resize_keeps_all},
    NoOpRule{"Cast", cast_keeps_type},
    NoOpRule{"CastLike", cast_keeps_type},
    NoOpRule{"DepthToSpace", block_of_one},
    NoOpRule{"SpaceToDepth", block_of_one},
};

}  // namespace

ValueId unchanged_input(const Edit& edit, const Node& node, const ops::Facts& facts) {
  if (!node.domain.empty() || node.clamp || !only_first_output(node) || node.inputs.empty()) return kNoValue;
  const Case c{edit, node, facts};
  if (node.op_type == "Mul") return unchanged_operand(c, 1.0F, true);
  if (node.op_type == "Div") return unchanged_operand(c, 1.0F, false);
  if (node.op_type == "Add") return unchanged_operand(c, 0.0F, true);
  if (node.op_type == "Sub") return unchanged_operand(c, 0.0F, false);
  if (node.op_type == "Max" && node.inputs.size() == 2) return unchanged_operand(c, -kBeyondAll, true);
  if (node.op_type == "Min" && node.inputs.size() == 2) return unchanged_operand(c, kBeyondAll, true);
  if (node.op_type == "Split") {
    return node.outputs.size() == 1 && same_known_type(c.type(0), c.output()) ? node.inputs[0] : kNoValue;
  }
  const auto rule = std::ranges::find(kRules, std::string_view(node.op_type), &NoOpRule::op_type);
  return rule != kRules.end() && rule->holds(c) ? node.inputs[0] : kNoValue;
}

bool same_after_reshape(const TensorType& a, const TensorType& b) {
  if (a != b) return false;
  const auto unknown = std::ranges::count_if(a.shape, [](std::int64_t extent) { return extent < 0; });
  const bool empty = std::ranges::any_of(a.shape, [](std::int64_t extent) { return extent == 0; });
  return unknown == 0 || (unknown == 1 && !empty);
}

}  // namespace halfstep::passes
