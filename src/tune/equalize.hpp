// equalize.hpp: scales channels so that one grid fits all of them; the float function stays as it is.
//
//   s_c = x_c^a * r1_c^b * r2_c^-b,  b = (1 - a) / 2,  normalised to a geometric mean of 1
//
// x_c is the magnitude that channel c of a group's activations reaches (ChannelStatistics), r1_c that of the rows that
// write it, r2_c that of the columns that read it. a = 0 equalizes weights only (Nagel et al., ICCV 2019, equation 11),
// a = 1 activations only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "calib/observe.hpp"
#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "precision/plan.hpp"

namespace halfstep::tune {

/// What became of one group.
struct EqualizedGroup {
  std::string tensor;                          ///< The first that is written.
  std::int64_t num_channels = 0;               ///< C
  std::optional<double> alpha = std::nullopt;  ///< Empty: left as it was, no alpha promised less error.
  double error_before = 0.0;                   ///< ErrorPredictor::predict(), no group scaled.
  double error_after = 0.0;                    ///< The same in the end.
  std::vector<double> factors = {};            ///< s_c, [C].
};

struct Equalized {
  graph::Graph graph;
  std::vector<EqualizedGroup> groups;  ///< All that could be scaled, in the order in which they are written.
  std::vector<std::string> refused;    ///< One line each: "'x': it is an output of the model".
  int num_scaled = 0;                  ///< Groups whose factors differ from 1.
  double smallest_factor = 1.0;
  double largest_factor = 1.0;
};

/// What calibration must look at for equalize(): the tensors of groups, what their writers read and what their readers
/// write, channel_axis set, no histograms. In the order of values, each once.
std::vector<calib::Watch> watches_for_equalizing(const graph::Graph& graph, const ops::Facts& facts,
                                                 const EncodingSet& imported = {});

/// What the choice of factors looks at. All of the same graph, and unchanged while equalize() runs.
struct EqualizeRequest {
  const ops::Facts& facts;
  const precision::Plan& plan;              ///< The grids that tensors and weights will get.
  const calib::Observations& observations;  ///< Of watches_for_equalizing().
  const EncodingSet& imported;              ///< Groups with tensors or weights named here are left out.
  std::optional<double> alpha = {};         ///< a of every group. Empty: the one with the least predicted error.
  double weight_error = 1.0;                ///< As ErrorPredictor::make(): less where rounding will look at inputs.
};

/// Equalizes every group of `graph`, twelve rounds over all of them, since each changes the weights of its neighbours.
/// In each round a group takes the a of {0, 0.25, 0.5, 0.75, 1} with the least predicted error, or factors of 1 if none
/// has less. Channels with no x, r1 or r2 to speak of count as 1 and do not count in the mean. A group whose tensors
/// have no channel statistics is refused.
/// Requires: 0 <= alpha <= 1.
/// Errors: kUsage for a plan whose grids make no sense; kUnsupported if a weight would leave the float32 numbers.
Result<Equalized> equalize(const graph::Graph& graph, const EqualizeRequest& request);

}  // namespace halfstep::tune
