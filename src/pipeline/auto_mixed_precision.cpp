// auto_mixed_precision.cpp: phase 1 measures groups, phase 2 walks the curve that follows from them.
#include "pipeline/auto_mixed_precision.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "core/atomic_file.hpp"
#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/json/width_overrides.hpp"
#include "pipeline/accuracy_drop.hpp"
#include "pipeline/search_cache.hpp"
#include "pipeline/trial_models.hpp"
#include "sensitivity/analyze.hpp"
#include "sensitivity/assignment.hpp"
#include "sensitivity/curve_search.hpp"
#include "sensitivity/noise_model.hpp"

namespace halfstep::pipeline {
namespace {

using sensitivity::Assignment;
using sensitivity::CurvePoint;
using sensitivity::ErrorVector;
using sensitivity::NoiseModel;
using sensitivity::OutputJudge;
using sensitivity::QuantizerGroup;

constexpr double kNoErrorDb = 200.0;

class Searcher {
 public:
  Searcher(const QuantizeRequest& request, const RawModel& raw, Sources& sources, const TargetProfile* target,
           const Observer& observer, const AccuracyJudges& judges)
      : request_(request),
        search_(request.mixed_precision),
        raw_(raw),
        sources_(sources),
        target_(target),
        observer_(observer),
        judges_(judges),
        trials_(request, raw, sources, target, observer),
        shapes_(sources.shapes),
        num_threads_(num_threads_for(request.num_threads, judges_.samples.count)) {
    candidates_.push_back({request.options.weight_bits, request.options.act_bits, false});
    for (const PrecisionCandidate& candidate : search_.candidates) {
      if (std::ranges::find(candidates_, candidate) == candidates_.end()) candidates_.push_back(candidate);
    }
  }

  /// The text of the overrides.
  Result<std::string> run(report::MixedPrecision& report) {
    Result<Trial> base = trials_.make(overrides_of({}));
    if (!base.ok()) return base.error();
    if (base->model.encodings.empty()) return unsupported("nothing of this model is quantized, so no layer needs more");
    const Result<ops::Facts> facts = ops::infer_facts(base->model.graph, shapes_);
    if (!facts.ok()) return facts.error();
    learn_groups(*base, *facts);
    // A key reads all samples.
    const Result<std::string> key =
        search_.cache ? search_key(request_, raw_, sources_, *base, judges_) : Result<std::string>(std::string());
    if (!key.ok()) return key;
    Result<SearchCache> cache = SearchCache::open(search_, *key);
    if (!cache.ok()) return cache.error();
    cache_ = std::make_unique<SearchCache>(*std::move(cache));
    Result<OutputJudge> judge =
        OutputJudge::make(base->reference, shapes_, judges_.samples, judges_.measures, num_threads_);
    if (!judge.ok()) return judge.error();
    judge_ = std::make_unique<OutputJudge>(*std::move(judge));
    const auto costs_by = [&](sensitivity::OperationCost cost) {
      return sensitivity::CostModel(base->model, *facts, groups_, candidates_, std::move(cost));
    };
    operations_ = costs_by(&sensitivity::bit_operations);
    if (target_ != nullptr && !target_->costs.empty() && !search_.max_bit_operations) {
      latency_ = costs_by([&](int activations, int weights) { return target_->cost_of(activations, weights); });
    }
    const bool has_budget = search_.max_bit_operations || search_.max_latency_factor;
    if (!has_budget) {
      const Result<bool> settled = settles_on_base(report);
      if (!settled.ok()) return settled.error();
      if (*settled) return overrides_of({});
    }
    if (auto done = measure_noise(*base); !done.ok()) return done.error();
    curve_ = sensitivity::pareto_curve(*noise_, costs(), has_budget);
    const Result<Assignment> chosen = has_budget ? within_budget(report) : holding_drop(report);
    if (!chosen.ok()) return chosen.error();
    describe(*chosen, report);
    return overrides_of(*chosen);
  }

 private:
  /// What the curve and budgets count.
  const sensitivity::CostModel& costs() const { return latency_ ? *latency_ : *operations_; }

