// sensitivity_markdown.cpp: a sensitivity report as Markdown.
#include "report/report_text.hpp"
#include "report/sensitivity_report.hpp"

namespace halfstep::report {

std::string to_markdown(const SensitivityReport& report) {
  return "# Sensitivity of " + printable(file_name(report.model)) + "\n\n```\n" +
         to_table(report, static_cast<int>(report.groups.size())) + "```\n";
}

}  // namespace halfstep::report
