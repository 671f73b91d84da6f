// statistics_json_test.cpp: statistics come back to the bit, and no damaged file is believed.
#include "io/json/statistics_json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <span>

namespace halfstep::io {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr float kHuge = std::numeric_limits<float>::max();
constexpr float kTiny = std::numeric_limits<float>::denorm_min();

/// What observing one sample of these values leaves.
void see(calib::Distribution& into, std::int64_t sample, const std::vector<float>& values, int bins) {
  const calib::Moments moments = calib::measure(values).moments;
  calib::Distribution one;
  one.moments.add(moments);
  one.samples.add(moments);
  one.samples.each = {{sample, moments.min, moments.max}};
  one.histogram = calib::DyadicHistogram(bins);
  one.histogram.add(values);
  into.merge(one);
}

std::vector<float> drawn(std::mt19937_64& rng, int count, float scale) {
  std::normal_distribution<float> normal(-0.1F, scale);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(rng);
  return values;
}

Statistics sample_statistics() {
  std::mt19937_64 rng(5);
  Statistics s{.tool_version = "0.1.0",
               .model = "m\"1\".onnx",
               .fingerprint = "0123456789abcdef",
               .inputs = {{"image", Shape{1, 3, 8, 8}}, {"scalar", Shape{}}},
               .input_list = "list.txt",
               .list_fingerprint = "fedcba9876543210",
               .num_listed = 20,
               .shard = {.index = 1, .count = 3},
               .observations = {}};
  calib::Observation& whole = s.observations["whole"];
  calib::Observation& channels = s.observations["channels"];
  channels.channels.resize(3);
  for (std::int64_t sample = 1; sample < 20; sample += 3) {
    see(whole, sample, drawn(rng, 300, 2.0F), calib::DyadicHistogram::kNumBins);
    see(channels, sample, drawn(rng, 60, 0.01F), calib::DyadicHistogram::kNumBins);
    for (calib::Distribution& channel : channels.channels) {
      see(channel, sample, drawn(rng, 20, 0.01F), calib::DyadicHistogram::kNumChannelBins);
      channel.samples.each.clear();  // As where nobody asked for them.
    }
  }
  whole.rows = {.lowest = -0.7F, .extent = 10};
  see(s.observations["extreme"], 19, {-kHuge, kHuge, kTiny, -kTiny}, calib::DyadicHistogram::kNumBins);
  see(s.observations["negative"], 4, {-kHuge, -kHuge, -1.5F}, calib::DyadicHistogram::kNumBins);
  see(s.observations["tiny"], 1, {kTiny, -0.0F}, calib::DyadicHistogram::kNumBins);
  calib::Observation& moments_only = s.observations["moments only"];
  see(moments_only, 1, {1.0F / 3, 0.1F}, calib::DyadicHistogram::kNumBins);
  moments_only.histogram = calib::DyadicHistogram();
  moments_only.samples.each.clear();
  see(s.observations["disagree"], 7, {1.0F, 2.0F}, calib::DyadicHistogram::kNumBins);
  s.observations["disagree"].channels_disagree = true;
  s.observations["empty"];
  s.observations["no rows"].rows.extent = 12;
  return s;
}

TEST(Statistics, ReadBackAsTheyWereWritten) {
  const Statistics s = sample_statistics();
  const std::string text = write_statistics(s);
  const Result<Statistics> back = read_statistics(text, "s.json");
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->tool_version, s.tool_version);
  EXPECT_EQ(back->model, s.model);
  EXPECT_EQ(back->fingerprint, s.fingerprint);
  EXPECT_EQ(back->inputs, s.inputs);
  EXPECT_EQ(back->input_list, s.input_list);
  EXPECT_EQ(back->list_fingerprint, s.list_fingerprint);
  EXPECT_EQ(back->num_listed, s.num_listed);
  EXPECT_EQ(back->shard, s.shard);
  ASSERT_EQ(back->observations.size(), s.observations.size());
  for (const auto& [name, observation] : s.observations) {
    const calib::Observation& read = back->observations.at(name);
    EXPECT_EQ(read.moments, observation.moments) << name;
    EXPECT_EQ(read.samples, observation.samples) << name;
    EXPECT_EQ(read.histogram, observation.histogram) << name;
    EXPECT_EQ(read.channels, observation.channels) << name;
    EXPECT_EQ(read, observation) << name;
  }
  EXPECT_LT(back->observations.at("negative").moments.sum.value(), -6e38);
  EXPECT_EQ(write_statistics(*back), text);
}

