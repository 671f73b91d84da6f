// diagnose.cpp: the ladder.
#include "pipeline/diagnose.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <utility>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "pipeline/integer_model.hpp"
#include "pipeline/next_steps.hpp"
#include "pipeline/observe_float.hpp"
#include "pipeline/observed_causes.hpp"
#include "pipeline/other_grids.hpp"
#include "sensitivity/analyze.hpp"

namespace halfstep::pipeline {
namespace {

using report::Diagnosis;
using sensitivity::Analysis;
using sensitivity::OutputJudge;
using sensitivity::Part;
using sensitivity::PartialQuantization;
using sensitivity::QuantizerGroup;

constexpr std::int64_t kMaxDiagnosedSamples = 32;
/// From here on a form is good, as far as SQNR tells: the noise is a thousandth of the outputs' power.
constexpr double kGoodDb = 30.0;
/// Two orders of the same float operations are this close, and no grid is.
constexpr double kExactDb = 120.0;
constexpr std::size_t kMaxLayers = 5;
/// Weights or activations are to blame if what they cost is so many times what the others cost.
constexpr double kPlainlyMore = 2.0;

std::string in_db(double db) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f dB", db);
  return text;
}
std::string percentage(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f %%", value);
  return text;
}

double noise_at(double sqnr_db) { return std::pow(10.0, -sqnr_db / 10.0); }

/// As many samples as there are at the beginning with the shapes of the first, at most kMaxDiagnosedSamples.
Result<exec::SampleSource> first_samples(const ModelPair& pair) {
  exec::SampleSource samples = source_of(pair.samples.reader);
  const std::int64_t limit = std::min(samples.count, kMaxDiagnosedSamples);
  std::vector<TensorType> types;
  samples.count = 0;
  for (std::int64_t i = 0; i < limit; ++i) {
    const Result<std::vector<Tensor>> sample = samples.load(i);
    if (!sample.ok()) return sample.error();
    std::vector<TensorType> own;
    for (const Tensor& tensor : *sample) own.push_back(tensor.type());
    if (i == 0) types = own;
    if (own != types) break;
    samples.count = i + 1;
  }
  return samples;
}

/// Beside the SQNR: what was lost of what counts.
struct Loss {
  bool any = false;
  std::string words;
};

Loss loss_of(const OutputScore& score, const OutputScore& reference) {
  if (score.top1_percent && reference.top1_percent) {
    return {*score.top1_percent < *reference.top1_percent,
            ", top-1 " + percentage(*score.top1_percent) + " where float has " + percentage(*reference.top1_percent)};
  }
  if (score.miou_percent && reference.miou_percent) {
    return {
        *score.miou_percent + 0.5 < *reference.miou_percent,
        ", mean IoU " + percentage(*score.miou_percent) + " where float has " + percentage(*reference.miou_percent)};
  }
  if (score.agreement_percent) {
    return {*score.agreement_percent < 100.0,
            ", the best class of float in " + percentage(*score.agreement_percent) + " of the samples"};
  }
  return {};
}

class Diagnoser {
 public:
  Diagnoser(const ModelPair& pair, FixedPointOptions fixed, exec::SampleSource samples, int num_threads,
            const Observer& observer)
      : pair_(pair),
        model_(pair.quantized),
        fixed_(fixed),
        samples_(std::move(samples)),
        num_threads_(num_threads),
        observer_(observer),
        other_units_(incomparable(pair.quantized.units, pair.reference.units).all()) {
    partial_ = std::make_unique<PartialQuantization>(model_, pair.reference.graph, other_units_);
  }

