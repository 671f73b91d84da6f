// channel_means.hpp: the mean of each channel of some tensors of the float model, sample by sample.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "encoding/encoding.hpp"
#include "exec/samples.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::tune {

/// The mean of each channel of a float32 tensor [outer, C, inner], [C]; added up in a fixed order. With a `grid`,
/// values beyond its ends count as those ends: what clipping takes away is no shift of the rest. Requires: the grid is
/// per tensor, or per channel along `axis`.
std::vector<double> channel_means(ConstView real, int axis, const Encoding* grid = nullptr);

/// Of one tensor.
struct ChannelMeans {
  std::vector<std::vector<double>> by_sample;  ///< [samples][C], real units.

  /// Of the first `num_samples`, [C].
  std::vector<double> over(std::int64_t num_samples) const;
};

/// By tensor name.
using ReferenceMeans = std::map<std::string, ChannelMeans, std::less<>>;

/// A tensor, and which of its axes is the channels'.
struct WantedMeans {
  graph::ValueId value = graph::kNoValue;
  int axis = 1;
  const Encoding* grid = nullptr;  ///< Set: values are cut at its ends; outlives the pass.
};

/// Runs `graph` in float on every sample, all of the given shapes. Tensors that are not float32 are left out.
/// Errors: those of lowering and loading; those of running, with the sample's place.
Result<ReferenceMeans> reference_means(const graph::Graph& graph, const exec::SampleSource& samples,
                                       const ops::InputShapes& shapes, const std::vector<WantedMeans>& tensors,
                                       int num_threads);

}  // namespace halfstep::tune
