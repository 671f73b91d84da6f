// diagnosis_text.cpp: a diagnosis for a terminal.
#include <algorithm>

#include "report/diagnosis.hpp"
#include "report/report_text.hpp"

namespace halfstep::report {
namespace {

constexpr std::size_t kLineChars = 100;

/// Broken between words, each line behind the first under its text.
std::string wrapped(const std::string& head, const std::string& text) {
  std::string out = head;
  std::size_t column = head.size();
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::size_t size = end - at;
    if (column > head.size() && column + 1 + size > kLineChars) {
      out += "\n" + std::string(head.size(), ' ');
      column = head.size();
    } else if (column > head.size()) {
      out += " ";
      ++column;
    }
    out += text.substr(at, size);
    column += size;
    at = end + 1;
  }
  return out + "\n";
}

}  // namespace

std::string layer_words(const DiagnosedLayer& layer) {
  return layer.op.empty() ? layer.name : layer.name + " (" + layer.op + ")";
}

std::string gain_words(const DiagnosisStep& step) {
  const char* figure = step.measured ? "measured: " : step.is_bound ? "predicted: at most " : "predicted: about ";
  return figure + shown_db_unit(step.sqnr_db) + ", +" + decimals(step.gain_db, 1) + " dB";
}

std::string command_of(const DiagnosisStep& step, const std::string& model) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+";
  std::string word = model;
  if (model.find_first_not_of(kPlain) != std::string::npos) {
    word = "'";
    for (const char c : model) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
    word += "'";
  }
  return "quantize ... " + step.options + (step.options.empty() ? "" : " ") + word;
}

std::string to_text(const Diagnosis& diagnosis, const std::string& model) {
  std::string text = "\nDiagnosis over " + counted(diagnosis.num_samples, "sample") + ", SQNR of the outputs\n";
  for (std::size_t i = 0; i < diagnosis.rungs.size(); ++i) {
    const DiagnosisRung& rung = diagnosis.rungs[i];
    text += wrapped(std::to_string(i + 1) + ". ", rung.answer);
    for (const DiagnosedLayer& layer : diagnosis.layers) {
      if (rung.question == "layers") {
        text += wrapped("   - ", layer_words(layer) + ", " + layer.part + ": " + decimals(layer.gain_db, 1) + " dB, " +
                                     decimals(layer.noise_share_percent, 0) + " % of the noise");
      }
      if (rung.question != "causes") continue;
      for (const DiagnosedCause& cause : layer.causes) {
        text += wrapped("   - ", layer_words(layer) + ", " + cause.kind + ": " + cause.sentence);
      }
    }
  }
  text += wrapped("Verdict: ", diagnosis.verdict);
  if (diagnosis.next.empty()) return text;
  text += "Try next (... are the options that made this model; SQNR over the same samples):\n";
  for (const DiagnosisStep& step : diagnosis.next) {
    text += "   " + command_of(step, model) + "\n";
    text += wrapped("      ", step.reason + "; " + gain_words(step));
  }
  return text;
}

}  // namespace halfstep::report
