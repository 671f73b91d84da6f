// matmul_test.cpp: MatMul and Gemm against plain loops, and what they refuse.
#include <gtest/gtest.h>

#include <limits>

#include "conv_run_node.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"

namespace halfstep::ops {
namespace {

using conv_testing::error_of;
using conv_testing::expect_near;
using conv_testing::make_node;
using conv_testing::random_tensor;
using conv_testing::run_node;

constexpr std::int64_t kInt64Max = std::numeric_limits<std::int64_t>::max();

Shape with_axes(std::vector<std::int64_t> batch, std::int64_t rows, std::int64_t columns) {
  Shape shape(std::move(batch));
  shape.push_back(rows);
  shape.push_back(columns);
  return shape;
}

// Element of `batch` index `at` in an operand whose leading extents may be 1 or absent.
std::int64_t matrix_of(const Shape& operand, const Shape& batch, std::int64_t at) {
  std::int64_t matrix = 0;
  std::int64_t step = 1;
  for (int axis = batch.rank() - 1, own = operand.rank() - 3; axis >= 0; --axis, --own) {
    const std::int64_t index = at % batch[axis];
    at /= batch[axis];
    if (own < 0) continue;
    if (operand[own] != 1) matrix += index * step;
    step *= operand[own];
  }
  return matrix;
}

TEST(MatMul, BroadcastBatchesMatchPlainLoops) {
  std::mt19937 rng(808);
  const std::vector<std::pair<std::vector<std::int64_t>, std::vector<std::int64_t>>> batches = {
      {{}, {}}, {{3}, {3}}, {{3}, {}}, {{}, {3}}, {{2, 1, 3}, {4, 1}}, {{1, 1}, {2, 3}}, {{2, 3}, {1, 1}}, {{0}, {1}}};
  for (const auto& [a_batch, b_batch] : batches) {
    const std::int64_t m = 5, k = 7, n = 3;
    const Tensor a = random_tensor(rng, with_axes(a_batch, m, k));
    const Tensor b = random_tensor(rng, with_axes(b_batch, k, n));
    const Shape batch = *broadcast(Shape(a_batch), Shape(b_batch));
    graph::Node node = make_node("MatMul", 2);
    node.clamp = graph::FusedClamp{-1.0F, 1.5F, "clip", "pre"};
    const Result<Tensor> y = run_node(node, {a, b});
    ASSERT_TRUE(y.ok()) << y.error().message;
    std::vector<double> expected;
    for (std::int64_t at = 0; at < batch.num_elements(); ++at) {
      const float* left = a.data<float>() + matrix_of(a.shape(), batch, at) * m * k;
      const float* right = b.data<float>() + matrix_of(b.shape(), batch, at) * k * n;
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          double sum = 0.0;
          for (std::int64_t l = 0; l < k; ++l) sum += double{left[i * k + l]} * right[l * n + j];
          expected.push_back(std::clamp(sum, -1.0, 1.5));
        }
      }
    }
    expect_near(*y, with_axes({batch.begin(), batch.end()}, m, n), expected, to_string(batch));
  }
}

TEST(MatMul, VectorsArePromotedAndTheirAxesDropped) {
  const Tensor v = Tensor::of<float>({2}, {1, 10});
  const Tensor m = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  const Tensor stack = Tensor::of<float>({2, 2, 1}, {1, 2, 3, 4});
  const graph::Node node = make_node("MatMul", 2);
  expect_near(*run_node(node, {v, m}), Shape{2}, {31, 42}, "vector times matrix");
  expect_near(*run_node(node, {m, v}), Shape{2}, {21, 43}, "matrix times vector");
  expect_near(*run_node(node, {v, v}), Shape{}, {101}, "vector times vector");
  expect_near(*run_node(node, {v, stack}), (Shape{2, 1}), {21, 43}, "vector times stack");
}

TEST(MatMul, IntegersWrapAround) {
  const Tensor a = Tensor::of<std::int32_t>({1, 2}, {2147483647, -3});
  const Tensor b = Tensor::of<std::int32_t>({2, 2}, {2, 1, 5, -1});
  const Result<Tensor> y = run_node(make_node("MatMul", 2), {a, b});
  ASSERT_TRUE(y.ok()) << y.error().message;
  EXPECT_TRUE(identical(*y, Tensor::of<std::int32_t>({1, 2}, {-17, -2147483646})));
  const Tensor wide = Tensor::of<std::int64_t>({1}, {kInt64Max});
  EXPECT_TRUE(identical(*run_node(make_node("MatMul", 2), {wide, wide}), Tensor::of<std::int64_t>({}, {1})));
}

TEST(MatMul, NothingToSumOverGivesZero) {
  const Result<Tensor> y = run_node(make_node("MatMul", 2), {Tensor(TensorType{DType::kFloat32, Shape{2, 0}}),
                                                             Tensor(TensorType{DType::kFloat32, Shape{0, 3}})});
  ASSERT_TRUE(y.ok());
  expect_near(*y, Shape{2, 3}, {0, 0, 0, 0, 0, 0}, "k = 0");
}

TEST(MatMul, RefusesWhatDoesNotFit) {
  std::mt19937 rng(5);
  const graph::Node node = make_node("MatMul", 2);
  const Tensor a = random_tensor(rng, Shape{2, 3});
  EXPECT_EQ(error_of(node, {a, a}), "operand shapes [2, 3] and [2, 3] do not fit: 3 columns against 2 rows");
  EXPECT_EQ(error_of(node, {a, random_tensor(rng, Shape{})}), "an operand is a scalar, expected at least one axis");
  EXPECT_EQ(error_of(node, {a, Tensor::of<std::int32_t>({3, 1}, {1, 2, 3})}),
            "operand 1 is int32, operand 0 is float32");
  EXPECT_NE(error_of(node, {random_tensor(rng, Shape{2, 1, 3}), random_tensor(rng, Shape{3, 3, 1})}), "");
  const Tensor bytes(TensorType{DType::kInt8, Shape{1, 1}});
  EXPECT_EQ(error_of(node, {bytes, bytes}), "operands are int8, expected float32 or an integer of 32 or 64 bits");
}

