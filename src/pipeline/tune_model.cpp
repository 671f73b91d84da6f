// tune_model.cpp: steps that change the float model, then the sweep.
#include "pipeline/tune_model.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <optional>
#include <utility>

#include "calib/range_estimators.hpp"
#include "core/errors.hpp"
#include "pipeline/float_steps.hpp"
#include "pipeline/sample_split.hpp"
#include "tune/analytic_bias.hpp"
#include "tune/equalize.hpp"
#include "tune/judge.hpp"
#include "tune/options.hpp"
#include "tune/sweep_layers.hpp"

namespace halfstep::pipeline {
namespace {

constexpr double kDamping = 0.05;
constexpr double kDampingOfShifts = 0.01;
constexpr int kTrialsBelow8Bits = 6;
constexpr const char* kRangesStep = "ranges";  // Chosen, not an algorithm.
constexpr std::size_t kOutlookSamples = 24;

class ModelTuner {
 public:
  ModelTuner(const TuneRequest& request, const Observer& observer)
      : request_(request),
        observer_(observer),
        split_(split_of(request.samples.count)),
        will_equalize_(asks_for(Algorithm::kEqualize)) {}

  Result<TunedModel> run() {
    if (split_.held_out.empty()) {
      return usage("--algorithms needs at least 2 samples, one of them to judge by: the input list has " +
                   std::to_string(request_.samples.count));
    }
    held_out_ = picked(request_.samples, split_.held_out);
    Result<tune::Judge> judge = tune::Judge::make(*request_.graph, held_out_, request_.num_threads);
    if (!judge.ok()) return judge.error();
    judge_.emplace(*std::move(judge));
    tuned_.num_held_out = judge_->num_samples();
    tuned_.act_range = request_.options.act_range;
    const bool corrects = asks_for(Algorithm::kBiasCorrection);
    tuned_.float_graph = corrects ? tune::with_biases(*request_.graph) : *request_.graph;
    Result<Calibration> base = calibrated(tuned_.float_graph);
    if (!base.ok()) return base.error();
    tuned_.calibration = *std::move(base);
    const Result<FixedPointOptions> fixed = request_.fixed(tuned_.calibration.model.encodings);
    if (!fixed.ok()) return fixed.error();
    fixed_ = *fixed;
    if (auto scored = rescore(); !scored.ok()) return scored.error();
    if (tuned_.calibration.model.encodings.empty()) return std::move(tuned_);  // Nothing to quantize.
    if (!judge_->can_judge()) {
      tuned_.calibration.warnings.push_back(
          "no output is float32 of a shape known before running, so nothing judges algorithms: ranges alone decide");
      return std::move(tuned_);
    }
    if (auto chosen = choose_ranges(); !chosen.ok()) return chosen.error();
    if (auto ran = run_algorithms(); !ran.ok()) return ran.error();
    if (auto done = drop_idle_biases(); !done.ok()) return done.error();
    tuned_.score = score_;
    tuned_.act_range = request_.options.act_range;
    for (std::string& line : left_out_) tuned_.calibration.warnings.push_back(std::move(line));
    return std::move(tuned_);
  }

 private:
  /// Of what --effort offers, the ranges that held-out samples like best; what was seen serves all of them. Ranges that
  /// clip must win clearly over min-max: held-out samples were seen when ranges were observed, others go further out.
  Result<void> choose_ranges() {
    const auto start = std::chrono::steady_clock::now();
    const std::vector<RangeMethod>& choices = request_.tuning.range_choices;
    if (choices.size() < 2) return {};
    struct Choice {
      RangeMethod method;
      Calibration calibration;
      tune::Score score;
      double handicapped_db;
    };
    // The first is what the model has been calibrated with.
    Choice best{choices.front(), std::move(tuned_.calibration), score_, 0.0};
    std::optional<tune::Score> plain;
    const calib::Observations seen = best.calibration.seen;
    const auto judge = [&](Choice choice) {
      const bool clips = choice.method != RangeMethod::kMinMax;
      if (!clips) plain = choice.score;
      choice.handicapped_db = choice.score.mean_db - (clips ? tune::kClearGainDb : 0.0);
      return choice;
    };
    best = judge(std::move(best));
    for (auto method = choices.begin() + 1; method != choices.end(); ++method) {
      QuantizationOptions options = request_.options;
      options.act_range.method = *method;
      Result<Calibration> made = calibrate(tuned_.float_graph, *request_.given, request_.shapes, options,
                                           [&](const ops::Facts&, const precision::Plan&) { return Result(seen); });
      if (!made.ok()) return made.error();
      Result<tune::Score> score = judge_->score(made->model, fixed_);
      if (!score.ok()) return score.error();
      Choice choice = judge({*method, *std::move(made), *std::move(score), 0.0});
      if (choice.handicapped_db > best.handicapped_db) best = std::move(choice);
    }
    report::TuningStep step{.algorithms = kRangesStep, .did = {}, .notes = {}};
    step.did = std::string(calib::name_of(best.method)) + " for activations, of " + std::to_string(choices.size()) +
               " methods; before: min-max";
    const tune::Score before = plain.value_or(best.score);
    request_.options.act_range.method = best.method;
    tuned_.calibration = std::move(best.calibration);
    score_ = best.score;
    judged(std::move(step), before, score_, start, [] {});
    tuned_.steps.back().undone = false;  // A choice, of which one is always kept.
    return {};
  }

