// unary_test.cpp: functions of one tensor: values, types, special numbers, refusals.
#include <cmath>
#include <limits>
#include <string>

#include "movement_run.hpp"
#include "ops/evaluate.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

void expect_near(const Tensor& actual, const std::vector<float>& expected, float tolerance = 1e-6F) {
  const std::vector<float> values = to_floats(actual.view());
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(values[i], expected[i], tolerance * std::max(1.0F, std::fabs(expected[i]))) << "element " << i;
  }
}

Tensor row(const std::vector<float>& values) { return floats({static_cast<std::int64_t>(values.size())}, values); }

// Expected values from the formulas in double precision (NumPy).
TEST(Unary, Activations) {
  const Tensor x = row({-2.5F, -0.5F, 0.0F, 0.75F, 4.0F});
  expect_near(run("Relu", {}, {x}), {0, 0, 0, 0.75F, 4});
  expect_near(run("LeakyRelu", {{"alpha", 0.1F}}, {x}), {-0.25F, -0.05F, 0, 0.75F, 4});
  expect_near(run("ThresholdedRelu", {{"alpha", 0.75F}}, {x}), {0, 0, 0, 0, 4});
  expect_near(run("HardSigmoid", {}, {x}), {0, 0.4F, 0.5F, 0.65F, 1});
  expect_near(run("HardSwish", {}, {x}), {-0.20833333F, -0.20833333F, 0, 0.46875F, 4});
  expect_near(run("Elu", {{"alpha", 2.0F}}, {x}), {-1.83583F, -0.78693868F, 0, 0.75F, 4});
  expect_near(run("Selu", {}, {x}), {-1.6137858F, -0.69175819F, 0, 0.78802577F, 4.2028041F});
  expect_near(run("Celu", {{"alpha", 2.0F}}, {x}), {-1.4269904F, -0.44239843F, 0, 0.75F, 4});
  expect_near(run("Softplus", {}, {x}), {0.07888973F, 0.47407699F, 0.69314718F, 1.136871F, 4.0181499F});
  expect_near(run("Softsign", {}, {x}), {-0.71428573F, -0.33333334F, 0, 0.42857143F, 0.8F});
  expect_near(run("Shrink", {{"lambd", 0.6F}, {"bias", 0.5F}}, {x}), {-2, 0, 0, 0.25F, 3.5F});
  expect_near(run("Swish", {{"alpha", 2.0F}}, {x}), {-0.016732127F, -0.13447071F, 0, 0.61318086F, 3.9986586F});
}

TEST(Unary, SpecialNumbersFollowTheFormula) {
  const Tensor x = row({kNan, kInfinity, -kInfinity});
  const auto relu = to_floats(run("Relu", {}, {x}).view());
  EXPECT_TRUE(std::isnan(relu[0]));
  EXPECT_EQ(relu[1], kInfinity);
  EXPECT_EQ(relu[2], 0.0F);
  const auto sign = to_floats(run("Sign", {}, {x}).view());
  EXPECT_TRUE(std::isnan(sign[0]));
  EXPECT_EQ(sign[1], 1.0F);
  EXPECT_EQ(sign[2], -1.0F);
  expect_same(run("IsNaN", {}, {x}), bools({1, 0, 0}));
  expect_same(run("IsInf", {}, {x}), bools({0, 1, 1}));
  expect_same(run("IsInf", {{"detect_negative", std::int64_t{0}}}, {x}), bools({0, 1, 0}));
  expect_same(run("IsInf", {{"detect_positive", std::int64_t{0}}}, {x}), bools({0, 0, 1}));
}

TEST(Unary, RoundTakesHalvesToEven) {
  expect_same(run("Round", {}, {row({-2.5F, -1.5F, -0.5F, 0.5F, 1.5F, 2.5F, 2.51F})}),
              row({-2, -2, -0.0F, 0, 2, 2, 3}));
  expect_same(run("Floor", {}, {row({-1.5F, 1.5F})}), row({-2, 1}));
  expect_same(run("Ceil", {}, {row({-1.5F, 1.5F})}), row({-1, 2}));
}

