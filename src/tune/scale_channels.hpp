// scale_channels.hpp: carries out the factors of scaling groups.
#pragma once

#include <span>
#include <vector>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "tune/scaling_groups.hpp"

namespace halfstep::tune {

/// `graph` with channel c of every tensor of groups[g] divided by factors[g][c]: rows of weights, biases, addends and
/// bounds of clamps are divided, columns multiplied, in double, and rounded once. Bounds that differ become
/// FusedClamp::channels, bounds that don't become plain ones. Constants of groups whose factors are all 1 keep their
/// storage. Names stay.
/// Requires: `groups` are from find_scaling_groups(graph); as many factors as groups, each [C], > 0 and finite.
/// Errors: kUnsupported naming the constant or node that would no longer be finite.
Result<graph::Graph> scale_channels(graph::Graph graph, std::span<const ScalingGroup> groups,
                                    std::span<const std::vector<double>> factors);

}  // namespace halfstep::tune
