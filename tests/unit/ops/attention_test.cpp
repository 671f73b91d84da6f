// attention_test.cpp: contract under test: Attention and its neighbours, against the formulas of the ONNX text.
#include <cmath>
#include <limits>
#include <random>

#include "unit/ops/movement_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

graph::Attribute number(std::int64_t value) { return value; }

Tensor random(Shape shape, std::mt19937& rng) {
  std::uniform_real_distribution<float> any(-2.0F, 2.0F);
  Tensor x(TensorType{DType::kFloat32, std::move(shape)});
  for (std::int64_t i = 0; i < x.num_elements(); ++i) x.mutable_data<float>()[i] = any(rng);
  return x;
}

void expect_near(const Tensor& actual, const Tensor& expected) {
  ASSERT_EQ(to_string(actual.type()), to_string(expected.type()));
  EXPECT_THAT(actual.values<float>(), Pointwise(FloatNear(1e-5F), expected.values<float>()));
}

// Query 0 scores both keys 0, so it averages; query 1 scores ln 3 and 0 (scale
// 1), so it weighs 3 to 1.
const Tensor& two_queries() {
  static const Tensor q = floats({1, 1, 2, 1}, {0, std::log(3.0F)});
  return q;
}
const Tensor& two_keys() {
  static const Tensor k = floats({1, 1, 2, 1}, {1, 0});
  return k;
}
const Tensor& two_values() {
  static const Tensor v = floats({1, 1, 2, 1}, {4, 8});
  return v;
}

TEST(Attention, WeighsValuesBySoftmax) {
  expect_near(run("Attention", {}, {two_queries(), two_keys(), two_values()}), floats({1, 1, 2, 1}, {6, 5}));
}

TEST(Attention, CausalAndMasksHideKeys) {
  expect_near(run("Attention", {{"is_causal", number(1)}}, {two_queries(), two_keys(), two_values()}),
              floats({1, 1, 2, 1}, {4, 5}));
  const Tensor allowed = bools({0, 1, 0, 0}).reshaped({2, 2});
  expect_near(run("Attention", {}, {two_queries(), two_keys(), two_values(), allowed}), floats({1, 1, 2, 1}, {8, 0}));
  const Tensor bias = floats({2, 2}, {-std::log(3.0F), 0, -kInfinity, 0});
  expect_near(run("Attention", {}, {two_queries(), two_keys(), two_values(), bias}), floats({1, 1, 2, 1}, {7, 8}));
  const Tensor narrow = floats({1}, {0});  // Keys the mask does not reach are hidden.
  expect_near(run("Attention", {}, {two_queries(), two_keys(), two_values(), narrow}), floats({1, 1, 2, 1}, {4, 4}));
}

TEST(Attention, WindowBoundsBothSides) {
  const Tensor q = floats({1, 1, 3, 1}, {0, 0, 0});
  const Tensor k = floats({1, 1, 3, 1}, {0, 0, 0});
  const Tensor v = floats({1, 1, 3, 1}, {3, 6, 12});
  expect_near(run("Attention", {{"left_window_size", number(1)}, {"right_window_size", number(0)}}, {q, k, v}),
              floats({1, 1, 3, 1}, {3, 4.5F, 9}));
  expect_near(run("Attention", {{"right_window_size", number(1)}}, {q, k, v}), floats({1, 1, 3, 1}, {4.5F, 7, 7}));
}

TEST(Attention, ShowsTheScoresOfEachStage) {
  const Tensor bias = floats({2, 2}, {1, -kInfinity, 0, 0});
  const auto shown = [&](std::int64_t mode) {
    return run_all("Attention", {{"qk_matmul_output_mode", number(mode)}, {"softcap", 2.0F}},
                   {two_queries(), two_keys(), two_values(), bias}, 4)[3];
  };
  const float score = std::log(3.0F);
  const float capped = 2.0F * std::tanh(score / 2.0F);
  const float weight = std::exp(capped) / (std::exp(capped) + 1.0F);
  expect_near(shown(0), floats({1, 1, 2, 2}, {0, 0, score, 0}));
  expect_near(shown(1), floats({1, 1, 2, 2}, {0, 0, capped, 0}));
  EXPECT_EQ(shown(2).data<float>()[1], -kInfinity);
  expect_near(shown(3), floats({1, 1, 2, 2}, {1, 0, weight, 1 - weight}));
}

TEST(Attention, CacheIsPutInFrontAndShiftsTheCausalFrontier) {
  const Tensor q = floats({1, 1, 1, 1}, {0});
  const auto y =
      run_all("Attention", {{"is_causal", number(1)}},
              {q, two_keys(), two_values(), std::nullopt, floats({1, 1, 1, 1}, {5}), floats({1, 1, 1, 1}, {2})}, 3);
  expect_near(y[0], floats({1, 1, 1, 1}, {3}));  // Sees the cached value 2 and the first new one, 4.
  expect_near(y[1], floats({1, 1, 3, 1}, {5, 1, 0}));
  expect_near(y[2], floats({1, 1, 3, 1}, {2, 4, 8}));
}

