// graphs.hpp: small graphs and what is known of their tensors, for the tests of this folder.
#pragma once

#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"
#include "unit/exec/small_graph.hpp"

namespace halfstep::precision {

using GraphBuilder = exec::SmallGraph;

/// float32 for everything but constants, which have their own types. Shapes are not looked at.
inline ops::Facts float_facts(const graph::Graph& graph) {
  ops::Facts facts(graph.values.size());
  for (std::size_t v = 0; v < facts.size(); ++v) {
    facts[v].type = graph.values[v].constant ? graph.values[v].constant->type() : TensorType{DType::kFloat32, {1}};
    facts[v].value = graph.values[v].constant;
  }
  return facts;
}

}  // namespace halfstep::precision
