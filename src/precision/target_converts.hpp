// target_converts.hpp: converts between integers of two widths, where a target's operators need them.
//
//   x (16 bits) -> Softmax of 8 bits     becomes   x -> Identity -> x_8bit -> Softmax
//   Add(x, y (16 bits)) of one width     becomes   x -> Identity -> x_16bit, Add(x_16bit, y)
#pragma once

#include "encoding/target_profile.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "precision/options.hpp"
#include "precision/orders.hpp"

namespace halfstep::precision {

/// `graph` with an Identity between a tensor and those of its readers that need another width, one for each width: the
/// width of the reader's output, where the reader's rule is one_width or keeps_precision; else one that the rule has.
/// Constants get a copy instead. `given` gets orders of both ends, and an encoding of the new one where that of the old
/// one is settled. Requires: `graph` went through insert_converts(). Errors: those of infer_facts().
Result<graph::Graph> convert_widths(graph::Graph graph, const ops::InputShapes& shapes, const Options& options,
                                    const TargetProfile& target, Given& given);

}  // namespace halfstep::precision