  std::string overrides_of(const Assignment& assignment) const {
    io::WidthOverrides overrides;
    for (std::size_t g = 0; g < assignment.size(); ++g) {
      if (assignment[g] == 0) continue;
      const PrecisionCandidate& candidate = candidates_[assignment[g]];
      const auto add = [&](const std::vector<std::string>& names, int bits, auto& to) {
        for (const std::string& name : names) to.push_back({name, candidate.real ? 32 : bits, candidate.real});
      };
      if (candidate.real || candidate.act_bits != candidates_[0].act_bits)
        add(groups_[g].activations, candidate.act_bits, overrides.activations);
      if (candidate.real || candidate.weight_bits != candidates_[0].weight_bits)
        add(groups_[g].weights, candidate.weight_bits, overrides.parameters);
    }
    return io::write_width_overrides(overrides);
  }

  /// Groups that are free: nothing in them came with the model or was ordered.
  void learn_groups(const Trial& base, const ops::Facts& facts) {
    groups_ = sensitivity::quantizer_groups(base.model, facts);
    for (const QuantizerGroup& group : groups_) {
      const auto is_settled = [&](const std::string& name) {
        const TensorEncoding* encoding = find_encoding(base.model.encodings, name);
        return base.model.orders.contains(name) || (encoding != nullptr && encoding->frozen);
      };
      is_free_.push_back(!std::ranges::any_of(group.activations, is_settled) &&
                         !std::ranges::any_of(group.weights, is_settled));
    }
  }

  /// Whether the device computes the group's operator on such numbers.
  bool is_legal(const QuantizerGroup& group, const PrecisionCandidate& candidate) const {
    if (target_ == nullptr || group.op.empty()) return true;
    const OperatorRule* rule = target_->rule_of(group.op);
    if (rule == nullptr) return false;
    const auto has = [](const std::vector<NumberKind>& kinds, int bits, bool real) {
      return std::ranges::find(kinds, NumberKind{real ? 32 : bits, real}) != kinds.end();
    };
    if (candidate.real) return has(rule->activations, 32, true) || !target_->host.empty();
    const bool weights = group.weights.empty() || has(rule->weights, candidate.weight_bits, false);
    return weights && (group.activations.empty() || has(rule->activations, candidate.act_bits, false));
  }

  bool may_have(std::size_t g, std::size_t c) const {
    return c == 0 || (is_free_[g] && is_legal(groups_[g], candidates_[c]));
  }

  /// Phase 1: what each group costs alone, at each width.
  Result<void> measure_noise(const Trial& base) {
    noise_.emplace(groups_.size(), candidates_.size());
    alone_db_.assign(groups_.size(), std::vector<std::optional<double>>(candidates_.size()));
    exec::SampleSource samples = judges_.samples;
    samples.count = std::min(samples.count, search_.num_samples);
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      if (candidates_[c].real) {
        for (std::size_t g = 0; g < groups_.size(); ++g) allow(g, c, {}, kNoErrorDb);
        continue;
      }
      Assignment all(groups_.size(), 0);
      for (std::size_t g = 0; g < groups_.size(); ++g) {
        if (may_have(g, c)) all[g] = c;
      }
      Result<Trial> trial = c == 0 ? Result<Trial>(base) : trials_.make(overrides_of(all));
      if (!trial.ok()) return trial.error();
      if (auto done = measure_candidate(c, *trial, samples); !done.ok()) return done;
    }
    const double share = static_cast<double>(ErrorVector(*judge_, samples.count).values().size()) /
                         static_cast<double>(std::max<std::int64_t>(judge_->num_elements() * samples.count, 1));
    noise_->finish(judge_->mean_power() * static_cast<double>(samples.count) * share);
    return {};
  }

  void allow(std::size_t g, std::size_t c, std::span<const float> errors, double sqnr_db) {
    if (!may_have(g, c)) return;
    noise_->allow(g, c, {errors.begin(), errors.end()});
    alone_db_[g][c] = sqnr_db;
  }