  /// What equalizing will ask for is seen in the same pass.
  Result<Calibration> calibrated(const graph::Graph& graph) {
    return calibrate(graph, *request_.given, request_.shapes, request_.options,
                     [&](const ops::Facts& facts, const precision::Plan& plan) {
                       std::vector<calib::Watch> watches = precision::watches_of(graph, facts, plan);
                       if (will_equalize_) {
                         const auto more = tune::watches_for_equalizing(graph, facts, request_.given->encodings);
                         watches = watches_of_both(std::move(watches), more);
                         saw_for_equalizing_ = std::ranges::all_of(more, [&](const calib::Watch& watch) {
                           const auto both = std::ranges::find(watches, watch.value, &calib::Watch::value);
                           return both->channel_axis == watch.channel_axis;
                         });
                       }
                       return request_.observe(graph, watches, request_.samples);
                     });
  }

  bool asks_for(Algorithm algorithm) const { return std::ranges::count(request_.tuning.algorithms, algorithm) > 0; }

  Result<void> run_algorithms() {
    std::vector<Algorithm> swept;
    for (const Algorithm algorithm : request_.tuning.algorithms) {
      if (tune::is_swept(algorithm, request_.tuning)) {
        swept.push_back(algorithm);
        continue;
      }
      // In the order asked for: analytic correction of rounded weights comes behind their sweep.
      if (!swept.empty()) {
        if (auto ran = tolerated(run_sweep(std::exchange(swept, {})), "the sweep"); !ran.ok()) return ran;
      }
      Result<void> ran = algorithm == Algorithm::kBiasCorrection ? correct_analytically() : change_float(algorithm);
      if (ran = tolerated(std::move(ran), tune::name_of(algorithm)); !ran.ok()) return ran;
    }
    return swept.empty() ? Result<void>() : tolerated(run_sweep(swept), "the sweep");
  }

  /// If nothing was kept, the model is the one that came, without zeros that were to be corrected: its encodings are
  /// good for that model, too.
  Result<void> drop_idle_biases() {
    const bool kept = std::ranges::any_of(
        tuned_.steps, [](const report::TuningStep& step) { return !step.undone && step.algorithms != kRangesStep; });
    if (kept || tuned_.float_graph.values.size() == request_.graph->values.size()) return {};
    Result<Calibration> plain = calibrated(*request_.graph);
    if (!plain.ok()) return plain.error();
    std::vector<std::string> warnings = std::move(tuned_.calibration.warnings);
    tuned_.float_graph = *request_.graph;
    tuned_.calibration = *std::move(plain);
    tuned_.calibration.warnings = std::move(warnings);
    return {};
  }

  /// What a model cannot have is no reason not to quantize it.
  Result<void> tolerated(Result<void> ran, std::string_view what) {
    if (ran.ok() || ran.error().code != ErrorCode::kUnsupported) return ran;
    left_out_.push_back(std::string(what) + " is left out: " + ran.error().message);
    return {};
  }

  /// Where biases will be corrected, a model is judged as it will be then, roughly: what equalizing moves is seen
  /// better once the means are right.
  Result<tune::Score> outlook() const {
    const bool corrects =
        asks_for(Algorithm::kBiasCorrection) && tune::is_swept(Algorithm::kBiasCorrection, request_.tuning);
    if (!corrects) return judge_->score(tuned_.calibration.model, fixed_);
    Result<std::vector<std::int64_t>> places = swept_places();
    if (!places.ok()) return places.error();
    places->resize(std::min(places->size(), kOutlookSamples));
    QuantizedGraph trial = tuned_.calibration.model;
    tune::LayerSweep sweep = sweep_request({Algorithm::kBiasCorrection}, picked(request_.samples, *places));
    sweep.bias = {.newton_steps = 1, .frames = static_cast<std::int64_t>(places->size())};
    sweep.sweep.progress = {};
    if (!places->empty()) {
      const auto swept = tune::sweep_layers(tuned_.float_graph, tuned_.calibration.facts, trial, sweep);
      if (!swept.ok()) return swept.error();
    }
    return judge_->score(trial, fixed_);
  }

  Result<void> rescore() {
    Result<tune::Score> score = judge_->score(tuned_.calibration.model, fixed_);
    if (!score.ok()) return score.error();
    score_ = *std::move(score);
    return {};
  }

