// sensitivity_text.hpp: figures of sensitivity reports as the table, Markdown and HTML write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "report/sensitivity_report.hpp"

namespace halfstep::report {

/// What is judged beside the error: the score of the user's own command, else top-1, else mean IoU, else agreement with
/// the float model.
struct Measure {
  const char* head = "";   ///< Of a column: "top-1 %".
  const char* words = "";  ///< In front of a figure: "top-1".
  const char* unit = "";   ///< Behind it: " %".
  std::optional<double> OutputScore::*member = nullptr;
};
/// Without member if nothing is.
Measure measure_of(const SensitivityReport& report);

/// With `count` decimals; "" where it was not measured.
std::string measured(const Measure& measure, const std::optional<OutputScore>& figures, int count = 1);

/// "864", "12.3 k", "3.50 M", "1.25 G".
std::string shown_count(std::int64_t count);

}  // namespace halfstep::report
