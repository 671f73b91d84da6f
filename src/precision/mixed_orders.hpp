// mixed_orders.hpp: from options about nodes, names and operators to orders of tensors.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "precision/options.hpp"
#include "precision/orders.hpp"

namespace halfstep::precision {

struct MixedOrders {
  Orders orders;
  std::vector<std::string> warnings;  ///< One line each: what had no effect.
};

/// What options.mixed says of `graph`, which is folded and fused: a fused Relu or Clip goes by its node's name or by
/// that of the node it is part of. Later members of MixedPrecision are stronger; the two about float bits only say how
/// wide real numbers are. Errors: kUsage naming the option and the nearest names for a name or operator that is not
/// there, and for weights of a node that has none.
Result<MixedOrders> mixed_orders(const graph::Graph& graph, const ops::Facts& facts, const Options& options);

}  // namespace halfstep::precision
