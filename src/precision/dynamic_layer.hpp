// dynamic_layer.hpp: which layers ConvInteger and MatMulInteger can compute, and from what.
#pragma once

#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::precision {

/// A layer as y = alpha * x' W' + beta * b.
struct DynamicLayer {
  graph::ValueId weight = graph::kNoValue;  ///< A float32 constant, not empty; operand 1.
  graph::ValueId bias = graph::kNoValue;    ///< Computed only where beta is 1; kNoValue: there is none.
  bool is_conv = false;
  bool transposes_input = false;
  bool transposes_weight = false;
  float alpha = 1.0F;  ///< Not 0.
  float beta = 1.0F;
};

/// A layer with weights that computes float32 from float32. `facts`: of its graph.
bool is_dynamic_candidate(const graph::Node& node, const ops::Facts& facts);

/// Requires: is_dynamic_candidate(). Errors: kUnsupported with the reason, a clause of which the layer is the subject,
/// if integers cannot compute it.
Result<DynamicLayer> dynamic_layer_of(const graph::Graph& graph, const graph::Node& node);

}  // namespace halfstep::precision
