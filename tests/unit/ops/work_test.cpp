// work_test.cpp: estimates of a node's work are exact for products and never too small.
#include "ops/work.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace halfstep::ops {
namespace {

double work(const std::string& type, const std::vector<Shape>& inputs, const Shape& output) {
  graph::Node node;
  node.op_type = type;
  node.outputs = {0};
  std::vector<TensorType> types;
  for (const Shape& shape : inputs) types.push_back({DType::kFloat32, shape});
  std::vector<const TensorType*> operands;
  for (const TensorType& operand : types) operands.push_back(&operand);
  const std::vector<const Tensor*> values(operands.size(), nullptr);
  const std::vector<TensorType> outputs{{DType::kFloat32, output}};
  return work_of(*find_op(node), {node, operands, values}, outputs);
}

TEST(WorkOf, IsTheNumberOfElementsAtLeast) {
  EXPECT_EQ(work("Add", {Shape{2, 3}, Shape{3}}, Shape{2, 3}), 6 + 3 + 6);
  EXPECT_EQ(work("Transpose", {Shape{2, 3}}, Shape{3, 2}), 12);
}

TEST(WorkOf, CountsTheProductsOfMatrices) {
  EXPECT_DOUBLE_EQ(work("MatMul", {Shape{2, 3}, Shape{3, 5}}, Shape{2, 5}), 6 + 15 + 10 + 2 * 3 * 5);
  EXPECT_GE(work("MatMul", {Shape{7, 2, 3}, Shape{7, 3, 5}}, Shape{7, 2, 5}), 7 * 2 * 3 * 5);
}

TEST(WorkOf, BoundsTheProductsOfConvolutions) {
  EXPECT_GE(work("Conv", {Shape{1, 4, 9, 9}, Shape{8, 4, 3, 3}}, Shape{1, 8, 7, 7}), 8 * 7 * 7 * 4 * 9);
  EXPECT_GE(work("ConvTranspose", {Shape{1, 8, 7, 7}, Shape{8, 4, 3, 3}}, Shape{1, 4, 9, 9}), 8 * 7 * 7 * 4 * 9);
}

TEST(WorkOf, BoundsWindowsAndRecurrences) {
  EXPECT_GE(work("MaxPool", {Shape{1, 1, 100, 100}}, Shape{1, 1, 100, 100}), 1e8);
  EXPECT_GE(work("LSTM", {Shape{10, 1, 16}, Shape{1, 64, 16}, Shape{1, 64, 16}}, Shape{10, 1, 1, 16}), 10 * 64 * 32);
}

TEST(WorkOf, DoesNotOverflow) {
  const Shape large{1 << 16, 1 << 15};
  EXPECT_GT(work("MaxPool", {large}, large), 1e18);
}

}  // namespace
}  // namespace halfstep::ops