TEST(Statistics, WithoutTensors) {
  Statistics s = sample_statistics();
  s.observations.clear();
  s.inputs.clear();
  const Result<Statistics> back = read_statistics(write_statistics(s), "s.json");
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_TRUE(back->observations.empty());
}

void expect_refused(const std::string& text, const std::string& words = "") {
  const Result<Statistics> read = read_statistics(text, "s.json");
  ASSERT_FALSE(read.ok()) << words;
  EXPECT_EQ(read.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(read.error().message, StartsWith("s.json: "));
  EXPECT_THAT(read.error().message, HasSubstr(words));
}

TEST(Statistics, CutAnywhere) {
  const std::string text = write_statistics(sample_statistics());
  const std::size_t step = 1 + text.size() / 400;
  for (std::size_t size = 0; size < text.size() - 2; size += size < 800 ? 7 : step) {
    SCOPED_TRACE(size);
    expect_refused(text.substr(0, size), "is the file whole?");
  }
  expect_refused(text.substr(0, text.size() - 2), "is the file whole?");
  expect_refused(text + "{", "is the file whole?");
}

/// Three values in one tensor; small enough to change by hand.
std::string small_text() {
  Statistics s = sample_statistics();
  s.observations.clear();
  see(s.observations["t"], 1, {0.0F, 1.0F, 1.0F}, calib::DyadicHistogram::kNumBins);
  see(s.observations["t"], 4, {0.0F, 1.0F}, calib::DyadicHistogram::kNumBins);
  calib::Distribution channel;
  see(channel, 1, {0.0F, 1.0F}, calib::DyadicHistogram::kNumChannelBins);
  s.observations["t"].channels = {channel};
  return write_statistics(s);
}

std::string changed(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) {
    ADD_FAILURE() << from << " is not in " << text;
    return text;
  }
  return text.replace(at, from.size(), to);
}

struct Change {
  std::string from;
  std::string to;
  std::string words;
};

TEST(Statistics, WrongHeaders) {
  const std::vector<Change> changes = {
      {"halfstep.statistics", "halfstep.report", "no statistics of calibration"},
      {"\"schema\"", "\"scheme\"", "no statistics of calibration"},
      {"\"schema_version\": 1", "\"schema_version\": 2", "layout version 2, this version of halfstep reads 1"},
      {"\"schema_version\": 1", "\"schema_version\": \"1\"", "layout version unknown"},
      {R"("version":"0.1.0")", R"("version":1)", "tool: field 'version'"},
      {R"("fingerprint":"0123456789abcdef")", R"("finger":"")", "model: field 'fingerprint'"},
      {R"("num_samples":20)", R"("num_samples":-20)", "num_samples"},
      {R"("num_samples":20)", R"("num_samples":18446744073709551615)", "num_samples"},
      {R"("num_samples":20)", R"("num_samples":2.5)", "num_samples"},
      {R"("num_samples":20)", R"("num_samples":4)", "samples beyond the list's"},
      {R"("index":1,"count":3)", R"("index":3,"count":3)", "shard"},
      {R"("index":1,"count":3)", R"("index":0,"count":0)", "shard"},
      {R"("index":1)", R"("index":-1)", "shard"},
      {"[1,3,8,8]", "8", "'image' has no shape"},
      {"[1,3,8,8]", "[1,3,8,-8]", "'image' has no shape"},
      {"[1,3,8,8]", "[1,3,8,\"8\"]", "'image' has no shape"},
      {"[1,3,8,8]", "[4294967296,4294967296,4294967296]", "'image'"},
      {"\"tensors\"", "\"tensor\"", "field 'tensors' is missing"},
  };
  for (const Change& c : changes) {
    SCOPED_TRACE(c.to);
    expect_refused(changed(small_text(), c.from, c.to), c.words);
  }
  std::string dims = "[1";
  for (int i = 1; i < 65; ++i) dims += ",1";
  expect_refused(changed(small_text(), "[1,3,8,8]", dims + "]"), "'image' has no shape");
  EXPECT_TRUE(read_statistics(changed(small_text(), "[1,3,8,8]", "[" + dims.substr(3) + "]"), "s.json").ok());
  for (const char* text : {"", "[]", "null", "3", "{}", "\"halfstep.statistics\""}) expect_refused(text);
}

