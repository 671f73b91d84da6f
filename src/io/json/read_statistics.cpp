// read_statistics.cpp: Statistics from JSON; nothing of a file is believed.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <utility>
#include <vector>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/json/parse_json.hpp"
#include "io/json/statistics_json.hpp"

namespace halfstep::io {
namespace {

using json = nlohmann::json;

/// The object is an object and has the key.
const json* member(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(key);
  return at == object.end() ? nullptr : &*at;
}

constexpr std::size_t kMaxStatisticsRank = 64;
constexpr std::uint64_t kMaxCount = std::uint64_t{1} << 53;

/// A text, a count of at most kMaxCount, or a number that float32 can hold.
template <class T>
bool is(const json& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    return value.is_string();
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return value.is_number_integer() && value >= 0 && value <= static_cast<std::int64_t>(kMaxCount);
  } else {
    return value.is_number() && std::abs(value.get<double>()) <= std::numeric_limits<float>::max();
  }
}

template <class T>
Result<T> field(const json& object, const char* key) {
  const json* value = member(object, key);
  if (value == nullptr || !is<T>(*value)) {
    return invalid("field '" + std::string(key) + "' is missing or not what it should be");
  }
  return value->get<T>();
}

template <class T>
Result<void> set(T& target, Result<T> read) {
  if (!read.ok()) return read.error();
  target = *std::move(read);
  return {};
}

/// The first of several that failed.
Result<void> first_error(std::initializer_list<Result<void>> all) {
  for (const Result<void>& one : all) {
    if (!one.ok()) return one;
  }
  return {};
}

Result<calib::ExactSum> sum_of(const json& object, const char* key) {
  const Result<std::string> text = field<std::string>(object, key);
  if (!text.ok()) return text.error();
  const std::optional<calib::ExactSum> sum = calib::ExactSum::parse(*text);
  if (!sum) return invalid("field '" + std::string(key) + "' is no sum in hexadecimal");
  return *sum;
}

/// "3 0*12 1"; empty if it is not that, longer than a histogram can be, or more than kMaxCount in all.
std::optional<std::vector<std::uint64_t>> counts_of(std::string_view text) {
  std::vector<std::uint64_t> counts;
  std::uint64_t total = 0;
  const auto number = [&](std::uint64_t& value) {
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value <= kMaxCount;
  };
  while (!text.empty()) {
    std::uint64_t count = 0;
    std::uint64_t times = 1;
    if (!number(count)) return std::nullopt;
    if (text.starts_with('*')) {
      text.remove_prefix(1);
      if (!number(times)) return std::nullopt;
    }
    if (times > static_cast<std::uint64_t>(calib::DyadicHistogram::kNumBins) - counts.size()) return std::nullopt;
    if (times == 0 || count > (kMaxCount - total) / times) return std::nullopt;
    total += count * times;
    counts.insert(counts.end(), times, count);
    if (text.starts_with(' ')) {
      text.remove_prefix(1);
    } else if (!text.empty()) {
      return std::nullopt;
    }
  }
  return counts;
}

/// Only histograms of as many bins can be merged.
Result<calib::DyadicHistogram> histogram_of(const json& object, const calib::PooledMoments& moments, int bins) {
  std::int64_t num_bins = 0;
  float min = 0.0F;
  float max = 0.0F;
  std::string text;
  const Result<void> read =
      first_error({set(num_bins, field<std::int64_t>(object, "bins")), set(min, field<float>(object, "min")),
                   set(max, field<float>(object, "max")), set(text, field<std::string>(object, "counts"))});
  if (!read.ok()) return read.error();
  std::optional<std::vector<std::uint64_t>> counts = counts_of(text);
  std::optional<calib::DyadicHistogram> histogram;
  if (num_bins != bins) return invalid("the histogram is not of " + std::to_string(bins) + " bins");
  if (counts && min == moments.min && max == moments.max) {
    histogram = calib::DyadicHistogram::restored(bins, min, max, *std::move(counts));
  }
  if (!histogram || histogram->count() != moments.count) {
    return invalid("the histogram contradicts its extremes or its count");
  }
  return *std::move(histogram);
}

Result<std::vector<calib::Extremes>> extremes_of(const json& list) {
  std::vector<calib::Extremes> all;
  if (!list.is_array()) return invalid("field 'extremes' is no list");
  for (const json& entry : list) {
    const bool fits = entry.is_array() && entry.size() == 3 && is<std::int64_t>(entry[0]) && is<float>(entry[1]) &&
                      is<float>(entry[2]) && entry[1] <= entry[2];
    if (!fits) return invalid("an entry of 'extremes' is not [sample, min, max]");
    all.push_back({entry[0].get<std::int64_t>(), entry[1].get<float>(), entry[2].get<float>()});
    if (all.size() > 1 && all.back().sample <= all[all.size() - 2].sample) {
      return invalid("samples of 'extremes' are not in order");
    }
  }
  return all;
}

Result<void> read_distribution(const json& object, int bins, calib::Distribution& into) {
  calib::PooledMoments& moments = into.moments;
  calib::SampleExtremes& samples = into.samples;
  if (auto read = set(moments.count, field<std::int64_t>(object, "count")); !read.ok()) return read;
  if (moments.count == 0) return {};
  const Result<void> read = first_error(
      {set(moments.min, field<float>(object, "min")), set(moments.max, field<float>(object, "max")),
       set(moments.sum, sum_of(object, "sum")), set(moments.sum_of_squares, sum_of(object, "sum_of_squares")),
       set(samples.num_samples, field<std::int64_t>(object, "samples")),
       set(samples.sum_of_min, sum_of(object, "sum_of_min")), set(samples.sum_of_max, sum_of(object, "sum_of_max"))});
  if (!read.ok()) return read;
  if (moments.min > moments.max || samples.num_samples == 0) {
    return invalid("extremes or number of samples are impossible");
  }
  if (const json* each = member(object, "extremes")) {
    if (auto listed = set(samples.each, extremes_of(*each)); !listed.ok()) return listed;
    if (static_cast<std::int64_t>(samples.each.size()) != samples.num_samples)
      return invalid("'extremes' lacks samples");
  }
  if (const json* counted = member(object, "histogram"))
    return set(into.histogram, histogram_of(*counted, moments, bins));
  return {};
}

Result<calib::Observation> observation_of(const json& object) {
  calib::Observation observation;
  if (auto read = read_distribution(object, calib::DyadicHistogram::kNumBins, observation); !read.ok())
    return read.error();
  if (const json* rows = member(object, "rows")) {
    const Result<std::int64_t> extent = field<std::int64_t>(*rows, "extent");
    if (!extent.ok()) return extent.error();
    observation.rows.extent = *extent;
    if (member(*rows, "lowest_maximum") != nullptr) {
      const Result<float> lowest = field<float>(*rows, "lowest_maximum");
      if (!lowest.ok()) return lowest.error();
      observation.rows.lowest = *lowest;
    }
  }
  if (const json* disagree = member(object, "channels_disagree")) {
    if (!disagree->is_boolean()) return invalid("field 'channels_disagree' is neither true nor false");
    observation.channels_disagree = disagree->get<bool>();
  }
  if (const json* channels = member(object, "channels")) {
    if (!channels->is_array()) return invalid("field 'channels' is no list");
    for (const json& entry : *channels) {
      observation.channels.emplace_back();
      auto read = read_distribution(entry, calib::DyadicHistogram::kNumChannelBins, observation.channels.back());
      if (!read.ok()) {
        return read.error().at("channel " + std::to_string(observation.channels.size() - 1));
      }
    }
    if (observation.channels_disagree) return invalid("there are 'channels', yet they disagree");
  }
  return observation;
}

Result<void> read_header(const json& document, Statistics& statistics) {
  const json nothing;
  const auto part = [&](const char* key) -> const json& {
    const json* value = member(document, key);
    return value == nullptr ? nothing : *value;
  };
  const std::pair<const char*, std::pair<const char*, std::string*>> texts[] = {
      {"tool", {"version", &statistics.tool_version}},
      {"model", {"file", &statistics.model}},
      {"model", {"fingerprint", &statistics.fingerprint}},
      {"input_list", {"file", &statistics.input_list}},
      {"input_list", {"fingerprint", &statistics.list_fingerprint}}};
  for (const auto& [object, target] : texts) {
    const Result<std::string> text = field<std::string>(part(object), target.first);
    if (!text.ok()) return text.error().at(object);
    *target.second = *text;
  }
  const std::pair<const char*, std::pair<const char*, std::int64_t*>> numbers[] = {
      {"input_list", {"num_samples", &statistics.num_listed}},
      {"shard", {"index", &statistics.shard.index}},
      {"shard", {"count", &statistics.shard.count}}};
  for (const auto& [object, target] : numbers) {
    const Result<std::int64_t> number = field<std::int64_t>(part(object), target.first);
    if (!number.ok()) return number.error().at(object);
    *target.second = *number;
  }
  if (statistics.shard.index >= statistics.shard.count) return invalid("shard: index and count contradict each other");
  if (!part("inputs").is_object()) return invalid("field 'inputs' is missing or no object");
  for (const auto& [name, dims] : part("inputs").items()) {
    Shape shape;
    const bool fits =
        dims.is_array() && dims.size() <= kMaxStatisticsRank &&
        std::all_of(dims.begin(), dims.end(), [](const json& extent) { return is<std::int64_t>(extent); });
    if (!fits) return invalid("inputs: " + quoted(name) + " has no shape");
    for (const json& extent : dims) shape.push_back(extent.get<std::int64_t>());
    if (auto possible = check_shape(shape, DType::kUint8); !possible.ok()) {
      return possible.error().at("inputs: " + quoted(name));
    }
    statistics.inputs.emplace(name, std::move(shape));
  }
  return {};
}

/// The samples are of the list.
bool samples_fit(const calib::Distribution& distribution, std::int64_t num_listed) {
  const calib::SampleExtremes& samples = distribution.samples;
  return samples.num_samples <= num_listed && (samples.each.empty() || samples.each.back().sample < num_listed);
}

}  // namespace