  Result<Diagnosis> run() {
    diagnosis_.num_samples = samples_.count;
    compare::OutputMeasures measures;
    measures.labels = pair_.labels.classes;
    measures.labels.resize(std::min(measures.labels.size(), static_cast<std::size_t>(samples_.count)));
    measures.masks = pair_.labels.mask_source();
    Result<OutputJudge> judge =
        OutputJudge::make(pair_.reference.graph, pair_.shapes, samples_, measures, num_threads_);
    if (!judge.ok()) return judge.error();
    judge_ = std::make_unique<OutputJudge>(*std::move(judge));
    if (judge_->num_elements() == 0) {
      return unsupported("--diagnose measures errors of outputs, and none is float32 of a shape known before running");
    }
    Result<bool> goes_on = judge_whole();
    if (!goes_on.ok() || !*goes_on) return finish(goes_on);
    goes_on = judge_16_bits();
    if (!goes_on.ok() || !*goes_on) return finish(goes_on);
    if (auto done = judge_layers(); !done.ok()) return done.error();
    if (auto done = find_causes(); !done.ok()) return done.error();
    give_verdict();
    StepRequest steps{.model = &model_,
                      .facts = &facts_,
                      .reference = &pair_.reference.graph,
                      .partial = partial_.get(),
                      .groups = &analysis_.groups,
                      .layers = &dear_,
                      .observed = &observed_,
                      .sqnr_db = whole_.sqnr_db,
                      .wide_sqnr_db = wide_db_,
                      .measure = [this](const QuantizedGraph& form) { return score(form, fixed_); }};
    diagnosis_.next = next_steps(steps);
    return std::move(diagnosis_);
  }

 private:
  Result<Diagnosis> finish(const Result<bool>& outcome) {
    if (!outcome.ok()) return outcome.error();
    return std::move(diagnosis_);
  }

  Result<OutputScore> score(const QuantizedGraph& form, const FixedPointOptions& fixed) const {
    const sensitivity::StagedRequest staged{
        .base = &form, .samples = samples_, .shapes = pair_.shapes, .fixed = fixed, .num_threads = num_threads_};
    return sensitivity::score_of(staged, *judge_);
  }

  void answer(const char* question, std::string text, std::optional<double> sqnr_db = std::nullopt) {
    diagnosis_.rungs.push_back({question, std::move(text), sqnr_db});
  }

  Result<bool> judge_whole() {
    const Result<OutputScore> whole = score(model_, fixed_);
    if (!whole.ok()) return whole.error();
    whole_ = *whole;
    const Loss loss = loss_of(whole_, judge_->reference());
    std::string text = "Everything quantized: " + in_db(whole_.sqnr_db) + loss.words + ".";
    const bool is_good = whole_.sqnr_db >= kGoodDb && !loss.any;
    if (is_good) {
      diagnosis_.verdict = "healthy: " + in_db(whole_.sqnr_db) + " and nothing lost, there is nothing to look for.";
    }
    answer("quantized", std::move(text), whole_.sqnr_db);
    return !is_good;
  }

  Result<bool> judge_16_bits() {
    Result<ops::Facts> facts = ops::infer_facts(model_.graph, pair_.shapes);
    if (!facts.ok()) return facts.error();
    facts_ = *std::move(facts);
    const std::vector<QuantizerGroup> groups = sensitivity::quantizer_groups(model_, facts_);
    std::vector<const QuantizerGroup*> all;
    for (const QuantizerGroup& group : groups) all.push_back(&group);
    FixedPointOptions wide = fixed_;
    wide.accumulator_bits = 64;
    const Result<OutputScore> found = score(with_bits(model_, *partial_, all, Part::kBoth, 16), wide);
    if (!found.ok()) return found.error();
    wide_db_ = found->sqnr_db;
    std::string text = "The same ranges on 16 bits: " + in_db(wide_db_) + ". ";
    if (wide_db_ >= kGoodDb) {
      answer("16-bit", text + "So the ranges hold what counts, and the grids are too coarse.", wide_db_);
      return true;
    }
    const Result<OutputScore> real = score(partial_->only({}, Part::kBoth), wide);
    if (!real.ok()) return real.error();
    if (real->sqnr_db >= kGoodDb) {
      answer("16-bit",
             text +
                 "So the trouble is not the bit width: ranges cut values off or lie far from them. Without any grid "
                 "it is " +
                 (real->sqnr_db >= kExactDb ? "exact" : in_db(real->sqnr_db)) + ".",
             wide_db_);
      return true;
    }
    text += "Without any grid it is " + in_db(real->sqnr_db);
    if (partial_->kept_weights().empty()) {
      text += ", so the two models do not compute the same.";
      diagnosis_.verdict =
          "the two models compute different things even without quantization; is this the float model that the "
          "quantized one was made from?";
    } else {
      text += ", where weights such as " + quoted(partial_->kept_weights().front()) +
              " stay rounded: an algorithm scaled their channels, and this float model has none like them.";
      diagnosis_.verdict =
          "what rounding those weights costs cannot be told apart; diagnose what quantize --effort fast makes, where "
          "no "
          "algorithm scales channels.";
    }
    answer("16-bit", std::move(text), wide_db_);
    return false;
  }

