// target_orders.hpp: what a target asks of single tensors.
//
// Three steps around the orders that users give, which are stronger:
//   target_orders()     widths of operators that lack the general one; operators that the device lacks stay real
//   follow_target()     widths through operators that keep the precision of their data; grids that are fixed
//   convert_widths()    (target_converts.hpp) converts where widths do not fit together
#pragma once

#include <string>
#include <vector>

#include "encoding/target_profile.hpp"
#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"
#include "precision/options.hpp"
#include "precision/orders.hpp"

namespace halfstep::precision {

/// `graph` with the clamps taken out of nodes that the target does not compute together with them: Relu and Clip nodes
/// again, under the names they had. Not for clamps by channel, which no file has.
graph::Graph split_clamps(graph::Graph graph, const TargetProfile& target);

/// Orders of outputs, weights and biases whose general width the operator's rule does not have, and of outputs of
/// operators without a rule, with a line in `warnings` for each such node: they are real, as the host is. Without a
/// host there is no order for them, and check_kinds() will object.
Orders target_orders(const graph::Graph& graph, const ops::Facts& facts, const Options& options,
                     const TargetProfile& target, std::vector<std::string>& warnings);

/// Adds to `given`, which holds everything users asked for: orders of the tensors around nodes that keep the precision
/// of their data, where nobody has asked for another width; and encodings of outputs whose grid the target fixes for
/// the width they have, where they have none.
void follow_target(const graph::Graph& graph, const ops::Facts& facts, const Options& options,
                   const TargetProfile& target, Given& given);

/// The width of a tensor on a grid to be: that of its encoding, else the ordered one, else the general one.
int planned_bits(const graph::Graph& graph, graph::ValueId id, const SettledOrders& settled, const Options& options,
                 const Given& given);

}  // namespace halfstep::precision