Result<Statistics> read_statistics(std::string_view text, const std::string& file) {
  const Result<json> parsed = parse_json(text);
  if (!parsed.ok()) return invalid(file + ": " + parsed.error().message + "; is the file whole?");
  const json& document = *parsed;
  const Result<std::string> schema = field<std::string>(document, "schema");
  if (!schema.ok() || *schema != "halfstep.statistics") {
    return invalid(file + ": no statistics of calibration, which --statistics_out writes");
  }
  const Result<std::int64_t> version = field<std::int64_t>(document, "schema_version");
  if (!version.ok() || *version != kStatisticsVersion) {
    return invalid(file + ": statistics of layout version " + (version.ok() ? std::to_string(*version) : "unknown") +
                   ", this version of halfstep reads " + std::to_string(kStatisticsVersion) + "; make them again");
  }
  Statistics statistics;
  if (auto read = read_header(document, statistics); !read.ok()) return read.error().at(file);
  const json* tensors = member(document, "tensors");
  if (tensors == nullptr || !tensors->is_array()) return invalid(file + ": field 'tensors' is missing or no list");
  for (const json& entry : *tensors) {
    const Result<std::string> name = field<std::string>(entry, "name");
    if (!name.ok()) return name.error().at(file + ": a tensor");
    const std::string place = file + ": tensor " + quoted(*name);
    Result<calib::Observation> observation = observation_of(entry);
    if (!observation.ok()) return observation.error().at(place);
    const auto fits = [&](const calib::Distribution& seen) { return samples_fit(seen, statistics.num_listed); };
    if (!fits(*observation) || !std::ranges::all_of(observation->channels, fits)) {
      return invalid(place + " has samples beyond the list's");
    }
    if (!statistics.observations.emplace(*name, *std::move(observation)).second) {
      return invalid(place + " is there twice");
    }
  }
  return statistics;
}

}  // namespace halfstep::io
