// recurrent_test.cpp: contract under test: RNN, GRU and LSTM, against the equations of the ONNX text.
#include <cmath>
#include <random>

#include "unit/ops/movement_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

constexpr std::int64_t kSteps = 4;
constexpr std::int64_t kBatch = 3;
constexpr std::int64_t kInputs = 2;
constexpr std::int64_t kHidden = 5;

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

Tensor random(Shape shape, std::mt19937& rng) {
  std::uniform_real_distribution<float> any(-1.0F, 1.0F);
  Tensor x(TensorType{DType::kFloat32, std::move(shape)});
  for (std::int64_t i = 0; i < x.num_elements(); ++i) x.mutable_data<float>()[i] = any(rng);
  return x;
}

void expect_near(const Tensor& actual, const Tensor& expected) {
  ASSERT_EQ(to_string(actual.type()), to_string(expected.type()));
  EXPECT_THAT(actual.values<float>(), Pointwise(FloatNear(2e-6F), expected.values<float>()));
}

struct Layer {
  std::string type;
  std::int64_t gates;
  std::size_t outputs;
};
const Layer kRnn{"RNN", 1, 2};
const Layer kGru{"GRU", 3, 2};
const Layer kLstm{"LSTM", 4, 3};

/// X, W, R, B, no sequence_lens, initial_h and, for LSTM, initial_c and P.
Operands operands_of(const Layer& layer, std::int64_t directions, std::mt19937& rng) {
  const std::int64_t width = layer.gates * kHidden;
  Operands operands{random({kSteps, kBatch, kInputs}, rng),
                    random({directions, width, kInputs}, rng),
                    random({directions, width, kHidden}, rng),
                    random({directions, 2 * width}, rng),
                    std::nullopt,
                    random({directions, kBatch, kHidden}, rng)};
  if (layer.type == "LSTM") {
    operands.push_back(random({directions, kBatch, kHidden}, rng));
    operands.push_back(random({directions, 3 * kHidden}, rng));
  }
  return operands;
}

TEST(Rnn, OneUnitByHand) {
  // h1 = relu(2 * 1 + 0 + 1) = 3; h2 = relu(2 * -1 + 3 * 3 + 1) = 8.
  const auto y = run_all(
      "RNN", {{"activations", std::vector<std::string>{"Relu"}}},
      {floats({2, 1, 1}, {1, -1}), floats({1, 1, 1}, {2}), floats({1, 1, 1}, {3}), floats({1, 2}, {0.25F, 0.75F})}, 2);
  expect_same(y[0], floats({2, 1, 1, 1}, {3, 8}));
  expect_same(y[1], floats({1, 1, 1}, {8}));
}

TEST(Lstm, OneUnitByTheEquations) {
  // Gates i, o, f, c; peepholes i, o, f.
  const double x = 0.5;
  const double h = 0.25;
  const double c = -0.75;
  const double i = sigmoid(1.0 * x + 0.1 * h + 0.3 * c);
  const double f = sigmoid(3.0 * x + 0.3 * h + 0.5 * c);
  const double candidate = std::tanh(4.0 * x + 0.4 * h);
  const double cell = f * c + i * candidate;
  const double o = sigmoid(2.0 * x + 0.2 * h + 0.4 * cell);
  const auto y = run_all("LSTM", {},
                         {floats({1, 1, 1}, {0.5F}), floats({1, 4, 1}, {1, 2, 3, 4}),
                          floats({1, 4, 1}, {0.1F, 0.2F, 0.3F, 0.4F}), std::nullopt, std::nullopt,
                          floats({1, 1, 1}, {0.25F}), floats({1, 1, 1}, {-0.75F}), floats({1, 3}, {0.3F, 0.4F, 0.5F})},
                         3);
  EXPECT_NEAR(*y[1].data<float>(), o * std::tanh(cell), 1e-6);
  EXPECT_NEAR(*y[2].data<float>(), cell, 1e-6);
}

