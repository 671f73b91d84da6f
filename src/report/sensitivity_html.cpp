// sensitivity_html.cpp: a sensitivity report as one self-contained HTML page.
#include "report/report_text.hpp"
#include "report/sensitivity_report.hpp"

namespace halfstep::report {

std::string to_html(const SensitivityReport& report) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Sensitivity of " +
         escaped(file_name(report.model)) + "</title>\n</head>\n<body>\n<pre>" +
         escaped(to_table(report, static_cast<int>(report.groups.size()))) + "</pre>\n</body>\n</html>\n";
}

}  // namespace halfstep::report
