// unshare_parameters.hpp: one constant for each use that needs an encoding of its own.
#pragma once

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"

namespace halfstep::passes {

/// A constant has one encoding. Where its readers need different ones - a
/// weight along two axes, a bias behind two scales, an operand that is an index
/// table elsewhere - all readers but the first kind get a clone (which shares the storage)
/// under a new name. Constants that `frozen` names stay as they are.
/// Idempotent; no float output changes.
graph::Graph unshare_parameters(graph::Graph graph, const EncodingSet& frozen = {});

}  // namespace halfstep::passes
