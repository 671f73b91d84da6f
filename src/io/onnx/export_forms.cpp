// export_forms.cpp: from canonical forms back to what an opset defines.
#include "io/onnx/export_forms.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <string_view>

namespace halfstep::io {
namespace {

using graph::Attribute;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

constexpr int kOldestWritten = 13;
constexpr int kWideGridOpset = 21;

/// Writes small chains of nodes that replace one.
class Speller {
 public:
  Speller(Graph& graph, const Node& original, std::vector<Node>& nodes)
      : graph_(graph), original_(original), nodes_(nodes) {}

  ValueId scalar(float value) { return real("_const", Tensor::of<float>(Shape{}, {value})); }

  ValueId integers(const std::vector<std::int64_t>& values) {
    return graph::add_constant(graph_, base() + "_shape",
                               Tensor::of<std::int64_t>(Shape{static_cast<std::int64_t>(values.size())},
                                                        std::span<const std::int64_t>(values)));
  }
  ValueId vector(const std::vector<float>& values) {
    return real("_vector",
                Tensor::of<float>(Shape{static_cast<std::int64_t>(values.size())}, std::span<const float>(values)));
  }
  /// In the format of the original's output.
  ValueId real(const char* suffix, Tensor tensor) {
    const ValueId id = graph::add_constant(graph_, base() + suffix, std::move(tensor));
    graph_.value(id).format = graph_.value(original_.outputs[0]).format;
    return id;
  }

  /// One node; its output is the original's when `last`.
  ValueId node(const char* op_type, std::vector<ValueId> inputs,
               std::vector<std::pair<std::string, Attribute>> attributes = {}, bool last = false) {
    Node made;
    made.name = (original_.name.empty() ? base() : original_.name) + "/" + op_type + "_" + std::to_string(count_++);
    made.op_type = op_type;
    made.inputs = std::move(inputs);
    for (auto& [name, value] : attributes) made.attributes.set(name, std::move(value));
    const ValueId output = last ? original_.outputs[0] : graph::add_value(graph_, base() + "/" + op_type);
    made.outputs = {output};
    nodes_.push_back(std::move(made));
    return output;
  }
  ValueId last(const char* op_type, std::vector<ValueId> inputs) { return node(op_type, std::move(inputs), {}, true); }

 private:
  std::string base() const { return graph_.value(original_.outputs[0]).name; }

