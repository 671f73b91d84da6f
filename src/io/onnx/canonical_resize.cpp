// canonical_resize.cpp: Upsample and older Resize to the newest Resize.
#include <algorithm>
#include <array>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/onnx/canonical_rules.hpp"

namespace halfstep::io {
namespace {

using graph::kNoValue;
using graph::Node;
using graph::ValueId;

bool shrinks(float scale) { return scale < 1.0F; }

// The form Upsample and Resize-10 share: x_original = x / scale. Where the mode
// is nearest, that is rounded down along axes that grow and up along those that shrink.
Result<void> to_asymmetric(Rewriter& rewriter, Node& node, ValueId scales) {
  if (Rewriter::input(node, 0) == kNoValue || scales == kNoValue) return invalid("needs an input and scales");
  // Early exporters wrote the mode as the standard's drafts spelled it.
  std::string mode = node.attributes.get_string("mode", "nearest");
  if (mode == "bilinear") mode = "linear";
  if (mode != "nearest" && mode != "linear") return unsupported("mode " + quoted(mode) + " is not supported");
  node.op_type = "Resize";
  node.inputs = {node.inputs[0], kNoValue, scales};
  node.attributes.set("mode", mode);
  node.attributes.set("coordinate_transformation_mode", std::string("asymmetric"));
  node.attributes.set("nearest_mode", std::string("floor"));
  const Tensor* known = rewriter.value_of(scales);
  if (mode == "linear" || known == nullptr || known->dtype() != DType::kFloat32) return {};
  const auto factors = known->values<float>();
  if (std::ranges::none_of(factors, shrinks)) return {};
  if (std::ranges::none_of(factors, [](float scale) { return scale > 1.0F; })) {
    node.attributes.set("nearest_mode", std::string("ceil"));
    return {};
  }
  // Axes are independent of each other: shrink first, then grow.
  std::vector<float> shrinking;
  std::vector<float> growing;
  for (float scale : factors) {
    shrinking.push_back(shrinks(scale) ? scale : 1.0F);
    growing.push_back(shrinks(scale) ? 1.0F : scale);
  }
  const Shape shape = known->shape();
  graph::Attributes attributes = node.attributes;
  attributes.set("nearest_mode", std::string("ceil"));
  const ValueId first = rewriter.constant("scales_down", Tensor::of<float>(shape, shrinking));
  const ValueId small = rewriter.before("Resize", {node.inputs[0], kNoValue, first}, std::move(attributes));
  node.inputs = {small, kNoValue, rewriter.constant("scales_up", Tensor::of<float>(shape, growing))};
  return {};
}

Result<void> upsample(Rewriter& rewriter, Node& node) {
  const auto* scales = node.attributes.find<std::vector<float>>("scales");
  if (scales == nullptr) return to_asymmetric(rewriter, node, Rewriter::input(node, 1));
  const auto count = static_cast<std::int64_t>(scales->size());
  const ValueId constant = rewriter.constant("scales", Tensor::of<float>({count}, *scales));
  node.attributes.erase("scales");
  return to_asymmetric(rewriter, node, constant);
}

Result<void> resize_10(Rewriter& rewriter, Node& node) {
  return to_asymmetric(rewriter, node, Rewriter::input(node, 1));
}

// Empty roi, scales and sizes used to stand for absent ones.
Result<void> resize(Rewriter& rewriter, Node& node) {
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    const Tensor* value = rewriter.value_of(node.inputs[i]);
    if (value != nullptr && value->num_elements() == 0) node.inputs[i] = kNoValue;
  }
  while (!node.inputs.empty() && node.inputs.back() == kNoValue) node.inputs.pop_back();
  const bool has_sizes = Rewriter::input(node, 3) != kNoValue;
  if (has_sizes && rewriter.value_of(Rewriter::input(node, 2)) != nullptr) {
    return invalid("has both scales and sizes, expected one of them");
  }
  if (node.attributes.get_string("coordinate_transformation_mode", "half_pixel") != "tf_half_pixel_for_nn") return {};
  // floor(v) = round_half_up(v - 1/2), and v - 1/2 is the half_pixel coordinate.
  if (node.attributes.get_string("mode", "nearest") != "nearest" ||
      node.attributes.get_string("nearest_mode", "round_prefer_floor") != "floor") {
    return unsupported(
        "coordinate_transformation_mode 'tf_half_pixel_for_nn' is supported with nearest_mode 'floor' only");
  }
  node.attributes.set("coordinate_transformation_mode", std::string("half_pixel"));
  node.attributes.set("nearest_mode", std::string("round_prefer_ceil"));
  return {};
}

constexpr auto kResizeRules = std::to_array<RuleRow>({
    {"Resize", 0, 11, resize_10},
    {"Resize", 11, 100, resize},
    {"Upsample", 0, 100, upsample},
});

}  // namespace

std::span<const RuleRow> resize_rules() { return kResizeRules; }

}  // namespace halfstep::io
