// align_inputs.hpp: one grid for what Add and Concat bring together, where it costs little.
#pragma once

#include <vector>

#include "calib/observe.hpp"
#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"
#include "precision/plan.hpp"

namespace halfstep::precision {

/// The range of several tensors on one grid: of their distributions merged where the rule reads histograms, else their
/// ranges together. Requires: `members` is not empty; they hold what the rule reads.
RealRange joint_range(const std::vector<const calib::Observation*>& members, const GridRequest& request,
                      const RangeRule& rule);

/// Changes `plan`, before it is carried out, so that
/// - both addends of an Add, observed and with equal requests, have the grid of both together;
/// - an input of Concat that others read, too, has the grid of the output;
/// where for each tensor x that changes its grid of step s for another,
///   readers(x) * (error on the other - error on its own) <= count(x) * s^2 / 12
/// which is what one more rounding onto its own grid, a requantization, would cost. Errors are squared ones over all
/// observed values. Tensors with a grid a channel, a floor (value_floors()) or an imported encoding stay as they are.
/// Returns how many tensors changed. Requires: `observations` of watches_of(), with plan.align_inputs set.
int align_inputs(const graph::Graph& graph, const ops::Facts& facts, const calib::Observations& observations,
                 const std::vector<double>& floors, Plan& plan);

}  // namespace halfstep::precision