  Graph& graph_;
  const Node& original_;
  std::vector<Node>& nodes_;
  int count_ = 0;
};

void spell_hard_swish(Graph&, const Node& node, Speller& speller) {
  const ValueId x = node.inputs[0];
  const ValueId gate = speller.node("HardSigmoid", {x}, {{"alpha", 1.0F / 6.0F}, {"beta", 0.5F}});
  speller.last("Mul", {x, gate});
}

void spell_swish(Graph&, const Node& node, Speller& speller) {
  const ValueId x = node.inputs[0];
  const float alpha = node.attributes.get_float("alpha", 1.0F);
  const ValueId scaled = alpha == 1.0F ? x : speller.node("Mul", {x, speller.scalar(alpha)});
  speller.last("Mul", {x, speller.node("Sigmoid", {scaled})});
}

void spell_mish(Graph&, const Node& node, Speller& speller) {
  const ValueId x = node.inputs[0];
  speller.last("Mul", {x, speller.node("Tanh", {speller.node("Softplus", {x})})});
}

void spell_gelu(Graph&, const Node& node, Speller& speller) {
  const ValueId x = node.inputs[0];
  ValueId inner = kNoValue;
  if (node.attributes.get_string("approximate", "none") == "tanh") {
    const ValueId cube = speller.node("Mul", {speller.node("Mul", {x, x}), x});
    const ValueId sum = speller.node("Add", {x, speller.node("Mul", {cube, speller.scalar(0.044715F)})});
    const float factor = static_cast<float>(std::sqrt(2.0 / std::numbers::pi));
    inner = speller.node("Tanh", {speller.node("Mul", {sum, speller.scalar(factor)})});
  } else {
    inner = speller.node("Erf", {speller.node("Div", {x, speller.scalar(std::numbers::sqrt2_v<float>)})});
  }
  const ValueId gate = speller.node("Add", {inner, speller.scalar(1.0F)});
  speller.last("Mul", {speller.node("Mul", {x, gate}), speller.scalar(0.5F)});
}

void spell_layer_normalization(Graph& graph, const Node& node, Speller& speller) {
  const ValueId x = node.inputs[0];
  // Recognised patterns normalize trailing axes; as many as the scale has.
  const std::int64_t axis = node.attributes.get_int("axis", -1);
  std::vector<std::int64_t> axes;
  const Tensor* scale = graph::constant_of(graph, node.inputs[1]);
  const std::int64_t first = axis < 0 ? axis : -(scale == nullptr ? 1 : scale->shape().rank());
  for (std::int64_t a = first; a < 0; ++a) axes.push_back(a);
  const auto mean_of = [&](ValueId value) {
    return speller.node("ReduceMean", {value}, {{"axes", axes}, {"keepdims", std::int64_t{1}}});
  };
  const ValueId centred = speller.node("Sub", {x, mean_of(x)});
  const ValueId variance = mean_of(speller.node("Mul", {centred, centred}));
  const ValueId epsilon = speller.scalar(node.attributes.get_float("epsilon", 1e-5F));
  const ValueId deviation = speller.node("Sqrt", {speller.node("Add", {variance, epsilon})});
  const ValueId normalized = speller.node("Div", {centred, deviation});
  const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
  if (!has_bias) {
    speller.last("Mul", {normalized, node.inputs[1]});
    return;
  }
  speller.last("Add", {speller.node("Mul", {normalized, node.inputs[1]}), node.inputs[2]});
}

void spell_rms_normalization(Graph& graph, const Node& node, Speller& speller) {
  const ValueId x = node.inputs[0];
  // Recognised patterns normalize trailing axes; as many as the scale has.
  const std::int64_t axis = node.attributes.get_int("axis", -1);
  const Tensor* scale = graph::constant_of(graph, node.inputs[1]);
  const std::int64_t first = axis < 0 ? axis : -(scale == nullptr ? 1 : scale->shape().rank());
  std::vector<std::int64_t> axes;
  for (std::int64_t a = first; a < 0; ++a) axes.push_back(a);
  const ValueId squares = speller.node("Mul", {x, x});
  const ValueId mean = speller.node("ReduceMean", {squares}, {{"axes", axes}, {"keepdims", std::int64_t{1}}});
  const ValueId epsilon = speller.scalar(node.attributes.get_float("epsilon", 1e-5F));
  const ValueId root = speller.node("Sqrt", {speller.node("Add", {mean, epsilon})});
  speller.last("Mul", {speller.node("Div", {x, root}), node.inputs[1]});
}

/// Requires: scale and bias are constants (opset_for() sees to it). The channels of a group lie together: [N, C, ...]
/// is [N, G, -1] to InstanceNormalization and [N, C, -1] to the scale.
void spell_group_normalization(Graph& graph, const Node& node, Speller& speller) {
  const ValueId x = node.inputs[0];
  const std::int64_t groups = node.attributes.get_int("num_groups", 1);
  const Tensor scale = *graph::constant_of(graph, node.inputs[1]);  // By value: adding constants moves them.
  const Tensor bias = *graph::constant_of(graph, node.inputs[2]);
  const std::int64_t channels = scale.num_elements();
  const Attribute epsilon = node.attributes.get_float("epsilon", 1e-5F);
  const ValueId grouped = speller.node("Reshape", {x, speller.integers({0, groups, -1})});
  const ValueId ones = speller.vector(std::vector<float>(static_cast<std::size_t>(groups), 1.0F));
  const ValueId zeros = speller.vector(std::vector<float>(static_cast<std::size_t>(groups), 0.0F));
  const ValueId normalized = speller.node("InstanceNormalization", {grouped, ones, zeros}, {{"epsilon", epsilon}});
  ValueId y = speller.node("Reshape", {normalized, speller.integers({0, channels, -1})});
  const auto column = [&](const Tensor& values) {
    return speller.real("_column", values.reshaped(Shape{channels, 1}));
  };
  y = speller.node("Mul", {y, column(scale)});
  y = speller.node("Add", {y, column(bias)});
  speller.last("Reshape", {y, speller.node("Shape", {x})});
}

/// An operator some opsets lack, and how to say it without.
struct Spelling {
  std::string_view op_type;
  int since_opset;
  void (*spell)(Graph&, const Node&, Speller&);
};
constexpr Spelling kSpellings[] = {
    {"Gelu", 20, &spell_gelu},
    {"GroupNormalization", 21, &spell_group_normalization},
    {"HardSwish", 14, &spell_hard_swish},
    {"LayerNormalization", 17, &spell_layer_normalization},
    {"Mish", 18, &spell_mish},
    {"RMSNormalization", 23, &spell_rms_normalization},
    {"Swish", 24, &spell_swish},
};

/// Before opset 18 these took their axes as an attribute.
bool is_reduction_with_axes_attribute(const Node& node, int opset) {
  return opset < 18 && node.op_type.starts_with("Reduce") && node.op_type != "ReduceSum";
}

void move_axes_to_attribute(const Graph& graph, Node& node) {
  if (node.inputs.size() > 1 && node.inputs[1] != kNoValue) {
    if (const Tensor* axes = graph::constant_of(graph, node.inputs[1])) node.attributes.set("axes", to_int64s(*axes));
  }
  node.inputs.resize(1);
  node.attributes.erase("noop_with_empty_axes");
}

bool needs_wide_grid(const Graph& graph, const Node& node) {
  if (node.op_type != "QuantizeLinear" && node.op_type != "DequantizeLinear") return false;
  if (node.attributes.get_int("block_size", 0) != 0) return true;
  if (node.inputs.size() < 3 || node.inputs[2] == kNoValue) return false;
  const graph::Value& zero_point = graph.value(node.inputs[2]);
  if (!zero_point.constant) return false;
  const DType dtype = zero_point.constant->dtype();
  return zero_point.narrow_bits != 0 || dtype == DType::kInt16 || dtype == DType::kUint16;
}

}  // namespace

int opset_for(const Graph& graph) {
  int opset = std::max(graph.opset, kOldestWritten);
  for (const Node& node : graph.nodes) {
    if (!node.domain.empty()) continue;
    // Spelling it out takes a scale and a bias that are known.
    const bool computed_groups =
        node.op_type == "GroupNormalization" &&
        (graph::constant_of(graph, node.inputs[1]) == nullptr || graph::constant_of(graph, node.inputs[2]) == nullptr);
    if (needs_wide_grid(graph, node) || computed_groups) opset = std::max(opset, kWideGridOpset);
  }
  return opset;
}

Graph to_export_forms(Graph graph, int opset) {
  std::vector<Node> nodes;
  nodes.reserve(graph.nodes.size());
  for (Node& node : graph.nodes) {
    const auto* spelling = std::ranges::find(kSpellings, node.op_type, &Spelling::op_type);
    if (node.domain.empty() && spelling != std::end(kSpellings) && opset < spelling->since_opset) {
      const Node original = std::move(node);
      Speller speller(graph, original, nodes);
      spelling->spell(graph, original, speller);
      continue;
    }
    if (node.domain.empty() && is_reduction_with_axes_attribute(node, opset)) move_axes_to_attribute(graph, node);
    if (node.domain.empty() && node.op_type == "Split" && opset < 18) node.attributes.erase("num_outputs");
    nodes.push_back(std::move(node));
  }
  graph.nodes = std::move(nodes);
  return graph::remove_unused(std::move(graph));
}

}  // namespace halfstep::io
