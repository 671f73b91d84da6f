// sensitivity_json.cpp: a sensitivity report as JSON, and the order of its groups.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "report/report.hpp"
#include "report/sensitivity_report.hpp"

namespace halfstep::report {
namespace {

using Json = nlohmann::ordered_json;

Json figures_json(const OutputScore& figures) {
  Json json{{"sqnr_db", figures.sqnr_db}};
  const auto put = [&](const char* name, const std::optional<double>& figure) {
    if (figure) json[name] = *figure;
  };
  put("top1", figures.top1_percent);
  put("top5", figures.top5_percent);
  put("top1_agreement", figures.agreement_percent);
  put("miou", figures.miou_percent);
  put("metric_command", figures.command_score);
  return json;
}

void put_parts(const PartScores& parts, const char* name, Json& json) {
  Json all = Json::object();
  if (parts.both) all["both"] = figures_json(*parts.both);
  if (parts.weights) all["weights"] = figures_json(*parts.weights);
  if (parts.activations) all["activations"] = figures_json(*parts.activations);
  if (!all.empty()) json[name] = std::move(all);
}

}  // namespace

std::vector<std::size_t> by_cost(const SensitivityReport& report) {
  std::vector<std::pair<double, std::size_t>> costs;
  for (std::size_t g = 0; g < report.groups.size(); ++g) {
    const GroupSensitivity& group = report.groups[g];
    if (group.all_but.both && report.whole.both) {
      costs.emplace_back(-group.gain_db(*report.whole.both), g);
    } else if (group.only.both) {
      costs.emplace_back(group.only.both->sqnr_db, g);
    }
  }
  std::ranges::sort(costs);
  std::vector<std::size_t> order;
  for (const auto& [cost, g] : costs) order.push_back(g);
  return order;
}

std::string to_json(const SensitivityReport& report) {
  Json json{{"schema_version", kSchemaVersion},    {"kind", "sensitivity"},
            {"tool_version", report.tool_version}, {"model", report.model},
            {"quantized", report.quantized},       {"input_list", report.input_list},
            {"arithmetic", report.arithmetic},     {"num_samples", report.num_samples}};
  const OutputScore& real = report.float_figures;
  if (real.top1_percent || real.miou_percent || real.command_score) {
    json["float"] = figures_json(real);
    json["float"].erase("sqnr_db");
    json["float"].erase("top1_agreement");
  }
  put_parts(report.whole, "whole", json);
  json["groups"] = Json::array();
  for (const GroupSensitivity& group : report.groups) {
    Json entry{{"name", group.name},
               {"op", group.op},
               {"activations", group.activations},
               {"weights", group.weights},
               {"num_weights", group.num_weights},
               {"num_activations", group.num_activations},
               {"macs", group.macs}};
    put_parts(group.only, "enable_one", entry);
    put_parts(group.all_but, "disable_one", entry);
    if (group.all_but.both && report.whole.both) entry["gain_db"] = group.gain_db(*report.whole.both);
    json["groups"].push_back(std::move(entry));
  }
  json["by_cost"] = Json::array();
  for (const std::size_t g : by_cost(report)) json["by_cost"].push_back(report.groups[g].name);
  json["warnings"] = report.warnings;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace halfstep::report