  /// One algorithm that changes the float model; the result is calibrated again.
  Result<void> change_float(Algorithm algorithm) {
    const auto start = std::chrono::steady_clock::now();
    if (!outlook_) {
      Result<tune::Score> before = outlook();
      if (!before.ok()) return before.error();
      outlook_ = *std::move(before);
    }
    FloatStep request{.algorithm = algorithm,
                      .tuning = request_.tuning,
                      .graph = tuned_.float_graph,
                      .imported = request_.given->encodings,
                      .weight_shrink = 100.0 - request_.options.param_range.percentile,
                      .calibration = tuned_.calibration};
    const bool equalizes = algorithm == Algorithm::kEqualize;
    request.observe = [&](const std::vector<calib::Watch>& watches) -> Result<calib::Observations> {
      if (equalizes && saw_for_equalizing_) return tuned_.calibration.seen;
      return request_.observe(tuned_.float_graph, watches, request_.samples);
    };
    Result<ChangedFloat> changed = run_float_step(request);
    if (!changed.ok()) return changed.error();
    if (equalizes) will_equalize_ = saw_for_equalizing_ = false;
    report::TuningStep step;
    step.algorithms = tune::name_of(algorithm);
    step.did = std::move(changed->did);
    step.notes = std::move(changed->notes);
    if (changed->changes_function) {
      const Result<tune::Score> score = judge_->score_float(changed->graph);
      if (!score.ok()) return score.error();
      char text[64];
      std::snprintf(text, sizeof(text), "the float model itself is now at %.1f dB", score->mean_db);
      step.did += std::string("; ") + text;
    }
    Result<Calibration> calibration = calibrated(changed->graph);
    if (!calibration.ok()) return calibration.error();
    const bool changes_function = changed->changes_function;
    TunedModel before = std::exchange(tuned_, {});
    tuned_.steps = std::move(before.steps);
    tuned_.num_held_out = before.num_held_out;
    tuned_.changes_function = before.changes_function || changed->changes_function;
    tuned_.units = before.units;
    tuned_.units.add(changed->units);
    tuned_.float_graph = std::move(changed->graph);
    tuned_.calibration = *std::move(calibration);
    const auto undo = [&] {
      tuned_.changes_function = before.changes_function;
      tuned_.units = std::move(before.units);
      tuned_.float_graph = std::move(before.float_graph);
      tuned_.calibration = std::move(before.calibration);
    };
    Result<tune::Score> after = outlook();
    if (!after.ok()) {
      undo();
      return after.error();
    }
    const bool few = judge_->num_samples() < tune::kFewJudges;
    const double may_lose_db = equalizes && asks_for(Algorithm::kRound) ? tune::kLossBeforeRoundingDb : tune::kNoLossDb;
    const double needed_db = changes_function ? tune::kClearGainDb : few ? tune::kGainOfFewDb : -may_lose_db;
    if (!judged(std::move(step), *outlook_, *after, start, undo, needed_db)) return {};
    outlook_ = *std::move(after);
    return rescore();
  }

  Result<void> correct_analytically() {
    const auto start = std::chrono::steady_clock::now();
    QuantizedGraph before = tuned_.calibration.model;
    const Result<std::vector<tune::AnalyticCorrection>> corrected =
        tune::correct_biases_analytically(tuned_.calibration.model, tuned_.float_graph, tuned_.calibration.facts);
    if (!corrected.ok()) return corrected.error();
    std::vector<std::string> lines = tune::lines_of(*corrected);
    report::TuningStep step;
    step.algorithms = tune::name_of(Algorithm::kBiasCorrection);
    step.did = lines.empty() ? "no layer" : std::move(lines.front());
    if (!lines.empty()) step.notes.assign(lines.begin() + 1, lines.end());
    return judged(std::move(step), start, std::move(before));
  }

  /// Places of the samples that rounding and bias correction run: all of one shape.
  Result<std::vector<std::int64_t>> swept_places() const {
    const auto is_fixed = [](const graph::GraphInput& input) {
      return input.declared.dims && std::ranges::all_of(*input.declared.dims, &graph::Dim::fixed);
    };
    const bool one_shape = std::ranges::all_of(request_.graph->inputs, is_fixed);
    const TuningOptions& tuning = request_.tuning;
    const bool iterates = tuning.bias_method == BiasMethod::kIterative;
    const std::int64_t most = std::max<std::int64_t>(tuning.num_samples, iterates ? tuning.bias_calibration_frames : 0);
    std::vector<std::int64_t> places;
    for (const std::int64_t place : split_.fit) {
      if (static_cast<std::int64_t>(places.size()) == most) break;
      if (!one_shape) {
        const Result<std::vector<Tensor>> inputs = request_.samples.load(place);
        if (!inputs.ok()) return inputs.error();
        if (!has_first_shapes(*inputs)) continue;
      }
      places.push_back(place);
    }
    return places;
  }

