// report_table.cpp: reports for a terminal.
#include <algorithm>
#include <cstdio>

#include "core/text.hpp"
#include "report/report.hpp"
#include "report/report_text.hpp"

namespace halfstep::report {
namespace {

constexpr std::size_t kTextNameChars = 48;

std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

std::string row(const std::string& label, const std::string& a, const std::string& b, const std::string& c) {
  return padded(label, 18, false) + padded(a, 12, true) + padded(b, 12, true) + padded(c, 12, true) + "\n";
}

/// One column of figures; tensors without the figure leave it blank.
struct Column {
  const char* head;
  std::size_t width;
  std::string (*figure)(const compare::TensorError&);
};

std::string percent(double value) { return number(value >= 9.995 ? "%.1f" : "%.2f", value); }

/// Share of codes that differ by at least one step, of the fixed-point run and the simulated one.
std::string moved_codes(const compare::TensorError& tensor) {
  if (!tensor.off_by) return "";
  std::int64_t all = 0;
  for (const std::int64_t count : *tensor.off_by) all += count;
  return all == 0 ? "" : percent(100.0 * static_cast<double>(all - tensor.off_by->front()) / static_cast<double>(all));
}

constexpr Column kColumns[] = {
    {"SQNR dB", 9, [](const compare::TensorError& t) { return shown_db(t.sums.sqnr_db()); }},
    {"isolated", 10,
     [](const compare::TensorError& t) { return t.isolated ? shown_db(t.isolated->sqnr_db()) : std::string(); }},
    {"cosine", 11, [](const compare::TensorError& t) { return number("%.6f", t.sums.cosine()); }},
    {"max error", 12, [](const compare::TensorError& t) { return number("%.5g", t.sums.max_abs_error); }},
    {"rmse/step", 11,
     [](const compare::TensorError& t) { return t.scale > 0.0 ? number("%.2f", t.rmse_in_steps()) : std::string(); }},
    {"clipped %", 11,
     [](const compare::TensorError& t) { return t.scale > 0.0 ? percent(t.clipped_percent()) : std::string(); }},
    {"moved %", 9, &moved_codes},
};

/// Columns that are blank everywhere are left out.
std::string tensor_rows(const std::vector<compare::TensorError>& tensors, std::size_t count) {
  const auto is_shown = [&](const Column& column) {
    for (std::size_t i = 0; i < count; ++i) {
      if (!column.figure(tensors[i]).empty()) return true;
    }
    return false;
  };
  std::vector<const Column*> columns;
  for (const Column& column : kColumns) {
    if (is_shown(column)) columns.push_back(&column);
  }
  std::size_t width = 6;
  for (std::size_t i = 0; i < count; ++i) width = std::max(width, shortened(tensors[i].name, kTextNameChars).size());
  std::string text = padded("tensor", width, false) + "  " + padded("operator", 18, false);
  for (const Column* column : columns) text += padded(column->head, column->width, true);
  text += "\n";
  for (std::size_t i = 0; i < count; ++i) {
    const compare::TensorError& tensor = tensors[i];
    text += padded(shortened(tensor.name, kTextNameChars), width, false) + "  " +
            padded(tensor.op.empty() ? "(input)" : tensor.op, 18, false);
    for (const Column* column : columns) text += padded(column->figure(tensor), column->width, true);
    text += "\n";
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (tensors[i].num_unlike_samples == 0) continue;
    text += tensors[i].name + " has another shape in " + std::to_string(tensors[i].num_unlike_samples) +
            " samples, which are left out: its size depends on the data\n";
  }
  return text;
}

using ExtraMetrics = std::vector<std::pair<std::string, std::pair<double, double>>>;

std::string comparison_table(const compare::Comparison& comparison, const ExtraMetrics& extra, int num_layers) {
  std::string text;
  if (comparison.top1 || comparison.top1_agreement_percent || !extra.empty()) {
    text += row("", "float", "quantized", "drop");
    const auto top = [&](const char* label, const std::optional<compare::TopK>& top_k) {
      if (!top_k) return;
      text += row(label, number("%.2f %%", top_k->reference_percent), number("%.2f %%", top_k->other_percent),
                  number("%+.2f", top_k->drop()));
    };
    top("top-1", comparison.top1);
    top("top-5", comparison.top5);
    if (comparison.top1_agreement_percent) {
      text += row("top-1 agreement", "", number("%.2f %%", *comparison.top1_agreement_percent), "");
    }
    if (comparison.simulated_agreement_percent) {
      text += row("same as simulated", "", number("%.2f %%", *comparison.simulated_agreement_percent), "");
    }
    if (!comparison.classes_of.empty()) {
      text += "(classes by the highest score in output " + quoted(comparison.classes_of) + ")\n";
    }
    for (const auto& [name, values] : extra) {
      if (name == "miou") {
        top("mean IoU", compare::TopK{values.first, values.second});
      } else {
        text += row(name, number("%.6g", values.first), number("%.6g", values.second),
                    number("%+.4g", values.first - values.second));
      }
    }
    text += "\n";
  }
  text += "Outputs over " + counted(comparison.num_samples, "sample") + "\n";
  text += tensor_rows(comparison.outputs, comparison.outputs.size());
  const std::size_t shown = std::min(comparison.layers.size(), static_cast<std::size_t>(std::max(0, num_layers)));
  if (shown > 0) {
    text += "\nWorst " + std::to_string(shown) + " of " + std::to_string(comparison.layers.size()) + " layers\n";
    text += tensor_rows(comparison.layers, shown);
  }
  return text;
}

}  // namespace

std::string to_table(const compare::Comparison& comparison, int num_layers) {
  return comparison_table(comparison, {}, num_layers);
}

std::string to_table(const Report& report, int num_layers) {
  const std::string rule = report.arithmetic.empty() ? "" : ", arithmetic " + report.arithmetic;
  std::string text = "Float against " +
                     std::string(report.mode == "simulated" ? "simulated quantization" : "fixed point") + rule + "\n" +
                     comparison_table(*report.comparison, report.extra_metrics, num_layers);
  if (report.simulated_comparison) {
    text += "\nFloat against simulated quantization\n" + comparison_table(*report.simulated_comparison, {}, num_layers);
  }
  if (report.diagnosis) text += to_text(*report.diagnosis, report.model);
  if (report.gates.empty()) return text;
  text += "\nGates\n";
  for (const Gate& gate : report.gates) {
    text += std::string(gate.passed ? "pass  " : "FAIL  ") + padded("--" + gate.option, 22, false) +
            gate_sentence(gate) + "\n";
  }
  return text;
}

}  // namespace halfstep::report
