// assign_encodings_test.cpp: grids of activations, weights, operands and biases of small graphs.
#include "precision/assign_encodings.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "passes/unshare_parameters.hpp"
#include "precision/bias_grids.hpp"
#include "precision/choose_tensors.hpp"
#include "precision/encoding_targets.hpp"
#include "unit/precision/graphs.hpp"

namespace halfstep::precision {
namespace {

/// The default options after `edit`.
template <class F>
Options options_with(F&& edit) {
  Options options;
  edit(options);
  return options;
}

/// Observations as if every observed tensor ranged over [min, max].
calib::Observations observed(const graph::Graph& graph, const Plan& plan, float min, float max) {
  calib::Observations observations;
  for (const calib::Watch& watch : watches_of(graph, float_facts(graph), plan)) {
    calib::Observation& observation = observations[graph.value(watch.value).name];
    observation.moments.count = 2;
    observation.moments.min = min;
    observation.moments.max = max;
  }
  return observations;
}

Result<Assignment> assign(GraphBuilder& g, const Options& options = {}, const EncodingSet& frozen = {},
                          float min = -1.0F, float max = 1.55F) {
  g.graph() = passes::unshare_parameters(g.graph(), frozen);
  const ops::Facts facts = float_facts(g.graph());
  const Plan plan = choose_tensors(g.graph(), facts, options, frozen);
  return assign_encodings(g.graph(), facts, plan, observed(g.graph(), plan, min, max), frozen);
}

/// x -> Conv with weights [2, 1, 1, 1] and a bias -> y. Activations range over [-1, 1.55]: scale 0.01, zero point 100.
GraphBuilder conv(std::initializer_list<float> weights, std::initializer_list<float> bias) {
  GraphBuilder g;
  g.input("x").constant("w", Tensor::of<float>({2, 1, 1, 1}, weights)).constant("b", Tensor::of<float>({2}, bias));
  g.node("Conv", {"x", "w", "b"}, {"y"}).output("y");
  return g;
}

TEST(AssignEncodings, DefaultsOfAConvolution) {
  GraphBuilder g = conv({1.27F, -0.635F}, {0.5F, -0.25F});
  const Assignment result = *assign(g);
  const TensorEncoding& x = result.encodings.at("x");
  EXPECT_EQ(x.encoding.grid(), (IntGrid{0, 255}));
  EXPECT_NEAR(x.encoding.params()[0].scale, 0.01, 1e-8);
  EXPECT_EQ(x.encoding.params()[0].zero_point, 100);
  EXPECT_EQ(to_string(x.provenance), "calibrated (min-max)");
  EXPECT_FALSE(x.codes);

  const TensorEncoding& w = result.encodings.at("w");
  EXPECT_EQ(w.role, TensorRole::kWeight);
  EXPECT_EQ(w.encoding.grid(), (IntGrid{-127, 127}));
  EXPECT_EQ(w.encoding.axis(), 0);
  EXPECT_NEAR(w.encoding.params()[1].scale, 0.005, 1e-8);
  EXPECT_TRUE(identical(*w.codes, Tensor::of<std::int8_t>({2, 1, 1, 1}, {127, -127})));

  const TensorEncoding& b = result.encodings.at("b");
  EXPECT_EQ(b.role, TensorRole::kBias);
  EXPECT_EQ(b.encoding.grid(), signed_grid(32));
  for (std::size_t c = 0; c < 2; ++c) {
    const double product = x.encoding.params()[0].scale * w.encoding.params()[c].scale;
    EXPECT_EQ(b.encoding.params()[c].scale, static_cast<double>(static_cast<float>(product)));
  }
  EXPECT_TRUE(identical(*b.codes, Tensor::of<std::int32_t>({2}, {5000, -5000})));
  EXPECT_EQ(result.counts.weights, 1);
  EXPECT_EQ(result.counts.biases, 1);
  EXPECT_EQ(result.counts.observed, 2);
  EXPECT_TRUE(result.warnings.empty());
}

TEST(AssignEncodings, PerTensorAndOtherWidths) {
  GraphBuilder g = conv({1.27F, -0.635F}, {0.5F, -0.25F});
  const Assignment result = *assign(g, options_with([](Options& o) {
                                      o.act_bits = 16;
                                      o.weight_bits = 4;
                                      o.bias_bits = 8;
                                      o.per_channel = WeightsPerChannel::kNone;
                                    }));
  EXPECT_EQ(result.encodings.at("x").encoding.grid(), (IntGrid{0, 65535}));
  EXPECT_EQ(result.encodings.at("w").encoding.grid(), (IntGrid{-7, 7}));
  EXPECT_FALSE(result.encodings.at("w").encoding.axis());
  EXPECT_EQ(result.encodings.at("b").encoding.grid(), (IntGrid{-128, 127}));
  EXPECT_TRUE(identical(*result.encodings.at("b").codes, Tensor::of<std::int8_t>({2}, {127, -64})));  // -63.5 to even.
}

TEST(AssignEncodings, PowersOfTwoThroughout) {
  GraphBuilder g = conv({1.27F, -0.6F}, {0.5F, -0.25F});
  const Assignment result = *assign(g, options_with([](Options& o) {
                                      o.act_schema = Schema::kUnsignedSymmetric;
                                      o.scale = ScaleKind::kPowerOfTwo;
                                    }));
  for (const auto& [name, entry] : result.encodings) EXPECT_TRUE(entry.encoding.is_power_of_two()) << name;
  GraphBuilder again = conv({1.0F, 1.0F}, {0.0F, 0.0F});
  EXPECT_EQ(assign(again, options_with([](Options& o) { o.scale = ScaleKind::kPowerOfTwo; })).error().code,
            ErrorCode::kUsage);
}

TEST(AssignEncodings, RaisesWeightScalesSoThatTheBiasFits) {
  GraphBuilder g = conv({1.27F, 1e-9F}, {0.5F, 300.0F});
  const Assignment result = *assign(g);
  ASSERT_EQ(result.warnings.size(), 1U);
  EXPECT_EQ(result.warnings[0].find("node 'y_node' (Conv): the weight scale of 1 of 2 channels was raised, by up to "),
            0U);
  EXPECT_EQ(to_string(result.encodings.at("w").provenance), "from its values, raised for its bias");
  const std::int64_t code = to_int64s(*result.encodings.at("b").codes)[1];
  EXPECT_LE(code, std::int64_t{1} << 30);
  EXPECT_GE(code, (std::int64_t{1} << 30) - 1000);
  EXPECT_NEAR(static_cast<double>(code) * result.encodings.at("b").encoding.params()[1].scale, 300.0, 1e-4);
}

TEST(AssignEncodings, DeadChannelsGetASaneScale) {
  GraphBuilder g = conv({1.27F, 0.0F}, {0.5F, 0.01F});
  const Assignment result = *assign(g);
  const double scale = result.encodings.at("w").encoding.params()[1].scale;
  EXPECT_NEAR(scale, 1.27 * kMinChannelShare / 127, 1e-11);
  const TensorEncoding& b = result.encodings.at("b");
  EXPECT_NEAR(dequantize(*b.codes, b.encoding).data<float>()[1], 0.01F, 1e-8F);
  EXPECT_TRUE(result.warnings.empty());
  GraphBuilder zero = conv({0.0F, 0.0F}, {0.0F, 0.0F});
  EXPECT_TRUE(assign(zero).ok());
}

TEST(AssignEncodings, WarnsOfTensorsThatSayNothing) {
  GraphBuilder g = conv({1.0F, 1.0F}, {0.0F, 0.0F});
  EXPECT_EQ(assign(g, {}, {}, 0.0F, 0.0F)->warnings[0],
            "tensor 'x' was 0 in every sample: its grid covers [-1.00392, 0.996078]");
  GraphBuilder narrow = conv({1.0F, 1.0F}, {0.0F, 0.0F});
  EXPECT_EQ(assign(narrow, {}, {}, 0.0F, 1e-6F)->warnings[0],
            "tensor 'x' stays within [0, 1e-06], widened to 0.0001: its grid covers [0, 0.0001]");
}

TEST(AssignEncodings, NotFiniteConstantsAreNamed) {
  GraphBuilder weights = conv({std::nanf(""), 1.0F}, {0.0F, 0.0F});
  EXPECT_EQ(assign(weights).error().code, ErrorCode::kCalibration);
  EXPECT_EQ(assign(weights).error().message, "constant 'w' holds NaN at element 0");
  GraphBuilder bias = conv({1.0F, 1.0F}, {0.0F, std::numeric_limits<float>::infinity()});
  EXPECT_EQ(assign(bias).error().message, "constant 'b' holds an infinity at element 1");
}

TEST(AssignEncodings, ConstantOperandsFollowActivations) {
  GraphBuilder g;
  g.input("x").constant("k", Tensor::of<float>({2}, {0.0F, 1e-8F})).node("Add", {"x", "k"}, {"y"}).output("y");
  const Assignment result = *assign(g);
  const TensorEncoding& k = result.encodings.at("k");
  EXPECT_EQ(k.role, TensorRole::kWeight);
  EXPECT_FALSE(k.encoding.axis());
  EXPECT_TRUE(identical(*k.codes, Tensor::of<std::uint8_t>({2}, {0, 255})));  // Constants need no noise floor.
  EXPECT_EQ(result.counts.operands, 1);
}

TEST(AssignEncodings, ConcatConstantsTakeTheOutputsGrid) {
  GraphBuilder g;
  g.input("x").constant("k", Tensor::of<float>({1}, {0.5F})).constant("w", Tensor::of<float>({1, 1, 1, 1}, {1.0F}));
  g.node("Conv", {"x", "w"}, {"c"}).node("Concat", {"c", "k"}, {"y"}).node("Mul", {"y", "k"}, {"z"}).output("z");
  const Assignment result = *assign(g);
  EXPECT_EQ(result.encodings.at("k").encoding, result.encodings.at("y").encoding);
  EXPECT_EQ(to_string(result.encodings.at("k").provenance), "same as 'y'");
  EXPECT_NE(result.encodings.at("k_copy").encoding, result.encodings.at("y").encoding);  // The Mul's.
  EXPECT_EQ(result.encodings.at("c").encoding, result.encodings.at("y").encoding);
}

TEST(AssignEncodings, FrozenEncodingsAreKeptWithTheirCodes) {
  GraphBuilder g = conv({1.27F, -0.635F}, {0.5F, -0.25F});
  EncodingSet frozen;
  const Tensor codes = Tensor::of<std::int8_t>({2, 1, 1, 1}, {11, -7});
  const TensorEncoding imported{.encoding = *Encoding::per_channel({-128, 127}, 0, {{0.1, 0}, {0.1, 0}}),
                                .role = TensorRole::kWeight,
                                .provenance = {Origin::kImported, "q"},
                                .codes = codes,
                                .frozen = true};
  frozen.emplace("w", imported);
  frozen.emplace("gone", imported);
  const Assignment result = *assign(g, {}, frozen);
  EXPECT_TRUE(identical(*result.encodings.at("w").codes, codes));
  EXPECT_TRUE(result.encodings.at("w").frozen);
  EXPECT_NEAR(result.encodings.at("b").encoding.params()[0].scale, 0.001, 1e-8);
  EXPECT_EQ(result.counts.imported, 1);
  ASSERT_EQ(result.warnings.size(), 1U);
  EXPECT_EQ(result.warnings[0], "the encoding of 'gone' is unused: no tensor has that name any more");

  EncodingSet wrong;
  wrong.emplace("w", TensorEncoding{.encoding = *Encoding::per_channel({-128, 127}, 0, {{0.1, 0}}),
                                    .role = TensorRole::kWeight,
                                    .provenance = {},
                                    .codes = {}});
  GraphBuilder h = conv({1.0F, 1.0F}, {0.0F, 0.0F});
  EXPECT_EQ(assign(h, {}, wrong).error().message,
            "encoding of 'w': the encoding has 1 channels, axis 0 of [2, 1, 1, 1] has 2");
}

// ONNX Runtime's QGemm adds the bias's integers to the accumulators, whatever scale stands beside them.
TEST(AssignEncodings, AGemmBiasThatCannotStandOnTheProductOfScalesStaysFloat) {
  GraphBuilder g;
  g.input("x").constant("w", Tensor::of<float>({1, 2}, {1.0F, 2.0F})).constant("b", Tensor::of<float>({2, 1}, {3, 4}));
  g.node("Gemm", {"x", "w", "b"}, {"y"}).output("y");
  const Assignment rows = *assign(g);
  EXPECT_EQ(rows.encodings.at("w").encoding.axis(), 1);
  EXPECT_EQ(rows.encodings.count("b"), 0U);
  EXPECT_EQ(rows.warnings.size(), 1U);

  GraphBuilder scaled;
  scaled.input("x")
      .constant("w", Tensor::of<float>({1, 2}, {1.0F, 2.0F}))
      .constant("b", Tensor::of<float>({2}, {3, 4}));
  scaled.node("Gemm", {"x", "w", "b"}, {"y"}).output("y");
  scaled.graph().nodes[0].attributes.set("beta", 0.5F);
  EXPECT_EQ(assign(scaled)->encodings.count("b"), 0U);
}

TEST(AssignEncodings, AFrozenBiasOnAnotherScaleIsPutOnTheProduct) {
  const auto frozen_bias = [](double scale) {
    EncodingSet frozen;
    frozen.emplace("w", TensorEncoding{.encoding = *Encoding::per_tensor({-128, 127}, {0.25, 0}),
                                       .role = TensorRole::kWeight,
                                       .provenance = {},
                                       .codes = {}});
    frozen.emplace("x", TensorEncoding{.encoding = *Encoding::per_tensor({0, 255}, {0.5, 0}),
                                       .role = TensorRole::kActivation,
                                       .provenance = {},
                                       .codes = {}});
    frozen.emplace("b", TensorEncoding{.encoding = *Encoding::per_tensor(signed_grid(32), {scale, 0}),
                                       .role = TensorRole::kBias,
                                       .provenance = {},
                                       .codes = {}});
    GraphBuilder g;
    g.input("x").constant("w", Tensor::of<float>({1, 2}, {1, 2})).constant("b", Tensor::of<float>({2}, {3, 1e7F}));
    g.node("Gemm", {"x", "w", "b"}, {"y"}).output("y");
    return *assign(g, {}, frozen);
  };
  const Assignment same = frozen_bias(0.125);
  EXPECT_TRUE(same.encodings.at("b").frozen);
  EXPECT_TRUE(same.warnings.empty());
  const Assignment moved = frozen_bias(0.01);
  EXPECT_EQ(moved.encodings.at("b").encoding, *Encoding::per_tensor(signed_grid(32), {0.125, 0}));
  EXPECT_FALSE(moved.encodings.at("b").frozen);
  ASSERT_EQ(moved.warnings.size(), 1U);
  EXPECT_NE(moved.warnings[0].find("is put there"), std::string::npos);
}

// What overrides and mixed precision will do: change entries of a plan before it is carried out.
TEST(AssignEncodings, ThePlanDecidesTensorByTensor) {
  GraphBuilder g = conv({1.27F, -0.635F}, {0.5F, -0.25F});
  const ops::Facts facts = float_facts(g.graph());
  Plan plan = choose_tensors(g.graph(), facts, Options{});
  TensorPlan& y = plan.of(g.value("y"));
  EXPECT_EQ(y.why, "computed by node 'y_node' (Conv)");
  y.grid.bits = 16;
  y.why = "16 bits because the reader demands it";
  const calib::Observations observations = observed(g.graph(), plan, -1.0F, 1.55F);
  const Assignment wide = *assign_encodings(g.graph(), facts, plan, observations);
  EXPECT_EQ(wide.encodings.at("y").encoding.grid(), (IntGrid{0, 65535}));
  EXPECT_EQ(wide.encodings.at("x").encoding.grid(), (IntGrid{0, 255}));

  plan.of(g.value("x")) = {.source = Source::kFloat, .why = "float on purpose"};
  const Assignment real = *assign_encodings(g.graph(), facts, plan, observations);
  EXPECT_EQ(real.encodings.count("x"), 0U);
  EXPECT_EQ(real.encodings.count("b"), 0U);  // No input scale to stand on.
  EXPECT_EQ(real.encodings.count("w"), 1U);
  EXPECT_TRUE(real.warnings.empty());
}

TEST(BiasEncoding, RepeatsWeightChannelsForEveryGroup) {
  // ConvTranspose, two groups of two channels: four biases, two weight scales.
  const Tensor bias = Tensor::of<float>({4}, {1.0F, 1.0F, 1.0F, 1.0F});
  EXPECT_EQ(num_bias_channels(bias, 2), 4);
  EXPECT_EQ(num_bias_channels(bias, 3), std::nullopt);
  const Encoding weights = *Encoding::per_channel({-127, 127}, 1, {{0.5, 0}, {0.25, 0}});
  const Encoding encoding = *bias_encoding(bias, std::vector<double>{2.0}, weights);
  EXPECT_EQ(encoding, *Encoding::per_channel(signed_grid(32), 0, {{1.0, 0}, {0.5, 0}, {1.0, 0}, {0.5, 0}}));
  // A depthwise input with a scale a channel.
  const Encoding depthwise = *bias_encoding(bias, std::vector<double>{1.0, 2.0, 4.0, 8.0}, weights);
  EXPECT_EQ(depthwise, *Encoding::per_channel(signed_grid(32), 0, {{0.5, 0}, {0.5, 0}, {2.0, 0}, {2.0, 0}}));
}

TEST(UnshareParameters, ClonesOnlyWhereEncodingsDiffer) {
  GraphBuilder g;
  g.input("x")
      .input("v")
      .constant("w", Tensor::of<float>({2, 2}, {1, 2, 3, 4}))
      .constant("b", Tensor::of<float>({2}, {1, 2}));
  g.node("Gemm", {"x", "w", "b"}, {"y1"});  // Axis 1.
  g.node("Gemm", {"x", "w", "b"}, {"y2"});  // The same.
  g.node("Gemm", {"v", "w", "b"}, {"y3"});  // Another input: another bias scale.
  g.node("Gemm", {"x", "w", "b"}, {"y4"});  // Transposed: another axis, and so another bias scale.
  g.graph().nodes[3].attributes.set("transB", std::int64_t{1});
  g.node("Mul", {"x", "b"}, {"y5"});  // An operand.
  for (const char* y : {"y1", "y2", "y3", "y4", "y5"}) g.output(y);
  const graph::Graph once = passes::unshare_parameters(g.graph());
  const auto input = [&](std::size_t node, std::size_t i) { return once.value(once.nodes[node].inputs[i]).name; };
  EXPECT_EQ(input(0, 1), "w");
  EXPECT_EQ(input(1, 1), "w");
  EXPECT_EQ(input(2, 1), "w");
  EXPECT_NE(input(3, 1), "w");
  EXPECT_EQ(input(0, 2), "b");
  EXPECT_EQ(input(1, 2), "b");
  EXPECT_NE(input(2, 2), "b");
  EXPECT_NE(input(3, 2), "b");
  EXPECT_NE(input(3, 2), input(2, 2));
  EXPECT_NE(input(4, 1), "b");
  EXPECT_EQ(once.values.size(), g.graph().values.size() + 4);
  EXPECT_EQ(passes::unshare_parameters(once).values.size(), once.values.size());
  EncodingSet frozen;
  frozen.emplace("b",
                 TensorEncoding{.encoding = *Encoding::per_tensor({0, 255}, {1.0, 0}), .provenance = {}, .codes = {}});
  EXPECT_EQ(passes::unshare_parameters(g.graph(), frozen).values.size(), g.graph().values.size() + 1);
}

TEST(EncodingTargets, KnowRolesAndAxes) {
  GraphBuilder g = conv({1.0F, 1.0F}, {0.0F, 0.0F});
  const EncodingTargets targets = encoding_targets(g.graph());
  EXPECT_EQ(targets.at("x").role, TensorRole::kActivation);
  EXPECT_EQ(targets.at("w").role, TensorRole::kWeight);
  EXPECT_EQ(targets.at("w").channel_axis, 0);
  EXPECT_EQ(targets.at("b").role, TensorRole::kBias);
  EXPECT_EQ(targets.at("b").channel_axis, 0);
}

TEST(CheckOptions, SayWhatIsLegal) {
  EXPECT_TRUE(check(Options{}).ok());
  EXPECT_EQ(check(options_with([](Options& o) { o.act_bits = 4; })).error().message,
            "activations of 4 bits are not supported, use one of 8, 16, 32");
  EXPECT_FALSE(check(options_with([](Options& o) { o.weight_bits = 32; })).ok());
  EXPECT_FALSE(check(options_with([](Options& o) { o.bias_bits = 16; })).ok());
  EXPECT_FALSE(check(options_with([](Options& o) {
                 o.param_schema = Schema::kAsymmetric;
                 o.restricted_steps = IntGrid{-128, 127};
               })).ok());
  EXPECT_TRUE(check(options_with([](Options& o) { o.restricted_steps = IntGrid{-128, 127}; })).ok());
}

}  // namespace
}  // namespace halfstep::precision