  Result<void> measure_candidate(std::size_t c, const Trial& trial, const exec::SampleSource& samples) {
    sensitivity::AnalysisRequest analysis;
    analysis.quantized = &trial.model;
    analysis.reference = &trial.reference;
    analysis.other_units = trial.units_differ.all();
    analysis.shapes = shapes_;
    analysis.samples = samples;
    analysis.fixed = trial.fixed;
    analysis.num_threads = num_threads_;
    analysis.wants_all_but = false;
    analysis.wants_parts = false;
    if (observer_.progress) {
      analysis.progress = [&](std::int64_t done, std::int64_t total) {
        observer_.progress("measuring layers at " + name_of(candidates_[c]), done, total);
      };
    }
    const Result<ops::Facts> facts = ops::infer_facts(trial.model.graph, shapes_);
    if (!facts.ok()) return facts.error();
    const std::vector<QuantizerGroup> groups = sensitivity::quantizer_groups(trial.model, *facts);
    std::vector<ErrorVector> errors(groups.size(), ErrorVector(*judge_, samples.count));
    std::map<std::string, std::size_t> group_of_run;
    for (std::size_t g = 0; g < groups.size(); ++g) group_of_run.emplace(sensitivity::key_of({.group = g}, groups), g);
    const auto errors_of = [&](const std::string& run) {
      const auto at = group_of_run.find(run);
      return at == group_of_run.end() ? std::span<float>() : errors[at->second].values();
    };
    analysis.known = [&](const std::string& run) { return cache_->layer(candidates_[c], run, errors_of(run)); };
    analysis.found = [&](const std::string& run, const OutputScore& score) {
      return cache_->add_layer(candidates_[c], run, score, errors_of(run));
    };
    analysis.seen = [&](const sensitivity::Run& run, std::int64_t sample, const exec::Executor& executor) {
      return run.group ? errors[*run.group].record(*judge_, sample, executor) : Result<void>();
    };
    const Result<sensitivity::Analysis> analysed = sensitivity::analyze(analysis, *judge_);
    if (!analysed.ok()) return analysed.error();
    std::map<std::string, std::size_t> at;
    for (std::size_t g = 0; g < analysed->groups.size(); ++g) at.emplace(first_tensor(analysed->groups[g]), g);
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const auto same = at.find(first_tensor(groups_[g]));
      if (same == at.end() || !analysed->only[same->second].both) continue;
      allow(g, c, errors[same->second].values(), analysed->only[same->second].both->sqnr_db);
    }
    return {};
  }

  /// Of the model that an assignment makes, over all judging samples.
  Result<OutputScore> score(const Assignment& assignment) {
    if (const auto known = scores_.find(assignment); known != scores_.end()) return known->second;
    const std::string overrides = overrides_of(assignment);
    std::optional<OutputScore> score = cache_->model(overrides);
    if (!score) {
      Result<Trial> trial = trials_.make(overrides);
      if (!trial.ok()) return trial.error();
      const Result<OutputScore> measured = score_of(*trial, judges_, shapes_, num_threads_, *judge_);
      if (!measured.ok()) return measured;
      if (auto kept = cache_->add_model(overrides, *measured); !kept.ok()) return kept.error();
      score = *measured;
    }
    scores_.emplace(assignment, *score);
    const auto count = static_cast<std::int64_t>(scores_.size());
    if (observer_.progress) observer_.progress("measuring mixed precision", count, count);
    return *score;
  }

  /// Whether the model holds the drop as it is: then no layer has to be measured.
  Result<bool> settles_on_base(report::MixedPrecision& report) {
    const Assignment base(groups_.size(), 0);
    const Result<OutputScore> measured = score(base);
    if (!measured.ok()) return measured.error();
    if (drop_of(*measured, judge_->reference()) > *search_.allowed_accuracy_drop) return false;
    curve_ = {{.assignment = base, .cost = costs().of(base)}};
    alone_db_.assign(groups_.size(), std::vector<std::optional<double>>(candidates_.size()));
    report.holds = true;
    describe(base, report);
    return true;
  }

