// observe.hpp: one streaming pass over the samples that fills an Observation a tensor.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "calib/observation.hpp"
#include "core/tensor.hpp"
#include "exec/executor.hpp"
#include "exec/samples.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::calib {

/// By tensor name, which passes keep where they renumber values. Every watched tensor is present; its count is 0 if it
/// never had elements.
using Observations = std::map<std::string, Observation, std::less<>>;

/// nullptr if `name` was not watched.
inline const Observation* find_observation(const Observations& observations, std::string_view name) {
  const auto at = observations.find(name);
  return at == observations.end() ? nullptr : &at->second;
}

/// One tensor to look at, and what to keep of it beside moments and sums of the samples' extremes. Those that are not
/// float32 stay empty.
struct Watch {
  graph::ValueId value = graph::kNoValue;
  bool histogram = false;                          ///< Of the tensor: DyadicHistogram::kNumBins bins.
  bool channel_histograms = false;                 ///< Of each channel: kNumChannelBins.
  bool sample_extremes = false;                    ///< SampleExtremes::each, of the tensor.
  bool channel_extremes = false;                   ///< The same of each channel.
  std::optional<int> row_axis = std::nullopt;      ///< Set: also fill Observation::rows.
  std::optional<int> channel_axis = std::nullopt;  ///< Set: also fill Observation::channels.
};

/// What to run and what to look at.
struct ObserveRequest {
  exec::SampleSource samples;
  int num_threads = 1;
  /// Where samples[i] stands in the whole list, of which these may be a part. May be empty: at i.
  std::function<std::int64_t(std::int64_t i)> place_in_list;
  std::vector<Watch> watches;  ///< Each value once.
  /// An executor of the float Program that only `worker` uses until it asks again. Thread-safe.
  std::function<Result<exec::Executor*>(int worker, std::span<const Tensor>)> executor;
  /// Called after each sample, in order: done so far, total. May be empty.
  std::function<void(std::int64_t, std::int64_t)> progress;
};

/// Runs every sample. The result is the same to the bit for every num_threads, and merging the results of parts gives
/// that of the whole; memory does not depend on the number of samples, but for SampleExtremes::each.
/// Errors: kCalibration if there is no sample, or if a tensor holds NaN or an
/// infinity (names the tensor and the sample); those of load, executor and run,
/// the last with the sample's name. With several, the one of the first sample.
Result<Observations> observe(const graph::Graph& graph, const ObserveRequest& request);

}  // namespace halfstep::calib
