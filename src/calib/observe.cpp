// observe.cpp: per-sample statistics on worker threads.
#include "calib/observe.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "calib/channel_histograms.hpp"
#include "core/ordered_parallel.hpp"
#include "core/text.hpp"

namespace halfstep::calib {
namespace {

/// What one sample told of one tensor.
struct SampleStats {
  Moments moments;
  std::vector<Moments> channels;
  RowMaxima rows;
};

/// One watched tensor. Workers count into histograms as they go, each into its own of the tensor, all into those of the
/// channels, which are many; the rest waits for the sample's turn.
struct Watched {
  Watch watch;
  Observation observation;
  std::vector<DyadicHistogram> histograms;  ///< By worker.
  ChannelHistograms channel_histograms;
};

std::string first_nonfinite(std::span<const float> values) {
  const auto at = std::find_if(values.begin(), values.end(), [](float x) { return !std::isfinite(x); });
  return std::isnan(*at) ? "NaN" : "an infinity";
}

std::size_t num_channels_of(const ConstView& x, int axis) {
  return axis < x.shape().rank() ? static_cast<std::size_t>(x.shape()[axis]) : 0;
}

/// Each channel's runs are measured one by one and merged in memory order. The whole is what the channels are together.
MeasuredRun measure_channels(const ConstView& x, int axis, std::vector<Moments>& channels) {
  channels.resize(num_channels_of(x, axis));
  if (channels.empty()) return measure(x.values<float>());
  MeasuredRun whole;
  for_each_channel_run(x, axis, [&](std::size_t c, std::span<const float> run) {
    const MeasuredRun measured = measure(run);
    channels[c].merge(measured.moments);
    whole.num_nonfinite += measured.num_nonfinite;
  });
  for (const Moments& channel : channels) whole.moments.merge(channel);
  return whole;
}

RowMaxima measure_rows(const ConstView& x, int axis) {
  RowMaxima rows;
  const Shape& shape = x.shape();
  if (axis < 0 || axis >= shape.rank()) return rows;
  rows.extent = shape[axis];
  const std::int64_t outer = shape.num_elements(0, axis);
  const std::int64_t inner = shape.num_elements(axis + 1, shape.rank());
  const float* values = x.data<float>();
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < inner; ++i) {
      const float* row = values + o * rows.extent * inner + i;
      float largest = row[0];
      for (std::int64_t k = 1; k < rows.extent; ++k) largest = std::max(largest, row[k * inner]);
      rows.lowest = std::min(rows.lowest, largest);
    }
  }
  return rows;
}

class SampleWatcher {
 public:
  SampleWatcher(const graph::Graph& graph, const ObserveRequest& request, int num_workers)
      : graph_(graph), request_(request), index_of_(graph.values.size(), kUnwatched), pending_(num_workers) {
    for (const Watch& watch : request.watches) {
      index_of_[static_cast<std::size_t>(watch.value)] = static_cast<int>(watched_.size());
      watched_.push_back(std::make_unique<Watched>());
      watched_.back()->watch = watch;
      if (watch.histogram) watched_.back()->histograms.resize(static_cast<std::size_t>(num_workers));
    }
    for (auto& stats : pending_) stats.resize(watched_.size());
  }

  Result<void> run_sample(std::int64_t sample, int worker) {
    auto& stats = pending_[static_cast<std::size_t>(worker)];
    for (auto& slot : stats) slot.reset();
    const Result<std::vector<Tensor>> inputs = request_.samples.load(sample);
    if (!inputs.ok()) return inputs.error();
    const Result<exec::Executor*> executor = request_.executor(worker, *inputs);
    if (!executor.ok()) return executor.error().at(name_of(sample));
    std::optional<Error> bad_value;  // Its message names the sample already.
    const auto tap = [&](const exec::Tapped& tapped) -> Result<void> {
      const auto& [value, x] = std::tie(tapped.value, tapped.view);
      const int index = index_of_[static_cast<std::size_t>(value)];
      if (index == kUnwatched || x.dtype() != DType::kFloat32 || x.num_elements() == 0) return {};
      Result<void> looked =
          look(*watched_[static_cast<std::size_t>(index)], x, sample, worker, stats[static_cast<std::size_t>(index)]);
      if (!looked.ok()) bad_value = looked.error();
      return looked;
    };
    const Result<void> ran = (*executor)->run(*inputs, tap);
    if (bad_value) return *bad_value;
    if (!ran.ok()) return ran.error().at(name_of(sample));
    return {};
  }

  void consume(std::int64_t sample, int worker) {
    const auto& stats = pending_[static_cast<std::size_t>(worker)];
    for (std::size_t i = 0; i < watched_.size(); ++i) {
      if (stats[i])
        merge_sample(*watched_[i], *stats[i], request_.place_in_list ? request_.place_in_list(sample) : sample);
    }
    if (request_.progress) request_.progress(sample + 1, request_.samples.count);
  }

