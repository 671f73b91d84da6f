// statistics.cpp: parts become a whole, or an error that says why not.
#include "pipeline/statistics.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "graph/fingerprint.hpp"
#include "halfstep/version.hpp"
#include "io/json/preprocess_json.hpp"

namespace halfstep::pipeline {
namespace {

/// A file as read, and where its samples lie in the whole.
struct Part {
  std::string file;
  io::Statistics statistics;
};

/// A list that some of the parts saw a share of.
using ListKey = std::pair<std::string, std::int64_t>;  // Its fingerprint, the number of shards.

Result<void> check_alike(const Part& first, const Part& part) {
  const auto differ = [&](const std::string& what) {
    return usage(part.file + " and " + first.file + " are statistics of different " + what);
  };
  if (part.statistics.fingerprint != first.statistics.fingerprint) {
    return differ("models, " + part.statistics.model + " and " + first.statistics.model);
  }
  if (part.statistics.inputs != first.statistics.inputs) return differ("input shapes");
  const auto names = [](const calib::Observations& observations) {
    std::vector<std::string> all;
    for (const auto& [name, unused] : observations) all.push_back(name);
    return all;
  };
  if (names(part.statistics.observations) != names(first.statistics.observations)) return differ("sets of tensors");
  return {};
}

Result<void> check_version(const Part& part) {
  if (part.statistics.tool_version == kVersion) return {};
  return usage(part.file + ": statistics of halfstep " + part.statistics.tool_version + ", this is " + kVersion +
               ", which may prepare the model in another way; make them again");
}

/// Whether the samples of a list would count twice: it is there whole and in shards, in shards of different numbers, or
/// as two copies of one file. (Two lists of the same text in different folders may have other samples.)
Result<void> check_lists(const std::vector<Part>& parts) {
  for (std::size_t p = 0; p < parts.size(); ++p) {
    for (std::size_t earlier = 0; earlier < p; ++earlier) {
      const io::Statistics& a = parts[earlier].statistics;
      const io::Statistics& b = parts[p].statistics;
      if (a.list_fingerprint != b.list_fingerprint || a.num_listed != b.num_listed) continue;
      const bool same_whole = a.shard.count == 1 && b.shard.count == 1 && a.observations == b.observations;
      if (a.shard.count == b.shard.count && !same_whole) continue;
      return usage(parts[p].file + " and " + parts[earlier].file + " both hold samples of " + b.input_list +
                   ", which would count twice");
    }
  }
  return {};
}

/// Every shard of every list, once.
Result<void> check_shards(const std::vector<Part>& parts) {
  std::map<ListKey, std::map<std::int64_t, const Part*>> shards;
  for (const Part& part : parts) {
    const io::Statistics& s = part.statistics;
    if (s.shard.count == 1) continue;
    const auto [at, added] = shards[{s.list_fingerprint, s.shard.count}].emplace(s.shard.index, &part);
    if (added) continue;
    return usage(part.file + " and " + at->second->file + " are both shard " + std::to_string(s.shard.index) + "/" +
                 std::to_string(s.shard.count) + " of " + s.input_list);
  }
  for (const auto& [list, present] : shards) {
    std::string missing;
    for (std::int64_t index = 0; index < list.second; ++index) {
      if (present.contains(index)) continue;
      missing += (missing.empty() ? "" : ", ") + std::to_string(index) + "/" + std::to_string(list.second);
      if (missing.size() > 60) {
        missing += ", ...";
        break;
      }
    }
    if (missing.empty()) continue;
    return usage("shards " + missing + " of " + present.begin()->second->statistics.input_list + " are missing");
  }
  return {};
}

/// Where the samples of each part's list start in the whole.
std::vector<std::int64_t> offsets_of(const std::vector<Part>& parts) {
  std::vector<std::int64_t> offsets;
  std::map<ListKey, std::int64_t> started;
  std::int64_t next = 0;
  for (const Part& part : parts) {
    const io::Statistics& s = part.statistics;
    const auto at = started.find({s.list_fingerprint, s.shard.count});
    if (s.shard.count > 1 && at != started.end()) {
      offsets.push_back(at->second);
      continue;
    }
    started.emplace(ListKey{s.list_fingerprint, s.shard.count}, next);
    offsets.push_back(next);
    next += s.num_listed;
  }
  return offsets;
}

void move_samples(calib::Distribution& distribution, std::int64_t offset) {
  for (calib::Extremes& sample : distribution.samples.each) sample.sample += offset;
}

void merge(io::Statistics part, std::int64_t offset, calib::Observations& whole) {
  for (auto& [name, observation] : part.observations) {
    move_samples(observation, offset);
    for (calib::Distribution& channel : observation.channels) move_samples(channel, offset);
    whole[name].merge(observation);
  }
}

bool has_no_channels(const calib::Observation& observation) {
  return observation.channels.empty() && !observation.channels_disagree;
}

/// What only some parts kept of channels is nothing of the whole.
void drop_partial_channels(std::vector<Part>& parts) {
  std::set<std::string> partial;
  for (const Part& part : parts) {
    for (const auto& [name, observation] : part.statistics.observations) {
      if (observation.moments.count > 0 && has_no_channels(observation)) partial.insert(name);
    }
  }
  for (Part& part : parts) {
    for (const std::string& name : partial) {
      calib::Observation& observation = part.statistics.observations.at(name);
      observation.channels.clear();
      observation.channels_disagree = false;
    }
  }
}

/// Also if only some of the merged parts kept it.
bool lacks(const calib::Distribution& distribution, bool histogram, bool extremes) {
  const calib::SampleExtremes& samples = distribution.samples;
  return (histogram && distribution.histogram.count() != distribution.moments.count) ||
         (extremes && static_cast<std::int64_t>(samples.each.size()) != samples.num_samples);
}

bool lacks_channels(const calib::Observation& observation, const calib::Watch& watch) {
  if (!watch.channel_axis || observation.moments.count == 0) return false;
  return has_no_channels(observation) ||
         std::ranges::any_of(observation.channels, [&](const calib::Distribution& channel) {
           return lacks(channel, watch.channel_histograms, watch.channel_extremes);
         });
}

}  // namespace

std::vector<calib::Watch> watches_for_any_method(const graph::Graph& graph, const ops::Facts& facts,
                                                 const precision::Plan& plan) {
  std::vector<calib::Watch> watches = precision::watches_of(graph, facts, plan);
  for (calib::Watch& watch : watches) {
    watch.histogram = true;
    watch.sample_extremes = true;
    watch.channel_histograms = watch.channel_axis.has_value();
  }
  return watches;
}

exec::SampleSource part_of(exec::SampleSource samples, const Shard& shard) {
  const auto at = [shard](std::int64_t i) { return shard.index + i * shard.count; };
  exec::SampleSource part;
  part.count = samples.count > shard.index ? (samples.count - shard.index - 1) / shard.count + 1 : 0;
  part.load = [load = std::move(samples.load), at](std::int64_t i) { return load(at(i)); };
  if (samples.place) part.place = [place = std::move(samples.place), at](std::int64_t i) { return place(at(i)); };
  return part;
}

Result<io::Statistics> statistics_header(const graph::Graph& prepared, const ops::InputShapes& shapes,
                                         const std::filesystem::path& model, const io::SampleReader& reader,
                                         const Shard& shard) {
  std::string list = reader.list().text;
  if (const auto photos = reader.first_photo_input()) list += io::write_preprocess(photos->preprocess);
  io::Statistics statistics;
  statistics.tool_version = kVersion;
  statistics.model = model.string();
  statistics.fingerprint = graph::fingerprint(prepared);
  statistics.inputs = shapes;
  statistics.input_list = reader.list().path.string();
  statistics.list_fingerprint = graph::fingerprint(std::string_view(list));
  statistics.num_listed = reader.num_samples();
  statistics.shard = shard;
  return statistics;
}

Result<MergedStatistics> read_statistics(const std::vector<std::filesystem::path>& files) {
  std::vector<Part> parts;
  std::set<std::filesystem::path> seen;
  for (const std::filesystem::path& file : files) {
    std::error_code failure;
    const std::filesystem::path real = std::filesystem::weakly_canonical(file, failure);
    if (!failure && !seen.insert(real).second) return usage(file.string() + " is given twice");
    const Result<std::string> text = read_text(file);
    if (!text.ok()) return text.error();
    Result<io::Statistics> read = io::read_statistics(*text, file.string());
    if (!read.ok()) return read.error();
    parts.push_back({file.string(), *std::move(read)});
    if (auto version = check_version(parts.back()); !version.ok()) return version.error();
    if (auto alike = check_alike(parts.front(), parts.back()); !alike.ok()) return alike.error();
  }
  if (parts.empty()) return usage("no statistics to merge");
  if (auto once = check_lists(parts); !once.ok()) return once.error();
  if (auto complete = check_shards(parts); !complete.ok()) return complete.error();

  MergedStatistics merged;
  merged.fingerprint = parts.front().statistics.fingerprint;
  merged.first_file = parts.front().file;
  merged.inputs = parts.front().statistics.inputs;
  const std::vector<std::int64_t> offsets = offsets_of(parts);
  std::set<ListKey> lists;
  drop_partial_channels(parts);
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const io::Statistics& s = parts[p].statistics;
    if (s.shard.count == 1 || lists.emplace(s.list_fingerprint, s.shard.count).second) {
      merged.num_samples += s.num_listed;
    }
    merge(std::move(parts[p].statistics), offsets[p], merged.observations);
  }
  return merged;
}

