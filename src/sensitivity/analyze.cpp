// analyze.cpp: the list of runs, and who gets their scores.
#include "sensitivity/analyze.hpp"

#include <algorithm>

namespace halfstep::sensitivity {
namespace {

bool has_weights(const QuantizerGroup& group) { return !group.weights.empty() || !group.biases.empty(); }
bool has_activations(const QuantizerGroup& group) { return !group.activations.empty(); }

/// run_staged() whose receiver judges: `found` is called with the score of each variant.
Result<StagedOutcome> score_variants(
    const StagedRequest& request, const std::vector<Variant>& variants, const OutputJudge& judge,
    const std::function<Result<void>(std::size_t variant, const OutputScore& score)>& found,
    const std::function<Result<void>(std::size_t variant, std::int64_t sample, const exec::Executor&)>& seen = {}) {
  std::vector<compare::Tally> tallies(static_cast<std::size_t>(request.num_threads));
  compare::Tally all = judge.empty();
  StagedReceiver receiver;
  receiver.ran = [&](std::size_t v, std::int64_t sample, int worker, const exec::Executor& executor) -> Result<void> {
    compare::Tally& tally = tallies[static_cast<std::size_t>(worker)] = judge.empty();
    Result<void> told = judge.tally(sample, executor, tally);
    if (told.ok() && seen) told = seen(v, sample, executor);
    return told.ok() || !request.samples.place ? told : told.error().at(request.samples.place(sample));
  };
  receiver.add = [&](std::size_t, std::int64_t, int worker) -> Result<void> {
    all.add(tallies[static_cast<std::size_t>(worker)]);
    return {};
  };
  receiver.done = [&](std::size_t v) -> Result<void> {
    const OutputScore score = judge.score(all);
    all = judge.empty();
    return found(v, score);
  };
  return run_staged(request, variants, receiver);
}

/// Runs of one base: forms of the float model, or of the quantized one.
class Analyzer {
 public:
  Analyzer(const AnalysisRequest& request, const OutputJudge& judge, Analysis& analysis)
      : request_(request),
        judge_(judge),
        analysis_(analysis),
        partial_(*request.quantized, *request.reference, request.other_units) {
    for (const QuantizerGroup& group : analysis.groups) all_.push_back(&group);
    analysis.kept_weights = partial_.kept_weights();
  }

  Result<void> run() {
    const std::vector<Run> runs = runs_of(analysis_.groups, request_);
    std::vector<Run> of_float;
    std::vector<Run> of_quantized;
    total_ = static_cast<std::int64_t>(runs.size());
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const std::string key = key_of(runs[i], analysis_.groups);
      const std::optional<OutputScore> known = request_.known ? request_.known(key) : std::nullopt;
      if (known) {
        score_at(runs[i]) = *known;
        ++analysis_.num_known;
      } else if (request_.takes && !request_.takes(i)) {
        ++analysis_.num_left;
      } else {
        (runs[i].direction == Direction::kOnly ? of_float : of_quantized).push_back(runs[i]);
        continue;
      }
      --total_;
    }
    const QuantizedGraph plain = partial_.only({}, Part::kBoth);
    if (auto done = run_forms(plain, of_float); !done.ok()) return done;
    if (auto done = run_forms(*request_.quantized, of_quantized); !done.ok()) return done;
    fill_single_parts();
    return {};
  }

 private:
  std::optional<OutputScore>& score_at(const Run& run) {
    PartScores& scores = !run.group                          ? analysis_.whole
                         : run.direction == Direction::kOnly ? analysis_.only[*run.group]
                                                             : analysis_.all_but[*run.group];
    return run.part == Part::kWeights       ? scores.weights
           : run.part == Part::kActivations ? scores.activations
                                            : scores.both;
  }

  QuantizedGraph form_of(const Run& run) const {
    std::span<const QuantizerGroup* const> groups = all_;
    if (run.group) groups = groups.subspan(*run.group, 1);
    if (run.direction == Direction::kOnly) return partial_.only(groups, run.part);
    return run.group ? partial_.without(groups, run.part) : *request_.quantized;
  }