  Observations take() {
    Observations all;
    for (auto& watched : watched_) {
      Observation& observation = watched->observation;
      for (const DyadicHistogram& histogram : watched->histograms) observation.histogram.merge(histogram);
      for (std::size_t c = 0; watched->watch.channel_histograms && c < observation.channels.size(); ++c) {
        observation.channels[c].histogram = watched->channel_histograms.take(c);
      }
      all.emplace(graph_.value(watched->watch.value).name, std::move(observation));
    }
    return all;
  }

 private:
  static constexpr int kUnwatched = -1;

  std::string name_of(std::int64_t sample) const {
    return request_.samples.place ? request_.samples.place(sample) : "sample " + std::to_string(sample + 1);
  }

  Result<void> look(Watched& watched, const ConstView& x, std::int64_t sample, int worker,
                    std::optional<SampleStats>& stats) const {
    const std::span<const float> values = x.values<float>();
    const std::optional<int> axis = watched.watch.channel_axis;
    std::vector<Moments> channels;
    const MeasuredRun run = axis ? measure_channels(x, *axis, channels) : measure(values);
    if (run.num_nonfinite > 0) {
      return Error{ErrorCode::kCalibration, name_of(sample) + ": tensor " +
                                                halfstep::quoted(graph_.value(watched.watch.value).name) + " holds " +
                                                first_nonfinite(values) + " (" + std::to_string(run.num_nonfinite) +
                                                " of " + std::to_string(values.size()) + " elements are not finite)"};
    }
    stats.emplace();
    stats->moments = run.moments;
    stats->channels = std::move(channels);
    if (watched.watch.row_axis) stats->rows = measure_rows(x, *watched.watch.row_axis);
    const int one_in = counted_one_in(x.num_elements());
    if (watched.watch.histogram) {
      count_values(watched.histograms[static_cast<std::size_t>(worker)], values, run.moments, one_in);
    }
    if (watched.watch.channel_histograms && axis) watched.channel_histograms.add(x, *axis, stats->channels, one_in);
    return {};
  }

  /// Of larger tensors a half, a quarter or an eighth of the blocks are counted.
  static int counted_one_in(std::int64_t num_elements) {
    constexpr std::int64_t kCountedWhole = std::int64_t{1} << 17;
    int one_in = 1;
    while (one_in < 8 && num_elements > one_in * kCountedWhole) one_in *= 2;
    return one_in;
  }

  static void add_sample(bool keep_extremes, const Moments& moments, std::int64_t sample, Distribution& distribution) {
    distribution.moments.add(moments);
    distribution.samples.add(moments);
    if (keep_extremes) distribution.samples.each.push_back({sample, moments.min, moments.max});
  }

  static void merge_sample(Watched& watched, const SampleStats& stats, std::int64_t sample) {
    Observation& observation = watched.observation;
    const bool first = observation.samples.num_samples == 0;
    add_sample(watched.watch.sample_extremes, stats.moments, sample, observation);
    observation.rows.merge(stats.rows);
    if (!watched.watch.channel_axis || observation.channels_disagree) return;
    if (first) {
      observation.channels.resize(stats.channels.size());
    } else if (observation.channels.size() != stats.channels.size()) {
      observation.channels_disagree = true;
      observation.channels.clear();
      return;
    }
    for (std::size_t c = 0; c < stats.channels.size(); ++c) {
      add_sample(watched.watch.channel_extremes, stats.channels[c], sample, observation.channels[c]);
    }
  }

  const graph::Graph& graph_;
  const ObserveRequest& request_;
  std::vector<int> index_of_;  // By ValueId.
  std::vector<std::unique_ptr<Watched>> watched_;
  std::vector<std::vector<std::optional<SampleStats>>> pending_;  // By worker, then as watched_.
};

}  // namespace

Result<Observations> observe(const graph::Graph& graph, const ObserveRequest& request) {
  if (request.samples.count <= 0) {
    return Error{ErrorCode::kCalibration, "there are no samples to calibrate with"};
  }
  const int num_workers = std::max(1, request.num_threads);
  SampleWatcher watcher(graph, request, num_workers);
  const Result<void> ran = ordered_parallel_for(
      request.samples.count, num_workers,
      [&](std::int64_t sample, int worker) { return watcher.run_sample(sample, worker); },
      [&](std::int64_t sample, int worker) -> Result<void> {
        watcher.consume(sample, worker);
        return {};
      });
  if (!ran.ok()) return ran.error();
  return watcher.take();
}

}  // namespace halfstep::calib
