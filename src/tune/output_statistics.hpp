// output_statistics.hpp: what a layer of a quantized model hands on, channel by channel.
#pragma once

#include <cstdint>
#include <vector>

#include "encoding/encoding.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "tune/channel_means.hpp"
#include "tune/sweep.hpp"

namespace halfstep::tune {

/// Of what one layer hands on, after its clamp and activation and on its grid.
struct OutputStatistics {
  ChannelMeans means;          ///< Of each sample, [samples][C].
  std::vector<double> inside;  ///< [C], 0 to 1: the share of values strictly between the ends of clamp and grid.
};

/// Runs `layer` of `graph` on its first `num_samples` samples, its activation included. The same for every number of
/// threads. Errors: those of running.
Result<OutputStatistics> measure_output(const SweptLayer& layer, const graph::Graph& graph, std::int64_t num_samples,
                                        int num_threads);

}  // namespace halfstep::tune