TEST(Attention, ExternalCacheCountsItsValidKeys) {
  const Operands operands{floats({1, 1, 2, 1}, {0, 0}),
                          floats({1, 1, 3, 1}, {0, 0, 0}),
                          floats({1, 1, 3, 1}, {2, 4, 100}),
                          std::nullopt,
                          std::nullopt,
                          std::nullopt,
                          ints({2})};
  expect_near(run("Attention", {}, operands), floats({1, 1, 2, 1}, {3, 3}));
  expect_near(run("Attention", {{"is_causal", number(1)}}, operands), floats({1, 1, 2, 1}, {2, 3}));
  Operands too_many = operands;
  too_many[6] = ints({4});
  EXPECT_THAT(error_of("Attention", {}, too_many), HasSubstr("nonpad_kv_seqlen holds 4"));
}

// More queries than one block; rank 3 must equal rank 4 with the axes moved.
TEST(Attention, PackedHeadsAndGroupsMatchSeparateHeads) {
  std::mt19937 rng(20240601);
  const Tensor q = random({2, 150, 4 * 3}, rng);
  const Tensor k = random({2, 7, 2 * 3}, rng);
  const Tensor v = random({2, 7, 2 * 5}, rng);
  const auto split = [](const Tensor& x, std::int64_t heads) {
    const Tensor apart = x.reshaped({x.shape()[0], x.shape()[1], heads, x.shape()[2] / heads});
    return run("Transpose", {{"perm", Ints{0, 2, 1, 3}}}, {apart});
  };
  const Attrs heads{{"q_num_heads", number(4)}, {"kv_num_heads", number(2)}};
  const Tensor packed = run("Attention", heads, {q, k, v});
  expect_near(split(packed, 4), run("Attention", {}, {split(q, 4), split(k, 2), split(v, 2)}));
}

TEST(Attention, RefusesWhatDoesNotFit) {
  const Tensor x = counting({1, 2, 6});
  EXPECT_THAT(error_of("Attention", {}, {x, x, x}), HasSubstr("q_num_heads"));
  EXPECT_THAT(error_of("Attention", {{"q_num_heads", number(4)}, {"kv_num_heads", number(4)}}, {x, x, x}),
              HasSubstr("do not divide"));
  EXPECT_THAT(error_of("Attention", {{"q_num_heads", number(3)}, {"kv_num_heads", number(2)}}, {x, x, x}),
              HasSubstr("size"));
  EXPECT_THAT(error_of("Attention", {}, {two_queries(), two_keys(), two_values(), floats({3, 2}, {0, 0, 0, 0, 0, 0})}),
              HasSubstr("attn_mask [3, 2] does not broadcast"));
  EXPECT_THAT(error_of("Attention", {}, {two_queries(), two_keys(), two_values(), std::nullopt, two_keys()}),
              HasSubstr("given together"));
}

TEST(RotaryEmbedding, RotatesPairsByThePositionsAngle) {
  const Tensor x = floats({1, 1, 2, 4}, {1, 2, 3, 4, 1, 2, 3, 4});
  const Tensor cosines = floats({2, 2}, {1, 1, 0, 0});  // Position 0: no turn; position 1: a quarter.
  const Tensor sines = floats({2, 2}, {0, 0, 1, 1});
  expect_same(run("RotaryEmbedding", {}, {x, cosines, sines, ints({1, 2}, {0, 1})}),
              floats({1, 1, 2, 4}, {1, 2, 3, 4, -3, -4, 1, 2}));
  expect_same(run("RotaryEmbedding", {{"interleaved", number(1)}}, {x, cosines, sines, ints({1, 2}, {1, 0})}),
              floats({1, 1, 2, 4}, {-2, 1, -4, 3, 1, 2, 3, 4}));
  EXPECT_THAT(error_of("RotaryEmbedding", {}, {x, cosines, sines, ints({1, 2}, {0, 2})}),
              HasSubstr("position_ids hold 2"));
}

TEST(SwiGLU, GatesByTheSwish) {
  expect_near(run("SwiGLU", {}, {floats({2}, {0, 1}), floats({2}, {3, 2})}),
              floats({2}, {0, 2.0F / (1.0F + std::exp(-1.0F))}));
}

TEST(LinearAttention, DeltaRuleReplacesWhatTheStateAnswers) {
  const Attrs attrs{
      {"q_num_heads", number(1)}, {"kv_num_heads", number(1)}, {"update_rule", std::string("delta")}, {"scale", 1.0F}};
  const Tensor ones = floats({1, 2, 1}, {1, 1});
  // The same key twice: with beta = 1 the second value replaces the first.
  const auto y =
      run_all("LinearAttention", attrs, {ones, ones, floats({1, 2, 1}, {5, 7}), std::nullopt, std::nullopt, ones}, 2);
  expect_same(y[0], floats({1, 2, 1}, {5, 7}));
  expect_same(y[1], floats({1, 1, 1, 1}, {7}));
}

}  // namespace
}  // namespace halfstep::ops