  bool has_first_shapes(const std::vector<Tensor>& inputs) const {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto shape = request_.shapes.find(request_.graph->value(request_.graph->inputs[i].value).name);
      if (shape != request_.shapes.end() && shape->second != inputs[i].shape()) return false;
    }
    return true;
  }

  tune::LayerSweep sweep_request(const std::vector<Algorithm>& algorithms, exec::SampleSource samples) const {
    const TuningOptions& tuning = request_.tuning;
    tune::LayerSweep sweep;
    sweep.sweep.samples = std::move(samples);
    sweep.sweep.shapes = request_.shapes;
    sweep.sweep.fixed = fixed_;
    sweep.sweep.num_threads = request_.num_threads;
    if (observer_.progress) {
      sweep.sweep.progress = [this](std::int64_t done, std::int64_t total) {
        observer_.progress("correcting layers", done, total);
      };
    }
    sweep.algorithms = algorithms;
    sweep.bias.frames = tuning.num_samples;
    if (tuning.bias_method == BiasMethod::kIterative) {
      sweep.bias = {.iterations = tuning.bias_calibration_iterations,
                    .factor = tuning.bias_calibration_factor,
                    .frames = tuning.bias_calibration_frames};
    }
    const bool affine = request_.options.scale == ScaleKind::kAffine;
    // Below 8 bits the best of several ranges is worth its time; on unseen samples damping wins (mobilenetv2_tv).
    sweep.round = {.samples = tuning.num_samples,
                   .scale = request_.options.scale,
                   .settings = {.damping = affine ? kDamping : kDampingOfShifts,
                                .trials = request_.options.weight_bits < 8 ? kTrialsBelow8Bits : 1}};
    return sweep;
  }

  Result<void> run_sweep(const std::vector<Algorithm>& algorithms) {
    const auto start = std::chrono::steady_clock::now();
    const Result<std::vector<std::int64_t>> places = swept_places();
    if (!places.ok()) return places.error();
    if (places->empty()) return unsupported("no other sample has the shapes of the first");
    report::TuningStep step;
    for (const Algorithm algorithm : algorithms) {
      step.algorithms += (step.algorithms.empty() ? "" : ",") + std::string(tune::name_of(algorithm));
    }
    QuantizedGraph before = tuned_.calibration.model;
    Result<tune::SweptModel> swept =
        tune::sweep_layers(tuned_.float_graph, tuned_.calibration.facts, tuned_.calibration.model,
                           sweep_request(algorithms, picked(request_.samples, *places)));
    if (!swept.ok()) {
      tuned_.calibration.model = std::move(before);
      return swept.error();
    }
    step.did = std::move(swept->did);
    step.notes = std::move(swept->notes);
    return judged(std::move(step), start, std::move(before));
  }

  /// Keeps what the step made, or calls `undo`, by the scores before it and after.
  bool judged(report::TuningStep step, const tune::Score& before, const tune::Score& after,
              std::chrono::steady_clock::time_point start, const std::function<void()>& undo,
              double needed_db = -tune::kNoLossDb) {
    step.sqnr_before_db = before.mean_db;
    step.sqnr_after_db = after.mean_db;
    step.agreement_before = before.agreement;
    step.agreement_after = after.agreement;
    step.undone = tune::is_worse(before, after, needed_db);
    if (step.undone) undo();
    step.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    tuned_.steps.push_back(std::move(step));
    return !tuned_.steps.back().undone;
  }

  /// The same for a step that changed the quantized model.
  Result<void> judged(report::TuningStep step, std::chrono::steady_clock::time_point start, QuantizedGraph before) {
    Result<tune::Score> after = judge_->score(tuned_.calibration.model, fixed_);
    if (!after.ok()) return after.error();
    const bool kept =
        judged(std::move(step), score_, *after, start, [&] { tuned_.calibration.model = std::move(before); });
    if (kept) score_ = *std::move(after);
    return {};
  }

  TuneRequest request_;
  const Observer& observer_;
  Split split_;
  bool will_equalize_;
  bool saw_for_equalizing_ = false;  // tuned_.calibration.seen has it.
  exec::SampleSource held_out_;
  std::optional<tune::Judge> judge_;
  FixedPointOptions fixed_;
  tune::Score score_;                   // Of tuned_ as it is.
  std::optional<tune::Score> outlook_;  // outlook() of it, once asked for.
  std::vector<std::string> left_out_;   // Warnings: what the model cannot have.
  TunedModel tuned_;
};

}  // namespace

Result<TunedModel> tune_model(const TuneRequest& request, const Observer& observer) {
  return ModelTuner(request, observer).run();
}

}  // namespace halfstep::pipeline