TEST(Gemm, EveryOrderFactorAndBiasShapeMatchesPlainLoops) {
  std::mt19937 rng(909);
  const std::int64_t m = 4, n = 6, k = 5;
  for (int bits = 0; bits < 16; ++bits) {
    for (const Shape& bias : {Shape{n}, Shape{m, n}, Shape{m, 1}, Shape{1, n}, Shape{1}, Shape{1, 1}, Shape{}}) {
      const bool transpose_a = (bits & 1) != 0;
      const bool transpose_b = (bits & 2) != 0;
      const double alpha = (bits & 4) != 0 ? 0.5 : 1.0;
      const double beta = (bits & 8) != 0 ? -2.0 : 1.0;
      const Tensor a = random_tensor(rng, transpose_a ? Shape{k, m} : Shape{m, k});
      const Tensor b = random_tensor(rng, transpose_b ? Shape{n, k} : Shape{k, n});
      const Tensor c = random_tensor(rng, bias);
      graph::Node node = make_node("Gemm", 3);
      node.attributes.set("transA", std::int64_t{transpose_a});
      node.attributes.set("transB", std::int64_t{transpose_b});
      node.attributes.set("alpha", static_cast<float>(alpha));
      node.attributes.set("beta", static_cast<float>(beta));
      node.clamp = graph::FusedClamp{-1.0F, 1.0F, "clip", "pre"};
      const std::int64_t c_columns = bias.rank() > 0 ? bias[bias.rank() - 1] : 1;
      const std::int64_t c_rows = bias.rank() > 1 ? bias[0] : 1;
      std::vector<double> expected;
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          double sum = 0.0;
          for (std::int64_t l = 0; l < k; ++l) {
            sum += double{a.data<float>()[transpose_a ? l * m + i : i * k + l]} *
                   b.data<float>()[transpose_b ? j * k + l : l * n + j];
          }
          const std::int64_t at = (c_rows == 1 ? 0 : i) * c_columns + (c_columns == 1 ? 0 : j);
          expected.push_back(std::clamp(alpha * sum + beta * c.data<float>()[at], -1.0, 1.0));
        }
      }
      const Result<Tensor> y = run_node(node, {a, b, c});
      ASSERT_TRUE(y.ok()) << y.error().message;
      expect_near(*y, Shape{m, n}, expected, to_string(bias) + " bits " + std::to_string(bits));
    }
  }
}

TEST(Gemm, IntegersTakeWholeFactorsOnly) {
  const Tensor a = Tensor::of<std::int64_t>({1, 2}, {3, 4});
  const Tensor b = Tensor::of<std::int64_t>({2, 1}, {5, -6});
  const Tensor c = Tensor::of<std::int64_t>({1}, {100});
  graph::Node node = make_node("Gemm", 3);
  node.attributes.set("alpha", 2.0F);
  node.attributes.set("beta", -1.0F);
  const Result<Tensor> y = run_node(node, {a, b, c});
  ASSERT_TRUE(y.ok()) << y.error().message;
  EXPECT_TRUE(identical(*y, Tensor::of<std::int64_t>({1, 1}, {-118})));
  node.attributes.set("alpha", 0.5F);
  EXPECT_EQ(error_of(node, {a, b, c}), "alpha and beta must be whole numbers for integer operands");
  node.attributes.set("alpha", std::numeric_limits<float>::quiet_NaN());
  EXPECT_NE(error_of(node, {a, b, c}), "");
}

TEST(Gemm, RefusesWhatDoesNotFit) {
  std::mt19937 rng(6);
  const Tensor a = random_tensor(rng, Shape{2, 3});
  const Tensor b = random_tensor(rng, Shape{3, 4});
  const graph::Node node = make_node("Gemm", 3);
  EXPECT_EQ(error_of(node, {a, b, random_tensor(rng, Shape{3})}),
            "operand C has shape [3], which does not broadcast to [2, 4]");
  EXPECT_NE(error_of(node, {a, b, random_tensor(rng, Shape{1, 2, 4})}), "");
  EXPECT_EQ(error_of(make_node("Gemm", 2), {a, a}),
            "operand shapes [2, 3] and [2, 3] do not fit: 3 against 2 to sum over");
  EXPECT_EQ(error_of(make_node("Gemm", 2), {random_tensor(rng, Shape{2, 3, 1}), b}),
            "operands have shapes [2, 3, 1] and [3, 4], expected matrices");
}

TEST(MatMulWeights, ChannelAxisFollowsTheLayout) {
  graph::Node node = make_node("Gemm", 2);
  EXPECT_EQ(weight_channel_axis(*find_op("", "Gemm"), node, Shape{3, 4}), 1);
  node.attributes.set("transB", std::int64_t{1});
  EXPECT_EQ(weight_channel_axis(*find_op("", "Gemm"), node, Shape{3, 4}), 0);
  EXPECT_EQ(weight_channel_axis(*find_op("", "MatMul"), node, Shape{2, 3, 4}), 2);
  EXPECT_EQ(weight_channel_axis(*find_op("", "MatMul"), node, Shape{3}), std::nullopt);
}

}  // namespace
}  // namespace halfstep::ops
