// report.hpp: the outcome of a run as a document. Schema: docs/report.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compare/compare_runs.hpp"

namespace halfstep::report {

/// Version of the JSON layout; rises when a key changes its meaning or goes away.
inline constexpr int kSchemaVersion = 1;

/// SQNR in a report is limited to +-this many dB, because JSON has no infinity:
/// the upper limit means that nothing differs.
inline constexpr double kMaxReportedDb = 999.0;

/// A node whose output stays float, and why.
struct FloatIsland {
  std::string node;
  std::string op;
  std::string reason;
};

/// What a report says. Optional parts are left out of the document.
struct Report {
  std::string kind;  ///< "quantize" or "eval".
  std::string tool_version;
  std::string model;      ///< Path as the user gave it.
  std::string quantized;  ///< Path of the quantized model or encodings; may be empty.
  std::string input_list;
  std::string mode;                                          ///< "simulated".
  std::vector<std::pair<std::string, std::string>> options;  ///< Name and value, in a fixed order.
  std::optional<compare::Comparison> comparison;
  std::int64_t num_calibration_samples = 0;  ///< 0: left out.
  std::int64_t num_activation_encodings = 0;
  std::int64_t num_weight_encodings = 0;
  std::int64_t num_bias_encodings = 0;
  std::int64_t float_model_bytes = 0;      ///< 0: left out.
  std::int64_t quantized_model_bytes = 0;  ///< 0: left out.
  std::vector<FloatIsland> float_islands;
  std::vector<std::string> warnings;
};

/// The document as JSON text, ending in a line feed. The same report gives the same bytes.
std::string to_json(const Report& report);

/// Metrics, outputs and the `num_layers` worst layers as a table for a terminal.
std::string to_table(const compare::Comparison& comparison, int num_layers);

}  // namespace halfstep::report