  Result<void> judge_layers() {
    sensitivity::AnalysisRequest request;
    request.quantized = &model_;
    request.reference = &pair_.reference.graph;
    request.other_units = other_units_;
    request.shapes = pair_.shapes;
    request.samples = samples_;
    request.fixed = fixed_;
    request.num_threads = num_threads_;
    request.wants_only = false;
    if (observer_.progress) {
      request.progress = [&](std::int64_t done, std::int64_t total) { observer_.progress("diagnosing", done, total); };
    }
    Result<Analysis> analysis = sensitivity::analyze(request, *judge_);
    if (!analysis.ok()) return analysis.error();
    analysis_ = *std::move(analysis);
    compare_parts();
    choose_layers();
    return {};
  }

  void compare_parts() {
    const PartScores& whole = analysis_.whole;
    if (!whole.weights || !whole.activations) return;
    const double weights = noise_at(whole.weights->sqnr_db);
    const double activations = noise_at(whole.activations->sqnr_db);
    answer("parts", "Weights alone " + in_db(whole.weights->sqnr_db) + ", activations alone " +
                        in_db(whole.activations->sqnr_db) + ": " +
                        (weights >= kPlainlyMore * activations   ? "the weights cost most."
                         : activations >= kPlainlyMore * weights ? "the activations cost most."
                                                                 : "both cost."));
  }

  double gain_of(const std::optional<OutputScore>& without) const {
    return without ? without->sqnr_db - whole_.sqnr_db : 0.0;
  }

  Part part_of(std::size_t g) const {
    const QuantizerGroup& group = analysis_.groups[g];
    if (group.activations.empty()) return Part::kWeights;
    if (group.weights.empty()) return Part::kActivations;
    // What the outputs win: shares of the noise that go away.
    const auto share = [](double gain_db) { return 1.0 - noise_at(gain_db); };
    const double weights = share(gain_of(analysis_.all_but[g].weights));
    const double activations = share(gain_of(analysis_.all_but[g].activations));
    if (weights >= kPlainlyMore * activations) return Part::kWeights;
    return activations >= kPlainlyMore * weights ? Part::kActivations : Part::kBoth;
  }

  void choose_layers() {
    double best = 0.0;
    for (std::size_t g = 0; g < analysis_.groups.size(); ++g) {
      const double gain = gain_of(analysis_.all_but[g].both);
      best = std::max(best, gain);
      if (gain >= kWorthDb) dear_.push_back({&analysis_.groups[g], part_of(g), gain, {}});
    }
    std::ranges::stable_sort(dear_, std::ranges::greater{}, &DearLayer::gain_db);
    if (dear_.size() > kMaxLayers) dear_.resize(kMaxLayers);
    answer("layers", dear_.empty() ? "No layer stands out: leaving one in float wins " + in_db(best) + " at most."
                                   : "Layers, by what the outputs win when this one stays in float:");
  }