TEST(Gru, ResetBeforeAndAfterTheProduct) {
  // Gates z, r, h with input weights 1, 2, 3, recurrence 0.1, 0.2, 0.3 and recurrent bias 0.5 on h.
  const double x = 0.5;
  const double h = -0.25;
  const double z = sigmoid(1.0 * x + 0.1 * h);
  const double r = sigmoid(2.0 * x + 0.2 * h);
  const Operands operands{floats({1, 1, 1}, {0.5F}),
                          floats({1, 3, 1}, {1, 2, 3}),
                          floats({1, 3, 1}, {0.1F, 0.2F, 0.3F}),
                          floats({1, 6}, {0, 0, 0, 0, 0, 0.5F}),
                          std::nullopt,
                          floats({1, 1, 1}, {-0.25F})};
  const double before = std::tanh(3.0 * x + 0.3 * (r * h) + 0.5);
  const double after = std::tanh(3.0 * x + r * (0.3 * h + 0.5));
  EXPECT_NEAR(*run("GRU", {}, operands).data<float>(), (1 - z) * before + z * h, 1e-6);
  EXPECT_NEAR(*run("GRU", {{"linear_before_reset", std::int64_t{1}}}, operands).data<float>(), (1 - z) * after + z * h,
              1e-6);
}

TEST(Lstm, CoupledForgetGateIsTheRestOfTheInputGate) {
  const Operands operands{floats({1, 1, 1}, {0.5F}),
                          floats({1, 4, 1}, {1, 2, 3, 4}),
                          floats({1, 4, 1}, {0, 0, 0, 0}),
                          std::nullopt,
                          std::nullopt,
                          std::nullopt,
                          floats({1, 1, 1}, {2})};
  const double i = sigmoid(0.5);
  const auto y = run_all("LSTM", {{"input_forget", std::int64_t{1}}}, operands, 3);
  EXPECT_NEAR(*y[2].data<float>(), (1 - i) * 2 + i * std::tanh(2.0), 1e-6);
}

TEST(Recurrent, ReverseIsForwardOnFlippedTime) {
  std::mt19937 rng(20240601);
  for (const Layer& layer : {kRnn, kGru, kLstm}) {
    Operands operands = operands_of(layer, 1, rng);
    const auto flip = [](const Tensor& x) {
      return run("Slice", {}, {x, ints({-1}), ints({-1000}), ints({0}), ints({-1})});
    };
    const auto reverse = run_all(layer.type, {{"direction", std::string("reverse")}}, operands, layer.outputs);
    operands[0] = flip(*operands[0]);
    const auto forward = run_all(layer.type, {}, operands, layer.outputs);
    expect_near(flip(reverse[0]), forward[0]);
    for (std::size_t i = 1; i < layer.outputs; ++i) expect_near(reverse[i], forward[i]);
  }
}

TEST(Recurrent, BidirectionalIsBothDirectionsSideBySide) {
  std::mt19937 rng(20240602);
  for (const Layer& layer : {kRnn, kGru, kLstm}) {
    const Operands operands = operands_of(layer, 2, rng);
    const auto both = run_all(layer.type, {{"direction", std::string("bidirectional")}}, operands, layer.outputs);
    for (const std::int64_t index : {0, 1}) {
      Operands half = operands;
      for (std::size_t i = 1; i < half.size(); ++i) {
        if (half[i]) half[i] = run("Slice", {}, {*half[i], ints({index}), ints({index + 1}), ints({0})});
      }
      const std::string direction = index == 0 ? "forward" : "reverse";
      const auto single = run_all(layer.type, {{"direction", direction}}, half, layer.outputs);
      expect_near(run("Slice", {}, {both[0], ints({index}), ints({index + 1}), ints({1})}), single[0]);
      for (std::size_t i = 1; i < layer.outputs; ++i) {
        expect_near(run("Slice", {}, {both[i], ints({index}), ints({index + 1}), ints({0})}), single[i]);
      }
    }
  }
}

TEST(Recurrent, BatchFirstOnlyMovesAxes) {
  std::mt19937 rng(20240603);
  const auto permuted = [](const Tensor& x, Ints perm) { return run("Transpose", {{"perm", std::move(perm)}}, {x}); };
  for (const Layer& layer : {kRnn, kGru, kLstm}) {
    const graph::Attribute direction = std::string("bidirectional");
    Operands operands = operands_of(layer, 2, rng);
    const auto y = run_all(layer.type, {{"direction", direction}}, operands, layer.outputs);
    for (const std::size_t i : {0, 5, 6}) {
      if (i < operands.size()) operands[i] = permuted(*operands[i], {1, 0, 2});
    }
    const auto moved =
        run_all(layer.type, {{"direction", direction}, {"layout", std::int64_t{1}}}, operands, layer.outputs);
    expect_near(moved[0], permuted(y[0], {2, 0, 1, 3}));
    for (std::size_t i = 1; i < layer.outputs; ++i) expect_near(moved[i], permuted(y[i], {1, 0, 2}));
  }
}

