// mixed_precision_option_rows.cpp: the rows about automatic mixed precision.
#include <algorithm>
#include <array>
#include <utility>

#include "core/errors.hpp"
#include "pipeline/option_parts.hpp"
#include "pipeline/option_values.hpp"

namespace halfstep {

std::string name_of(const PrecisionCandidate& candidate) {
  if (candidate.real) return "float";
  return "W" + std::to_string(candidate.weight_bits) + "A" + std::to_string(candidate.act_bits);
}

}  // namespace halfstep

namespace halfstep::pipeline {
namespace {

using Request = QuantizeRequest;

constexpr char kEnabled[] = "auto_mixed_precision";
constexpr char kReverse[] = "phase2_reverse";
constexpr char kNoCache[] = "no_cache";

template <auto Member, const auto& Name>
Result<void> set_bool(Request& request, const std::string& text) {
  const std::optional<bool> value = boolean_of(text);
  if (!value) return illegal(Name, text, "true or false");
  request.mixed_precision.*Member = *value;
  return {};
}
template <auto Member>
std::optional<std::string> get_bool(const Request& request) {
  return request.mixed_precision.*Member ? "true" : "false";
}

// The option says the opposite of the member.
Result<void> set_no_cache(Request& request, const std::string& text) {
  const std::optional<bool> value = boolean_of(text);
  if (!value) return illegal(kNoCache, text, "true or false");
  request.mixed_precision.cache = !*value;
  return {};
}
std::optional<std::string> get_no_cache(const Request& request) {
  return request.mixed_precision.cache ? "false" : "true";
}

std::optional<PrecisionCandidate> candidate_of(const std::string& text) {
  for (const int weights : {4, 8, 16}) {
    for (const int acts : {8, 16}) {
      const PrecisionCandidate candidate{weights, acts, false};
      if (name_of(candidate) == text) return candidate;
    }
  }
  if (text == "float") return PrecisionCandidate{32, 32, true};
  return std::nullopt;
}
Result<void> set_candidates(Request& request, const std::string& text) {
  std::vector<PrecisionCandidate> candidates;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string name = text.substr(at, end - at);
    at = end + 1;
    const std::optional<PrecisionCandidate> candidate = candidate_of(name);
    if (!candidate) return illegal("amp_candidates", name, "one of W4A8, W8A8, W8A16, W16A8, W16A16 and float");
    if (std::ranges::find(candidates, *candidate) != candidates.end())
      return usage("--amp_candidates names " + name + " twice");
    candidates.push_back(*candidate);
  }
  request.mixed_precision.candidates = std::move(candidates);
  return {};
}
std::optional<std::string> get_candidates(const Request& request) {
  std::string text;
  for (const PrecisionCandidate& candidate : request.mixed_precision.candidates)
    text += (text.empty() ? "" : ",") + name_of(candidate);
  return text;
}

Result<void> set_drop(Request& request, const std::string& text) {
  const std::optional<double> value = number_of<double>(text);
  if (!value || !(*value >= 0.0 && *value <= 100.0)) {
    return illegal("allowed_accuracy_drop", text, "a number of percentage points from 0 to 100, as 1.0");
  }
  request.mixed_precision.allowed_accuracy_drop = *value;
  return {};
}
std::optional<std::string> get_drop(const Request& request) {
  const auto& value = request.mixed_precision.allowed_accuracy_drop;
  return value ? std::optional(shown_number(*value)) : std::nullopt;
}

Result<void> set_operations(Request& request, const std::string& text) {
  const bool is_percent = text.ends_with('%');
  const std::optional<double> value = number_of<double>(std::string_view(text).substr(0, text.size() - is_percent));
  if (!value || !(*value > 0.0 && *value < 1e300)) {
    return illegal("max_bit_operations", text, "a number above 0, as 2.5e10, or a share of the widest model, as 60%");
  }
  request.mixed_precision.max_bit_operations = BitOperationLimit{*value, is_percent};
  return {};
}
std::optional<std::string> get_operations(const Request& request) {
  const auto& limit = request.mixed_precision.max_bit_operations;
  return limit ? std::optional(shown_number(limit->value) + (limit->is_percent ? "%" : "")) : std::nullopt;
}

Result<void> set_latency(Request& request, const std::string& text) {
  const std::optional<double> value = number_of<double>(text);
  if (!value || !(*value >= 1.0 && *value <= 1e6)) {
    return illegal("max_latency_factor", text, "a number of at least 1, as 1.2");
  }
  request.mixed_precision.max_latency_factor = *value;
  return {};
}
std::optional<std::string> get_latency(const Request& request) {
  const auto& value = request.mixed_precision.max_latency_factor;
  return value ? std::optional(shown_number(*value)) : std::nullopt;
}

constexpr std::array kMethods{std::pair{"binary", CurveSearch::kBinary},
                              std::pair{"interpolation", CurveSearch::kInterpolation},
                              std::pair{"brute-force", CurveSearch::kBruteForce}};
Result<void> set_method(Request& request, const std::string& text) {
  for (const auto& [name, method] : kMethods) {
    if (name == text) request.mixed_precision.method = method;
  }
  return {};
}
std::optional<std::string> get_method(const Request& request) {
  for (const auto& [name, method] : kMethods) {
    if (method == request.mixed_precision.method) return name;
  }
  return std::nullopt;
}

Result<void> set_list(Request& request, const std::string& text) {
  request.mixed_precision.eval_input_list = text;
  return {};
}
std::optional<std::string> get_list(const Request& request) {
  const auto& list = request.mixed_precision.eval_input_list;
  return list.empty() ? std::nullopt : std::optional(list.string());
}
template <auto Member>
Result<void> set_file(Request& request, const std::string& text) {
  request.mixed_precision.*Member = text;
  return {};
}
template <auto Member>
std::optional<std::string> get_file(const Request& request) {
  const auto& file = request.mixed_precision.*Member;
  return file ? std::optional(file->string()) : std::nullopt;
}

Result<void> set_samples(Request& request, const std::string& text) {
  const std::optional<std::int64_t> value = number_of<std::int64_t>(text);
  if (!value || *value < 1) return illegal("amp_samples", text, "a whole number of at least 1");
  request.mixed_precision.num_samples = *value;
  return {};
}
std::optional<std::string> get_samples(const Request& request) {
  return std::to_string(request.mixed_precision.num_samples);
}

}  // namespace

