// score_cache.hpp: scores of forms of a model that outlive a run.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "halfstep/result.hpp"
#include "sensitivity/output_judge.hpp"

namespace halfstep::pipeline {

/// Scores by the name of the form, for one key of models, samples and options: read from files, and each new one
/// appended to a file of the cache at once, so that a run that is killed loses one form at most. Several processes may
/// append to one file.
class ScoreCache {
 public:
  /// `folder`: where the file of `key` lies or will lie, "<name>-<key>.jsonl"; empty: none is kept. Also reads `more`,
  /// which must be of the same key.
  /// Errors: kInvalidInput if the folder cannot be made, the file cannot be opened, or a file is of another key.
  static Result<ScoreCache> open(const std::optional<std::filesystem::path>& folder,
                                 const std::vector<std::filesystem::path>& more, std::string key,
                                 const std::string& name = "sensitivity");

  ScoreCache(ScoreCache&& other) noexcept;
  ScoreCache& operator=(ScoreCache&&) = delete;
  ~ScoreCache();

  std::optional<OutputScore> known(const std::string& form) const;
  /// Errors: kInvalidInput naming the file if it cannot be written.
  Result<void> add(const std::string& form, const OutputScore& score);

  /// All that is known as one file for others to read, in the order of names.
  std::string text() const;

 private:
  explicit ScoreCache(std::string key) : key_(std::move(key)) {}
  Result<void> read(const std::filesystem::path& path);

  std::string key_;
  std::map<std::string, OutputScore> scores_;
  std::filesystem::path path_;
  int file_ = -1;
};

/// $XDG_CACHE_HOME/halfstep, else ~/.cache/halfstep; empty if the environment names neither.
std::optional<std::filesystem::path> default_cache_folder();

}  // namespace halfstep::pipeline
