// canonical.hpp: every operator in its newest form, whatever the file's opset.
#pragma once

#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// Rewrites each node from the form of its Node::file_opset to the newest one,
/// as docs/operators-canonical.md lists. Requires sorted nodes; they stay so.
/// Values keep their ids, new ones get unused names. Not for subgraphs inside:
/// the builder canonicalizes each of them itself.
/// Errors: kUnsupported or kInvalidInput, with the node named, for old forms
/// that have no newest one or are malformed.
Result<graph::Graph> canonicalize(graph::Graph graph);

}  // namespace halfstep::io
