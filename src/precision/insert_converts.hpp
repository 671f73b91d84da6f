// insert_converts.hpp: nodes that carry a tensor over from one kind of number to another.
//
// A tensor is on one grid, or real in one format. Where a reader needs it otherwise a convert stands between the two,
// an Identity whose output has the other kind; all readers that need the same share one:
//   x (real) -> Conv on integers     becomes   x -> Identity -> x_converted (a grid) -> Conv
//   x (float32 or a grid) -> Mul in float16    x -> Identity -> x_float16 -> Mul
// Programs and files make a QuantizeLinear or a Cast of it. Two grids of different widths need none: integer forms take
// each operand on its own grid. From codes to float32, and from float16 to float32, reading is all that is needed.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "precision/options.hpp"
#include "precision/orders.hpp"

namespace halfstep::precision {

/// Nodes all of whose real-valued operands and outputs have an order of 32 bits compute on plain integers: Cast to
/// int32 in front of each operand, one a tensor, and Cast back behind each output, under its old name. The tensors
/// themselves are encoded as ever; their orders of 32 bits go, and their names to given.int32. Errors: kUsage naming
/// tensor and node if another operand of the node has no such order, the node has weights, or its operator does not
/// take int32.
Result<graph::Graph> compute_in_int32(graph::Graph graph, const ops::InputShapes& shapes, Given& given);

/// `graph` with the converts that the orders of `given` ask for, and graph::Value::format set. `given` gets orders of
/// the new tensors, and loses encodings of tensors that are to be real, with a line in `warnings`. Constants get a copy
/// instead of a convert. Inputs of the graph stay float32. Requires: `graph` went through unshare_parameters();
/// `shapes` of its inputs. Errors: those of infer_facts().
Result<graph::Graph> insert_converts(graph::Graph graph, const ops::InputShapes& shapes, const Options& options,
                                     Given& given, std::vector<std::string>& warnings);

}  // namespace halfstep::precision
