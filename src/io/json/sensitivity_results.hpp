// sensitivity_results.hpp: scores of forms of a model, a line each, as a stopped run leaves them (docs/sensitivity.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "halfstep/result.hpp"

namespace halfstep::io {

/// One form of a model over all samples. Percentages run from 0 to 100; empty: not measured.
struct FormScore {
  std::string form;  ///< "only/weights/conv1_output".
  double sqnr_db = 0.0;
  std::optional<double> agreement_percent = std::nullopt;
  std::optional<double> top1_percent = std::nullopt;
  std::optional<double> top5_percent = std::nullopt;
  std::optional<double> miou_percent = std::nullopt;
  std::optional<double> command_score = std::nullopt;  ///< Of --metric_command, in its unit.

  friend bool operator==(const FormScore&, const FormScore&) = default;
};

struct SensitivityResults {
  std::string key;  ///< Of models, samples and options.
  std::vector<FormScore> scores;
};

/// The first line of a file, with its line feed.
std::string results_header(const std::string& key);
/// One more line. Numbers read back as the same doubles.
std::string results_line(const FormScore& score);

/// A last line without line feed is left out: whoever wrote it was stopped.
/// Errors: kInvalidInput naming `file` and the line for anything else that is no such file.
Result<SensitivityResults> read_results(std::string_view text, const std::string& file);

}  // namespace halfstep::io
