// search_cache.cpp: a score counts as known only with the errors that belong to it.
#include "pipeline/search_cache.hpp"

#include <algorithm>
#include <cstddef>
#include <system_error>

#include "core/atomic_file.hpp"
#include "core/errors.hpp"
#include "graph/fingerprint.hpp"
#include "halfstep/version.hpp"
#include "pipeline/cache_keys.hpp"

namespace halfstep::pipeline {
namespace {

std::string form_of(const std::string& overrides) { return "model/" + graph::fingerprint(overrides); }
std::string form_of(const PrecisionCandidate& candidate, const std::string& run) {
  return name_of(candidate) + "/" + run;
}

}  // namespace

Result<std::string> search_key(const QuantizeRequest& request, const RawModel& raw, Sources& sources, const Trial& base,
                               const AccuracyJudges& judges) {
  const Result<std::string> orders = print_of_orders(request);
  if (!orders.ok()) return orders;
  const Result<std::string> calibrating = print_of_samples(source_of(sources.samples->reader));
  if (!calibrating.ok()) return calibrating;
  const Result<std::string> judging = print_of_samples(judges.samples);
  if (!judging.ok()) return judging;
  std::string text = std::string("1 ") + kVersion + " " + graph::fingerprint(raw.graph) + " " +
                     print_of_models(base.reference, base.model, base.fixed) + " " + *orders + " " + *calibrating +
                     " " + *judging + " " + std::to_string(request.mixed_precision.num_samples);
  for (const std::int64_t label : judges.measures.labels) text += " " + std::to_string(label);
  return graph::fingerprint(text);
}

Result<SearchCache> SearchCache::open(const MixedPrecisionSearch& search, const std::string& key) {
  const std::string name = "mixed-precision";
  std::optional<std::filesystem::path> folder;
  if (search.cache) folder = search.cache_dir ? search.cache_dir : default_cache_folder();
  Result<ScoreCache> scores = ScoreCache::open(folder, {}, key, name);
  if (!scores.ok()) return scores.error();
  std::filesystem::path errors;
  if (folder) {
    errors = *folder / (name + "-" + key);
    std::error_code failed;
    std::filesystem::create_directories(errors, failed);
    if (failed) {
      return invalid(errors.string() + ": cannot make this folder: " + failed.message() +
                     "; name another one with --cache_dir, or give --no_cache");
    }
  }
  return SearchCache(*std::move(scores), std::move(errors));
}

std::filesystem::path SearchCache::file_of(const std::string& form) const {
  return folder_ / (graph::fingerprint(form) + ".f32");
}

std::optional<OutputScore> SearchCache::model(const std::string& overrides) const {
  return scores_.known(form_of(overrides));
}

Result<void> SearchCache::add_model(const std::string& overrides, const OutputScore& score) {
  return scores_.add(form_of(overrides), score);
}

std::optional<OutputScore> SearchCache::layer(const PrecisionCandidate& candidate, const std::string& run,
                                              std::span<float> errors) const {
  const std::string form = form_of(candidate, run);
  const std::optional<OutputScore> score = scores_.known(form);
  if (!score) return std::nullopt;
  const Result<std::string> bytes = read_text(file_of(form));
  if (!bytes.ok() || bytes->size() != errors.size_bytes()) return std::nullopt;
  std::ranges::copy(std::as_bytes(std::span(*bytes)), std::as_writable_bytes(errors).begin());
  return score;
}

Result<void> SearchCache::add_layer(const PrecisionCandidate& candidate, const std::string& run,
                                    const OutputScore& score, std::span<const float> errors) {
  if (folder_.empty()) return {};
  const std::string form = form_of(candidate, run);
  if (auto written = write_file(file_of(form), std::as_bytes(errors)); !written.ok()) return written;
  return scores_.add(form, score);
}

}  // namespace halfstep::pipeline
