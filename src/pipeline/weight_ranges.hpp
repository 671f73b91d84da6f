// weight_ranges.hpp: what changing the float model did to the ranges of its weights.
#pragma once

#include <vector>

#include "graph/graph.hpp"
#include "report/report.hpp"

namespace halfstep::pipeline {

/// Largest |w| of each output channel of the weights that differ between two float graphs, in the order `before` reads
/// them. A weight is found again by its tensor's name; left out are those that `after` does not have in the same shape,
/// that did not change, and that have no axis of output channels (ops::weight_axis). The same for every number of
/// threads.
std::vector<report::WeightRanges> weight_ranges(const graph::Graph& before, const graph::Graph& after);

}  // namespace halfstep::pipeline
