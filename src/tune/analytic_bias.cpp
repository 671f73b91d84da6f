// analytic_bias.cpp: the weights' error times the expected inputs, layer by layer.
#include "tune/analytic_bias.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string_view>

#include "core/text.hpp"
#include "encoding/encoding_set.hpp"
#include "ops/operands.hpp"
#include "passes/linear.hpp"
#include "tune/expected_inputs.hpp"

namespace halfstep::tune {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;
using passes::Edit;
using passes::Linear;

/// The float graph and what is expected of its tensors.
struct FloatReference {
  const Edit edit;
  const ops::Facts& facts;
  const ExpectedValues expected;
  std::map<std::string_view, NodeId> writers = {};  ///< By the name of output 0.

  FloatReference(const Graph& graph, const ops::Facts& known)
      : edit(graph), facts(known), expected(expected_values(graph, known)) {
    for (std::size_t n = 0; n < edit.graph.nodes.size(); ++n) {
      const Node& node = edit.graph.nodes[n];
      if (node.outputs.empty() || node.outputs[0] == kNoValue) continue;
      writers.emplace(edit.graph.value(node.outputs[0]).name, static_cast<NodeId>(n));
    }
  }
};

/// One layer in both graphs.
struct CorrectedLayer {
  const Node& node;  ///< In the quantized graph.
  ValueId weight;
  ValueId bias;
  const Node& float_node;  ///< In the reference.
  const Linear& linear;    ///< Of float_node.
};

/// Why the bias can't be changed; empty if it can.
std::string bias_obstacle(const QuantizedGraph& model, const CorrectedLayer& layer, const graph::Links& links) {
  if (passes::input_of(layer.node, 2) == kNoValue) return "no bias";
  if (layer.bias == kNoValue) return "its bias is computed";
  const graph::Value& bias = model.graph.value(layer.bias);
  const TensorEncoding* encoding = find_encoding(model.encodings, bias.name);
  if (bias.pinned || (encoding != nullptr && encoding->frozen)) return "its bias came with an encoding";
  if (links.single_consumer(layer.bias) == graph::kNoNode) return "its bias has other readers";
  if (bias.constant->shape() != Shape{layer.linear.out_channels}) return "its bias has not one value a channel";
  if (layer.node.attributes.get_float("beta", 1.0F) == 0.0F) return "its bias does not count";
  return "";
}

/// The sums of (W_q - W) E[x], [out_channels]. Requires: the weight has an encoding.
std::vector<double> mean_errors(const QuantizedGraph& model, const FloatReference& reference,
                                const CorrectedLayer& layer, const std::vector<double>& expected) {
  const graph::Value& weight = model.graph.value(layer.weight);
  const TensorEncoding& entry = *find_encoding(model.encodings, weight.name);
  const Tensor codes = entry.codes ? *entry.codes : quantize(*weight.constant, entry.encoding);
  const Tensor& exact = *graph::constant_of(reference.edit.graph, layer.float_node.inputs[1]);
  std::vector<double> errors = passes::weighted_sums(layer.linear, dequantize(codes, entry.encoding), expected);
  const std::vector<double> wanted = passes::weighted_sums(layer.linear, exact, expected);
  const double alpha = layer.node.attributes.get_float("alpha", 1.0F);
  for (std::size_t c = 0; c < errors.size(); ++c) errors[c] = alpha * (errors[c] - wanted[c]);
  return errors;
}

/// Subtracts `errors` from what the bias adds and answers the largest of them.
Result<double> subtract_from_bias(QuantizedGraph& model, const CorrectedLayer& layer,
                                  const std::vector<double>& errors) {
  const Tensor& bias = *model.graph.value(layer.bias).constant;
  const double beta = layer.node.attributes.get_float("beta", 1.0F);
  Tensor corrected(bias.type());
  double largest = 0.0;
  for (std::size_t c = 0; c < errors.size(); ++c) {
    corrected.mutable_data<float>()[c] = static_cast<float>(bias.data<float>()[c] - errors[c] / beta);
    largest = std::max(largest, std::abs(errors[c]));
  }
  const Result<void> changed = change_constant(model, layer.bias, std::move(corrected), "bias corrected (analytic)");
  if (!changed.ok()) return changed.error();
  return largest;
}

Result<AnalyticCorrection> correct_layer(QuantizedGraph& model, const FloatReference& reference,
                                         const graph::Links& links, const Node& node) {
  AnalyticCorrection report{.layer = model.graph.value(node.outputs[0]).name, .obstacle = {}};
  const auto at = reference.writers.find(report.layer);
  const std::optional<Linear> linear =
      at == reference.writers.end() ? std::nullopt : passes::layer_at(reference.edit, at->second, reference.facts);
  const ValueId weight = ops::weight_of(model.graph, node);
  const Tensor& values = *model.graph.value(weight).constant;
  const Node* float_node = linear ? &reference.edit.node(linear->node) : nullptr;
  if (!linear || graph::constant_of(reference.edit.graph, float_node->inputs[1])->shape() != values.shape()) {
    report.obstacle = "the float model has no such layer with constant weights that are free";
    return report;
  }
  const CorrectedLayer layer{node, weight, ops::bias_of(model.graph, node), *float_node, *linear};
  report.obstacle = bias_obstacle(model, layer, links);
  if (!report.obstacle.empty()) return report;
  const std::vector<double>& expected = reference.expected[passes::index(float_node->inputs[0])];
  const bool channels_match = static_cast<std::int64_t>(expected.size()) == linear->in_channels;
  if (!channels_match || node.attributes.get_int("transA", 0) != 0 || (!linear->spatial && linear->output_rank != 2)) {
    report.obstacle = "no BatchNorm statistics tell what it reads";
    return report;
  }
  const Result<double> largest = subtract_from_bias(model, layer, mean_errors(model, reference, layer, expected));
  if (!largest.ok()) return largest.error().at(graph::describe(model.graph, node));
  report.largest_change = *largest;
  return report;
}

std::string layers_text(std::size_t count) { return std::to_string(count) + (count == 1 ? " layer" : " layers"); }

}  // namespace