  Result<Assignment> holding_drop(report::MixedPrecision& report) {
    const double allowed = *search_.allowed_accuracy_drop;
    const Result<sensitivity::FoundPoint> found = sensitivity::find_point(
        curve_.size(), allowed, search_.method, search_.phase2_reverse, [&](std::size_t i) -> Result<double> {
          const Result<OutputScore> measured = score(curve_[i].assignment);
          if (!measured.ok()) return measured.error();
          return drop_of(*measured, judge_->reference());
        });
    if (!found.ok()) return found.error();
    report.holds = found->index.has_value();
    return curve_[found->index.value_or(curve_.size() - 1)].assignment;
  }

  Result<Assignment> within_budget(report::MixedPrecision& report) {
    double budget = std::numeric_limits<double>::infinity();
    if (search_.max_bit_operations) {
      budget = search_.max_bit_operations->value;
      if (search_.max_bit_operations->is_percent) budget *= curve_.back().cost / 100.0;
    }
    if (search_.max_latency_factor) budget = std::min(budget, *search_.max_latency_factor * curve_.front().cost);
    report.budget = latency_ ? budget / curve_.front().cost : budget;
    std::vector<CurvePoint> affordable = curve_;
    std::erase_if(affordable, [&](const CurvePoint& point) { return point.cost > budget; });
    if (search_.allowed_accuracy_drop && !affordable.empty()) {
      curve_ = affordable;
      Result<Assignment> held = holding_drop(report);
      if (!held.ok() || report.holds) return held;
    }
    const std::optional<Assignment> best = sensitivity::best_within(*noise_, costs(), curve_, budget);
    if (!best) {
      char text[64];
      std::snprintf(text, sizeof(text), "%.6g", curve_.front().cost);
      return usage(std::string("the budget is below what the cheapest model costs, ") + text +
                   (latency_ ? " by the target's costs" : " bit operations"));
    }
    const Result<OutputScore> measured = score(*best);
    if (!measured.ok()) return measured.error();
    report.holds =
        !search_.allowed_accuracy_drop || drop_of(*measured, judge_->reference()) <= *search_.allowed_accuracy_drop;
    return *best;
  }

  void describe(const Assignment& chosen, report::MixedPrecision& report) const {
    const auto db_of_noise = [](double noise) {
      return noise > 0.0 ? std::clamp(-10.0 * std::log10(noise), -kNoErrorDb, kNoErrorDb) : kNoErrorDb;
    };
    const auto point_of = [&](const Assignment& assignment) {
      report::MixedPrecisionPoint point;
      point.num_changed = static_cast<std::int64_t>(
          std::ranges::count_if(assignment, [](std::size_t candidate) { return candidate != 0; }));
      point.bit_operations = operations_->of(assignment);
      point.cost_factor = costs().of(assignment) / costs().of(Assignment(assignment.size(), 0));
      if (noise_) point.predicted_sqnr_db = db_of_noise(noise_->of(assignment));
      point.chosen = assignment == chosen;
      if (const auto known = scores_.find(assignment); known != scores_.end()) {
        point.sqnr_db = known->second.sqnr_db;
        point.drop = drop_of(known->second, judge_->reference());
      }
      return point;
    };
    for (const CurvePoint& point : curve_) report.curve.push_back(point_of(point.assignment));
    for (std::size_t i = 0; i < curve_.size(); ++i) {
      if (curve_[i].group) report.curve[i].layer = groups_[*curve_[i].group].name;
    }
    if (std::ranges::none_of(report.curve, &report::MixedPrecisionPoint::chosen)) {
      report.curve.push_back(point_of(chosen));
      std::ranges::sort(report.curve, {}, &report::MixedPrecisionPoint::cost_factor);
    }
    report.counts = latency_ ? "estimated time" : "bit operations";
    report.allowed_drop = search_.allowed_accuracy_drop;
    report.measure = scores_.empty() ? "" : measure_of(scores_.begin()->second);
    for (const PrecisionCandidate& candidate : candidates_) report.candidates.push_back(name_of(candidate));
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      report::LayerWidth layer{groups_[g].name, groups_[g].op, report.candidates[chosen[g]], {}};
      layer.sqnr_db = alone_db_[g];
      report.layers.push_back(std::move(layer));
    }
  }

  const QuantizeRequest& request_;
  const MixedPrecisionSearch& search_;
  const RawModel& raw_;
  Sources& sources_;
  const TargetProfile* target_;
  const Observer& observer_;
  const AccuracyJudges& judges_;
  TrialModels trials_;
  ops::InputShapes shapes_;
  int num_threads_;
  std::vector<PrecisionCandidate> candidates_;  // The model's own widths first.
  std::vector<QuantizerGroup> groups_;
  std::vector<bool> is_free_;        // By group.
  std::optional<NoiseModel> noise_;  // Empty: no layer had to be measured.
  std::optional<sensitivity::CostModel> operations_;
  std::optional<sensitivity::CostModel>
      latency_;  // By the target's costs; empty: it has none, or operations are limited.
  std::vector<std::vector<std::optional<double>>> alone_db_;  // SQNR of each group alone, by group and candidate.
  std::unique_ptr<OutputJudge> judge_;
  std::unique_ptr<SearchCache> cache_;
  std::vector<CurvePoint> curve_;
  std::map<Assignment, OutputScore> scores_;
};

}  // namespace

