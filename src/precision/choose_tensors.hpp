// choose_tensors.hpp: which tensors get an encoding, of what kind, and what it comes from.
#pragma once

#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"
#include "precision/options.hpp"
#include "precision/orders.hpp"
#include "precision/plan.hpp"

namespace halfstep::precision {

/// Decides for every tensor of `graph`, which went through unshare_parameters(). Activations:
/// - outputs of operators that compute with an integer form are encoded, fixed or observed (after their clamp);
/// - operators that only move data share their input's encoding, and run in float where that has none; not those whose
///   output leaves the input's range (ops::leaves_input_range), which count as computing;
/// - outputs of the graph that are observed are not clipped by percentile: there it is min-max;
/// - inputs of the graph, and outputs of float islands, are encoded if an operator that computes with an integer form
///   needs them (or any with integer form, in a graph that only moves data);
/// - Concat is observed at its output, and what nobody else reads takes that encoding (through data movement, too),
///   unless it is fixed or imported;
/// - tensors with an order (orders.hpp) to be real stay so, and so do the nodes that compute them; a width that was
///   ordered replaces options.act_bits, and what moves from one width to another has two grids;
/// - what `given.encodings` names keeps its encoding; data moved into such a tensor takes it where nobody else reads
/// it;
/// - with options.act_per_channel, observed outputs of convolutions and inputs that only depthwise convolutions read
/// get
///   a grid for each channel;
/// - tensors that are not float, or whose type is unknown before running, stay as they are.
/// Constants of nodes with an integer form:
/// - weights: weight_request(), per channel where the operator has channels and options.per_channel;
/// - data: activation_request(); an operand of Concat takes the grid of its output;
/// - biases: (E6) at 32 bits, a symmetric grid of their own at 8; float where input or weight has no encoding.
Plan choose_tensors(const graph::Graph& graph, const ops::Facts& facts, const Options& options,
                    const Given& given = {});

}  // namespace halfstep::precision
