// prepare.hpp: all passes in the right order.
#pragma once

#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {

/// Runs every pass of passes.hpp until nothing changes (a bounded number of
/// rounds), activations fused last, and graph::verify() after each.
/// Errors: those of the passes, "fold_constants: " and so on in front.
Result<graph::Graph> prepare(graph::Graph graph, const PassContext& context);

}  // namespace halfstep::passes