std::vector<std::string> lines_of(const std::vector<AnalyticCorrection>& corrections) {
  std::map<std::string_view, std::vector<const AnalyticCorrection*>> by_obstacle;
  const AnalyticCorrection* most = nullptr;
  for (const AnalyticCorrection& correction : corrections) {
    by_obstacle[correction.obstacle].push_back(&correction);
    if (!correction.obstacle.empty()) continue;
    if (most == nullptr || correction.largest_change > most->largest_change) most = &correction;
  }
  std::vector<std::string> lines;
  for (const auto& [obstacle, layers] : by_obstacle) {
    if (!obstacle.empty()) {
      lines.push_back("not corrected: " + layers_text(layers.size()) + ", such as " + quoted(layers[0]->layer) + ": " +
                      std::string(obstacle));
      continue;
    }
    char change[32];
    std::snprintf(change, sizeof(change), "%.6g", most->largest_change);
    lines.push_back("biases of " + layers_text(layers.size()) + " corrected, by at most " + change + " in " +
                    quoted(most->layer));
  }
  return lines;
}

Result<std::vector<AnalyticCorrection>> correct_biases_analytically(QuantizedGraph& model, const Graph& reference,
                                                                    const ops::Facts& facts) {
  const FloatReference float_reference(reference, facts);
  const graph::Links links = graph::links_of(model.graph);
  std::vector<AnalyticCorrection> corrections;
  for (const Node& node : model.graph.nodes) {
    const ValueId weight = ops::weight_of(model.graph, node);
    if (weight == kNoValue || find_encoding(model.encodings, model.graph.value(weight).name) == nullptr) continue;
    Result<AnalyticCorrection> corrected = correct_layer(model, float_reference, links, node);
    if (!corrected.ok()) return corrected.error();
    corrections.push_back(*std::move(corrected));
  }
  return corrections;
}

}  // namespace halfstep::tune
