// tuning_option_rows.cpp: the rows of TuningOptions.
#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "halfstep/options.hpp"
#include "pipeline/option_values.hpp"
#include "tune/options.hpp"

namespace halfstep {
namespace {

using pipeline::get_int;
using pipeline::illegal;
using pipeline::number_of;
using pipeline::shown_number;
using Tuning = TuningOptions;

template <auto Member, const auto& All>
Result<void> set_choice(Tuning& options, const std::string& text) {
  for (const auto value : All) {
    if (tune::name_of(value) == text) options.*Member = value;
  }
  return {};
}
template <auto Member>
std::optional<std::string> get_choice(const Tuning& options) {
  return std::string(tune::name_of(options.*Member));
}
bool runs(const Tuning& options, Algorithm algorithm) {
  const bool is_rung =
      algorithm == Algorithm::kEqualize || algorithm == Algorithm::kRound || algorithm == Algorithm::kBiasCorrection;
  if (options.ladder && is_rung) return true;
  return std::ranges::find(options.algorithms, algorithm) != options.algorithms.end();
}

Result<Algorithm> algorithm_of(const std::string& name) {
  std::vector<std::string> names;
  std::string list;
  for (const Algorithm algorithm : tune::kAlgorithms) {
    names.emplace_back(tune::name_of(algorithm));
    if (names.back() == name) return algorithm;
    list += (list.empty() ? "" : ", ") + names.back();
  }
  const std::string hint = did_you_mean(name, names);
  return usage("--algorithms: there is no algorithm " + quoted(name) + (hint.empty() ? "." : hint) +
               " Algorithms: " + list + "; or none; or auto");
}

Result<void> set_algorithms(Tuning& options, const std::string& text) {
  options.algorithms.clear();
  options.asked_for = true;
  options.ladder = text == "auto";
  if (options.ladder) return {};
  for (std::size_t at = 0; text != "none" && at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string name = text.substr(at, end - at);
    at = end + 1;
    const Result<Algorithm> algorithm = algorithm_of(name);
    if (!algorithm.ok()) return algorithm.error();
    if (runs(options, *algorithm)) return usage("--algorithms names " + name + " twice");
    options.algorithms.push_back(*algorithm);
  }
  return tune::check(options);
}
std::optional<std::string> get_algorithms(const Tuning& options) {
  if (options.ladder && options.algorithms.empty()) return "auto";
  std::string list;
  for (const Algorithm algorithm : options.algorithms) {
    list += (list.empty() ? "" : ",") + std::string(tune::name_of(algorithm));
  }
  return list.empty() ? "none" : list;
}

Result<void> set_alpha(Tuning& options, const std::string& text) {
  options.equalize_alpha.reset();
  if (text == "auto") return {};
  const std::optional<double> value = number_of<double>(text);
  if (!value || !(*value >= 0.0 && *value <= 1.0)) {
    return illegal("equalize_alpha", text, "auto or a number from 0 to 1, as 0.5");
  }
  options.equalize_alpha = *value;
  return {};
}
std::optional<std::string> get_alpha(const Tuning& options) {
  if (!runs(options, Algorithm::kEqualize)) return std::nullopt;
  return options.equalize_alpha ? shown_number(*options.equalize_alpha) : "auto";
}

std::optional<std::string> get_bias_method(const Tuning& options) {
  if (!runs(options, Algorithm::kBiasCorrection)) return std::nullopt;
  return get_choice<&Tuning::bias_method>(options);
}
std::optional<std::string> get_clip_method(const Tuning& options) {
  if (!runs(options, Algorithm::kWeightClip)) return std::nullopt;
  return get_choice<&Tuning::weight_clip_method>(options);
}

bool iterates(const Tuning& options) {
  return runs(options, Algorithm::kBiasCorrection) && options.bias_method == BiasMethod::kIterative;
}

Result<void> set_factor(Tuning& options, const std::string& text) {
  const std::optional<double> value = number_of<double>(text);
  if (!value || !(*value > 0.0 && *value <= 1.0)) {
    return illegal("bias_calibration_factor", text, "a number above 0, up to 1, as 0.05");
  }
  options.bias_calibration_factor = *value;
  options.bias_method = BiasMethod::kIterative;
  return {};
}
std::optional<std::string> get_factor(const Tuning& options) {
  if (!iterates(options)) return std::nullopt;
  return shown_number(options.bias_calibration_factor);
}

/// A number of samples or rounds.
template <auto Member>
Result<void> set_count(Tuning& options, std::string_view name, const std::string& text) {
  const std::optional<int> value = number_of<int>(text);
  if (!value || *value < 1 || *value > 1000000) return illegal(name, text, "an integer from 1 to 1000000");
  options.*Member = *value;
  return {};
}
Result<void> set_iterations(Tuning& options, const std::string& text) {
  options.bias_method = BiasMethod::kIterative;
  return set_count<&Tuning::bias_calibration_iterations>(options, "bias_calibration_iterations", text);
}
Result<void> set_frames(Tuning& options, const std::string& text) {
  options.bias_method = BiasMethod::kIterative;
  return set_count<&Tuning::bias_calibration_frames>(options, "bias_calibration_frames", text);
}
Result<void> set_samples(Tuning& options, const std::string& text) {
  return set_count<&Tuning::num_samples>(options, "tuning_samples", text);
}
template <auto Member>
std::optional<std::string> get_iterative(const Tuning& options) {
  if (!iterates(options)) return std::nullopt;
  return get_int<Member>(options);
}
std::optional<std::string> get_samples(const Tuning& options) {
  const bool sweeps = options.ladder ||
                      std::ranges::any_of(options.algorithms, [&](Algorithm a) { return tune::is_swept(a, options); });
  if (!sweeps) return std::nullopt;
  return get_int<&Tuning::num_samples>(options);
}

}  // namespace

std::span<const OptionRow<TuningOptions>> tuning_options() {
  static const std::array<OptionRow<Tuning>, 9> kRows{{
      {.name = "effort",
       .kind = OptionKind::kWord,
       .values = {"default", "fast", "best"},
       .type = "LEVEL",
       .help =
           "what algorithms, ranges and grids are where nothing else decides: fast, ranges alone; default, the best "
           "within 2.5 times that time; best, whatever it takes",
       .set = set_choice<&Tuning::effort, tune::kEfforts>,
       .get = get_choice<&Tuning::effort>},
      {.name = "algorithms",
       .type = "LIST",
       .default_text = "by `--effort`",
       .help = "what changes the model, in this order, separated by commas: cle, equalize, hba, weight-clip, round, "
               "bias-correction; or none; or auto, more and more of them until `--allowed_accuracy_drop` holds "
               "(docs/calibration.md, docs/mixed-precision.md)",
       .set = set_algorithms,
       .get = get_algorithms},
      {.name = "equalize_alpha",
       .type = "A",
       .default_text = "auto",
       .help = "equalize: how far channels' scales follow their activations, 0 to 1, rather than their weights; auto: "
               "chosen for each group by the error it predicts",
       .set = set_alpha,
       .get = get_alpha},
      {.name = "weight_clip_method",
       .kind = OptionKind::kWord,
       .values = {"median", "percentile"},
       .type = "METHOD",
       .help = "weight-clip: how outliers are told",
       .set = set_choice<&Tuning::weight_clip_method, tune::kClipMethods>,
       .get = get_clip_method},
      {.name = "bias_calibration_factor",
       .type = "F",
       .default_text = "0.05",
       .help = "iterative: how far each iteration moves a bias; above 0, up to 1",
       .decides = {"bias_correction_method"},
       .set = set_factor,
       .get = get_factor},
      {.name = "bias_calibration_iterations",
       .kind = OptionKind::kNumber,
       .type = "N",
       .default_text = "50",
       .help = "iterative: iterations a layer",
       .decides = {"bias_correction_method"},
       .set = set_iterations,
       .get = get_iterative<&Tuning::bias_calibration_iterations>},
      {.name = "bias_calibration_frames",
       .kind = OptionKind::kNumber,
       .type = "N",
       .default_text = "50",
       .help = "iterative: samples to run, at most",
       .decides = {"bias_correction_method"},
       .set = set_frames,
       .get = get_iterative<&Tuning::bias_calibration_frames>},
      // After TIDL's parameters, which choose its method: one that was named wins, and they have no effect then.
      {.name = "bias_correction_method",
       .kind = OptionKind::kWord,
       .values = {"empirical", "iterative", "analytic"},
       .type = "METHOD",
       .help = "bias-correction: from samples by Newton's steps; from samples as TIDL does; or from the statistics of "
               "BatchNormalization",
       .set = set_choice<&Tuning::bias_method, tune::kBiasMethods>,
       .get = get_bias_method},
      {.name = "tuning_samples",
       .kind = OptionKind::kNumber,
       .type = "N",
       .default_text = "by `--effort`",
       .help = "samples that round and bias-correction run, at most",
       .set = set_samples,
       .get = get_samples},
  }};
  return kRows;
}

Result<void> check_tuning(const TuningOptions& options, const GivenNames& given) {
  for (const auto& row : tuning_options()) {
    if (!given.contains(row.name) || row.name == "effort" || row.get(options)) continue;
    const bool is_for_iterations =
        row.name.starts_with("bias_calibration") && runs(options, Algorithm::kBiasCorrection);
    return usage("--" + std::string(row.name) + " has no effect with " +
                 (is_for_iterations ? "--bias_correction_method " + *get_bias_method(options)
                                    : "--algorithms " + *get_algorithms(options)));
  }
  return {};
}

}  // namespace halfstep
