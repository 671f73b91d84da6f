// report_json.cpp: reports as JSON.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "report/report.hpp"

namespace halfstep::report {
namespace {

using Json = nlohmann::ordered_json;

double limited_db(double db) { return std::clamp(db, -kMaxReportedDb, kMaxReportedDb); }

void put_errors(const compare::ErrorSums& sums, double scale, Json& json) {
  json["sqnr_db"] = limited_db(sums.sqnr_db());
  json["cosine"] = sums.cosine();
  json["mse"] = sums.mean_squared_error();
  json["max_abs_error"] = sums.max_abs_error;
  if (scale > 0.0) json["rmse_in_steps"] = std::sqrt(sums.mean_squared_error()) / scale;
}

Json tensor_json(const compare::TensorError& tensor) {
  Json json{{"name", tensor.name}, {"op", tensor.op}};
  put_errors(tensor.sums, tensor.scale, json);
  json["num_elements"] = tensor.sums.count;
  json["num_unlike_samples"] = tensor.num_unlike_samples;
  if (tensor.scale > 0.0) {
    json["scale"] = tensor.scale;
    json["clipped_percent"] = tensor.clipped_percent();
  }
  if (tensor.isolated) put_errors(*tensor.isolated, tensor.scale, json["isolated"]);
  if (tensor.off_by) json["off_by"] = *tensor.off_by;
  return json;
}

Json top_k_json(const compare::TopK& top) {
  return {{"float", top.reference_percent}, {"quantized", top.other_percent}, {"drop", top.drop()}};
}

void put_comparison(const compare::Comparison& comparison, Json& json) {
  Json metrics = Json::object();
  if (comparison.top1) metrics["top1"] = top_k_json(*comparison.top1);
  if (comparison.top5) metrics["top5"] = top_k_json(*comparison.top5);
  if (comparison.top1_agreement_percent) metrics["top1_agreement"] = *comparison.top1_agreement_percent;
  if (!comparison.classes_of.empty()) metrics["classes_of"] = comparison.classes_of;
  if (comparison.simulated_agreement_percent) metrics["simulated_agreement"] = *comparison.simulated_agreement_percent;
  json["metrics"] = std::move(metrics);
  json["outputs"] = Json::array();
  for (const compare::TensorError& output : comparison.outputs) json["outputs"].push_back(tensor_json(output));
  json["layers"] = Json::array();
  for (const compare::TensorError& layer : comparison.layers) json["layers"].push_back(tensor_json(layer));
}

Json mixed_precision_json(const MixedPrecision& found) {
  Json json{
      {"candidates", found.candidates}, {"measure", found.measure}, {"counts", found.counts}, {"holds", found.holds}};
  if (found.allowed_drop) json["allowed_drop"] = *found.allowed_drop;
  if (found.budget) json["budget"] = *found.budget;
  json["curve"] = Json::array();
  for (const MixedPrecisionPoint& point : found.curve) {
    Json entry{{"num_changed", point.num_changed},
               {"layer", point.layer},
               {"bit_operations", point.bit_operations},
               {"cost_factor", point.cost_factor}};
    if (point.predicted_sqnr_db) entry["predicted_sqnr_db"] = *point.predicted_sqnr_db;
    if (point.sqnr_db) entry["sqnr_db"] = *point.sqnr_db;
    if (point.drop) entry["drop"] = *point.drop;
    entry["chosen"] = point.chosen;
    json["curve"].push_back(std::move(entry));
  }
  json["layers"] = Json::array();
  for (const LayerWidth& layer : found.layers) {
    Json entry{{"name", layer.name}, {"op", layer.op}, {"candidate", layer.candidate}};
    for (std::size_t c = 0; c < layer.sqnr_db.size(); ++c) {
      if (layer.sqnr_db[c]) entry["sqnr_db"][found.candidates[c]] = limited_db(*layer.sqnr_db[c]);
    }
    json["layers"].push_back(std::move(entry));
  }
  return json;
}

Json gate_json(const Gate& gate) {
  Json json{{"option", gate.option},       {"subject", gate.subject}, {"unit", gate.unit},
            {"threshold", gate.threshold}, {"actual", gate.actual},   {"passed", gate.passed},
            {"shortfall", gate.shortfall}};
  if (!gate.unmeasured.empty()) {
    json["actual"] = nullptr;
    json["shortfall"] = nullptr;
    json["unmeasured"] = gate.unmeasured;
  }
  return json;
}

Json range_json(const TensorRange& range) {
  Json json{{"name", range.name},
            {"role", range.role == RangeRole::kWeight ? "weight" : "activation"},
            {"observed", {range.min, range.max}},
            {"chosen", {range.grid_min, range.grid_max}},
            {"by", range.by},
            {"num_values", range.num_values},
            {"clipped_percent", nullptr}};
  if (range.clipped_percent) json["clipped_percent"] = *range.clipped_percent;
  if (range.num_channels) json["channels"] = *range.num_channels;
  return json;
}

Json histogram_json(const TensorHistogram& histogram) {
  return {{"name", histogram.name},
          {"first_edge", histogram.first_edge},
          {"bin_width", histogram.bin_width},
          {"counts", histogram.counts},
          {"grid", {histogram.grid_min, histogram.grid_max}},
          {"step", histogram.step}};
}

Json trial_json(const Trial& trial) {
  if (!trial.tried) return {{"scheme", trial.scheme}, {"tried", false}};
  Json json{{"scheme", trial.scheme},
            {"tried", true},
            {"sqnr_db", limited_db(trial.sqnr_db)},
            {"agreement", trial.agreement}};
  if (trial.drop) json["drop"] = *trial.drop;
  json["kept"] = trial.kept;
  return json;
}

Json tuning_json(const TuningStep& step) {
  return {{"algorithms", step.algorithms},
          {"did", step.did},
          {"sqnr_db", {{"before", limited_db(step.sqnr_before_db)}, {"after", limited_db(step.sqnr_after_db)}}},
          {"agreement", {{"before", step.agreement_before}, {"after", step.agreement_after}}},
          {"undone", step.undone},
          {"notes", step.notes}};
}

Json diagnosis_json(const Diagnosis& diagnosis) {
  Json json{{"num_samples", diagnosis.num_samples}, {"verdict", diagnosis.verdict}};
  json["rungs"] = Json::array();
  for (const DiagnosisRung& rung : diagnosis.rungs) {
    Json entry{{"question", rung.question}, {"answer", rung.answer}};
    if (rung.sqnr_db) entry["sqnr_db"] = limited_db(*rung.sqnr_db);
    json["rungs"].push_back(std::move(entry));
  }
  json["layers"] = Json::array();
  for (const DiagnosedLayer& layer : diagnosis.layers) {
    Json entry{{"name", layer.name},
               {"op", layer.op},
               {"part", layer.part},
               {"gain_db", layer.gain_db},
               {"noise_share_percent", layer.noise_share_percent},
               {"causes", Json::array()}};
    for (const DiagnosedCause& cause : layer.causes) {
      entry["causes"].push_back({{"kind", cause.kind}, {"tensor", cause.tensor}, {"sentence", cause.sentence}});
    }
    json["layers"].push_back(std::move(entry));
  }
  json["next"] = Json::array();
  for (const DiagnosisStep& step : diagnosis.next) {
    json["next"].push_back({{"options", step.options},
                            {"reason", step.reason},
                            {"sqnr_db", limited_db(step.sqnr_db)},
                            {"gain_db", step.gain_db},
                            {"measured", step.measured},
                            {"bound", !step.measured && step.is_bound}});
  }
  return json;
}

/// Left out if there are none.
template <class T>
void put_list(const char* key, const std::vector<T>& entries, Json (*entry_json)(const T&), Json& json) {
  if (entries.empty()) return;
  json[key] = Json::array();
  for (const T& entry : entries) json[key].push_back(entry_json(entry));
}

}  // namespace

std::string to_json(const Report& report) {
  Json json;
  json["schema"] = "halfstep.report";
  json["schema_version"] = kSchemaVersion;
  json["kind"] = report.kind;
  json["tool"] = {{"name", "halfstep"}, {"version", report.tool_version}};
  json["model"] = report.model;
  if (!report.quantized.empty()) json["quantized"] = report.quantized;
  json["input_list"] = report.input_list;
  if (report.preprocess) {
    json["preprocess"] = {{"name", report.preprocess->name}};
    json["preprocess"].update(Json::parse(report.preprocess->json, nullptr, false));
  }
  if (!report.classes.empty()) json["classes"] = report.classes;
  json["mode"] = report.mode;
  if (!report.arithmetic.empty()) json["arithmetic"] = report.arithmetic;
  if (!report.options.empty()) {
    json["options"] = Json::object();
    for (const auto& [name, value] : report.options) json["options"][name] = value;
  }
  if (report.num_calibration_samples > 0) json["num_calibration_samples"] = report.num_calibration_samples;
  if (report.num_held_out > 0) json["held_out_samples"] = report.num_held_out;
  if (report.mixed_precision) json["mixed_precision"] = mixed_precision_json(*report.mixed_precision);
  put_list("search", report.trials, trial_json, json);
  put_list("tuning", report.tuning, tuning_json, json);
  json["encodings"] = {{"activations", report.num_activation_encodings},
                       {"weights", report.num_weight_encodings},
                       {"biases", report.num_bias_encodings}};
  if (report.quantized_model_bytes > 0) {
    json["size"] = {{"float_bytes", report.float_model_bytes}, {"quantized_bytes", report.quantized_model_bytes}};
  }
  if (report.comparison) {
    json["num_samples"] = report.comparison->num_samples;
    put_comparison(*report.comparison, json);
    for (const auto& [name, values] : report.extra_metrics) {
      json["metrics"][name] = top_k_json({values.first, values.second});
    }
  }
  if (report.simulated_comparison) put_comparison(*report.simulated_comparison, json["simulated"]);
  if (report.diagnosis) json["diagnosis"] = diagnosis_json(*report.diagnosis);
  put_list("gates", report.gates, gate_json, json);
  put_list("ranges", report.ranges, range_json, json);
  put_list("histograms", report.histograms, histogram_json, json);
  if (!report.coverage.empty()) {
    Json& coverage = json["coverage"] = Json::object();
    for (const auto& [kind, count] : report.coverage) coverage[kind] = count;
  }
  json["float_islands"] = Json::array();
  for (const FloatIsland& island : report.float_islands) {
    json["float_islands"].push_back({{"node", island.node}, {"op", island.op}, {"reason", island.reason}});
  }
  json["warnings"] = report.warnings;
  // Names may hold any bytes; what is not UTF-8 is replaced rather than refused.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace halfstep::report
