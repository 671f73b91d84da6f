// report_markdown.cpp: reports as Markdown, for a comment on a pull request.
#include <algorithm>

#include "report/markdown_text.hpp"
#include "report/report.hpp"
#include "report/report_text.hpp"

namespace halfstep::report {
namespace {

using markdown::code;
using markdown::plain;

constexpr std::size_t kNumWorstLayers = 10;

std::string title(const Report& report) {
  const std::size_t failed = num_failed(report.gates);
  std::string verdict;
  if (!report.gates.empty()) verdict = failed == 0 ? "passed" : "**failed**";
  std::string text = "## Quantization of " + code(file_name(report.model));
  if (!verdict.empty()) text += ": " + verdict;
  return text + "\n\n";
}

std::string summary(const Report& report) {
  std::string text = code(report.model);
  if (!report.quantized.empty()) text += " against " + code(report.quantized);
  text += ", mode " + plain(report.mode);
  if (!report.arithmetic.empty()) text += ", arithmetic " + code(report.arithmetic);
  if (report.comparison) text += ", " + counted(report.comparison->num_samples, "sample");
  return text + ". halfstep " + plain(report.tool_version) + ".\n\n";
}

void add_gates(const Report& report, markdown::Page& page) {
  if (report.gates.empty()) return;
  page.add_lines(
      "### Gates\n\n| | gate | measured | demanded | found | missed by |\n|---|---|---|---:|---:|---:|\n",
      report.gates.size(),
      [&](std::size_t i) {
        const Gate& gate = report.gates[i];
        return std::string(gate.passed ? "| pass" : "| **FAIL**") + " | " + code("--" + gate.option) + " | " +
               plain(gate.subject) + " | " + plain(gate_demand(gate)) + " | " + plain(gate_found(gate)) + " | " +
               plain(gate_shortfall(gate)) + " |\n";
      },
      "gates");
  page.add("\n");
}

void add_metrics(const Report& report, markdown::Page& page) {
  std::string rows;
  const auto row = [&](const std::string& name, const std::string& reference, const std::string& other,
                       const std::string& drop) {
    rows += "| " + name + " | " + reference + " | " + other + " | " + drop + " |\n";
  };
  const auto top = [&](const char* name, const std::optional<compare::TopK>& top_k) {
    if (!top_k) return;
    row(name, decimals(top_k->reference_percent, 2) + " %", decimals(top_k->other_percent, 2) + " %",
        decimals(top_k->drop(), 2));
  };
  const auto comparison_rows = [&](const compare::Comparison& comparison, const std::string& suffix) {
    top(("top-1" + suffix).c_str(), comparison.top1);
    top(("top-5" + suffix).c_str(), comparison.top5);
    top(("mean IoU" + suffix).c_str(), comparison.miou);
    if (comparison.top1_agreement_percent) {
      row("same top-1 of " + code(comparison.classes_of) + suffix, "",
          decimals(*comparison.top1_agreement_percent, 2) + " %", "");
    }
  };
  if (report.comparison) comparison_rows(*report.comparison, report.simulated_comparison ? ", fixed" : "");
  if (report.simulated_comparison) comparison_rows(*report.simulated_comparison, ", simulated");
  if (report.comparison && report.comparison->simulated_agreement_percent) {
    row("same top-1, fixed and simulated", "", decimals(*report.comparison->simulated_agreement_percent, 2) + " %", "");
  }
  for (const auto& [name, values] : other_metrics(report)) {
    row(plain(name), significant(values.first, 6), significant(values.second, 6),
        significant(values.first - values.second, 4));
  }
  if (rows.empty()) return;
  page.add("### Metrics\n\n| | float | quantized | drop |\n|---|---:|---:|---:|\n" + rows + "\n");
}

void add_tuning(const Report& report, markdown::Page& page) {
  if (report.tuning.empty()) return;
  page.add_lines(
      "### Algorithms\n\n| algorithm | what it did | SQNR dB, " + counted(report.num_held_out, "held-out sample") +
          " | |\n|---|---|---:|---|\n",
      report.tuning.size(),
      [&](std::size_t i) {
        const TuningStep& step = report.tuning[i];
        return "| " + code(step.algorithms) + " | " + plain(step.did) + " | " + decimals(step.sqnr_before_db, 2) +
               " to " + decimals(step.sqnr_after_db, 2) + " | " + (step.undone ? "undone" : "kept") + " |\n";
      },
      "algorithms");
  page.add("\n");
}

void add_diagnosis(const Report& report, markdown::Page& page) {
  if (!report.diagnosis) return;
  const Diagnosis& diagnosis = *report.diagnosis;
  page.add("### Diagnosis\n\nOver " + counted(diagnosis.num_samples, "sample") + ": **" + plain(diagnosis.verdict) +
           "**\n\n");
  page.add_lines(
      "", diagnosis.rungs.size(), [&](std::size_t i) { return "1. " + plain(diagnosis.rungs[i].answer) + "\n"; },
      "rungs");
  page.add("\n");
  if (!diagnosis.layers.empty()) {
    page.add_lines(
        "| layer | what costs | dB | noise % | why |\n|---|---|---:|---:|---|\n", diagnosis.layers.size(),
        [&](std::size_t i) {
          const DiagnosedLayer& layer = diagnosis.layers[i];
          std::string causes;
          for (const DiagnosedCause& cause : layer.causes) {
            causes += (causes.empty() ? "" : "<br>") + plain(cause.kind) + ": " + plain(cause.sentence);
          }
          return "| " + plain(layer_words(layer)) + " | " + layer.part + " | " + decimals(layer.gain_db, 1) + " | " +
                 decimals(layer.noise_share_percent, 0) + " | " + causes + " |\n";
        },
        "layers");
    page.add("\n");
  }
  if (diagnosis.next.empty()) return;
  page.add_lines(
      "| try next | gain | why |\n|---|---|---|\n", diagnosis.next.size(),
      [&](std::size_t i) {
        const DiagnosisStep& step = diagnosis.next[i];
        return "| <code>" + plain(command_of(step, report.model)) + "</code> | " + gain_words(step) + " | " +
               plain(step.reason) + " |\n";
      },
      "steps");
  page.add("\n");
}

void add_tensors(const std::string& head, const std::vector<compare::TensorError>& tensors, std::size_t count,
                 markdown::Page& page) {
  if (count == 0) return;
  const auto first = tensors.begin();
  const auto last = first + static_cast<std::ptrdiff_t>(count);
  const bool isolated = std::any_of(first, last, [](const auto& tensor) { return tensor.isolated.has_value(); });
  const bool scaled = std::any_of(first, last, [](const auto& tensor) { return tensor.scale > 0.0; });
  std::string columns = "| tensor | operator | SQNR dB |";
  std::string rule = "|---|---|---:|";
  const auto column = [&](bool wanted, const char* name) {
    if (!wanted) return;
    columns += std::string(" ") + name + " |";
    rule += "---:|";
  };
  column(isolated, "alone dB");
  column(true, "cosine");
  column(true, "max error");
  column(scaled, "rmse steps");
  column(scaled, "clipped %");
  page.add_lines(
      head + columns + "\n" + rule + "\n", count,
      [&](std::size_t i) {
        const compare::TensorError& tensor = tensors[i];
        std::string row = "| " + code(tensor.name) + " | " + (tensor.op.empty() ? "(input)" : plain(tensor.op)) +
                          " | " + shown_db(tensor.sums.sqnr_db()) + " |";
        if (isolated) row += " " + (tensor.isolated ? shown_db(tensor.isolated->sqnr_db()) : std::string()) + " |";
        row += " " + decimals(tensor.sums.cosine(), 6) + " | " + significant(tensor.sums.max_abs_error, 4) + " |";
        if (scaled) {
          const bool has_scale = tensor.scale > 0.0;
          row += " " + (has_scale ? decimals(tensor.rmse_in_steps(), 2) : std::string()) + " |";
          row += " " + (has_scale ? decimals(tensor.clipped_percent(), 3) : std::string()) + " |";
        }
        return row + "\n";
      },
      "tensors");
  page.add("\n");
}

}  // namespace

std::string to_markdown(const Report& report) {
  markdown::Page page;
  page.add(title(report));
  page.add(summary(report));
  add_gates(report, page);
  add_metrics(report, page);
  if (report.comparison) {
    const compare::Comparison& comparison = *report.comparison;
    add_tensors("### Outputs\n\n", comparison.outputs, comparison.outputs.size(), page);
    const std::size_t shown = std::min(kNumWorstLayers, comparison.layers.size());
    add_tensors(
        "### Worst " + std::to_string(shown) + " of " + std::to_string(comparison.layers.size()) + " layers\n\n",
        comparison.layers, shown, page);
  }
  add_tuning(report, page);
  add_diagnosis(report, page);
  page.add_folded(
      "Coverage", "| where encodings came from | tensors |\n|---|---|\n", report.coverage.size(),
      [&](std::size_t i) {
        return "| " + coverage_words(report.coverage[i].first) + " | " + std::to_string(report.coverage[i].second) +
               " |\n";
      },
      "kinds");
  page.add_folded(
      counted(static_cast<std::int64_t>(report.float_islands.size()), "float island"),
      "| node | operator | why it stays float |\n|---|---|---|\n", report.float_islands.size(),
      [&](std::size_t i) {
        const FloatIsland& island = report.float_islands[i];
        return "| " + plain(island.node) + " | " + plain(island.op) + " | " + plain(island.reason) + " |\n";
      },
      "float islands");
  page.add_folded(
      counted(static_cast<std::int64_t>(report.warnings.size()), "warning"), "", report.warnings.size(),
      [&](std::size_t i) { return "- " + plain(report.warnings[i]) + "\n"; }, "warnings");
  return page.take();
}

}  // namespace halfstep::report
