// Contract under test: tune/sweep_layers.hpp.
#include "tune/sweep_layers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/tune/sweep_graphs.hpp"
#include "unit/tune/sweep_support.hpp"

namespace halfstep::tune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

LayerSweep asked(const SweptCase& swept, std::vector<Algorithm> algorithms, int num_threads = 1) {
  LayerSweep request{.sweep = swept.request(num_threads), .algorithms = std::move(algorithms), .bias = {}, .round = {}};
  return request;
}

SweptModel swept_by(SweptCase& swept, const LayerSweep& request) {
  Result<SweptModel> made = sweep_layers(swept.graph, swept.facts, swept.model, request);
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
  return made.ok() ? *std::move(made) : SweptModel{};
}

precision::Options four_bits() {
  precision::Options options;
  options.weight_bits = 4;
  return options;
}

/// Squared error of the outputs over the samples.
double noise_of(const SweptCase& swept) {
  double noise = 0.0;
  for (const Inputs& inputs : swept.samples) {
    StoredTensors reference = run_float(swept.graph, inputs);
    StoredTensors quantized = run_fixed(swept.model, {}, inputs);
    const std::string& name = swept.graph.value(swept.graph.outputs[0].value).name;
    const StoredTensor& stored = quantized.at(name);
    const Tensor real = stored.grid ? dequantize(stored.tensor, *stored.grid) : stored.tensor;
    for (std::size_t i = 0; i < real.values<float>().size(); ++i) {
      const double difference = static_cast<double>(real.values<float>()[i]) -
                                static_cast<double>(reference.at(name).tensor.values<float>()[i]);
      noise += difference * difference;
    }
  }
  return noise;
}

TEST(SweepLayers, RoundingAndCorrectingWinsAndSaysWhatItDid) {
  RandomGraph small = residual_graph();
  SweptCase swept(small, 8, four_bits());
  const double before = noise_of(swept);
  const SweptModel made = swept_by(swept, asked(swept, {Algorithm::kRound, Algorithm::kBiasCorrection}, 2));
  EXPECT_LT(noise_of(swept), before);
  EXPECT_THAT(made.did, testing::ContainsRegex(
                            "^3 layers, biases of 3 corrected, 3 weights rounded, the error they cause [0-9.]+ dB less "
                            "than to nearest$"));
  EXPECT_THAT(made.notes, ElementsAre());
  for (const char* layer : {"a", "b", "y"}) {
    const TensorEncoding& bias = swept.encoding(std::string(layer) + ".b");
    EXPECT_THAT(bias.provenance.changes, ElementsAre("follows its weight", "bias corrected"));
    const TensorEncoding& weight = swept.encoding(std::string(layer) + ".w");
    EXPECT_THAT(weight.provenance.changes, ElementsAre("rounded"));
  }
}

TEST(SweepLayers, OneAlgorithmLeavesTheRestAlone) {
  RandomGraph small = residual_graph();
  SweptCase biases(small, 4, four_bits());
  const SweptCase before = biases;
  EXPECT_THAT(swept_by(biases, asked(biases, {Algorithm::kBiasCorrection})).did, testing::Not(HasSubstr("rounded")));
  for (const char* layer : {"a", "b", "y"}) {
    const std::string weight = std::string(layer) + ".w";
    EXPECT_TRUE(identical(*biases.encoding(weight).codes, *before.model.encodings.at(weight).codes));
  }
  SweptCase weights(small, 4, four_bits());
  EXPECT_THAT(swept_by(weights, asked(weights, {Algorithm::kRound})).did, testing::Not(HasSubstr("biases")));
  for (const char* layer : {"a", "b", "y"}) {
    const graph::ValueId bias = weights.id(std::string(layer) + ".b");
    EXPECT_TRUE(identical(*weights.model.graph.value(bias).constant, *before.graph.value(bias).constant));
  }
}

TEST(SweepLayers, LayersLeftAloneAreNamed) {
  RandomGraph small = split_graph();
  SweptCase swept(small, 3);
  const SweptModel made = swept_by(swept, asked(swept, {Algorithm::kRound}));
  EXPECT_THAT(made.notes, ElementsAre("node 'e_node' (ConvTranspose) is not rounded: a transposed convolution: its "
                                      "windows overlap in the output"));
}

TEST(SweepLayers, IsTheSameForEveryNumberOfThreadsAndMemory) {
  for (NamedGraph& named : sweep_graphs()) {
    SCOPED_TRACE(named.name);
    const SweptCase start(named.small, 5, four_bits());
    std::vector<SweptCase> made;
    for (const int num_threads : {1, 2, 5}) {
      SweptCase& swept = made.emplace_back(start);
      LayerSweep request = asked(swept, {Algorithm::kRound, Algorithm::kBiasCorrection}, num_threads);
      if (num_threads == 5) request.sweep.memory_bytes = 0;
      swept_by(swept, request);
    }
    for (const SweptCase& other : made) {
      for (const auto& [name, entry] : made.front().model.encodings) {
        const TensorEncoding& same = other.model.encodings.at(name);
        EXPECT_EQ(entry.encoding, same.encoding) << name;
        ASSERT_EQ(entry.codes.has_value(), same.codes.has_value());
        if (entry.codes) {
          EXPECT_TRUE(identical(*entry.codes, *same.codes)) << name;
        }
      }
    }
  }
}

TEST(SweepLayers, SamplesOfAnotherShapeAreNamed) {
  for (const Algorithm algorithm : {Algorithm::kRound, Algorithm::kBiasCorrection}) {
    RandomGraph small = residual_graph();
    SweptCase swept(small, 3);
    swept.samples[1] = {small.draw({1, 3, 5, 6})};
    const auto made = sweep_layers(swept.graph, swept.facts, swept.model, asked(swept, {algorithm}, 2));
    ASSERT_FALSE(made.ok());
    EXPECT_THAT(made.error().message, HasSubstr("list.txt:2: input 'x' is float32[1, 3, 5, 6]"));
  }
}

}  // namespace
}  // namespace halfstep::tune