  Result<void> run_forms(const QuantizedGraph& base, const std::vector<Run>& runs) {
    if (runs.empty()) return {};
    StagedRequest staged{.base = &base,
                         .samples = request_.samples,
                         .shapes = request_.shapes,
                         .fixed = request_.fixed,
                         .num_threads = request_.num_threads,
                         .memory_bytes = request_.memory_bytes};
    std::vector<Variant> variants;
    for (const Run& run : runs) {
      variants.push_back({.first = run.group ? analysis_.groups[*run.group].first_node : 0,
                          .make = [this, &run] { return form_of(run); }});
    }
    const auto found = [&](std::size_t v, OutputScore score) -> Result<void> {
      if (request_.command_score) {
        const Result<double> from_command = request_.command_score(runs[v]);
        if (!from_command.ok()) return from_command.error();
        score.command_score = *from_command;
      }
      score_at(runs[v]) = score;
      ++analysis_.num_runs;
      if (request_.progress) request_.progress(analysis_.num_runs, total_);
      return request_.found ? request_.found(key_of(runs[v], analysis_.groups), score) : Result<void>();
    };
    std::function<Result<void>(std::size_t, std::int64_t, const exec::Executor&)> seen;
    if (request_.seen) {
      seen = [&](std::size_t v, std::int64_t sample, const exec::Executor& executor) {
        return request_.seen(runs[v], sample, executor);
      };
    }
    const Result<StagedOutcome> outcome = score_variants(staged, variants, judge_, found, seen);
    if (!outcome.ok()) return outcome.error();
    analysis_.nodes_run += outcome->num_nodes_run;
    analysis_.nodes_unshared += outcome->num_nodes_unshared;
    return {};
  }

  /// Where a group has one part only, both are that one.
  void fill_single_parts() {
    if (!request_.wants_parts) return;
    for (std::size_t g = 0; g < analysis_.groups.size(); ++g) {
      for (PartScores* scores : {&analysis_.only[g], &analysis_.all_but[g]}) {
        if (!has_weights(analysis_.groups[g])) scores->activations = scores->both;
        if (!has_activations(analysis_.groups[g])) scores->weights = scores->both;
      }
    }
  }

  const AnalysisRequest& request_;
  const OutputJudge& judge_;
  Analysis& analysis_;
  PartialQuantization partial_;
  std::vector<const QuantizerGroup*> all_;
  std::int64_t total_ = 0;
};

}  // namespace

const char* name_of(Direction direction) { return direction == Direction::kOnly ? "only" : "all-but"; }

std::vector<Run> runs_of(const std::vector<QuantizerGroup>& groups, const AnalysisRequest& request) {
  std::vector<Run> runs{{Direction::kAllBut, Part::kBoth, std::nullopt}};
  if (request.wants_parts) {
    runs.push_back({Direction::kOnly, Part::kWeights, std::nullopt});
    runs.push_back({Direction::kOnly, Part::kActivations, std::nullopt});
  }
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const bool has_parts = request.wants_parts && has_weights(groups[g]) && has_activations(groups[g]);
    for (const Direction direction : {Direction::kOnly, Direction::kAllBut}) {
      if (direction == Direction::kOnly ? !request.wants_only : !request.wants_all_but) continue;
      runs.push_back({direction, Part::kBoth, g});
      if (!has_parts) continue;
      runs.push_back({direction, Part::kWeights, g});
      runs.push_back({direction, Part::kActivations, g});
    }
  }
  return runs;
}

std::string key_of(const Run& run, const std::vector<QuantizerGroup>& groups) {
  std::string key = std::string(name_of(run.direction)) + "/" + name_of(run.part);
  return run.group ? key + "/" + first_tensor(groups[*run.group]) : key;
}

Result<OutputScore> score_of(const StagedRequest& request, const OutputJudge& judge) {
  OutputScore score;
  const std::vector<Variant> itself{{.first = 0, .make = [&request] { return *request.base; }}};
  const auto ran = score_variants(request, itself, judge, [&](std::size_t, const OutputScore& found) -> Result<void> {
    score = found;
    return {};
  });
  if (!ran.ok()) return ran.error();
  return score;
}

Result<Analysis> analyze(const AnalysisRequest& request, const OutputJudge& judge) {
  const Result<ops::Facts> facts = ops::infer_facts(request.quantized->graph, request.shapes);
  if (!facts.ok()) return facts.error();
  Analysis analysis;
  analysis.groups = quantizer_groups(*request.quantized, *facts);
  analysis.only.resize(analysis.groups.size());
  analysis.all_but.resize(analysis.groups.size());
  if (auto done = Analyzer(request, judge, analysis).run(); !done.ok()) return done.error();
  return analysis;
}

}  // namespace halfstep::sensitivity
