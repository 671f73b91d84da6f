// sensitivity_markdown.cpp: a sensitivity report as Markdown, for a comment on a pull request.
#include <algorithm>

#include "report/markdown_text.hpp"
#include "report/report_text.hpp"
#include "report/sensitivity_report.hpp"
#include "report/sensitivity_text.hpp"

namespace halfstep::report {
namespace {

using markdown::code;
using markdown::plain;

constexpr std::size_t kNumDearest = 20;

std::string shown(const std::optional<OutputScore>& figures) { return figures ? decimals(figures->sqnr_db, 1) : ""; }

std::string whole_model(const SensitivityReport& report, const Measure& measure) {
  const bool has_measure = measure.member != nullptr;
  std::string rows;
  const auto row = [&](const char* name, const std::string& db, const std::string& other) {
    rows += std::string("| ") + name + " | " + db + (has_measure ? " | " + other : "") + " |\n";
  };
  if (has_measure && report.float_figures.*(measure.member)) row("float", "", measured(measure, report.float_figures));
  const auto form = [&](const char* name, const std::optional<OutputScore>& figures) {
    if (figures) row(name, shown(figures), measured(measure, figures));
  };
  form("all weights quantized", report.whole.weights);
  form("all activations quantized", report.whole.activations);
  form("everything quantized", report.whole.both);
  if (rows.empty()) return "";
  return std::string("### Whole model\n\n| | SQNR dB |") + (has_measure ? std::string(" ") + measure.head + " |" : "") +
         "\n|---|---:|" + (has_measure ? "---:|" : "") + "\n" + rows + "\n";
}

/// A column of the table of layers.
struct LayerColumn {
  std::string head;
  std::function<std::string(const GroupSensitivity&)> cell;
};

std::vector<LayerColumn> layer_columns(const SensitivityReport& report, const Measure& measure) {
  const auto any = [&](auto has) { return std::ranges::any_of(report.groups, has); };
  const bool has_all_but = any([](const GroupSensitivity& group) { return group.all_but.both.has_value(); });
  const bool has_only = any([](const GroupSensitivity& group) { return group.only.both.has_value(); });
  const bool has_parts = any([](const GroupSensitivity& group) { return group.only.weights || group.all_but.weights; });
  std::vector<LayerColumn> columns;
  if (has_all_but) {
    columns.push_back({"gain dB", [&](const GroupSensitivity& group) {
                         return group.all_but.both && report.whole.both ? decimals(group.gain_db(*report.whole.both), 2)
                                                                        : "";
                       }});
    columns.push_back({"without it dB", [](const GroupSensitivity& group) { return shown(group.all_but.both); }});
    if (measure.member != nullptr) {
      columns.push_back({std::string("without it ") + measure.head,
                         [measure](const GroupSensitivity& group) { return measured(measure, group.all_but.both); }});
    }
  }
  if (has_only) {
    columns.push_back({"only it dB", [](const GroupSensitivity& group) { return shown(group.only.both); }});
    if (has_parts) {
      columns.push_back({"only its weights", [](const GroupSensitivity& group) { return shown(group.only.weights); }});
      columns.push_back(
          {"only its activations", [](const GroupSensitivity& group) { return shown(group.only.activations); }});
    }
  }
  return columns;
}

void add_layers(const SensitivityReport& report, const Measure& measure, markdown::Page& page) {
  const std::vector<std::size_t> order = by_cost(report);
  const std::size_t count = std::min(kNumDearest, order.size());
  if (count == 0) return;
  const std::vector<LayerColumn> columns = layer_columns(report, measure);
  std::string head = "### The " + counted(static_cast<std::int64_t>(count), "layer") + " of " +
                     std::to_string(report.groups.size()) +
                     " whose quantization costs most\n\nSQNR of the outputs with all but this layer quantized "
                     "(\"without it\"), and with this layer alone quantized (\"only it\").\n\n| layer | operator |";
  std::string rule = "|---|---|";
  for (const LayerColumn& column : columns) {
    head += " " + column.head + " |";
    rule += "---:|";
  }
  page.add_lines(
      head + "\n" + rule + "\n", count,
      [&](std::size_t i) {
        const GroupSensitivity& group = report.groups[order[i]];
        std::string row = "| " + code(group.name) + " | " + plain(group.op) + " |";
        for (const LayerColumn& column : columns) row += " " + column.cell(group) + " |";
        return row + "\n";
      },
      "layers");
  page.add("\n");
}

}  // namespace

std::string to_markdown(const SensitivityReport& report) {
  const Measure measure = measure_of(report);
  markdown::Page page;
  page.add("## Sensitivity of " + code(file_name(report.model)) + "\n\n" + code(report.model) + " against " +
           code(report.quantized) + ", arithmetic " + code(report.arithmetic) + ", " +
           counted(report.num_samples, "sample") + ". halfstep " + plain(report.tool_version) + ".\n\n");
  page.add(whole_model(report, measure));
  add_layers(report, measure, page);
  page.add_folded(
      counted(static_cast<std::int64_t>(report.warnings.size()), "warning"), "", report.warnings.size(),
      [&](std::size_t i) { return "- " + plain(report.warnings[i]) + "\n"; }, "warnings");
  return page.take();
}

}  // namespace halfstep::report
