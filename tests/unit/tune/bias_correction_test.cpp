// Contract under test: tune/bias_correction.hpp, against loops over runs of the whole model.
#include "tune/bias_correction.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tune/output_statistics.hpp"
#include "unit/tune/sweep_graphs.hpp"
#include "unit/tune/sweep_support.hpp"

namespace halfstep::tune {
namespace {

using testing::ElementsAre;

constexpr double kInf = std::numeric_limits<double>::infinity();

/// x -> 1x1 convolution "a" of 5 channels -> y: another one, so that "a" is inside the model.
RandomGraph two_layers(std::optional<float> clamp_max = {}) {
  RandomGraph small(61);
  small.input("x", {1, 4, 9, 9}).output("y");
  small.conv("x", "a", {5, 4, 1, 1});
  if (clamp_max) small.clamp(0.0F, *clamp_max);
  small.conv("a", "y", {3, 5, 1, 1});
  return small;
}

precision::Options coarse_weights() {
  precision::Options options;
  options.weight_bits = 4;
  return options;
}

/// The mean of each channel of `name`, axis 1, by sample: in float, cut at the ends of its grid.
ReferenceMeans float_means(const SweptCase& swept, const std::string& name) {
  const TensorEncoding* entry = find_encoding(swept.model.encodings, name);
  ChannelMeans means;
  for (const Inputs& inputs : swept.samples) {
    const Tensor real = run_float(swept.graph, inputs).at(name).tensor;
    const auto inner = static_cast<std::size_t>(real.shape().num_elements(2, real.shape().rank()));
    std::vector<double>& mean = means.by_sample.emplace_back(static_cast<std::size_t>(real.shape()[1]));
    for (std::size_t i = 0; i < real.values<float>().size(); ++i) {
      const std::size_t c = i / inner % mean.size();
      const std::size_t p = entry != nullptr && entry->encoding.axis() ? c : 0;
      const double low = entry == nullptr ? -kInf : entry->encoding.real_min(p);
      const double high = entry == nullptr ? kInf : entry->encoding.real_max(p);
      mean[c] += std::clamp(static_cast<double>(real.values<float>()[i]), low, high) / static_cast<double>(inner);
    }
  }
  return {{name, means}};
}

/// The mean of each channel of `name` in a fixed-point run of the whole model.
std::vector<double> fixed_means(const SweptCase& swept, const std::string& name, const Inputs& inputs) {
  const StoredTensor stored = run_fixed(swept.model, {}, inputs).at(name);
  const auto channels = static_cast<std::size_t>(stored.tensor.shape()[1]);
  const std::vector<std::int64_t> codes = to_int64s(stored.tensor);
  const auto count = static_cast<double>(codes.size() / channels);
  std::vector<double> means(channels);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    means[i / (codes.size() / channels) % channels] += static_cast<double>(codes[i]);
  }
  for (std::size_t c = 0; c < channels; ++c) {
    const QuantParams& params = stored.grid->params()[stored.grid->axis() ? c : 0];
    means[c] = params.scale * (means[c] / count - params.zero_point);
  }
  return means;
}

enum class Over { kMean, kMedian };

/// How far each channel of `name` is from the float model's over the samples.
std::vector<double> shifts(const SweptCase& swept, const std::string& name, Over over) {
  const ChannelMeans reference = float_means(swept, name).at(name);
  std::vector<std::vector<double>> of_channel(reference.by_sample[0].size());
  for (std::size_t s = 0; s < swept.samples.size(); ++s) {
    const std::vector<double> seen = fixed_means(swept, name, swept.samples[s]);
    for (std::size_t c = 0; c < seen.size(); ++c) of_channel[c].push_back(reference.by_sample[s][c] - seen[c]);
  }
  std::vector<double> result;
  for (std::vector<double>& each : of_channel) {
    double sum = 0.0;
    for (const double shift : each) sum += shift;
    std::ranges::sort(each);
    const double median = (each[each.size() / 2] + each[(each.size() - 1) / 2]) / 2.0;
    result.push_back(over == Over::kMedian ? median : sum / static_cast<double>(each.size()));
  }
  return result;
}

double rms(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value * value / static_cast<double>(values.size());
  return std::sqrt(sum);
}

double largest(const std::vector<double>& values) {
  double most = 0.0;
  for (const double value : values) most = std::max(most, std::abs(value));
  return most;
}

/// Corrects the bias of layer `name` in a sweep.
CorrectedBias corrected(SweptCase& swept, const std::string& name, const BiasRule& rule, int num_threads = 1) {
  CorrectedBias outcome;
  const ReferenceMeans means = float_means(swept, name);
  swept.at_layer(name, swept.request(num_threads), [&](const SweptLayer& layer, const graph::Node&) {
    const Result<CorrectedBias> done = correct_bias(layer, swept.model, means, rule, num_threads);
    EXPECT_TRUE(done.ok()) << (done.ok() ? "" : done.error().message);
    if (done.ok()) outcome = *done;
  });
  return outcome;
}

void expect_codes_follow(const SweptCase& swept, const std::string& name) {
  const TensorEncoding& entry = swept.model.encodings.at(name);
  const Tensor& constant = *swept.model.graph.value(swept.id(name)).constant;
  EXPECT_TRUE(identical(*entry.codes, quantize(constant, entry.encoding)));
}

TEST(BiasCorrection, OneStepMakesMeansEqualWithoutAClamp) {
  RandomGraph small = two_layers();
  SweptCase swept(small, 4, coarse_weights(), 2.0F);
  const std::vector<double> before = shifts(swept, "a", Over::kMedian);
  const CorrectedBias outcome = corrected(swept, "a", {.newton_steps = 1});
  EXPECT_TRUE(outcome.corrected);
  EXPECT_NEAR(outcome.mean_shift_before, rms(before), 1e-9);
  // Rounding to the output's grid leaves a fraction of a step, averaged over 81 values a sample, and a little clipping.
  const double step = swept.encoding("a").encoding.params()[0].scale;
  EXPECT_GT(largest(before), step);
  EXPECT_LT(largest(shifts(swept, "a", Over::kMedian)), 0.25 * step);
  EXPECT_EQ(swept.encoding("a.b").provenance.changes, std::vector<std::string>{"bias corrected"});
  expect_codes_follow(swept, "a.b");
}

TEST(BiasCorrection, MeansAreEqualBehindAClamp) {
  RandomGraph small = two_layers(1.0F);
  SweptCase swept(small, 4, coarse_weights(), 2.0F);
  const double before = rms(shifts(swept, "a", Over::kMedian));
  const CorrectedBias outcome = corrected(swept, "a", {.newton_steps = 3});
  const double after = rms(shifts(swept, "a", Over::kMedian));
  EXPECT_TRUE(outcome.corrected);
  EXPECT_LT(after, 0.1 * before);
  EXPECT_LE(outcome.mean_shift_after, outcome.mean_shift_before);
}

// What such a layer hands on are accumulators of 32 bits: what is left is half a step of the bias'
// own grid from each of the two biases.
TEST(BiasCorrection, LayersWithoutAnOutputGridAreCorrectedOnTheirAccumulators) {
  RandomGraph small = two_layers();
  SweptCase swept(small, 3, coarse_weights(), 2.0F);
  swept.model.encodings.erase("a");
  const std::vector<double> before = shifts(swept, "a", Over::kMedian);
  EXPECT_TRUE(corrected(swept, "a", {.newton_steps = 1}).corrected);
  const std::vector<double> after = shifts(swept, "a", Over::kMedian);
  const std::vector<QuantParams>& grid = swept.encoding("a.b").encoding.params();
  ASSERT_EQ(grid.size(), after.size());
  for (std::size_t c = 0; c < after.size(); ++c) EXPECT_LE(std::abs(after[c]), 1.001 * grid[c].scale);
  EXPECT_GT(largest(before), 10.0 * largest(after));
}

TEST(BiasCorrection, EachChannelOfAGridAChannel) {
  RandomGraph small(62);
  small.input("x", {1, 4, 9, 9}).output("y");
  small.conv("x", "a", {5, 4, 1, 1}).clamp(0.0F, 1.0F);
  small.conv("a", "y", {5, 1, 3, 3}, 5);
  precision::Options options = coarse_weights();
  options.act_per_channel = ActPerChannel::kDepthwise;
  SweptCase swept(small, 4, options, 2.0F);
  ASSERT_TRUE(swept.encoding("a").encoding.axis());
  const double before = rms(shifts(swept, "a", Over::kMedian));
  EXPECT_TRUE(corrected(swept, "a", {.newton_steps = 3}).corrected);
  EXPECT_LT(rms(shifts(swept, "a", Over::kMedian)), 0.1 * before);
}

/// Plain (N2) over the whole model: of the biases it goes through, each channel's with the smallest shift.
std::vector<float> iterated(SweptCase swept, const std::string& layer, int iterations, double factor) {
  const graph::ValueId id = swept.id(layer + ".b");
  const std::span<const float> start = swept.model.graph.value(id).constant->values<float>();
  std::vector<double> bias(start.begin(), start.end());
  std::vector<float> best(start.begin(), start.end());
  std::vector<double> least(bias.size(), kInf);
  for (int i = 0; i <= iterations; ++i) {
    const std::vector<double> shift = shifts(swept, layer, Over::kMean);
    for (std::size_t c = 0; c < bias.size(); ++c) {
      if (std::abs(shift[c]) < least[c]) {
        least[c] = std::abs(shift[c]);
        best[c] = static_cast<float>(bias[c]);
      }
      bias[c] += factor * shift[c];
    }
    const std::vector<float> rounded(bias.begin(), bias.end());
    const Tensor changed = Tensor::of<float>(Shape{static_cast<std::int64_t>(bias.size())}, std::span(rounded));
    EXPECT_TRUE(change_constant(swept.model, id, changed, "tried").ok());
  }
  return best;
}

TEST(BiasCorrection, IterationsAreTidls) {
  for (const std::optional<float> clamp : {std::optional<float>{}, std::optional(1.0F)}) {
    for (const double factor : {0.05, 0.5}) {
      RandomGraph small = two_layers(clamp);
      // Behind the clamp no channel may be all but cut off: it would keep its bias.
      SweptCase swept(small, 3, coarse_weights(), clamp ? 0.0F : 2.0F);
      const std::vector<float> want = iterated(swept, "a", 20, factor);
      const double before = rms(shifts(swept, "a", Over::kMean));
      EXPECT_TRUE(corrected(swept, "a", {.iterations = 20, .factor = factor}).corrected);
      const Tensor& bias = *swept.model.graph.value(swept.id("a.b")).constant;
      EXPECT_THAT(to_floats(bias.view()), testing::Pointwise(testing::FloatEq(), want)) << factor;
      const double after = rms(shifts(swept, "a", Over::kMean));
      EXPECT_LT(after, (factor < 0.1 ? 0.8 : 0.1) * before);
    }
  }
}

// Each iteration moves a bias of 8 bits by less than a code; together they move it.
TEST(BiasCorrection, SmallIterationsAddUp) {
  RandomGraph small = two_layers();
  precision::Options options = coarse_weights();
  options.bias_bits = 8;
  SweptCase swept(small, 3, options, 2.0F);
  const double before = rms(shifts(swept, "a", Over::kMedian));
  EXPECT_TRUE(corrected(swept, "a", {.iterations = 50, .factor = 0.05}).corrected);
  EXPECT_LT(rms(shifts(swept, "a", Over::kMedian)), 0.4 * before);
  expect_codes_follow(swept, "a.b");
}

TEST(BiasCorrection, GridsOf8BitsGrowWithTheBias) {
  RandomGraph small = two_layers();
  small.constant("a.b", Tensor::of<float>({5}, {0.01F, -0.01F, 0.0F, 0.01F, 0.005F}));
  precision::Options options = coarse_weights();
  options.bias_bits = 8;
  SweptCase swept(small, 3, options, 2.0F);
  const double scale_before = swept.encoding("a.b").encoding.params()[0].scale;
  const std::vector<double> before = shifts(swept, "a", Over::kMedian);
  ASSERT_GT(largest(before), 0.02);
  EXPECT_TRUE(corrected(swept, "a", {}).corrected);
  EXPECT_GT(swept.encoding("a.b").encoding.params()[0].scale, scale_before);
  EXPECT_LT(rms(shifts(swept, "a", Over::kMedian)), 0.3 * rms(before));
  EXPECT_EQ(swept.encoding("a.b").provenance.changes, std::vector<std::string>{"bias corrected"});
  expect_codes_follow(swept, "a.b");
}

TEST(BiasCorrection, FrozenAndAbsentBiasesAndUnknownMeansStay) {
  RandomGraph small = two_layers();
  small.linear("Conv", "y", "z", {2, 3, 1, 1}).output("z");
  SweptCase swept(small, 2, coarse_weights(), 2.0F);
  swept.encoding("a.b").frozen = true;
  const Tensor before = *swept.model.graph.value(swept.id("a.b")).constant;
  EXPECT_FALSE(corrected(swept, "a", {}).corrected);
  EXPECT_TRUE(identical(before, *swept.model.graph.value(swept.id("a.b")).constant));
  EXPECT_FALSE(corrected(swept, "z", {}).corrected);
  swept.at_layer("y", swept.request(), [&](const SweptLayer& layer, const graph::Node&) {
    const Result<CorrectedBias> done = correct_bias(layer, swept.model, {}, {}, 1);
    ASSERT_TRUE(done.ok());
    EXPECT_FALSE(done->corrected);
  });
}

TEST(BiasCorrection, ChannelsThatAreCutOffKeepTheirBias) {
  RandomGraph small = two_layers(1.0F);
  small.constant("a.b", Tensor::of<float>({5}, {-100.0F, 0.1F, 100.0F, 0.2F, 0.3F}));
  SweptCase swept(small, 2, coarse_weights(), 2.0F);
  EXPECT_TRUE(corrected(swept, "a", {}).corrected);
  const std::span<const float> after = swept.model.graph.value(swept.id("a.b")).constant->values<float>();
  EXPECT_EQ(after[0], -100.0F);
  EXPECT_EQ(after[2], 100.0F);
  EXPECT_NE(after[1], 0.1F);
}

TEST(BiasCorrection, IsTheSameForEveryNumberOfThreads) {
  for (const BiasRule& rule : {BiasRule{}, BiasRule{.iterations = 5}, BiasRule{.frames = 3}}) {
    std::vector<Tensor> biases;
    for (const int num_threads : {1, 2, 5}) {
      RandomGraph small = two_layers(1.0F);
      SweptCase swept(small, 7, coarse_weights(), 2.0F);
      corrected(swept, "a", rule, num_threads);
      biases.push_back(*swept.model.graph.value(swept.id("a.b")).constant);
    }
    EXPECT_TRUE(identical(biases[0], biases[1]));
    EXPECT_TRUE(identical(biases[0], biases[2]));
  }
}

TEST(BiasCorrection, FramesAreTheFirstSamples) {
  RandomGraph small = two_layers();
  SweptCase all(small, 6, coarse_weights());
  SweptCase first = all;
  const BiasRule rule{.frames = 2};
  corrected(all, "a", rule);
  first.samples.resize(2);
  corrected(first, "a", rule);
  EXPECT_TRUE(
      identical(*all.model.graph.value(all.id("a.b")).constant, *first.model.graph.value(first.id("a.b")).constant));
}

TEST(WithBiases, GivesLayersThatAddOneABiasOfZeros) {
  RandomGraph small(63);
  small.input("x", {1, 4, 5, 5}).output("y");
  small.linear("Conv", "x", "a", {6, 2, 1, 1}, 0, 2);
  small.linear("ConvTranspose", "a", "b", {6, 5, 1, 1}, 0, 2);
  small.conv("b", "c", {3, 10, 1, 1});
  small.constant("flat", Tensor::of<std::int64_t>(Shape{2}, {3, 25})).node("Reshape", {"c", "flat"}, {"rows"});
  small.linear("Gemm", "rows", "d", {7, 25});
  small.last_node().attributes.set("transB", std::int64_t{1});
  small.linear("MatMul", "d", "y", {7, 2});
  const graph::Graph with = with_biases(small.graph());
  ASSERT_TRUE(graph::verify(with).ok());
  std::vector<std::int64_t> sizes;
  for (const graph::Node& node : with.nodes) {
    const Tensor* bias = node.inputs.size() > 2 ? graph::constant_of(with, node.inputs[2]) : nullptr;
    sizes.push_back(bias == nullptr ? 0 : bias->num_elements());
  }
  EXPECT_THAT(sizes, ElementsAre(6, 10, 3, 0, 7, 0));
  const Tensor x = small.draw({1, 4, 5, 5});
  EXPECT_EQ(output_of(with, x), output_of(small.graph(), x));
  EXPECT_EQ(with_biases(with).values.size(), with.values.size());
}

TEST(CorrectedTensors, AreOutputsOfLayersWithABiasAndTheirGrids) {
  RandomGraph small = two_layers();
  small.linear("Conv", "y", "z", {2, 3, 1, 1}).output("z");
  SweptCase swept(small, 2);
  const std::vector<WantedMeans> wanted = corrected_tensors(swept.graph, swept.facts, swept.model.encodings);
  ASSERT_EQ(wanted.size(), 2U);
  EXPECT_EQ(wanted[0].value, swept.id("a"));
  EXPECT_EQ(wanted[0].axis, 1);
  EXPECT_EQ(wanted[0].grid, &swept.encoding("a").encoding);
  EXPECT_EQ(wanted[1].value, swept.id("y"));
  swept.model.encodings.erase("y");
  EXPECT_EQ(corrected_tensors(swept.graph, swept.facts, swept.model.encodings)[1].grid, nullptr);
}

}  // namespace
}  // namespace halfstep::tune
