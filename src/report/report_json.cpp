// report_json.cpp: reports as JSON.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "report/report.hpp"

namespace halfstep::report {
namespace {

using Json = nlohmann::ordered_json;

double limited_db(double db) { return std::clamp(db, -kMaxReportedDb, kMaxReportedDb); }

Json tensor_json(const compare::TensorError& tensor) {
  return {{"name", tensor.name},
          {"op", tensor.op},
          {"sqnr_db", limited_db(tensor.sums.sqnr_db())},
          {"cosine", tensor.sums.cosine()},
          {"mse", tensor.sums.mean_squared_error()},
          {"max_abs_error", tensor.sums.max_abs_error},
          {"num_elements", tensor.sums.count},
          {"num_unlike_samples", tensor.num_unlike_samples}};
}

Json top_k_json(const compare::TopK& top) {
  return {{"float", top.reference_percent}, {"quantized", top.other_percent}, {"drop", top.drop()}};
}

void put_comparison(const compare::Comparison& comparison, Json& json) {
  json["num_samples"] = comparison.num_samples;
  Json metrics = Json::object();
  if (comparison.top1) metrics["top1"] = top_k_json(*comparison.top1);
  if (comparison.top5) metrics["top5"] = top_k_json(*comparison.top5);
  if (comparison.top1_agreement_percent) metrics["top1_agreement"] = *comparison.top1_agreement_percent;
  json["metrics"] = std::move(metrics);
  json["outputs"] = Json::array();
  for (const compare::TensorError& output : comparison.outputs) json["outputs"].push_back(tensor_json(output));
  json["layers"] = Json::array();
  for (const compare::TensorError& layer : comparison.layers) json["layers"].push_back(tensor_json(layer));
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
  json["mode"] = report.mode;
  if (!report.options.empty()) {
    json["options"] = Json::object();
    for (const auto& [name, value] : report.options) json["options"][name] = value;
  }
  if (report.num_calibration_samples > 0) json["num_calibration_samples"] = report.num_calibration_samples;
  json["encodings"] = {{"activations", report.num_activation_encodings},
                       {"weights", report.num_weight_encodings},
                       {"biases", report.num_bias_encodings}};
  if (report.quantized_model_bytes > 0) {
    json["size"] = {{"float_bytes", report.float_model_bytes}, {"quantized_bytes", report.quantized_model_bytes}};
  }
  if (report.comparison) put_comparison(*report.comparison, json);
  json["float_islands"] = Json::array();
  for (const FloatIsland& island : report.float_islands) {
    json["float_islands"].push_back({{"node", island.node}, {"op", island.op}, {"reason", island.reason}});
  }
  json["warnings"] = report.warnings;
  // Names may hold any bytes; what is not UTF-8 is replaced rather than refused.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace halfstep::report
