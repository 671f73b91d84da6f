// report_table.cpp: reports for a terminal.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "report/report.hpp"

namespace halfstep::report {
namespace {

constexpr std::size_t kMaxNameChars = 48;

std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

std::string shown_db(double db) { return std::isinf(db) ? (db > 0 ? "exact" : "-inf") : number("%.1f", db); }

/// Keeps both ends of long names: exporters put the block in front and the operator behind.
std::string shortened(const std::string& name) {
  constexpr std::size_t kHead = kMaxNameChars / 2;
  constexpr std::size_t kTail = kMaxNameChars - kHead - 3;
  return name.size() <= kMaxNameChars ? name : name.substr(0, kHead) + "..." + name.substr(name.size() - kTail);
}

std::string padded(std::string text, std::size_t width, bool right) {
  if (text.size() >= width) return text;
  const std::string blanks(width - text.size(), ' ');
  return right ? blanks + text : text + blanks;
}

std::string row(const std::string& label, const std::string& a, const std::string& b, const std::string& c) {
  return padded(label, 18, false) + padded(a, 12, true) + padded(b, 12, true) + padded(c, 12, true) + "\n";
}

std::string tensor_rows(const std::vector<compare::TensorError>& tensors, std::size_t count) {
  std::size_t width = 6;
  for (std::size_t i = 0; i < count; ++i) width = std::max(width, shortened(tensors[i].name).size());
  std::string text = padded("tensor", width, false) + "  " + padded("operator", 18, false) +
                     padded("SQNR dB", 9, true) + padded("cosine", 11, true) + padded("max error", 12, true) + "\n";
  for (std::size_t i = 0; i < count; ++i) {
    const compare::TensorError& tensor = tensors[i];
    text += padded(shortened(tensor.name), width, false) + "  " +
            padded(tensor.op.empty() ? "(input)" : tensor.op, 18, false) +
            padded(shown_db(tensor.sums.sqnr_db()), 9, true) + padded(number("%.6f", tensor.sums.cosine()), 11, true) +
            padded(number("%.5g", tensor.sums.max_abs_error), 12, true) + "\n";
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (tensors[i].num_unlike_samples == 0) continue;
    text += tensors[i].name + " has another shape in " + std::to_string(tensors[i].num_unlike_samples) +
            " samples, which are left out: its size depends on the data\n";
  }
  return text;
}

}  // namespace

std::string to_table(const compare::Comparison& comparison, int num_layers) {
  std::string text;
  if (comparison.top1 || comparison.top1_agreement_percent) {
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
    text += "\n";
  }
  text += "Outputs over " + std::to_string(comparison.num_samples) +
          (comparison.num_samples == 1 ? " sample\n" : " samples\n");
  text += tensor_rows(comparison.outputs, comparison.outputs.size());
  const std::size_t shown = std::min(comparison.layers.size(), static_cast<std::size_t>(std::max(0, num_layers)));
  if (shown > 0) {
    text += "\nWorst " + std::to_string(shown) + " of " + std::to_string(comparison.layers.size()) + " layers\n";
    text += tensor_rows(comparison.layers, shown);
  }
  return text;
}

}  // namespace halfstep::report
