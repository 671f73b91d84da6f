// sensitivity_results.hpp: scores of forms of a model, a line each, as a stopped run leaves them (docs/sensitivity.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/output_score.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// Of one form of a model.
struct FormScore {
  std::string form;  ///< "only/weights/conv1_output".
  OutputScore score;

  friend bool operator==(const FormScore&, const FormScore&) = default;
};

struct SensitivityResults {
  std::string key;  ///< Of models, samples and options.
  std::vector<FormScore> scores;
};

/// The first line of a file, with its line feed.
std::string results_header(const std::string& key);
/// One more line. Numbers read back as the same doubles.
std::string results_line(const FormScore& found);

/// A last line without line feed is left out: whoever wrote it was stopped.
/// Errors: kInvalidInput naming `file` and the line for anything else that is no such file.
Result<SensitivityResults> read_results(std::string_view text, const std::string& file);

}  // namespace halfstep::io
