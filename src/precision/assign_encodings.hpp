// assign_encodings.hpp: from a plan, observations and constants to the encodings of a model.
#pragma once

#include <string>
#include <vector>

#include "calib/observe.hpp"
#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "precision/plan.hpp"

namespace halfstep::precision {

/// How many tensors of which kind were encoded.
struct EncodingCounts {
  int observed = 0;
  int fixed = 0;
  int shared = 0;
  int imported = 0;  ///< Of any role.
  int weights = 0;
  int operands = 0;  ///< Constants that are data: of Add, Mul, PRelu, ...
  int biases = 0;
};

struct Assignment {
  EncodingSet encodings;
  std::vector<std::string> warnings;  ///< One line each, in the order of values, then nodes.
  EncodingCounts counts;
};

/// Carries out `plan`: encodings of everything it gives a grid, codes of weights, operands and biases filled.
/// `observations` holds what watches_of() asks for.
/// - Grids end where only Softmax would look below (value_floors()).
/// - A weight's scale is raised where its node's bias would not fit in 32 bits (raise_for_bias()).
/// - A bias of 32 bits that can't stand on (E6) stays float, and so does one that came with another grid: runtimes add
///   its integers to the accumulators as they are.
/// - `imported` wins and is kept with its codes; where those are missing on a constant they are computed.
/// Errors: kCalibration naming a constant with NaN or infinity; kUsage for a grid that makes no sense
/// (check_request()); kInvalidInput if an imported encoding does not fit its constant.
Result<Assignment> assign_encodings(const graph::Graph& graph, const ops::Facts& facts, const Plan& plan,
                                    const calib::Observations& observations, const EncodingSet& imported = {});

}  // namespace halfstep::precision
