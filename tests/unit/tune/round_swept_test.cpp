// Contract under test: tune/round_swept.hpp, against round_layer() on moments of the whole model's codes.
#include "tune/round_swept.hpp"

#include <gtest/gtest.h>

#include "precision/bias_grids.hpp"
#include "tune/round_layer.hpp"
#include "unit/tune/sweep_graphs.hpp"
#include "unit/tune/sweep_support.hpp"

namespace halfstep::tune {
namespace {

/// x -> "a", Relu -> "b", a 1x1 convolution -> y.
RandomGraph pointwise() {
  RandomGraph small(81);
  small.input("x", {1, 3, 7, 7}).output("y");
  small.conv("x", "a", {6, 3, 3, 3}).relu();
  small.conv("a", "b", {4, 6, 1, 1});
  small.conv("b", "y", {2, 4, 1, 1});
  return small;
}

/// Centred moments of the vectors along axis 1 of `name`, over whole-model runs: what a 1x1 convolution multiplies.
Eigen::MatrixXd channel_moments(const SweptCase& swept, const std::string& name, std::size_t num_samples) {
  Eigen::MatrixXd products;
  Eigen::VectorXd sum;
  double count = 0.0;
  double scale = 0.0;
  for (std::size_t s = 0; s < num_samples; ++s) {
    const StoredTensor stored = run_fixed(swept.model, {}, swept.samples[s]).at(name);
    const std::vector<std::int64_t> codes = to_int64s(stored.tensor);
    const auto k = static_cast<std::size_t>(stored.tensor.shape()[1]);
    if (s == 0) {
      products = Eigen::MatrixXd::Zero(stored.tensor.shape()[1], stored.tensor.shape()[1]);
      sum = Eigen::VectorXd::Zero(products.rows());
    }
    const std::size_t positions = codes.size() / k;
    const QuantParams params = stored.grid->params()[0];
    scale = params.scale;
    for (std::size_t p = 0; p < positions; ++p) {
      Eigen::VectorXd x(products.rows());
      for (std::size_t c = 0; c < k; ++c) {
        x[static_cast<Eigen::Index>(c)] = static_cast<double>(codes[c * positions + p] - params.zero_point);
      }
      products += x * x.transpose();
      sum += x;
      count += 1.0;
    }
  }
  return (products - sum * sum.transpose() / count) * (scale * scale);
}

Result<RoundedSwept> rounded_at(SweptCase& swept, const std::string& name, const RoundRule& rule, int num_threads = 1) {
  Result<RoundedSwept> rounded = RoundedSwept{};
  swept.at_layer(name, swept.request(num_threads), [&](const SweptLayer& layer, const graph::Node&) {
    rounded = round_swept(layer, swept.model, swept.facts, rule, num_threads);
  });
  EXPECT_TRUE(rounded.ok()) << (rounded.ok() ? "" : rounded.error().message);
  return rounded;
}

void expect_consistent(const SweptCase& swept, const std::string& layer) {
  const TensorEncoding& weight = swept.model.encodings.at(layer + ".w");
  const Tensor& constant = *swept.model.graph.value(swept.id(layer + ".w")).constant;
  EXPECT_TRUE(identical(dequantize(*weight.codes, weight.encoding), constant));
  EXPECT_TRUE(identical(quantize(constant, weight.encoding), *weight.codes));
  const TensorEncoding& bias = swept.model.encodings.at(layer + ".b");
  EXPECT_TRUE(
      identical(quantize(*swept.model.graph.value(swept.id(layer + ".b")).constant, bias.encoding), *bias.codes));
}

TEST(RoundSwept, WritesWhatRoundLayerGivesForTheWholeModelsMoments) {
  for (const int bits : {8, 4}) {
    for (const ScaleKind kind : {ScaleKind::kAffine, ScaleKind::kPowerOfTwo}) {
      RandomGraph small = pointwise();
      precision::Options options = kind == ScaleKind::kAffine ? precision::Options{} : power_of_two_options();
      options.weight_bits = bits;
      SweptCase swept(small, 5, options);
      const Tensor weight = *swept.model.graph.value(swept.id("b.w")).constant;
      const Encoding start = swept.encoding("b.w").encoding;
      const std::vector<Eigen::MatrixXd> moments{channel_moments(swept, "a", 4)};
      graph::Node node;
      for (const graph::Node& one : swept.graph.nodes) node = one.outputs[0] == swept.id("b") ? one : node;
      const RoundRule rule{.samples = 4, .max_positions = 0, .scale = kind};
      const auto rounded = rounded_at(swept, "b", rule, 2);
      ASSERT_TRUE(rounded.ok());
      EXPECT_EQ(rounded->obstacle, "");
      const auto want =
          round_layer({.node = node, .weight = weight, .start = start, .moments = moments, .scale = kind});
      ASSERT_TRUE(want.ok());
      EXPECT_EQ(swept.encoding("b.w").encoding, want->encoding);
      EXPECT_TRUE(identical(*swept.encoding("b.w").codes, want->codes)) << bits;
      EXPECT_NEAR(rounded->error_before, want->error_before, 1e-6 * want->error_before);
      EXPECT_NEAR(rounded->error_after, want->error_after, 1e-6 * want->error_before);
      EXPECT_LE(rounded->error_after, rounded->error_before);
      EXPECT_EQ(swept.encoding("b.w").provenance.changes, std::vector<std::string>{"rounded"});
      expect_consistent(swept, "b");
    }
  }
}

TEST(RoundSwept, TheBiasStandsOnInputTimesWeightScale) {
  RandomGraph small = pointwise();
  precision::Options options;
  options.weight_bits = 4;
  SweptCase swept(small, 4, options);
  ASSERT_TRUE(rounded_at(swept, "b", {}).ok());
  const Encoding& bias = swept.encoding("b.b").encoding;
  const double input = swept.encoding("a").encoding.params()[0].scale;
  const std::vector<QuantParams>& weight = swept.encoding("b.w").encoding.params();
  ASSERT_EQ(bias.params().size(), weight.size());
  for (std::size_t c = 0; c < weight.size(); ++c) {
    EXPECT_EQ(bias.params()[c].scale, static_cast<double>(static_cast<float>(input * weight[c].scale)));
  }
  EXPECT_EQ(swept.encoding("b.b").provenance.changes, std::vector<std::string>{"follows its weight"});
  EXPECT_TRUE(
      identical(*swept.model.graph.value(swept.id("b.b")).constant, *swept.graph.value(swept.id("b.b")).constant));
}

TEST(RoundSwept, ALargeBiasKeepsItsRoom) {
  RandomGraph small = pointwise();
  small.constant("b.b", Tensor::of<float>({4}, {4e5F, 1.0F, -4e5F, 0.0F}));
  SweptCase swept(small, 4);
  ASSERT_TRUE(rounded_at(swept, "b", {}).ok());
  EXPECT_TRUE(precision::bias_fits(*swept.model.graph.value(swept.id("b.b")).constant, swept.encoding("b.b").encoding));
  expect_consistent(swept, "b");
}

TEST(RoundSwept, BiasesOf8BitsKeepTheirGrid) {
  RandomGraph small = pointwise();
  precision::Options options;
  options.bias_bits = 8;
  SweptCase swept(small, 4, options);
  const Encoding before = swept.encoding("b.b").encoding;
  ASSERT_TRUE(rounded_at(swept, "b", {}).ok());
  EXPECT_EQ(swept.encoding("b.b").encoding, before);
  EXPECT_TRUE(swept.encoding("b.b").provenance.changes.empty());
}

TEST(RoundSwept, IsTheSameForEveryNumberOfThreads) {
  for (const std::int64_t max_positions : {0, 5}) {
    std::vector<Tensor> codes;
    for (const int num_threads : {1, 2, 5}) {
      RandomGraph small = pointwise();
      SweptCase swept(small, 7);
      ASSERT_TRUE(rounded_at(swept, "b", {.max_positions = max_positions}, num_threads).ok());
      codes.push_back(*swept.encoding("b.w").codes);
    }
    EXPECT_TRUE(identical(codes[0], codes[1]));
    EXPECT_TRUE(identical(codes[0], codes[2]));
  }
}

TEST(RoundSwept, SaysWhatStandsInItsWay) {
  RandomGraph small = pointwise();
  SweptCase swept(small, 2);
  swept.encoding("a.w").frozen = true;
  swept.model.encodings.erase("b.w");
  const Tensor before = *swept.model.graph.value(swept.id("a.w")).constant;
  EXPECT_EQ(rounded_at(swept, "a", {})->obstacle, "its weight came with codes");
  EXPECT_EQ(rounded_at(swept, "b", {})->obstacle, "it runs on real numbers");
  EXPECT_TRUE(identical(before, *swept.model.graph.value(swept.id("a.w")).constant));
  RandomGraph split = split_graph();
  SweptCase transposed(split, 2);
  EXPECT_EQ(rounded_at(transposed, "e", {})->obstacle, "a transposed convolution: its windows overlap in the output");
}

}  // namespace
}  // namespace halfstep::tune
