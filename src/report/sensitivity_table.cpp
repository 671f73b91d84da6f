// sensitivity_table.cpp: a sensitivity report for a terminal.
#include <algorithm>

#include "report/report_text.hpp"
#include "report/sensitivity_report.hpp"
#include "report/sensitivity_text.hpp"

namespace halfstep::report {
namespace {

constexpr std::size_t kNameChars = 36;

std::string right(const std::string& text, std::size_t width) { return padded(text, width, true); }
std::string left(const std::string& text, std::size_t width) { return padded(text, width, false); }

std::string db(const std::optional<OutputScore>& figures) { return figures ? decimals(figures->sqnr_db, 1) : ""; }

}  // namespace

std::string to_table(const SensitivityReport& report, int num_groups) {
  const Measure measure = measure_of(report);
  std::string out = left("", 24) + right("SQNR dB", 9) + right(measure.head, 10) + "\n";
  const auto whole = [&](const char* name, const std::optional<OutputScore>& figures) {
    if (figures) out += left(name, 24) + right(db(figures), 9) + right(measured(measure, figures), 10) + "\n";
  };
  if (measure.member != nullptr && report.float_figures.*(measure.member)) {
    out += left("float", 24) + right("", 9) + right(measured(measure, report.float_figures), 10) + "\n";
  }
  whole("all weights quantized", report.whole.weights);
  whole("all activations", report.whole.activations);
  whole("everything", report.whole.both);

  const std::vector<std::size_t> order = by_cost(report);
  const auto count = std::min(order.size(), static_cast<std::size_t>(num_groups));
  out += "\nThe " + counted(static_cast<std::int64_t>(count), "layer") + " of " + std::to_string(report.groups.size()) +
         " whose quantization costs most (SQNR dB of the outputs)\n" + left("", kNameChars) + "  " + left("", 16) +
         right("all but this layer", 29) + right("only this layer", 27) + "\n" + left("layer", kNameChars) + "  " +
         left("operator", 16) + right("both", 9) + right("gain", 7) + right(measure.head, 10) + right("both", 9) +
         right("weights", 9) + right("activ.", 9) + "\n";
  for (std::size_t i = 0; i < count; ++i) {
    const GroupSensitivity& group = report.groups[order[i]];
    const bool has_gain = group.all_but.both && report.whole.both;
    out += left(shortened(group.name, kNameChars), kNameChars) + "  " + left(shortened(group.op, 16), 16) +
           right(db(group.all_but.both), 9) + right(has_gain ? decimals(group.gain_db(*report.whole.both), 2) : "", 7) +
           right(measured(measure, group.all_but.both), 10) + right(db(group.only.both), 9) +
           right(db(group.only.weights), 9) + right(db(group.only.activations), 9) + "\n";
  }
  return out;
}

}  // namespace halfstep::report
