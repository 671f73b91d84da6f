// sensitivity_text.cpp: figures of sensitivity reports as the table, Markdown and HTML write them.
#include "report/sensitivity_text.hpp"

#include "report/report_text.hpp"

namespace halfstep::report {

Measure measure_of(const SensitivityReport& report) {
  if (!report.whole.both) return {};
  const OutputScore& whole = *report.whole.both;
  if (whole.command_score) return {"command", "score of the command", "", &OutputScore::command_score};
  if (whole.top1_percent) return {"top-1 %", "top-1", " %", &OutputScore::top1_percent};
  if (whole.miou_percent) return {"mIoU %", "mean IoU", " %", &OutputScore::miou_percent};
  if (whole.agreement_percent) return {"agree %", "same top-1 as float", " %", &OutputScore::agreement_percent};
  return {};
}

std::string measured(const Measure& measure, const std::optional<OutputScore>& figures, int count) {
  if (measure.member == nullptr || !figures || !((*figures).*(measure.member))) return "";
  const double figure = *((*figures).*(measure.member));
  // A command's unit is not known: 0.731 and 73.1 are written with as many digits.
  if (measure.member == &OutputScore::command_score) return significant(figure, 4);
  return decimals(figure, count);
}

std::string shown_count(std::int64_t count) {
  const auto real = static_cast<double>(count);
  if (count < 10'000) return std::to_string(count);
  if (count < 1'000'000) return decimals(real / 1e3, 1) + " k";
  if (count < 1'000'000'000) return decimals(real / 1e6, 2) + " M";
  return decimals(real / 1e9, 2) + " G";
}

}  // namespace halfstep::report
