// canonical_attributes.cpp: operators whose attributes became inputs.
#include <array>

#include "core/errors.hpp"
#include "io/onnx/canonical_rules.hpp"

namespace halfstep::io {
namespace {

using graph::kNoValue;
using graph::Node;
using graph::ValueId;

Result<void> need_one_input(const Node& node) {
  if (node.inputs.empty() || node.inputs[0] == kNoValue) return invalid("has no input");
  if (node.outputs.empty()) return invalid("has no output");
  return {};
}

Result<void> check_form(const Node& node) {
  if (const auto checked = need_one_input(node); !checked.ok()) return checked.error();
  if (node.inputs.size() > 1) {
    return invalid("has " + std::to_string(node.inputs.size()) + " inputs, its form in opset " +
                   std::to_string(node.file_opset) + " has one");
  }
  return {};
}

// Moves the integers of attribute `name` to input `index`.
void move_ints(Rewriter& rewriter, Node& node, std::string_view name, std::size_t index) {
  if (const auto* values = node.attributes.find<std::vector<std::int64_t>>(name)) {
    Rewriter::set_input(node, index, rewriter.ints(name, *values));
    node.attributes.erase(name);
  }
}

Result<void> need_ints(const Node& node, std::string_view name) {
  if (node.attributes.find<std::vector<std::int64_t>>(name) == nullptr) {
    return invalid("has no attribute '" + std::string(name) + "', which opset " + std::to_string(node.file_opset) +
                   " requires");
  }
  return {};
}

void move_scalar(Rewriter& rewriter, Node& node, std::string_view name, std::size_t index) {
  if (const auto* value = node.attributes.find<float>(name)) {
    Rewriter::set_input(node, index, rewriter.constant(name, Tensor::of<float>({}, {*value})));
    node.attributes.erase(name);
  }
}

Result<void> clip(Rewriter& rewriter, Node& node) {
  if (const auto checked = check_form(node); !checked.ok()) return checked.error();
  move_scalar(rewriter, node, "min", 1);
  move_scalar(rewriter, node, "max", 2);
  return {};
}

Result<void> pad(Rewriter& rewriter, Node& node) {
  if (const auto checked = check_form(node); !checked.ok()) return checked.error();
  if (const auto checked = need_ints(node, "pads"); !checked.ok()) return checked.error();
  move_ints(rewriter, node, "pads", 1);
  move_scalar(rewriter, node, "value", 2);
  return {};
}

Result<void> slice(Rewriter& rewriter, Node& node) {
  if (const auto checked = check_form(node); !checked.ok()) return checked.error();
  if (const auto checked = need_ints(node, "starts"); !checked.ok()) return checked.error();
  if (const auto checked = need_ints(node, "ends"); !checked.ok()) return checked.error();
  move_ints(rewriter, node, "starts", 1);
  move_ints(rewriter, node, "ends", 2);
  move_ints(rewriter, node, "axes", 3);
  return {};
}

Result<void> squeeze(Rewriter& rewriter, Node& node) {
  if (const auto checked = check_form(node); !checked.ok()) return checked.error();
  move_ints(rewriter, node, "axes", 1);
  return {};
}

Result<void> unsqueeze(Rewriter& rewriter, Node& node) {
  if (const auto checked = check_form(node); !checked.ok()) return checked.error();
  if (const auto checked = need_ints(node, "axes"); !checked.ok()) return checked.error();
  move_ints(rewriter, node, "axes", 1);
  return {};
}

Result<void> reduce(Rewriter& rewriter, Node& node) {
  if (const auto checked = check_form(node); !checked.ok()) return checked.error();
  // No axes means all of them, in every form.
  if (const auto* axes = node.attributes.find<std::vector<std::int64_t>>("axes"); axes != nullptr && axes->empty()) {
    node.attributes.erase("axes");
  }
  move_ints(rewriter, node, "axes", 1);
  return {};
}

Result<void> split_attribute(Rewriter& rewriter, Node& node) {
  if (const auto checked = check_form(node); !checked.ok()) return checked.error();
  move_ints(rewriter, node, "split", 1);
  if (node.inputs.size() < 2) node.attributes.set("num_outputs", static_cast<std::int64_t>(node.outputs.size()));
  return {};
}

Result<void> split_input(Rewriter&, Node& node) {
  if (const auto checked = need_one_input(node); !checked.ok()) return checked.error();
  if (node.inputs.size() < 2) node.attributes.set("num_outputs", static_cast<std::int64_t>(node.outputs.size()));
  return {};
}

Result<void> top_k(Rewriter& rewriter, Node& node) {
  if (const auto checked = check_form(node); !checked.ok()) return checked.error();
  const auto* k = node.attributes.find<std::int64_t>("k");
  if (k == nullptr) return invalid("has no attribute 'k'");
  const std::array<std::int64_t, 1> count = {*k};
  Rewriter::set_input(node, 1, rewriter.ints("k", count));
  node.attributes.erase("k");
  return {};
}

Result<void> dropout(Rewriter& rewriter, Node& node) {
  if (const auto checked = check_form(node); !checked.ok()) return checked.error();
  move_scalar(rewriter, node, "ratio", 1);
  // The mask had the data's type before opset 10; now it is boolean.
  if (node.file_opset < 10 && node.outputs.size() > 1 && node.outputs[1] != kNoValue) {
    if (rewriter.is_used(node, 1)) {
      graph::Attributes to_float;
      to_float.set("to", std::int64_t{1});
      rewriter.after(node, 1, "Cast", {}, std::move(to_float));
    } else {
      node.outputs.resize(1);
    }
  }
  return {};
}

Result<void> dft(Rewriter& rewriter, Node& node) {
  if (const auto checked = need_one_input(node); !checked.ok()) return checked.error();
  const std::int64_t axis = node.attributes.get_int("axis", 1);
  Rewriter::set_input(node, 2, rewriter.constant("axis", Tensor::of<std::int64_t>({}, {axis})));
  node.attributes.erase("axis");
  return {};
}

constexpr auto kAttributeRules = std::to_array<RuleRow>({
    {"Clip", 0, 11, clip},           {"DFT", 0, 20, dft},
    {"Dropout", 0, 12, dropout},     {"Pad", 0, 11, pad},
    {"ReduceL1", 0, 18, reduce},     {"ReduceL2", 0, 18, reduce},
    {"ReduceLogSum", 0, 18, reduce}, {"ReduceLogSumExp", 0, 18, reduce},
    {"ReduceMax", 0, 18, reduce},    {"ReduceMean", 0, 18, reduce},
    {"ReduceMin", 0, 18, reduce},    {"ReduceProd", 0, 18, reduce},
    {"ReduceSum", 0, 13, reduce},    {"ReduceSumSquare", 0, 18, reduce},
    {"Slice", 0, 10, slice},         {"Split", 0, 13, split_attribute},
    {"Split", 13, 18, split_input},  {"Squeeze", 0, 13, squeeze},
    {"TopK", 0, 10, top_k},          {"Unsqueeze", 0, 13, unsqueeze},
});

}  // namespace

std::span<const RuleRow> attribute_rules() { return kAttributeRules; }

}  // namespace halfstep::io
