// choose_constants.hpp: the part of a plan that is about constants.
#pragma once

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"
#include "precision/options.hpp"
#include "precision/orders.hpp"
#include "precision/plan.hpp"

namespace halfstep::precision {

/// Fills `plan`, whose activations are decided, for the constants of every node with an integer form: choose_tensors()
/// says how.
void choose_constants(const graph::Graph& graph, const ops::Facts& facts, const Options& options,
                      const EncodingSet& imported, const SettledOrders& orders, Plan& plan);

}  // namespace halfstep::precision
