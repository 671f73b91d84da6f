// observe.cpp: per-sample statistics on worker threads, merged in sample order.
#include "calib/observe.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <optional>

#include "core/ordered_parallel.hpp"
#include "core/text.hpp"

namespace halfstep::calib {
namespace {

/// What one sample told of one tensor.
struct SampleStats {
  Moments moments;
  std::vector<Moments> channels;
};

/// One requested tensor. Its histogram is independent of order, so workers merge into it as they go; the sums wait
/// for the sample's turn.
struct Watched {
  graph::ValueId value;
  bool per_channel = false;
  bool channels_disagree = false;
  Observation observation;
  std::mutex histogram_mutex;
};

std::string first_nonfinite(std::span<const float> values) {
  const auto at = std::find_if(values.begin(), values.end(), [](float x) { return !std::isfinite(x); });
  return std::isnan(*at) ? "NaN" : "an infinity";
}

/// Axis 1 of [N, C, ...]: each channel's rows are measured one by one and merged in memory order.
std::vector<Moments> measure_channels(const ConstView& x) {
  const Shape& shape = x.shape();
  if (shape.rank() < 2) return {};
  const auto outer = static_cast<std::size_t>(shape[0]);
  const auto num_channels = static_cast<std::size_t>(shape[1]);
  const auto inner = static_cast<std::size_t>(shape.num_elements(2, shape.rank()));
  std::vector<Moments> channels(num_channels);
  for (std::size_t n = 0; n < outer; ++n) {
    for (std::size_t c = 0; c < num_channels; ++c) {
      channels[c].merge(measure(x.values<float>().subspan((n * num_channels + c) * inner, inner)).moments);
    }
  }
  return channels;
}

class Observer {
 public:
  Observer(const graph::Graph& graph, const ObserveRequest& request, int num_workers)
      : graph_(graph), request_(request), index_of_(graph.values.size(), kUnwatched), pending_(num_workers) {
    for (const graph::ValueId value : request.values) {
      if (index_of_[static_cast<std::size_t>(value)] != kUnwatched) continue;
      index_of_[static_cast<std::size_t>(value)] = static_cast<int>(watched_.size());
      watched_.push_back(std::make_unique<Watched>());
      watched_.back()->value = value;
    }
    for (const graph::ValueId value : request.per_channel) {
      const int index = index_of_[static_cast<std::size_t>(value)];
      if (index != kUnwatched) watched_[static_cast<std::size_t>(index)]->per_channel = true;
    }
    for (auto& stats : pending_) stats.resize(watched_.size());
  }

  Result<void> run_sample(std::int64_t sample, int worker) {
    auto& stats = pending_[static_cast<std::size_t>(worker)];
    for (auto& slot : stats) slot.reset();
    const Result<std::vector<Tensor>> inputs = request_.load(sample);
    if (!inputs.ok()) return inputs.error();
    const Result<exec::Executor*> executor = request_.executor(worker, *inputs);
    if (!executor.ok()) return executor.error().at(name_of(sample));
    std::optional<Error> bad_value;  // Its message names the sample already.
    const auto tap = [&](const exec::Tapped& tapped) -> Result<void> {
      const auto& [value, x] = std::tie(tapped.value, tapped.view);
      const int index = index_of_[static_cast<std::size_t>(value)];
      if (index == kUnwatched || x.dtype() != DType::kFloat32 || x.num_elements() == 0) return {};
      Result<void> looked =
          look(*watched_[static_cast<std::size_t>(index)], x, sample, stats[static_cast<std::size_t>(index)]);
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
      if (stats[i]) merge_sample(*watched_[i], *stats[i]);
    }
    if (request_.progress) request_.progress(sample + 1, request_.num_samples);
  }

  Observations take() {
    Observations all;
    for (auto& watched : watched_) all.emplace(watched->value, std::move(watched->observation));
    return all;
  }

 private:
  static constexpr int kUnwatched = -1;

  std::string name_of(std::int64_t sample) const {
    return request_.sample_name ? request_.sample_name(sample) : "sample " + std::to_string(sample + 1);
  }

  Result<void> look(Watched& watched, const ConstView& x, std::int64_t sample,
                    std::optional<SampleStats>& stats) const {
    const std::span<const float> values = x.values<float>();
    const MeasuredRun run = measure(values);
    if (run.num_nonfinite > 0) {
      return Error{ErrorCode::kCalibration, name_of(sample) + ": tensor " +
                                                halfstep::quoted(graph_.value(watched.value).name) + " holds " +
                                                first_nonfinite(values) + " (" + std::to_string(run.num_nonfinite) +
                                                " of " + std::to_string(values.size()) + " elements are not finite)"};
    }
    stats.emplace();
    stats->moments = run.moments;
    if (watched.per_channel) stats->channels = measure_channels(x);
    DyadicHistogram local;
    local.add(values, run.moments.min, run.moments.max);
    const std::lock_guard lock(watched.histogram_mutex);
    watched.observation.histogram.merge(local);
    return {};
  }

  static void merge_sample(Watched& watched, const SampleStats& stats) {
    Observation& observation = watched.observation;
    const bool first = observation.samples.num_samples == 0;
    observation.moments.merge(stats.moments);
    observation.samples.add(stats.moments);
    if (!watched.per_channel || watched.channels_disagree) return;
    if (first) {
      observation.channels = stats.channels;
    } else if (observation.channels.size() != stats.channels.size()) {
      watched.channels_disagree = true;
      observation.channels.clear();
    } else {
      for (std::size_t c = 0; c < stats.channels.size(); ++c) observation.channels[c].merge(stats.channels[c]);
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
  if (request.num_samples <= 0) {
    return Error{ErrorCode::kCalibration, "there are no samples to calibrate with"};
  }
  const int num_workers = std::max(1, request.num_threads);
  Observer observer(graph, request, num_workers);
  const Result<void> ran = ordered_parallel_for(
      request.num_samples, num_workers,
      [&](std::int64_t sample, int worker) { return observer.run_sample(sample, worker); },
      [&](std::int64_t sample, int worker) -> Result<void> {
        observer.consume(sample, worker);
        return {};
      });
  if (!ran.ok()) return ran.error();
  return observer.take();
}

}  // namespace halfstep::calib
