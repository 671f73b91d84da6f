// assign_encodings.hpp: from observations and constants to the encodings of a model.
#pragma once

#include <string>
#include <vector>

#include "calib/observe.hpp"
#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "precision/choose_tensors.hpp"
#include "precision/options.hpp"

namespace halfstep::precision {

/// How many tensors of which kind were encoded.
struct EncodingCounts {
  int observed = 0;
  int fixed = 0;
  int shared = 0;
  int frozen = 0;  ///< Of any role.
  int weights = 0;
  int operands = 0;  ///< Constants that are data: of Add, Mul, PRelu, ...
  int biases = 0;
};

struct Assignment {
  EncodingSet encodings;
  std::vector<std::string> warnings;  ///< One line each, in the order of values, then nodes.
  EncodingCounts counts;
};

/// Encodings of everything `choices` names, and of the constants of every node
/// with an integer form. `graph` went through unshare_parameters(), `choices`
/// is choose_tensors() of the same graph, facts and frozen set, `observations`
/// holds choices.observed. Codes of weights, operands and biases are filled.
/// - Weights: weight_request(), per channel where the operator has channels and options.per_channel.
/// - Constant data: activation_request(); an operand of Concat takes the grid of its output.
/// - Biases: (E6) at 32 bits; a symmetric grid of their own at 8. A bias stays float if the node's input or weight has
///   no encoding.
/// - `frozen` wins and is kept with its codes; where those are missing on a constant they are computed.
/// Errors: kCalibration naming a constant with NaN or infinity; kUsage from
/// check(options); kInvalidInput if a frozen encoding does not fit its constant.
Result<Assignment> assign_encodings(const graph::Graph& graph, const ops::Facts& facts, const Choices& choices,
                                    const calib::Observations& observations, const Options& options,
                                    const EncodingSet& frozen = {});

}  // namespace halfstep::precision
