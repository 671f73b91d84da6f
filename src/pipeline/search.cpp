// search.cpp: the ladder, from the cheapest scheme to the dearest.
#include "pipeline/search.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>

#include "core/errors.hpp"
#include "pipeline/effort.hpp"

namespace halfstep::pipeline {
namespace {

enum class Tuned { kNone, kBiases, kEqualizedBiases, kAll };

/// One rung.
struct Scheme {
  std::string_view name;
  RangeMethod activations = RangeMethod::kMinMax;
  double percentile = 99.99;
  RangeMethod weights = RangeMethod::kMinMax;
  ActPerChannel act_per_channel = ActPerChannel::kNone;
  Tuned algorithms = Tuned::kNone;
};

constexpr auto kDepthwise = ActPerChannel::kDepthwise;
constexpr std::array kLadder{
    Scheme{.name = "min-max"},
    Scheme{.name = "percentile", .activations = RangeMethod::kPercentile},
    Scheme{.name = "mse", .activations = RangeMethod::kMse, .weights = RangeMethod::kMse},
    Scheme{.name = "min-max, biases", .algorithms = Tuned::kBiases},
    Scheme{.name = "percentile by channel, biases",
           .activations = RangeMethod::kPercentile,
           .act_per_channel = kDepthwise,
           .algorithms = Tuned::kBiases},
    Scheme{.name = "min-max, equalized, biases", .algorithms = Tuned::kEqualizedBiases},
    Scheme{.name = "percentile by channel, equalized, rounded, biases",
           .activations = RangeMethod::kPercentile,
           .act_per_channel = kDepthwise,
           .algorithms = Tuned::kAll},
    Scheme{.name = "percentile 99.999 by channel, equalized, rounded, biases",
           .activations = RangeMethod::kPercentile,
           .percentile = 99.999,
           .act_per_channel = kDepthwise,
           .algorithms = Tuned::kAll},
    Scheme{.name = "mse, equalized, rounded, biases",
           .activations = RangeMethod::kMse,
           .weights = RangeMethod::kMse,
           .algorithms = Tuned::kAll},
    Scheme{.name = "min-max, equalized, rounded, biases", .algorithms = Tuned::kAll},
};

/// What a scheme costs beside one of ranges alone, roughly.
double relative_cost(Tuned algorithms) {
  switch (algorithms) {
    case Tuned::kNone:
      return 1.0;
    case Tuned::kBiases:
      return 2.0;
    case Tuned::kEqualizedBiases:
      return 4.0;
    case Tuned::kAll:
      break;
  }
  return 6.0;
}

std::vector<Algorithm> algorithms_of(Tuned tuned) {
  switch (tuned) {
    case Tuned::kNone:
      return {};
    case Tuned::kBiases:
      return {Algorithm::kBiasCorrection};
    case Tuned::kEqualizedBiases:
      return {Algorithm::kEqualize, Algorithm::kBiasCorrection};
    case Tuned::kAll:
      break;
  }
  return {Algorithm::kEqualize, Algorithm::kRound, Algorithm::kBiasCorrection};
}

bool is_for(const Scheme& scheme, const QuantizationOptions& options) {
  return scheme.act_per_channel == ActPerChannel::kNone || suits_grids_by_channel(options);
}

void put(const Scheme& scheme, TuneRequest& request) {
  request.options.act_range = {.method = scheme.activations, .percentile = scheme.percentile};
  request.options.param_range = {.method = scheme.weights};
  request.options.act_per_channel = scheme.act_per_channel;
  request.options.channels_keep_range = false;
  request.tuning.algorithms = algorithms_of(scheme.algorithms);
  request.tuning.range_choices.clear();  // A scheme is what it says.
}

/// Near enough for agreement to decide.
constexpr double kSameDb = 0.1;

bool is_better(const tune::Score& score, const tune::Score& best) {
  if (score.mean_db > best.mean_db + kSameDb) return true;
  return score.mean_db >= best.mean_db - kSameDb && score.agreement > best.agreement;
}

}  // namespace

Result<SearchOutcome> search(TuneRequest request, std::optional<double> time_budget_seconds, const Observer& observer) {
  if (request.samples.count < 2) {
    return usage("--search needs at least 2 samples, one of them to judge by: the input list has " +
                 std::to_string(request.samples.count));
  }
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const auto seconds_since = [](Clock::time_point then) {
    return std::chrono::duration<double>(Clock::now() - then).count();
  };
  SearchOutcome outcome;
  tune::Score best;
  std::size_t best_at = 0;
  double unit = 0.0;  // Seconds of a scheme of relative cost 1, at the worst so far.
  for (const Scheme& scheme : kLadder) {
    if (!is_for(scheme, request.options)) continue;
    const double cost = relative_cost(scheme.algorithms);
    const bool fits = !time_budget_seconds || seconds_since(start) + unit * cost <= *time_budget_seconds;
    if (!outcome.trials.empty() && !fits) {
      outcome.trials.push_back({.scheme = std::string(scheme.name), .tried = false});
      continue;
    }
    const auto begin = Clock::now();
    put(scheme, request);
    Result<TunedModel> tuned = tune_model(request, observer);
    if (!tuned.ok()) return tuned.error();
    const double seconds = seconds_since(begin);
    unit = std::max(unit, seconds / cost);
    const tune::Score score = tuned->score;
    outcome.trials.push_back({.scheme = std::string(scheme.name),
                              .tried = true,
                              .sqnr_db = score.mean_db,
                              .agreement = score.agreement,
                              .kept = false,
                              .seconds = seconds});
    if (outcome.trials.size() > 1 && !is_better(score, best)) continue;
    best = score;
    best_at = outcome.trials.size() - 1;
    outcome.tuned = *std::move(tuned);
    outcome.options = request.options;
    outcome.tuning = request.tuning;
  }
  outcome.trials[best_at].kept = true;
  return outcome;
}

}  // namespace halfstep::pipeline
