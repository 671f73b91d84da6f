// recognise_functions.cpp: a written-out activation becomes one operator, however it is written.
//
//   before:  y = 1 / (1 + exp(-x))                                     after:  y = Sigmoid(x)
//   before:  y = x / (1 + exp(-x)),  x * Sigmoid(1.702 x)              after:  y = Swish(x), Swish(x, alpha = 1.702)
//   before:  y = log(1 + exp(x))                                       after:  y = Softplus(x)
//   before:  y = x * clip(x + 3, 0, 6) / 6                             after:  y = HardSwish(x)
//   before:  y = max(x, 0) + a * min(x, 0)                             after:  y = LeakyRelu(x), or PRelu(x, a)
//   before:  y = x * 0.5 * (1 + erf(x / sqrt(2)))                      after:  y = Gelu(x)
//
// and whatever else known_functions.hpp lists: the nodes are run at many points, and what agrees with an operator's
// function is that operator. An exponential in between spans powers of ten, which no grid of integers does.
// Conditions: nothing between is read elsewhere, pinned or a graph output; the agreement is to 1e-6. y keeps its name.
#include <algorithm>

#include "passes/known_functions.hpp"
#include "passes/passes.hpp"
#include "passes/scalar_region.hpp"

namespace halfstep::passes {
namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

/// Clip takes its bounds as operands.
void bounds_to_operands(Edit& edit, Node& clip, const std::string& name) {
  if (clip.op_type != "Clip") return;
  for (const char* bound : {"min", "max"}) {
    const bool has = clip.attributes.has(bound);
    const float value = clip.attributes.get_float(bound, 0.0F);
    clip.inputs.push_back(has ? graph::add_constant(edit.graph, name + "_" + bound, Tensor::of<float>({}, {value}))
                              : kNoValue);
    clip.attributes.erase(bound);
  }
  if (clip.inputs.back() == kNoValue) clip.inputs.pop_back();
}

/// PRelu with the region's constant, or with its negative.
Node prelu_of(Edit& edit, const ScalarRegion& region, double factor) {
  Node prelu;
  prelu.op_type = "PRelu";
  ValueId slope = region.slope;
  if (factor < 0.0) {
    const Tensor& positive = *graph::constant_of(edit.graph, slope);
    Tensor negative(positive.type());
    std::ranges::transform(positive.values<float>(), negative.mutable_data<float>(), [](float s) { return -s; });
    slope = graph::add_constant(edit.graph, edit.graph.value(slope).name + "_negative", std::move(negative));
  }
  prelu.inputs = {region.x, slope};
  return prelu;
}

std::optional<Node> operator_for(Edit& edit, const ScalarRegion& region, const std::string& name) {
  if (region.slope != kNoValue) {
    const std::optional<double> factor = prelu_factor(region.function);
    return factor ? std::optional(prelu_of(edit, region, *factor)) : std::nullopt;
  }
  std::optional<Node> known = known_function([&](double x) { return region.function(x, 0.0); });
  if (!known) return std::nullopt;
  known->inputs = {region.x};
  bounds_to_operands(edit, *known, name);
  return known;
}

bool recognise_function_at(Edit& edit, NodeId n, const ops::Facts& facts) {
  for (const ScalarRegion& region : scalar_regions_at(edit, n, facts)) {
    const std::string name = edit.graph.value(edit.node(n).outputs[0]).name;
    std::optional<Node> node = operator_for(edit, region, name);
    if (!node) continue;
    replace_nodes(edit, region.nodes, *std::move(node));
    return true;
  }
  return false;
}

}  // namespace

Result<graph::Graph> recognise_functions(graph::Graph graph, const PassContext& context) {
  return rewrite(std::move(graph), context, recognise_function_at);
}

}  // namespace halfstep::passes
