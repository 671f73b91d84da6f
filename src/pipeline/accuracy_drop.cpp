// accuracy_drop.cpp: the list to judge by, and what is lost on it.
#include "pipeline/accuracy_drop.hpp"

#include <cmath>
#include <string>
#include <utility>

#include "core/errors.hpp"
#include "io/samples/labels.hpp"
#include "sensitivity/analyze.hpp"

namespace halfstep::pipeline {

Result<std::unique_ptr<AccuracyJudges>> open_judges(const QuantizeRequest& request, const RawModel& raw,
                                                    const Sources& sources) {
  const MixedPrecisionSearch& search = request.mixed_precision;
  auto judges = std::make_unique<AccuracyJudges>();
  if (!search.eval_input_list.empty()) {
    // Warnings about photos have been told of the calibration samples.
    const SampleFiles files{search.eval_input_list, {}, request.preprocess};
    Result<OpenedSamples> opened = open_samples(raw, files, raw, [](const std::string&) {});
    if (!opened.ok()) return opened.error();
    judges->opened.emplace(*std::move(opened));
  }
  judges->samples = source_of(judges->opened ? judges->opened->reader : sources.samples->reader);
  if (search.eval_labels) {
    Result<std::vector<std::int64_t>> classes = io::read_labels(*search.eval_labels);
    if (!classes.ok()) return classes.error();
    if (static_cast<std::int64_t>(classes->size()) != judges->samples.count) {
      return invalid(search.eval_labels->string() + ": has " + std::to_string(classes->size()) + " labels, " +
                     search.eval_input_list.string() + " has " + std::to_string(judges->samples.count) + " samples");
    }
    judges->measures.labels = *std::move(classes);
  }
  return judges;
}

Result<OutputScore> score_of(const Trial& trial, const AccuracyJudges& judges, const ops::InputShapes& shapes,
                             int num_threads, const sensitivity::OutputJudge& judge) {
  const sensitivity::StagedRequest staged{.base = &trial.model,
                                          .samples = judges.samples,
                                          .shapes = shapes,
                                          .fixed = trial.fixed,
                                          .num_threads = num_threads};
  return sensitivity::score_of(staged, judge);
}

double drop_of(const OutputScore& score, const OutputScore& reference) {
  if (score.top1_percent && reference.top1_percent) return *reference.top1_percent - *score.top1_percent;
  if (score.agreement_percent) return 100.0 - *score.agreement_percent;
  return 100.0 * std::pow(10.0, -score.sqnr_db / 10.0);
}

const char* measure_of(const OutputScore& score) {
  if (score.top1_percent) return "top-1";
  return score.agreement_percent ? "agreement" : "noise";
}

}  // namespace halfstep::pipeline
