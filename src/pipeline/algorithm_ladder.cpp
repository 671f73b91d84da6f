// algorithm_ladder.cpp: the rungs, from ranges alone on.
#include "pipeline/algorithm_ladder.hpp"

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/errors.hpp"
#include "pipeline/accuracy_drop.hpp"
#include "pipeline/trial_models.hpp"

namespace halfstep::pipeline {
namespace {

using sensitivity::OutputJudge;

struct Rung {
  const char* name;
  std::vector<Algorithm> algorithms;
};

const std::array<Rung, 4>& rungs() {
  static const std::array<Rung, 4> kRungs{
      {{"folded, ranges", {}},
       {"biases", {Algorithm::kBiasCorrection}},
       {"equalized, biases", {Algorithm::kEqualize, Algorithm::kBiasCorrection}},
       {"equalized, rounded, biases", {Algorithm::kEqualize, Algorithm::kRound, Algorithm::kBiasCorrection}}}};
  return kRungs;
}

}  // namespace

Result<void> check_ladder(const QuantizeRequest& request) {
  if (!request.tuning.ladder) return {};
  if (!request.mixed_precision.allowed_accuracy_drop) {
    return usage("--algorithms auto needs an aim: --allowed_accuracy_drop POINTS");
  }
  if ((request.input_list.empty() && request.input_images.empty()) || !request.statistics_in.empty() ||
      request.statistics_out) {
    return usage("--algorithms auto runs samples: give --input_list, and no statistics");
  }
  if (request.search || request.dynamic || request.strip || request.float_fallback) {
    return usage("--algorithms auto does not go with --search, --dynamic, --strip or --float_fallback");
  }
  return {};
}

Result<void> climb_ladder(QuantizeRequest& request, const RawModel& raw, Sources& sources, const TargetProfile* target,
                          const Observer& observer, QuantizeStory& story) {
  const Result<std::unique_ptr<AccuracyJudges>> judges = open_judges(request, raw, sources);
  if (!judges.ok()) return judges.error();
  const int num_threads = num_threads_for(request.num_threads, (*judges)->samples.count);
  std::unique_ptr<OutputJudge> judge;
  std::optional<double> best_drop;
  std::size_t best = 0;
  bool holds = false;
  for (std::size_t r = 0; r < rungs().size() && !holds; ++r) {
    const Rung& rung = rungs()[r];
    const auto start = std::chrono::steady_clock::now();
    QuantizeRequest tried = request;
    tried.tuning.algorithms = rung.algorithms;
    tried.tuning.range_choices.clear();
    Result<Trial> trial = TrialModels(tried, raw, sources, target, observer).make({});
    if (!trial.ok()) return trial.error();
    if (!judge) {
      // The first rung's reference is the float model itself.
      Result<OutputJudge> made =
          OutputJudge::make(trial->reference, sources.shapes, (*judges)->samples, (*judges)->measures, num_threads);
      if (!made.ok()) return made.error();
      judge = std::make_unique<OutputJudge>(*std::move(made));
    }
    const Result<OutputScore> score = score_of(*trial, **judges, sources.shapes, num_threads, *judge);
    if (!score.ok()) return score.error();
    const double drop = drop_of(*score, judge->reference());
    if (!best_drop || drop < *best_drop) {
      best_drop = drop;
      best = r;
    }
    holds = drop <= *request.mixed_precision.allowed_accuracy_drop;
    story.report.trials.push_back(
        {.scheme = rung.name,
         .tried = true,
         .sqnr_db = score->sqnr_db,
         .agreement = score->agreement_percent.value_or(0.0),
         .drop = drop,
         .kept = false,
         .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()});
  }
  story.report.trials[best].kept = true;
  request.tuning.algorithms = rungs()[best].algorithms;
  request.tuning.range_choices.clear();
  request.tuning.ladder = false;
  request.mixed_precision.enabled = !holds;
  return {};
}

}  // namespace halfstep::pipeline