TEST(Unary, IntegersWrapInsteadOfOverflowing) {
  const auto bytes = Tensor::of<std::int8_t>({3}, {-128, -1, 7});
  expect_same(run("Abs", {}, {bytes}), Tensor::of<std::int8_t>({3}, {-128, 1, 7}));
  expect_same(run("Neg", {}, {bytes}), Tensor::of<std::int8_t>({3}, {-128, 1, -7}));
  expect_same(run("Sign", {}, {bytes}), Tensor::of<std::int8_t>({3}, {-1, -1, 1}));
  expect_same(run("Relu", {}, {bytes}), Tensor::of<std::int8_t>({3}, {0, 0, 7}));
  expect_same(run("BitwiseNot", {}, {bytes}), Tensor::of<std::int8_t>({3}, {127, 0, -8}));
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  expect_same(run("Neg", {}, {ints({kMin, 5})}), ints({kMin, -5}));
  expect_same(run("Shrink", {{"lambd", 2.0F}, {"bias", 1.5F}}, {Tensor::of<std::uint8_t>({3}, {1, 3, 255})}),
              Tensor::of<std::uint8_t>({3}, {0, 1, 253}));
}

TEST(Unary, ClipTakesOptionalBoundsOfTheOperandsType) {
  const Tensor x = row({-3, 0.5F, 9, kNan});
  const Tensor low = floats({}, {-1});
  const Tensor high = floats({}, {2});
  const auto both = to_floats(run("Clip", {}, {x, low, high}).view());
  EXPECT_EQ(both[0], -1.0F);
  EXPECT_EQ(both[2], 2.0F);
  EXPECT_TRUE(std::isnan(both[3]));
  EXPECT_EQ(to_floats(run("Clip", {}, {x, std::nullopt, high}).view())[0], -3.0F);
  // min above max: everything becomes max.
  EXPECT_EQ(to_floats(run("Clip", {}, {row({0}), high, low}).view())[0], -1.0F);
  expect_same(run("Clip", {}, {ints({-5, 5}), ints({}, {-2})}), ints({-2, 5}));
  EXPECT_NE(error_of("Clip", {}, {x, ints({}, {0})}), "ok");
  EXPECT_NE(error_of("Clip", {}, {x, row({0, 1})}), "ok");
}

TEST(Unary, RefusesWhatTheStandardDoesNotAllow) {
  EXPECT_EQ(error_of("Sigmoid", {}, {ints({1})}), "operand 0 is int64, a type this operator does not take");
  EXPECT_EQ(error_of("Relu", {}, {std::nullopt}), "operand 0 is missing");
  EXPECT_NE(error_of("Relu", {}, {row({1}), row({1})}), "ok");
  EXPECT_NE(error_of("Not", {}, {row({1})}), "ok");
  EXPECT_NE(error_of("Gelu", {{"approximate", std::string("sine")}}, {row({1})}), "ok");
}

// Every operator that says so really works with its output in operand 0's storage.
TEST(Unary, InPlace) {
  for (const OpDef& op : all_ops()) {
    if (!op.in_place || !op.keeps_channels_apart || op.domain != "") continue;
    Tensor x = row(std::vector<float>(100, 0.625F));
    const graph::Node node = node_of(std::string(op.type), {{"to", std::int64_t{1}}}, {x}, 1);
    const std::array<const TensorType*, 1> types = {&x.type()};
    const std::array<const Tensor*, 1> values = {nullptr};
    const auto inferred = checked_infer(op, NodeArgs{node, types, values});
    if (!inferred.ok() || inferred->data_dependent || inferred->outputs[0] != x.type()) continue;
    const auto prepared = op.lower_float(LowerArgs{{node, types, values}, inferred->outputs});
    ASSERT_TRUE(prepared.ok()) << op.type;
    if (prepared->scratch_bytes > 0) continue;
    Tensor apart(x.type());
    const std::array inputs = {x.view()};
    const std::array outputs = {apart.mutable_view()};
    ASSERT_TRUE(prepared->run({inputs, outputs, {}}).ok()) << op.type;
    const std::array shared = {x.mutable_view()};
    ASSERT_TRUE(prepared->run({inputs, shared, {}}).ok()) << op.type;
    EXPECT_TRUE(identical(x, apart)) << op.type;
  }
}

}  // namespace
}  // namespace halfstep::ops