std::span<const OptionRow<QuantizeRequest>> mixed_precision_search_rows() {
  using Search = MixedPrecisionSearch;
  static const std::array<OptionRow<Request>, 13> kRows{{
      {.name = kEnabled,
       .kind = OptionKind::kBoolean,
       .default_text = "false",
       .help = "find the layers that need more bits, and write which to `--overrides_out` (docs/mixed-precision.md)",
       .set = set_bool<&Search::enabled, kEnabled>,
       .get = get_bool<&Search::enabled>},
      {.name = "amp_candidates",
       .type = "LIST",
       .default_text = "W8A16,W16A16,float",
       .help = "widths of weights and outputs that a layer may have beside the model's own",
       .set = set_candidates,
       .get = get_candidates},
      {.name = "allowed_accuracy_drop",
       .type = "POINTS",
       .default_text = "not set",
       .help = "the cheapest model whose accuracy is at most so much below float's: top-1 with labels, else agreement, "
               "else noise, in percentage points",
       .set = set_drop,
       .get = get_drop},
      {.name = "max_bit_operations",
       .type = "N|P%",
       .default_text = "not set",
       .help = "the best model that needs no more bit operations a sample, or that share of the widest one's",
       .set = set_operations,
       .get = get_operations},
      {.name = "max_latency_factor",
       .type = "X",
       .default_text = "not set",
       .help = "the best model whose estimated time is at most X times that of the model's own widths: TIDL's "
               "mixed_precision_factor",
       .set = set_latency,
       .get = get_latency},
      {.name = "amp_search",
       .kind = OptionKind::kWord,
       .values = {"binary", "interpolation", "brute-force"},
       .type = "METHOD",
       .help = "how the point of the curve is found that holds the allowed drop",
       .set = set_method,
       .get = get_method},
      {.name = kReverse,
       .kind = OptionKind::kBoolean,
       .default_text = "false",
       .help = "look from the cheapest model upwards, not from the widest downwards",
       .set = set_bool<&Search::phase2_reverse, kReverse>,
       .get = get_bool<&Search::phase2_reverse>},
      {.name = "eval_input_list",
       .type = "FILE",
       .default_text = "the calibration samples",
       .help = "samples to measure accuracy on",
       .set = set_list,
       .get = get_list},
      {.name = "eval_labels",
       .type = "FILE",
       .default_text = "none",
       .help = "class index of each of these, one a line: the drop is one of top-1",
       .set = set_file<&Search::eval_labels>,
       .get = get_file<&Search::eval_labels>},
      {.name = "amp_samples",
       .kind = OptionKind::kNumber,
       .type = "N",
       .default_text = "64",
       .help = "samples that measure single layers",
       .set = set_samples,
       .get = get_samples},
      {.name = "cache_dir",
       .type = "DIR",
       .default_text = "`~/.cache/halfstep`",
       .help = "where measurements are kept, so that a search that was stopped, or one with another aim, goes on there",
       .set = set_file<&Search::cache_dir>,
       .get = get_file<&Search::cache_dir>},
      {.name = kNoCache,
       .kind = OptionKind::kBoolean,
       .default_text = "false",
       .help = "keep no measurements on disk, and use none",
       .set = set_no_cache,
       .get = get_no_cache},
      {.name = "overrides_out",
       .type = "FILE",
       .default_text = "`<stem>.overrides.json`",
       .help = "the widths that were found, for `--quantization_overrides`",
       .set = set_file<&Search::overrides_out>,
       .get = get_file<&Search::overrides_out>},
  }};
  return kRows;
}

}  // namespace halfstep::pipeline
