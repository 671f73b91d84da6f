// value_floors.hpp: how far down a grid must reach where only Softmax looks in the end.
// With Plan::trim_flat, the same for functions such as Swish and HardSwish, which make 0 of anything far enough below.
//
// Attention adds masks of -1e4, -1e9 or the lowest float32 to scores of a few units. On a grid that reaches there the
// scores are gone, though Softmax makes 0 of anything far enough below the largest value of its row.
#pragma once

#include <vector>

#include "calib/observe.hpp"
#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"
#include "precision/plan.hpp"

namespace halfstep::precision {

/// By ValueId: values below this one may become it, and no output of the graph changes by more than about 1e-6.
/// -infinity where there is no such value. From (f is less exact)
///   Softmax   the lowest maximum of a row less ln(1e6 * row length), less a margin for rows not seen; only where the
///             values reach twice as far down
///   f(x)      flat_below(): there f changes by at most a quarter of a step of its output's grid; with plan.trim_flat
///   a + b     the floor of the sum less the largest other addend
///   movement  the floor of what it is moved to
/// where all readers have one. `observations`: watches_of() of the same plan.
std::vector<double> value_floors(const graph::Graph& graph, const ops::Facts& facts, const Plan& plan,
                                 const calib::Observations& observations, const EncodingSet& imported);

}  // namespace halfstep::precision