TEST(Statistics, WrongTensors) {
  const std::string text = small_text();
  const std::string counts = "\"counts\":\"2 0*2047 3\"";
  const auto put = [](const std::string& value) { return "\"counts\":\"" + value + "\""; };
  const std::string contradicts = "tensor 't': the histogram contradicts";
  const std::vector<Change> changes = {
      {R"("name":"t")", R"("nam":"t")", "a tensor: field 'name'"},
      {R"("count":5)", R"("count":6)", contradicts},
      {R"("count":5)", R"("count":-5)", "'count'"},
      {R"("count":5)", R"("count":1e3)", "'count'"},
      {R"("min":0.0)", R"("min":2.0)", "impossible"},
      {R"("min":0.0)", R"("min":-1.0)", contradicts},
      {R"("max":1.0)", R"("max":1e300)", "'max'"},
      {R"("max":1.0)", R"("max":null)", "'max'"},
      {R"("sum":"0x)", R"("sum":"0y)", "'sum' is no sum"},
      {R"("sum":"0x)", R"("sum":"0x-)", "'sum' is no sum"},
      {R"("sum":"0x)", R"("sum":"0x)" + std::string(200, '1'), "'sum' is no sum"},
      {R"("sum_of_squares":"0x)", R"("sum_of_squares":3,"x":"0x)", "'sum_of_squares'"},
      {R"("samples":2)", R"("samples":0)", "impossible"},
      {R"("samples":2)", R"("samples":3)", "'extremes' lacks samples"},
      {"[1,0.0,1.0],[4", "[4,0.0,1.0],[1", "samples of 'extremes' are not in order"},
      {"[1,0.0,1.0],[4", "[4,0.0,1.0],[4", "samples of 'extremes' are not in order"},
      {"[1,0.0,1.0]", "[-1,0.0,1.0]", "not [sample, min, max]"},
      {"[1,0.0,1.0]", "[1,1.0,0.0]", "not [sample, min, max]"},
      {"[1,0.0,1.0]", "[1,0.0,1e300]", "not [sample, min, max]"},
      {"[1,0.0,1.0]", "[1,0.0]", "not [sample, min, max]"},
      {"[4,0.0,1.0]", "[18446744073709551615,0.0,1.0]", "not [sample, min, max]"},
      {"[4,0.0,1.0]", "[20,0.0,1.0]", "samples beyond the list's"},
      {"\"bins\":4096", "\"bins\":2048", "the histogram is not of 4096 bins"},
      {"\"bins\":512", "\"bins\":4096", "channel 0: the histogram is not of 512 bins"},
      {"\"channels\":[", "\"channels\":3,\"x\":[", "'channels' is no list"},
      {"\"channels\":[", "\"channels_disagree\":1,\"channels\":[", "neither true nor false"},
      {"\"channels\":[", "\"channels_disagree\":true,\"channels\":[", "yet they disagree"},
      {"\"channels\":[", "\"rows\":{\"lowest_maximum\":0.5},\"channels\":[", "'extent'"},
      {"\"channels\":[", "\"rows\":{\"extent\":5,\"lowest_maximum\":null},\"channels\":[", "'lowest_maximum'"},
      {"\"channels\":[{\"count\":2", "\"channels\":[{\"count\":3", "channel 0: the histogram contradicts"},
      {counts, put(""), contradicts},
      {counts, put("0*99999"), contradicts},
      {counts, put("2 0*2047 3 0*99999"), contradicts},
      {counts, put("-1 0*2047 6"), contradicts},
      {counts, put("1x 0*2047 3"), contradicts},
      {counts, put("2 0*2047 3x"), contradicts},
      {counts, put("2 0* 3"), contradicts},
      {counts, put("2 0*0 0*2047 3"), contradicts},
      {counts, put("2,0*2047,3"), contradicts},
      {counts, put("2 0*2047 4"), contradicts},
      {counts, put("2 0*2046 3"), contradicts},
      // Bins whose sum is 5 again, modulo 2^64.
      {counts, put("2 9007199254740992*2047 18014398509481987"), contradicts},
      {counts, put("9007199254740992*2048 3"), contradicts},
      {counts, put("99999999999999999999 0*2047 3"), contradicts},
  };
  for (const Change& c : changes) {
    SCOPED_TRACE(c.to);
    expect_refused(changed(text, c.from, c.to), c.words);
  }
  const std::size_t begin = text.find("{\"name\":\"t\"");
  const std::string entry = text.substr(begin, text.find('\n', begin) - begin);
  expect_refused(changed(text, entry, entry + ",\n" + entry), "tensor 't' is there twice");
}

