// write_statistics.cpp: Statistics as JSON, a line a tensor.
#include <cmath>
#include <span>

#include "io/json/json_text.hpp"
#include "io/json/statistics_json.hpp"

namespace halfstep::io {
namespace {

std::string run_lengths(std::span<const std::uint64_t> counts) {
  std::string text;
  for (std::size_t i = 0; i < counts.size();) {
    std::size_t end = i + 1;
    while (end < counts.size() && counts[end] == counts[i]) ++end;
    if (!text.empty()) text += ' ';
    text += std::to_string(counts[i]);
    if (end - i > 1) text += '*' + std::to_string(end - i);
    i = end;
  }
  return text;
}

void put(const calib::Distribution& distribution, Json& entry) {
  const calib::PooledMoments& moments = distribution.moments;
  entry["count"] = moments.count;
  if (moments.count == 0) return;
  entry["min"] = moments.min;
  entry["max"] = moments.max;
  entry["sum"] = moments.sum.to_string();
  entry["sum_of_squares"] = moments.sum_of_squares.to_string();
  entry["samples"] = distribution.samples.num_samples;
  entry["sum_of_min"] = distribution.samples.sum_of_min.to_string();
  entry["sum_of_max"] = distribution.samples.sum_of_max.to_string();
  if (!distribution.samples.each.empty()) {
    Json each = Json::array();
    for (const calib::Extremes& sample : distribution.samples.each) {
      each.push_back({sample.sample, sample.min, sample.max});
    }
    entry["extremes"] = std::move(each);
  }
  if (!distribution.histogram.empty()) {
    entry["histogram"] = {{"bins", distribution.histogram.num_bins()},
                          {"min", distribution.histogram.min()},
                          {"max", distribution.histogram.max()},
                          {"counts", run_lengths(distribution.histogram.counts())}};
  }
}

Json json_of(const std::string& name, const calib::Observation& observation) {
  Json entry;
  entry["name"] = name;
  put(observation, entry);
  if (observation.rows.extent > 0) {
    entry["rows"]["extent"] = observation.rows.extent;
    // No row at all, in a tensor without elements, has no maximum.
    if (std::isfinite(observation.rows.lowest)) entry["rows"]["lowest_maximum"] = observation.rows.lowest;
  }
  if (observation.channels_disagree) entry["channels_disagree"] = true;
  if (!observation.channels.empty()) {
    Json channels = Json::array();
    for (const calib::Distribution& channel : observation.channels) {
      Json of_channel;
      put(channel, of_channel);
      channels.push_back(std::move(of_channel));
    }
    entry["channels"] = std::move(channels);
  }
  return entry;
}

}  // namespace

std::string write_statistics(const Statistics& statistics) {
  Json inputs = Json::object();
  for (const auto& [name, shape] : statistics.inputs) {
    Json dims = Json::array();
    for (int axis = 0; axis < shape.rank(); ++axis) dims.push_back(shape[axis]);
    inputs[name] = std::move(dims);
  }
  const Json tool{{"name", "halfstep"}, {"version", statistics.tool_version}};
  const Json model{{"file", statistics.model}, {"fingerprint", statistics.fingerprint}};
  const Json list{{"file", statistics.input_list},
                  {"fingerprint", statistics.list_fingerprint},
                  {"num_samples", statistics.num_listed}};
  const Json shard{{"index", statistics.shard.index}, {"count", statistics.shard.count}};
  std::string text =
      "{\n\"schema\": \"halfstep.statistics\",\n\"schema_version\": " + std::to_string(kStatisticsVersion) +
      ",\n\"tool\": " + text_of(tool) + ",\n\"model\": " + text_of(model) + ",\n\"inputs\": " + text_of(inputs) +
      ",\n\"input_list\": " + text_of(list) + ",\n\"shard\": " + text_of(shard) + ",\n\"tensors\": [";
  // One by one: all together as a document would be many times their text.
  const char* separator = "\n";
  for (const auto& [name, observation] : statistics.observations) {
    text += separator + text_of(json_of(name, observation));
    separator = ",\n";
  }
  return text + "\n]\n}\n";
}

}  // namespace halfstep::io
