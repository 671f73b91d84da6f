// canonical_other.cpp: Softmax, normalizations, and renamed operators and modes.
#include <array>

#include "core/errors.hpp"
#include "io/onnx/canonical_rules.hpp"

namespace halfstep::io {
namespace {

using graph::Attributes;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

bool has_inputs(const Node& node, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (Rewriter::input(node, i) == kNoValue) return false;
  }
  return !node.outputs.empty() && node.outputs[0] != kNoValue;
}

Attributes with_int(std::string name, std::int64_t value) {
  Attributes attributes;
  attributes.set(std::move(name), value);
  return attributes;
}

// Softmax, LogSoftmax, Hardmax: the old form works on the matrix of all axes
// before `axis` by all axes from it on.
Result<void> softmax(Rewriter& rewriter, Node& node) {
  if (!has_inputs(node, 1)) return invalid("needs an input and an output");
  const std::int64_t axis = node.attributes.get_int("axis", 1);
  node.attributes.set("axis", std::int64_t{-1});
  const ValueId input = node.inputs[0];
  const std::optional<int> rank = rewriter.rank_of(input);
  if (axis == -1 || (rank && axis == *rank - 1)) return {};
  const ValueId shape = rewriter.before("Shape", {input});
  node.inputs[0] = rewriter.before("Flatten", {input}, with_int("axis", axis));
  rewriter.after(node, 0, "Reshape", {shape});
  return {};
}

Result<void> batch_normalization(Rewriter& rewriter, Node& node) {
  if (node.file_opset < 9) {
    if (node.attributes.get_int("spatial", 1) == 0) return unsupported("spatial=0 is not supported");
    node.attributes.erase("spatial");
  }
  // Statistics for training, which inference does not compute.
  for (std::size_t i = 1; i < node.outputs.size(); ++i) {
    if (rewriter.is_used(node, i)) return unsupported("outputs of the training mode are used, which is not supported");
  }
  while (node.outputs.size() > 1) node.outputs.pop_back();
  return {};
}

// One scale and bias a group become one a channel: [G] -> [G, 1] -> [G, C/G] -> [C].
Result<void> group_normalization(Rewriter& rewriter, Node& node) {
  if (!has_inputs(node, 3)) return invalid("needs an input, a scale and a bias");
  const std::int64_t num_groups = node.attributes.get_int("num_groups", 0);
  if (num_groups < 1) return invalid("num_groups is " + std::to_string(num_groups) + ", expected 1 or more");
  const std::array<std::int64_t, 1> groups = {num_groups};
  const std::array<std::int64_t, 2> column = {num_groups, 1};
  const std::array<std::int64_t, 1> flat = {-1};
  Attributes channels_only;
  channels_only.set("start", std::int64_t{1});
  channels_only.set("end", std::int64_t{2});
  const ValueId num_channels = rewriter.before("Shape", {node.inputs[0]}, std::move(channels_only));
  const ValueId num_groups_value = rewriter.ints("groups", groups);
  const ValueId per_group = rewriter.before("Div", {num_channels, num_groups_value});
  const ValueId grid = rewriter.before("Concat", {num_groups_value, per_group}, with_int("axis", 0));
  const ValueId column_shape = rewriter.ints("column", column);
  const ValueId flat_shape = rewriter.ints("flat", flat);
  for (std::size_t i = 1; i <= 2; ++i) {
    const ValueId as_column = rewriter.before("Reshape", {node.inputs[i], column_shape});
    const ValueId repeated = rewriter.before("Expand", {as_column, grid});
    node.inputs[i] = rewriter.before("Reshape", {repeated, flat_shape});
  }
  return {};
}

Result<void> scatter(Rewriter&, Node& node) {
  node.op_type = "ScatterElements";
  return {};
}

Result<void> grid_sample(Rewriter&, Node& node) {
  const std::string mode = node.attributes.get_string("mode", "bilinear");
  if (mode == "bilinear") node.attributes.set("mode", std::string("linear"));
  if (mode == "bicubic") node.attributes.set("mode", std::string("cubic"));
  return {};
}

Result<void> roi_align(Rewriter&, Node& node) {
  node.attributes.set("coordinate_transformation_mode", std::string("output_half_pixel"));
  return {};
}

constexpr auto kOtherRules = std::to_array<RuleRow>({
    {"BatchNormalization", 0, 14, batch_normalization},
    {"GridSample", 0, 20, grid_sample},
    {"GroupNormalization", 18, 21, group_normalization},
    {"Hardmax", 0, 13, softmax},
    {"LogSoftmax", 0, 13, softmax},
    {"RoiAlign", 0, 16, roi_align},
    {"Scatter", 0, 100, scatter},
    {"Softmax", 0, 13, softmax},
});

}  // namespace

std::span<const RuleRow> other_rules() { return kOtherRules; }

}  // namespace halfstep::io
