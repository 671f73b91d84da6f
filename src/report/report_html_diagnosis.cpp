// report_html_diagnosis.cpp: a diagnosis as a part of the page.
#include "report/report_html_cells.hpp"
#include "report/report_html_tables.hpp"

namespace halfstep::report::html {
namespace {

std::string item(const std::string& text) { return "<li>" + text + "</li>\n"; }

std::string found_layers(const Diagnosis& diagnosis) {
  std::string items;
  for (const DiagnosedLayer& layer : diagnosis.layers) {
    items += item("<code>" + breakable(layer_words(layer)) + "</code>, " + layer.part + ": " +
                  decimals(layer.gain_db, 1) + " dB, " + decimals(layer.noise_share_percent, 0) + " % of the noise");
  }
  return items;
}

std::string found_causes(const Diagnosis& diagnosis) {
  std::string items;
  for (const DiagnosedLayer& layer : diagnosis.layers) {
    for (const DiagnosedCause& cause : layer.causes) {
      items += item("<code>" + breakable(layer_words(layer)) + "</code>, " + escaped(cause.kind) + ": " +
                    escaped(cause.sentence));
    }
  }
  return items;
}

}  // namespace

std::string diagnosis_panel(const Report& report) {
  if (!report.diagnosis) return "";
  const Diagnosis& diagnosis = *report.diagnosis;
  std::string rungs;
  for (const DiagnosisRung& rung : diagnosis.rungs) {
    const std::string items = rung.question == "layers"   ? found_layers(diagnosis)
                              : rung.question == "causes" ? found_causes(diagnosis)
                                                          : "";
    rungs += item(escaped(rung.answer) + (items.empty() ? "" : "<ul>\n" + items + "</ul>"));
  }
  std::string out = "<div class=\"panel\"><p>Over " + counted(diagnosis.num_samples, "sample") + ": <b>" +
                    escaped(diagnosis.verdict) + "</b></p><ol>\n" + rungs + "</ol>";
  if (!diagnosis.next.empty()) {
    out += "<p>Try next (... are the options that made this model; SQNR over the same samples):</p><ul>\n";
    for (const DiagnosisStep& step : diagnosis.next) {
      out += item("<code>" + escaped(command_of(step, report.model)) + "</code><br>" + escaped(step.reason) + "; " +
                  gain_words(step));
    }
    out += "</ul>";
  }
  return out + "</div>\n";
}

}  // namespace halfstep::report::html
