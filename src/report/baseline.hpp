// baseline.hpp: what is read back of the report of an earlier run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "halfstep/result.hpp"
#include "report/report.hpp"

namespace halfstep::report {

/// An earlier report, as far as a later run is measured by it.
struct Baseline {
  std::string path;        ///< For messages.
  std::string input_list;  ///< As given then.
  std::string mode;
  std::int64_t num_samples = 0;
  std::vector<std::string> outputs;       ///< Names, in the model's order.
  std::optional<double> top1;             ///< Of the quantized model, percent.
  std::optional<double> top1_agreement;   ///< Percent.
  std::optional<double> miou;             ///< Of the quantized model, percent.
  std::optional<double> worst_output_db;  ///< Lowest SQNR of its outputs.
};

/// Reads a JSON report of quantize-eval.
/// Errors: kInvalidInput naming the file: not JSON, not such a report, another
/// schema version, a key that is missing or of the wrong type.
Result<Baseline> parse_baseline(std::string_view text, const std::string& path);

/// Whether `report` measures what the baseline did.
/// Errors: kInvalidInput naming what differs: the outputs, the number of samples or the name of the input list.
Result<void> check_same_run(const Baseline& baseline, const Report& report);

}  // namespace halfstep::report