TEST(Recurrent, ShortSequencesEndEarlyAndAreFollowedByZeros) {
  std::mt19937 rng(20240604);
  for (const Layer& layer : {kRnn, kGru, kLstm}) {
    for (const std::string direction : {"forward", "reverse"}) {
      Operands operands = operands_of(layer, 1, rng);
      operands[4] = Tensor::of<std::int32_t>({kBatch}, {4, 2, 0});
      const auto y = run_all(layer.type, {{"direction", direction}}, operands, layer.outputs);
      // The first two steps alone give the final state of the second entry.
      operands[0] = run("Slice", {}, {*operands[0], ints({0}), ints({2}), ints({0})});
      operands[4] = std::nullopt;
      const auto two = run_all(layer.type, {{"direction", direction}}, operands, layer.outputs);
      const auto of_entry = [](const Tensor& state, std::int64_t b) {
        return run("Slice", {}, {state, ints({b}), ints({b + 1}), ints({1})});
      };
      for (std::size_t i = 1; i < layer.outputs; ++i) {
        expect_near(of_entry(y[i], 1), of_entry(two[i], 1));
        expect_same(of_entry(y[i], 2), Tensor(TensorType{DType::kFloat32, {1, 1, kHidden}}));
      }
      const Tensor tail = run("Slice", {}, {y[0], ints({2, 1}), ints({4, 3}), ints({0, 2})});
      expect_same(tail, Tensor(TensorType{DType::kFloat32, {2, 1, 2, kHidden}}));
    }
  }
}

TEST(Recurrent, ActivationsTakeTheirConstantsInOrder) {
  // Without weights but biases every gate sees its bias: h = f(2).
  const auto value = [](const Attrs& attrs, float bias) {
    return *run("RNN", attrs,
                {floats({1, 1, 1}, {0}), floats({1, 1, 1}, {0}), floats({1, 1, 1}, {0}), floats({1, 2}, {bias, 0})})
                .data<float>();
  };
  const auto named = [](const std::string& name, std::vector<float> alpha = {}, std::vector<float> beta = {}) {
    return Attrs{{"activations", std::vector<std::string>{name}},
                 {"activation_alpha", std::move(alpha)},
                 {"activation_beta", std::move(beta)}};
  };
  EXPECT_FLOAT_EQ(value(named("Affine", {3}, {1}), 2), 7.0F);
  EXPECT_FLOAT_EQ(value(named("LeakyRelu"), -2), -0.02F);
  EXPECT_FLOAT_EQ(value(named("leakyrelu", {0.5F}), -2), -1.0F);
  EXPECT_FLOAT_EQ(value(named("ThresholdedRelu"), 0.5F), 0.0F);
  EXPECT_FLOAT_EQ(value(named("ScaledTanh", {2}, {0.5F}), 2), 2.0F * std::tanh(1.0F));
  EXPECT_FLOAT_EQ(value(named("HardSigmoid"), 1), 0.7F);
  EXPECT_FLOAT_EQ(value(named("Elu", {2}), -1), 2.0F * std::expm1(-1.0F));
  EXPECT_FLOAT_EQ(value(named("Softsign"), -3), -0.75F);
  EXPECT_FLOAT_EQ(value(named("Softplus"), 0), std::log(2.0F));
  EXPECT_FLOAT_EQ(value({{"clip", 0.5F}, {"activations", std::vector<std::string>{"Affine"}}}, 2), 0.5F);
}

TEST(Recurrent, RefusesWhatDoesNotFit) {
  std::mt19937 rng(20240605);
  const Operands good = operands_of(kGru, 1, rng);
  EXPECT_THAT(error_of("GRU", {{"direction", std::string("sideways")}}, good, 2), HasSubstr("sideways"));
  EXPECT_THAT(error_of("GRU", {{"direction", std::string("bidirectional")}}, good, 2),
              HasSubstr("W is float32[1, 15, 2]"));
  EXPECT_THAT(error_of("GRU", {{"hidden_size", std::int64_t{6}}}, good, 2), HasSubstr("hidden_size is 6"));
  EXPECT_THAT(error_of("GRU", {{"clip", 0.0F}}, good, 2), HasSubstr("clip"));
  EXPECT_THAT(error_of("GRU", {{"activations", std::vector<std::string>{"Tanh", "Cube"}}}, good, 2),
              HasSubstr("'Cube'"));
  Operands too_long = good;
  too_long[4] = Tensor::of<std::int32_t>({kBatch}, {1, 5, 2});
  EXPECT_THAT(error_of("GRU", {}, too_long, 2), HasSubstr("sequence_lens holds 5"));
}

}  // namespace
}  // namespace halfstep::ops