/// Everything that merging and estimating rely on.
void expect_sound(const calib::Distribution& d, int bins) {
  if (!d.histogram.empty()) {
    ASSERT_EQ(d.histogram.count(), d.moments.count);
    ASSERT_EQ(d.histogram.num_bins(), bins);
    ASSERT_EQ(d.histogram.min(), d.moments.min);
    ASSERT_EQ(d.histogram.max(), d.moments.max);
  }
  if (!d.samples.each.empty()) {
    ASSERT_EQ(static_cast<std::int64_t>(d.samples.each.size()), d.samples.num_samples);
  }
  if (d.moments.count > 0) {
    ASSERT_LE(d.moments.min, d.moments.max);
  }
}

TEST(StatisticsFuzz, DamagedFilesAreRefusedOrSound) {
  std::mt19937_64 rng(2024);
  const std::string texts[] = {small_text(), write_statistics(sample_statistics())};
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    const bool small = round % 10 != 0;
    std::string text = texts[small ? 0 : 1];
    for (std::size_t flips = 1 + rng() % 3; flips > 0; --flips) {
      char& byte = text[rng() % text.size()];
      // Half of them digits: those keep the file JSON.
      byte = rng() % 2 == 0 ? static_cast<char>(byte ^ (1U << (rng() % 8))) : static_cast<char>('0' + rng() % 10);
    }
    const Result<Statistics> read = read_statistics(text, "s.json");
    if (!read.ok()) {
      ASSERT_EQ(read.error().code, ErrorCode::kInvalidInput);
      ASSERT_THAT(read.error().message, StartsWith("s.json: "));
      continue;
    }
    ++accepted;
    for (const auto& [name, observation] : read->observations) {
      ASSERT_NO_FATAL_FAILURE(expect_sound(observation, calib::DyadicHistogram::kNumBins)) << text;
      calib::Observation twice = observation;
      twice.merge(observation);
      for (const calib::Distribution& channel : observation.channels) {
        ASSERT_NO_FATAL_FAILURE(expect_sound(channel, calib::DyadicHistogram::kNumChannelBins)) << text;
      }
    }
  }
  EXPECT_GT(accepted, 10);  // Digits of sums, names.
}

}  // namespace
}  // namespace halfstep::io