Result<void> check_inputs(const MergedStatistics& statistics, const RawModel& model) {
  bool fit = model.graph.inputs.size() == statistics.inputs.size();
  for (const graph::GraphInput& input : model.graph.inputs) {
    const auto shape = statistics.inputs.find(model.graph.value(input.value).name);
    fit = fit && shape != statistics.inputs.end();
    if (!fit || !input.declared.dims) continue;
    const std::vector<graph::Dim>& dims = *input.declared.dims;
    fit = static_cast<int>(dims.size()) == shape->second.rank();
    for (std::size_t axis = 0; fit && axis < dims.size(); ++axis) {
      fit = !dims[axis].fixed() || dims[axis].extent == shape->second[static_cast<int>(axis)];
    }
  }
  if (fit) return {};
  return usage(statistics.first_file + ": statistics of another model than " + model.path + ", which has other inputs");
}

Result<void> check_statistics(const MergedStatistics& statistics, const graph::Graph& prepared,
                              const std::vector<calib::Watch>& watches) {
  if (statistics.fingerprint != graph::fingerprint(prepared)) {
    return usage(statistics.first_file +
                 ": statistics of another model, or of one prepared in another way; make them " + "with this one");
  }
  for (const calib::Watch& watch : watches) {
    const std::string& name = prepared.value(watch.value).name;
    const calib::Observation* observation = calib::find_observation(statistics.observations, name);
    const bool whole = observation != nullptr && !lacks(*observation, watch.histogram, watch.sample_extremes);
    if (whole && !lacks_channels(*observation, watch)) continue;
    return Error{
        ErrorCode::kCalibration,
        statistics.first_file + ": the statistics lack what these options read of tensor " + quoted(name) +
            (whole ? " by channel" : "") +
            "; make them again with the same --act_per_channel, --act_quantizer_calibration and --align_inputs"};
  }
  return {};
}

}  // namespace halfstep::pipeline