  Result<void> find_causes() {
    if (dear_.empty()) return {};
    const QuantizedGraph real = partial_->only({}, Part::kBoth);
    std::vector<const QuantizerGroup*> groups;
    for (const DearLayer& layer : dear_) groups.push_back(layer.group);
    std::string text = "Why:";
    std::vector<calib::Watch> watches = watches_of(model_, facts_, groups);
    if (!watches.empty()) {
      Result<calib::Observations> observed =
          observe_float(real.graph, std::move(watches), samples_, num_threads_, "observing", observer_);
      if (observed.ok()) {
        observed_ = *std::move(observed);
      } else if (observed.error().code == ErrorCode::kCalibration) {
        text = "Why (activations were not looked at: " + observed.error().message + "):";
      } else {
        return observed.error();
      }
    }
    std::string plain;
    for (DearLayer& layer : dear_) {
      if (layer.part != Part::kActivations) layer.causes = weight_causes_of(model_, real.graph, *layer.group);
      if (layer.part != Part::kWeights) {
        for (sensitivity::Cause& cause : activation_causes_of(model_, *layer.group, observed_)) {
          layer.causes.push_back(std::move(cause));
        }
      }
      report::DiagnosedLayer told{.name = layer.group->name,
                                  .op = layer.group->op,
                                  .part = name_of(layer.part),
                                  .gain_db = layer.gain_db,
                                  .noise_share_percent = 100.0 * (1.0 - noise_at(layer.gain_db)),
                                  .causes = {}};
      for (const sensitivity::Cause& cause : layer.causes) {
        told.causes.push_back({name_of(cause.kind), cause.tensor, cause.sentence});
      }
      if (told.causes.empty()) plain += (plain.empty() ? "" : ", ") + report::layer_words(told);
      diagnosis_.layers.push_back(std::move(told));
    }
    if (!plain.empty()) {
      text = "Nothing stands out in the values of " + plain + ": the grids are coarse, no more." +
             (std::ranges::all_of(dear_, [](const DearLayer& layer) { return layer.causes.empty(); })
                  ? ""
                  : " Why the others cost so much:");
    }
    answer("causes", std::move(text));
    return {};
  }

  void give_verdict() {
    if (dear_.empty()) {
      diagnosis_.verdict = "the error comes from all layers alike: more bits, or other algorithms, for all of them.";
      return;
    }
    const DearLayer& worst = dear_.front();
    std::string text = "mostly " + report::layer_words(diagnosis_.layers.front()) +
                       (worst.part == Part::kBoth ? ", by its weights and activations: "
                                                  : std::string(", by its ") + name_of(worst.part) + ": ");
    if (worst.causes.empty()) {
      text += "nothing stands out in its values, it needs more bits";
    } else {
      for (std::size_t i = 0; i < worst.causes.size(); ++i) {
        const bool is_known = std::any_of(worst.causes.begin(), worst.causes.begin() + static_cast<std::ptrdiff_t>(i),
                                          [&](const auto& cause) { return cause.kind == worst.causes[i].kind; });
        if (!is_known) text += (i > 0 ? ", " : "") + std::string(words_of(worst.causes[i].kind));
      }
    }
    diagnosis_.verdict = text + ".";
  }

  const ModelPair& pair_;
  const QuantizedGraph& model_;
  FixedPointOptions fixed_;
  exec::SampleSource samples_;
  int num_threads_;
  const Observer& observer_;
  std::set<std::string, std::less<>> other_units_;
  std::unique_ptr<PartialQuantization> partial_;
  std::unique_ptr<OutputJudge> judge_;
  ops::Facts facts_;  // Of model_.
  OutputScore whole_;
  double wide_db_ = 0.0;
  Analysis analysis_;
  std::vector<DearLayer> dear_;
  calib::Observations observed_;
  Diagnosis diagnosis_;
};

}  // namespace

Result<void> check_diagnosis(const EvaluateRequest& request) {
  if (request.diagnose && request.mode == EvaluateMode::kSimulated) {
    return usage(
        "--diagnose looks at the fixed-point run, which --mode simulated leaves out; use --mode fixed or both");
  }
  return {};
}

Result<void> check_diagnosis(const ModelPair& pair) {
  if (!pair.quantized.encodings.empty()) return {};
  return usage(multiplies_integers(pair.quantized.graph)
                   ? "--diagnose switches grids off and on, which a dynamically quantized model finds as it runs"
                   : "--diagnose looks at grids of integers, and the quantized model has none");
}

Result<Diagnosis> diagnose(const ModelPair& pair, const FixedPointOptions& fixed, int num_threads,
                           const Observer& observer) {
  Result<exec::SampleSource> samples = first_samples(pair);
  if (!samples.ok()) return samples.error();
  const int threads = num_threads_for(num_threads, samples->count);
  return Diagnoser(pair, fixed, *std::move(samples), threads, observer).run();
}

}  // namespace halfstep::pipeline
