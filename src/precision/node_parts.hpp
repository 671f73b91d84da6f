// node_parts.hpp: how a node treats the encodings of its data.
#pragma once

#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::precision {

enum class Part {
  kFloat,    ///< No integer form, or not on float32 data.
  kCompute,  ///< Its output 0 has a grid of its own.
  kMove,     ///< Its outputs have the grid of its input 0.
  kJoin,     ///< Its inputs take the grid of its output: Concat.
};

Part part_of(const graph::Graph& graph, const graph::Node& node, const ops::Facts& facts);

}  // namespace halfstep::precision
