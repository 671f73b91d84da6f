// compare_runs.cpp: samples on all threads, their tallies added up in order.
#include "compare/compare_runs.hpp"

#include "compare/compare_sample.hpp"
#include "compare/summarize.hpp"
#include "core/ordered_parallel.hpp"

namespace halfstep::compare {

Result<RunsOutcome> compare_runs(const RunsRequest& request) {
  if (request.reference.graph->outputs.size() != request.other.graph->outputs.size()) {
    return Error{ErrorCode::kInvalidInput,
                 "the float model has " + std::to_string(request.reference.graph->outputs.size()) +
                     " outputs, the quantized one " + std::to_string(request.other.graph->outputs.size())};
  }
  if (!request.labels.empty() && static_cast<std::int64_t>(request.labels.size()) != request.samples.count) {
    return Error{ErrorCode::kInvalidInput, std::to_string(request.labels.size()) + " labels for " +
                                               std::to_string(request.samples.count) + " samples"};
  }
  const Watched watched(request);
  Tally main(request.reference.graph->outputs.size(), watched.layers.size());
  Tally simulated = main;
  ScoreTally between;
  std::vector<SampleWork> work(static_cast<std::size_t>(request.num_threads));  // By worker.
  const auto produce = [&](std::int64_t i, int worker) -> Result<void> {
    Result<void> outcome = compare_sample(request, watched, i, worker, work[static_cast<std::size_t>(worker)]);
    if (!outcome.ok() && request.samples.place) return outcome.error().at(request.samples.place(i));
    return outcome;
  };
  const auto consume = [&](std::int64_t i, int worker) -> Result<void> {
    const SampleWork& sample = work[static_cast<std::size_t>(worker)];
    main.add(sample.main);
    simulated.add(sample.simulated);
    between.add(sample.between);
    if (request.progress) request.progress(i + 1, request.samples.count);
    return {};
  };
  Result<void> outcome = ordered_parallel_for(request.samples.count, request.num_threads, produce, consume);
  if (!outcome.ok()) return outcome.error();
  RunsOutcome compared{summarize(request, watched, main), std::nullopt};
  if (request.simulated != nullptr) {
    compared.simulated = summarize(request, watched, main, &simulated);
    compared.comparison.simulated_agreement_percent = between.agreement_percent();
  }
  return compared;
}

}  // namespace halfstep::compare
