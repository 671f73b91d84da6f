// channel_scaling.hpp: weights under the factors that their channels have so far, while these are sought.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "tune/scaling_groups.hpp"

namespace halfstep::tune {

/// Groups and a factor for each of their channels, 1 at first. Weights are read once; what is asked of them is what
/// scale_channels() would make of them, but for its rounding.
class ChannelScaling {
 public:
  /// `groups` are from find_scaling_groups(graph).
  ChannelScaling(const graph::Graph& graph, std::vector<ScalingGroup> groups);

  const std::vector<ScalingGroup>& groups() const { return groups_; }
  const std::vector<std::vector<double>>& all_factors() const { return factors_; }  ///< By group, [C].
  const std::vector<double>& factors(std::size_t group) const { return factors_[group]; }
  /// Requires: as many as there were, > 0 and finite.
  void set_factors(std::size_t group, std::vector<double> factors) { factors_[group] = std::move(factors); }
  /// The factors of the channels of `value`; nullptr if it is in no group.
  const std::vector<double>* factors_of(graph::ValueId value) const;

  /// The largest |weight| of each output channel, [out_channels]. `linear` is of a group.
  std::vector<double> row_peaks(const ScalableLinear& linear) const;
  /// The largest |weight| that reads each input channel, [in_channels].
  std::vector<double> column_peaks(const ScalableLinear& linear) const;
  /// The sum of the squared weights that read each input channel, times gain^2, [in_channels]; rows as they were at
  /// first, so that it says what reaches the unscaled output.
  std::vector<double> column_energies(const ScalableLinear& linear) const;

  /// The largest row peak of each channel over the writers of a group (r1), and column peak over its readers (r2), [C].
  std::vector<double> writer_peaks(std::size_t group) const;
  std::vector<double> reader_peaks(std::size_t group) const;

 private:
  struct WeightTables {
    /// [out_channels, in_channels / groups], row-major: over the taps that join two channels. The bits of float32 are
    /// enough to choose factors by.
    std::vector<float> peak;
    std::vector<double> column_energy;  ///< [in_channels]: the sum of the squares that read each.
  };
  void read_weight(const ScalableLinear& linear);

  const graph::Graph& graph_;
  std::vector<ScalingGroup> groups_;
  std::vector<std::vector<double>> factors_;
  std::vector<int> group_of_;                     // By ValueId; -1: none.
  std::map<graph::NodeId, WeightTables> tables_;  // Of linear nodes of groups.
};

/// False for a channel any of whose `magnitudes` (lists of [C])
/// is 0 or below 2^-20 of the largest of its list: nothing can be learned from noise.
std::vector<bool> live_channels(const std::vector<const std::vector<double>*>& magnitudes);

/// Whether a factor differs from 1.
bool scales(const std::vector<double>& factors);

/// The smallest and largest of all factors; 1 and 1 if there are none.
struct FactorRange {
  double smallest = 1.0;
  double largest = 1.0;
};
FactorRange range_of(const std::vector<std::vector<double>>& factors);

}  // namespace halfstep::tune
