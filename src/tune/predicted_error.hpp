// predicted_error.hpp: what rounding onto the planned grids will cost behind a scaling group, before anything is run.
//
// Rounding to steps of d adds noise of power d^2/12, independent of everything else. For each reader of a group, over
// the power of its output:
//   activations: sum over channels c of (noise of the input's channel) * (squared norm of the reader's column c)
//   its weights: sum over rows r of d_r^2/12 * (sum over what the row reads of E[x^2])
// Outputs, and what reaches them, are taken unscaled: a reader's channels weigh the same whatever is scaled behind it.
// The noise of an input's channel is that of its own grid, of the grids in front of it in the group (a mean
// passes a share), and of the weights that wrote it: d_c^2/12 * (sum over what the writer's row reads of E[x^2]).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "calib/observe.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "precision/plan.hpp"
#include "tune/channel_scaling.hpp"

namespace halfstep::tune {

/// What was seen of the channels of one unscaled tensor, [C] each. An extreme is halfway between that of all samples
/// and the mean of the single samples': one sample far out says little about where a grid should end.
struct ChannelStatistics {
  std::vector<double> min;
  std::vector<double> max;
  std::vector<double> mean_square;
};

/// Empty if `observations` lacks the tensor's channels, or has another number of them.
std::optional<ChannelStatistics> channel_statistics(const calib::Observations& observations, const std::string& name,
                                                    std::int64_t num_channels);

/// Predicts for the groups of a ChannelScaling, which must outlive this, as must the other arguments.
class ErrorPredictor {
 public:
  /// Requires: every tensor of every group has channel_statistics(). Writers' inputs and readers' outputs that have
  /// none count by what is known: the mean of the whole tensor, the weights' norm, or not at all.
  /// Errors: kUsage for a grid that makes no sense (check_request()).
  /// `weight_error`: what of the weights' error of rounding to nearest will be left, 0 to 1.
  static Result<ErrorPredictor> make(const graph::Graph& graph, const ops::Facts& facts, const precision::Plan& plan,
                                     const calib::Observations& observations, const ChannelScaling& scaling,
                                     double weight_error = 1.0);

  /// The magnitude that each channel of the group reaches (ChannelStatistics) in any of its tensors, unscaled, [C].
  std::vector<double> activation_peaks(std::size_t group) const;

  /// The predicted error of the group's readers under the factors that `scaling` has now: noise power over signal
  /// power, added up over readers.
  double predict(std::size_t group) const;

 private:
  ErrorPredictor(const graph::Graph& graph, const ops::Facts& facts, const precision::Plan& plan,
                 const ChannelScaling& scaling, double weight_error)
      : graph_(graph), facts_(facts), plan_(plan), scaling_(scaling), weight_error_(weight_error) {}

  void look_at(const calib::Observations& observations, graph::ValueId value, std::int64_t num_channels);
  std::optional<std::vector<double>> power_of(graph::ValueId value) const;
  std::vector<double> row_steps(const ScalableLinear& linear) const;
  std::vector<double> row_input_power(const ScalableLinear& linear) const;
  void add_rounding(const GroupTensor& tensor, std::vector<double>& noise) const;
  std::map<graph::ValueId, std::vector<double>> noise_of_tensors(const ScalingGroup& group) const;
  double predict_reader(const ScalableLinear& reader, const std::vector<double>& noise) const;

  const graph::Graph& graph_;
  const ops::Facts& facts_;
  const precision::Plan& plan_;
  const ChannelScaling& scaling_;
  double weight_error_;
  std::map<graph::ValueId, ChannelStatistics> statistics_;
};

}  // namespace halfstep::tune
