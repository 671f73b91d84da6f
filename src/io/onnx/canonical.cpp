// canonical.cpp: the walk over the nodes, and what every rule needs.
#include "io/onnx/canonical.hpp"

#include <algorithm>
#include <array>

#include "io/onnx/canonical_rules.hpp"
#include "io/onnx/tensor_proto.hpp"

namespace halfstep::io {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

// Attributes that hold an element type. float64 and 16-bit floats become float32.
constexpr std::array<std::string_view, 7> kTypeAttributes = {
    "to", "dtype", "output_dtype", "output_datatype", "stash_type", "softmax_precision", "precision"};

void canonicalize_types(Node& node) {
  for (std::string_view name : kTypeAttributes) {
    if (const auto* type = node.attributes.find<std::int64_t>(name)) {
      node.attributes.set(std::string(name), canonical_type_number(*type));
    }
  }
}

// ONNX Runtime's own spelling of operators that ONNX has, too.
void adopt_contributed(Node& node) {
  constexpr std::array<std::string_view, 2> kSame = {"QuantizeLinear", "DequantizeLinear"};
  if (node.domain != "com.microsoft" || std::ranges::find(kSame, node.op_type) == kSame.end()) return;
  node.domain.clear();
  node.file_opset = 21;
}

Result<void> apply(std::span<const RuleRow> rows, Rewriter& rewriter, Node& node) {
  for (const RuleRow& row : rows) {
    if (row.op_type != node.op_type || node.file_opset < row.first_opset || node.file_opset >= row.end_opset) continue;
    return row.rule(rewriter, node);
  }
  return {};
}

}  // namespace

Rewriter::Rewriter(Graph& graph) : graph_(graph), used_(graph.values.size(), false) {
  for (const graph::Value& value : graph.values) names_.insert(value.name);
  for (const Node& node : graph.nodes) {
    for (ValueId id : node.inputs) {
      if (id != kNoValue) used_[static_cast<std::size_t>(id)] = true;
    }
  }
  for (const graph::GraphInput& input : graph.inputs) {
    if (input.declared.dims) input_ranks_[input.value] = static_cast<int>(input.declared.dims->size());
  }
  for (const graph::GraphOutput& output : graph.outputs) used_[static_cast<std::size_t>(output.value)] = true;
}

ValueId Rewriter::new_value(const std::string& base, std::string_view role) {
  const std::string wanted = base + "_" + std::string(role);
  std::string name = wanted;
  for (int suffix = 2; !names_.insert(name).second; ++suffix) name = wanted + "_" + std::to_string(suffix);
  graph_.values.emplace_back().name = std::move(name);
  return static_cast<ValueId>(graph_.values.size() - 1);
}

ValueId Rewriter::constant(std::string_view role, Tensor tensor) {
  const ValueId id = new_value(base_, role);
  graph_.value(id).constant = std::move(tensor);
  return id;
}

ValueId Rewriter::ints(std::string_view role, std::span<const std::int64_t> values) {
  return constant(role, Tensor::of<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
}

ValueId Rewriter::before(std::string_view op_type, std::vector<ValueId> inputs, graph::Attributes attributes) {
  const ValueId output = new_value(base_, op_type);
  Node node;
  node.name = graph_.value(output).name;
  node.op_type = op_type;
  node.inputs = std::move(inputs);
  node.outputs = {output};
  node.attributes = std::move(attributes);
  node.file_opset = file_opset_;
  producer_[output] = done_.size();
  done_.push_back(std::move(node));
  return output;
}

void Rewriter::after(Node& node, std::size_t index, std::string_view op_type, std::vector<ValueId> more_inputs,
                     graph::Attributes attributes) {
  const ValueId old = node.outputs[index];
  const ValueId between = new_value(base_, node.op_type);
  node.outputs[index] = between;
  Node added;
  added.name = base_ + "_" + std::string(op_type);
  added.op_type = op_type;
  added.inputs = {between};
  added.inputs.insert(added.inputs.end(), more_inputs.begin(), more_inputs.end());
  added.outputs = {old};
  added.attributes = std::move(attributes);
  added.file_opset = file_opset_;
  after_.push_back(std::move(added));
}

void Rewriter::set_input(Node& node, std::size_t index, ValueId value) {
  if (node.inputs.size() <= index) node.inputs.resize(index + 1, kNoValue);
  node.inputs[index] = value;
}

bool Rewriter::is_used(const Node& node, std::size_t index) const {
  if (index >= node.outputs.size() || node.outputs[index] == kNoValue) return false;
  const auto id = static_cast<std::size_t>(node.outputs[index]);
  return id >= used_.size() || used_[id];
}

std::optional<int> Rewriter::rank_of(ValueId id, int levels) const {
  if (id == kNoValue || levels == 0) return std::nullopt;
  if (const Tensor* tensor = value_of(id)) return tensor->shape().rank();
  if (const auto input = input_ranks_.find(id); input != input_ranks_.end()) return input->second;
  const auto at = producer_.find(id);
  if (at == producer_.end() || !done_[at->second].domain.empty()) return std::nullopt;
  const Node& node = done_[at->second];
  if (node.op_type == "Gemm" || node.op_type == "Flatten") return 2;
  if (node.op_type == "Reshape") {
    const Tensor* shape = value_of(input(node, 1));
    if (shape != nullptr && shape->shape().rank() == 1) return static_cast<int>(shape->num_elements());
  }
  if (node.op_type == "Conv") return rank_of(input(node, 1), levels - 1);
  constexpr std::array<std::string_view, 10> kKeepRank = {"Relu",        "Dropout",          "Identity", "Transpose",
                                                          "Concat",      "Sigmoid",          "Clip",     "MaxPool",
                                                          "AveragePool", "GlobalAveragePool"};
  if (std::ranges::find(kKeepRank, node.op_type) != kKeepRank.end()) return rank_of(input(node, 0), levels - 1);
  return std::nullopt;
}

Result<Graph> canonicalize(Graph graph) {
  Rewriter rewriter(graph);
  std::vector<Node> nodes = std::move(graph.nodes);
  for (Node& node : nodes) {
    adopt_contributed(node);
    canonicalize_types(node);
    if (node.domain.empty()) {
      rewriter.base_ = node.name;
      for (ValueId id : node.outputs) {
        if (id == kNoValue) continue;
        rewriter.base_ = graph.value(id).name;
        break;
      }
      rewriter.file_opset_ = node.file_opset;
      for (const auto rows : {attribute_rules(), resize_rules(), other_rules()}) {
        if (const auto applied = apply(rows, rewriter, node); !applied.ok()) {
          return applied.error().at(graph::describe(graph, node));
        }
      }
    }
    for (ValueId id : node.outputs) rewriter.producer_[id] = rewriter.done_.size();
    rewriter.done_.push_back(std::move(node));
    for (Node& added : rewriter.after_) {
      rewriter.producer_[added.outputs[0]] = rewriter.done_.size();
      rewriter.done_.push_back(std::move(added));
    }
    rewriter.after_.clear();
  }
  graph.nodes = std::move(rewriter.done_);
  return graph;
}

}  // namespace halfstep::io
