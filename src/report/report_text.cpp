// report_text.cpp: figures and names as the Markdown, JUnit and HTML reports write them.
#include "report/report_text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <unordered_map>

namespace halfstep::report {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::string formatted(const char* format, int precision, double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char text[400];  // The largest double has 309 digits in front of the point.
  std::snprintf(text, sizeof(text), format, precision, value);
  return text;
}

/// Decimals a unit is shown with, where they suffice to tell figures apart.
int usual_decimals(std::string_view unit) { return unit.empty() ? 4 : 2; }

/// "%" measures levels; a difference of two of them is in points.
std::string_view difference_unit(std::string_view unit) { return unit == "%" ? "points" : unit; }

std::string with_unit(std::string text, std::string_view unit) {
  if (!unit.empty()) text.append(" ").append(unit);
  return text;
}

bool demands_at_least(const Gate& gate) { return gate.option.rfind("min_", 0) == 0; }

/// Decimals that keep a missed threshold and what missed it apart.
int gate_decimals(const Gate& gate) {
  int count = usual_decimals(gate.unit);
  while (count < 12 && gate.actual != gate.threshold &&
         decimals(gate.actual, count) == decimals(gate.threshold, count)) {
    ++count;
  }
  return count;
}

/// One code point at `at`, which moves behind it; kInvalid for bytes that are not UTF-8, of which one is skipped.
constexpr std::uint32_t kInvalid = 0xFFFFFFFF;
std::uint32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t first = byte(at++);
  if (first < 0x80) return first;
  const int more = first >= 0xF0 && first < 0xF5 ? 3 : first >= 0xE0 && first < 0xF0 ? 2 : first >= 0xC2 ? 1 : 0;
  if (more == 0 || first >= 0xF5 || at + static_cast<std::size_t>(more) > text.size()) return kInvalid;
  std::uint32_t code = first & (0x3Fu >> more);
  for (int i = 0; i < more; ++i) {
    const std::uint32_t next = byte(at + static_cast<std::size_t>(i));
    if ((next & 0xC0u) != 0x80u) return kInvalid;
    code = (code << 6) | (next & 0x3Fu);
  }
  const std::uint32_t smallest = more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
  if (code < smallest || code > 0x10FFFF) return kInvalid;
  at += static_cast<std::size_t>(more);
  return code;
}

bool is_allowed(std::uint32_t code) {
  if (code == kInvalid || code < 0x20 || (code >= 0x7F && code < 0xA0)) return false;
  if (code >= 0xD800 && code < 0xE000) return false;
  if (code >= 0xFDD0 && code < 0xFDF0) return false;
  // Marks that turn the reading direction could make a name look like another.
  if ((code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069)) return false;
  return (code & 0xFFFEu) != 0xFFFEu;
}

}  // namespace

std::string decimals(double value, int count) {
  std::string text = formatted("%.*f", count, value);
  // A zero has no sign: "-0.00" would look like a loss.
  if (text[0] == '-' && text.find_first_not_of("-0.") == std::string::npos) text.erase(0, 1);
  return text;
}

std::string significant(double value, int digits) { return formatted("%.*g", digits, value == 0.0 ? 0.0 : value); }

std::string shown_db(double db) { return std::isinf(db) && db > 0 ? "exact" : decimals(db, 1); }

std::string shown_db_unit(double db) { return shown_db(db) + (std::isinf(db) && db > 0 ? "" : " dB"); }

std::string shown_bytes(std::int64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  if (bytes < 1000000) return decimals(static_cast<double>(bytes) / 1e3, 1) + " kB";
  return decimals(static_cast<double>(bytes) / 1e6, 2) + " MB";
}

std::string counted(std::int64_t count, std::string_view noun) {
  return std::to_string(count).append(" ").append(noun).append(count == 1 ? "" : "s");
}

std::string gate_figure(const Gate& gate, double value) {
  return with_unit(decimals(value, gate_decimals(gate)), gate.unit);
}

std::string gate_found(const Gate& gate) {
  return gate.unmeasured.empty() ? gate_figure(gate, gate.actual) : gate.unmeasured;
}

std::string gate_demand(const Gate& gate) {
  return (demands_at_least(gate) ? "at least " : "at most ") + gate_figure(gate, gate.threshold);
}

std::string gate_shortfall(const Gate& gate) {
  if (gate.passed || !gate.unmeasured.empty()) return "";
  return with_unit(significant(gate.shortfall, 4), difference_unit(gate.unit));
}

std::string gate_sentence(const Gate& gate) {
  if (!gate.unmeasured.empty()) {
    return gate.subject + " must be " + gate_demand(gate) + " and has no figure: " + gate.unmeasured;
  }
  std::string text = gate.subject + " is " + gate_figure(gate, gate.actual) + ", must be " + gate_demand(gate);
  if (!gate.passed) text += ": missed by " + gate_shortfall(gate);
  return text;
}

std::size_t num_failed(const std::vector<Gate>& gates) {
  return static_cast<std::size_t>(std::ranges::count(gates, false, &Gate::passed));
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    const std::uint32_t code = next_code_point(text, at);
    if (code == '\t' || code == '\n' || code == '\r') {
      out += ' ';
    } else if (is_allowed(code)) {
      out += text.substr(start, at - start);
    } else {
      out += kReplacement;
    }
  }
  return out;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string shortened(std::string_view text, std::size_t max_chars) {
  const std::string whole = printable(text);
  std::vector<std::size_t> starts;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    if ((static_cast<unsigned char>(whole[at]) & 0xC0u) != 0x80u) starts.push_back(at);
  }
  if (starts.size() <= max_chars) return whole;
  const std::size_t head = max_chars / 2;
  const std::size_t tail = max_chars - head - 3;
  return whole.substr(0, starts[head]) + "..." + whole.substr(starts[starts.size() - tail]);
}

std::string padded(std::string text, std::size_t width, bool right) {
  if (text.size() >= width) return text;
  const std::string blanks(width - text.size(), ' ');
  return right ? blanks + text : text + blanks;
}

std::string file_name(std::string_view path) {
  const std::size_t slash = path.find_last_of("/\\");
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

std::vector<std::pair<std::string, std::pair<double, double>>> other_metrics(const Report& report) {
  auto metrics = report.extra_metrics;
  if (report.comparison && report.comparison->miou) {
    std::erase_if(metrics, [](const auto& metric) { return metric.first == "miou"; });
  }
  return metrics;
}

std::vector<PlacedLayer> in_network_order(const Report& report) {
  std::vector<PlacedLayer> placed;
  if (!report.comparison) return placed;
  std::unordered_map<std::string_view, std::size_t> order;
  std::size_t last = 0;
  if (report.charts) {
    for (const RangeLine& range : report.charts->activation_ranges) order.emplace(range.name, ++last);
  } else {
    for (const std::string& name : report.activation_order) order.emplace(name, ++last);
  }
  for (const compare::TensorError& layer : report.comparison->layers) {
    const auto at = order.find(layer.name);
    placed.push_back({&layer, at == order.end() ? ++last : at->second});
  }
  std::ranges::stable_sort(placed, {}, &PlacedLayer::position);
  return placed;
}

std::string coverage_words(std::string_view kind) {
  if (kind == "overrides") return "from overrides";
  if (kind == "source_model") return "from the source model";
  if (kind == "constants") return "from their own values";
  if (kind == "ordered") return "with a precision of their own";
  return std::string(kind);
}

}  // namespace halfstep::report
