// target_checks.hpp: whether every node of a model is within what a target can do.
//
// All errors are kUsage, one line that names the node, the tensor, the target's rule and a remedy.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "encoding/encoding_set.hpp"
#include "encoding/target_profile.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "precision/plan.hpp"

namespace halfstep::precision {

/// What each tensor is made of, by ValueId; empty: no real number, or the same for every sample by computation.
using TensorKinds = std::vector<std::optional<NumberKind>>;

/// As planned. `imported`: the encodings that stand already.
TensorKinds kinds_of(const graph::Graph& graph, const ops::Facts& facts, const Plan& plan, const EncodingSet& imported);
/// As it came out.
TensorKinds kinds_of(const graph::Graph& graph, const ops::Facts& facts, const EncodingSet& encodings);

/// Every node: the target has the operator, for these widths, together; what stays real has a host to run on.
/// `plan` is for the remedies.
Result<void> check_kinds(const graph::Graph& graph, const TargetProfile& target, const TensorKinds& kinds,
                         const Plan& plan);

/// Every grid: kind of scale, zero point, one or by channel, fixed ones, integers of biases, pair sums, shifts.
Result<void> check_grids(const graph::Graph& graph, const ops::Facts& facts, const TargetProfile& target,
                         const EncodingSet& encodings);

}  // namespace halfstep::precision