Result<void> check_mixed_precision(const QuantizeRequest& request) {
  const MixedPrecisionSearch& search = request.mixed_precision;
  if (!search.enabled) {
    if (search == MixedPrecisionSearch{} || request.tuning.ladder) return {};
    return usage(
        "options of automatic mixed precision have no effect without --auto_mixed_precision or --algorithms auto");
  }
  const bool has_budget = search.max_bit_operations || search.max_latency_factor;
  if (!search.allowed_accuracy_drop && !has_budget) {
    return usage(
        "--auto_mixed_precision needs an aim: --allowed_accuracy_drop, --max_bit_operations or "
        "--max_latency_factor");
  }
  if ((request.input_list.empty() && request.input_images.empty()) || !request.statistics_in.empty() ||
      request.statistics_out) {
    return usage("--auto_mixed_precision runs samples: give --input_list, and no statistics");
  }
  if (request.search || request.dynamic || request.strip || request.float_fallback) {
    return usage("--auto_mixed_precision does not go with --search, --dynamic, --strip or --float_fallback");
  }
  if (request.options.act_bits == 32) return usage("--auto_mixed_precision needs activations on integers");
  if (search.eval_labels && search.eval_input_list.empty()) {
    return usage("--eval_labels needs --eval_input_list, the samples that they are of");
  }
  if (!search.cache && search.cache_dir) return usage("--cache_dir has no effect with --no_cache");
  for (const PrecisionCandidate& candidate : search.candidates) {
    if (candidate.real) continue;
    if (candidate.weight_bits < request.options.weight_bits || candidate.act_bits < request.options.act_bits) {
      return usage("--amp_candidates: " + name_of(candidate) +
                   " is below the model's own widths, from which the search starts; set --weights_bitwidth and "
                   "--act_bitwidth to the lowest");
    }
  }
  return {};
}

Result<void> search_mixed_precision(QuantizeRequest& request, const RawModel& raw, Sources& sources,
                                    const TargetProfile* target, const OutputPaths& paths, const Observer& observer,
                                    QuantizeStory& story) {
  const Result<std::unique_ptr<AccuracyJudges>> judges = open_judges(request, raw, sources);
  if (!judges.ok()) return judges.error();
  report::MixedPrecision report;
  Result<std::string> overrides = Searcher(request, raw, sources, target, observer, **judges).run(report);
  if (!overrides.ok()) return overrides.error();
  if (!report.holds) {
    story.report.warnings.push_back(
        "no assignment of widths holds the allowed accuracy drop; the best one that was "
        "found is written");
    if (observer.warning) observer.warning(story.report.warnings.back());
  }
  if (auto written = write_file(*paths.overrides, *overrides); !written.ok()) return written;
  request.quantization_overrides.push_back(*paths.overrides);
  story.report.mixed_precision = std::move(report);
  return {};
}

}  // namespace halfstep::pipeline
