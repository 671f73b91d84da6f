// baseline.cpp: reads reports back.
#include "report/baseline.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text.hpp"
#include "report/report_text.hpp"

namespace halfstep::report {
namespace {

using Json = nlohmann::json;

/// The member `key` of an object; nullptr if there is none.
const Json* member(const Json* json, const char* key) {
  if (json == nullptr || !json->is_object()) return nullptr;
  const auto at = json->find(key);
  return at == json->end() ? nullptr : &*at;
}

Error malformed(const std::string& path, const std::string& fact) {
  return {ErrorCode::kInvalidInput, path + ": " + fact};
}

/// A number that may be missing.
Result<std::optional<double>> number(const Json* json, const char* key, const std::string& path) {
  const Json* value = member(json, key);
  if (value == nullptr) return std::optional<double>();
  if (!value->is_number()) return malformed(path, "key " + halfstep::quoted(key) + " is no number");
  return std::optional<double>(value->get<double>());
}

std::string text_of(const Json& json, const char* key) {
  const Json* value = member(&json, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

Result<void> read_outputs(const Json& json, const std::string& path, Baseline& baseline) {
  const Json* outputs = member(&json, "outputs");
  if (outputs == nullptr || !outputs->is_array()) return malformed(path, "has no list 'outputs'");
  for (const Json& output : *outputs) {
    const Result<std::optional<double>> db = number(&output, "sqnr_db", path);
    if (!db.ok()) return db.error();
    if (!*db || text_of(output, "name").empty()) return malformed(path, "an output has no name or no 'sqnr_db'");
    baseline.outputs.push_back(text_of(output, "name"));
    baseline.worst_output_db = std::min(baseline.worst_output_db.value_or(**db), **db);
  }
  return {};
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + halfstep::quoted(name);
  return text.empty() ? "none" : text;
}

}  // namespace

Result<Baseline> parse_baseline(std::string_view text, const std::string& path) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return malformed(path, "is not JSON; --baseline takes a .json report of quantize-eval");
  if (text_of(json, "schema") != "halfstep.report") return malformed(path, "is not a report of quantize-eval");
  if (text_of(json, "kind") != "eval") {
    return malformed(
        path, "is a report of kind " + halfstep::quoted(text_of(json, "kind")) + ", expected one of quantize-eval");
  }
  const Json* version = member(&json, "schema_version");
  if (version == nullptr || !version->is_number_integer() || version->get<std::int64_t>() != kSchemaVersion) {
    return malformed(path, "has another schema version than " + std::to_string(kSchemaVersion));
  }
  Baseline baseline;
  baseline.path = path;
  baseline.input_list = text_of(json, "input_list");
  baseline.mode = text_of(json, "mode");
  const Json* num_samples = member(&json, "num_samples");
  if (num_samples == nullptr || !num_samples->is_number_integer()) return malformed(path, "has no 'num_samples'");
  baseline.num_samples = num_samples->get<std::int64_t>();
  if (Result<void> read = read_outputs(json, path, baseline); !read.ok()) return read.error();
  const Json* metrics = member(&json, "metrics");
  for (const auto& [json_of, key, value] : {std::tuple(member(metrics, "top1"), "quantized", &baseline.top1),
                                            std::tuple(metrics, "top1_agreement", &baseline.top1_agreement),
                                            std::tuple(member(metrics, "miou"), "quantized", &baseline.miou)}) {
    Result<std::optional<double>> read = number(json_of, key, path);
    if (!read.ok()) return read.error();
    *value = *read;
  }
  return baseline;
}

Result<void> check_same_run(const Baseline& baseline, const Report& report) {
  const auto other = [&](const std::string& what) {
    return malformed(baseline.path, "is a baseline of another run: " + what);
  };
  std::vector<std::string> outputs;
  for (const compare::TensorError& output : report.comparison->outputs) outputs.push_back(printable(output.name));
  std::vector<std::string> theirs;
  for (const std::string& name : baseline.outputs) theirs.push_back(printable(name));
  if (theirs != outputs) return other("its outputs are " + listed(theirs) + ", this model's " + listed(outputs));
  if (baseline.num_samples != report.comparison->num_samples) {
    return other("it has " + counted(baseline.num_samples, "sample") + ", this one " +
                 std::to_string(report.comparison->num_samples));
  }
  if (file_name(baseline.input_list) != file_name(report.input_list)) {
    return other("its input list is " + halfstep::quoted(baseline.input_list) + ", this one's " +
                 halfstep::quoted(report.input_list));
  }
  return {};
}

}  // namespace halfstep::report
