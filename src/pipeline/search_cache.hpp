// search_cache.hpp: what a search for mixed precision has measured, kept beyond the run.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "halfstep/mixed_precision_search.hpp"
#include "halfstep/quantize.hpp"
#include "halfstep/result.hpp"
#include "pipeline/accuracy_drop.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/score_cache.hpp"
#include "pipeline/sources.hpp"
#include "pipeline/trial_models.hpp"
#include "sensitivity/output_judge.hpp"

namespace halfstep::pipeline {

/// The key of all that decides what a search measures; `base`: the quantized model with nothing wider yet. Reads every
/// sample. Errors: those of reading.
Result<std::string> search_key(const QuantizeRequest& request, const RawModel& raw, Sources& sources, const Trial& base,
                               const AccuracyJudges& judges);

/// Scores as "mixed-precision-<key>.jsonl", and what single layers change at the outputs as one file each in a folder
/// of that name. A run that is killed loses one measurement at most.
class SearchCache {
 public:
  /// In search.cache_dir, by default default_cache_folder(); nowhere without search.cache, and `key` may be empty.
  /// Errors: those of ScoreCache::open().
  static Result<SearchCache> open(const MixedPrecisionSearch& search, const std::string& key);

  /// Of the model that these overrides make.
  std::optional<OutputScore> model(const std::string& overrides) const;
  /// Errors: those of ScoreCache::add().
  Result<void> add_model(const std::string& overrides, const OutputScore& score);

  /// Of the run `run` (sensitivity::key_of()) at the widths `candidate`; fills `errors` if it is known.
  std::optional<OutputScore> layer(const PrecisionCandidate& candidate, const std::string& run,
                                   std::span<float> errors) const;
  /// Errors: those of ScoreCache::add() and write_file().
  Result<void> add_layer(const PrecisionCandidate& candidate, const std::string& run, const OutputScore& score,
                         std::span<const float> errors);

 private:
  SearchCache(ScoreCache scores, std::filesystem::path folder)
      : scores_(std::move(scores)), folder_(std::move(folder)) {}
  std::filesystem::path file_of(const std::string& form) const;

  ScoreCache scores_;
  std::filesystem::path folder_;  // Of error vectors; empty: nothing is kept.
};

}  // namespace halfstep::pipeline
