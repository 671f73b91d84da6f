// sensitivity_results.cpp: an object a line.
#include "io/json/sensitivity_results.hpp"

#include <array>
#include <utility>

#include "core/errors.hpp"
#include "io/json/json_text.hpp"
#include "io/json/parse_json.hpp"

namespace halfstep::io {
namespace {

constexpr const char* kKey = "halfstep_sensitivity";

using Metric = std::pair<const char*, std::optional<double> OutputScore::*>;
constexpr std::array kMetrics{
    Metric{"agreement_percent", &OutputScore::agreement_percent}, Metric{"top1_percent", &OutputScore::top1_percent},
    Metric{"top5_percent", &OutputScore::top5_percent}, Metric{"miou_percent", &OutputScore::miou_percent},
    Metric{"metric_command", &OutputScore::command_score}};

Result<FormScore> form_score_of(const nlohmann::json& line) {
  const Error wrong = invalid("not the score of a form: an object with 'form' and 'sqnr_db' is expected");
  if (!line.is_object()) return wrong;
  const auto form = line.find("form");
  const auto db = line.find("sqnr_db");
  if (form == line.end() || !form->is_string() || db == line.end() || !db->is_number()) return wrong;
  FormScore found{form->get<std::string>(), {.sqnr_db = db->get<double>()}};
  for (const auto& [name, member] : kMetrics) {
    const auto at = line.find(name);
    if (at == line.end()) continue;
    if (!at->is_number()) return invalid(std::string("'") + name + "' is no number");
    found.score.*member = at->get<double>();
  }
  return found;
}

}  // namespace

std::string results_header(const std::string& key) { return text_of(Json{{kKey, key}}) + "\n"; }

std::string results_line(const FormScore& found) {
  Json line{{"form", found.form}, {"sqnr_db", found.score.sqnr_db}};
  for (const auto& [name, member] : kMetrics) {
    if (found.score.*member) line[name] = *(found.score.*member);
  }
  return text_of(line) + "\n";
}

Result<SensitivityResults> read_results(std::string_view text, const std::string& file) {
  SensitivityResults results;
  int number = 0;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    const std::string place = file + ":" + std::to_string(++number);
    const Result<nlohmann::json> line = parse_json(text.substr(0, end));
    text.remove_prefix(end + 1);
    if (number > 1) {
      const Result<FormScore> score = line.ok() ? form_score_of(*line) : line.error();
      if (!score.ok()) return score.error().at(place);
      results.scores.push_back(*score);
      continue;
    }
    const bool is_header = line.ok() && line->is_object() && line->contains(kKey) && (*line)[kKey].is_string();
    if (!is_header) return invalid(place + ": these are no results of quantize-sensitivity");
    results.key = (*line)[kKey].get<std::string>();
  }
  if (number == 0) return invalid(file + ": these are no results of quantize-sensitivity");
  return results;
}

}  // namespace halfstep::io
