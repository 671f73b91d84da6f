// Contract under test: src/pipeline/weights_fingerprint.hpp.
#include "pipeline/weights_fingerprint.hpp"

#include <gtest/gtest.h>

#include "unit/exec/small_graph.hpp"

namespace halfstep::pipeline {
namespace {

struct Weights {
  float first = 1.0F;
  float bias = 0.5F;
  std::string name = "w";
};

/// x -> Conv(w, b) -> a -> Add(k) -> s -> Conv(v) -> y
exec::SmallGraph two_convs(const Weights& weights) {
  exec::SmallGraph small;
  small.input("x", {1, 1, 4, 4})
      .constant(weights.name, Tensor::of<float>(Shape{1, 1, 1, 1}, {weights.first}))
      .constant("b", Tensor::of<float>(Shape{1}, {weights.bias}))
      .constant("k", Tensor::of<float>(Shape{1}, {2.0F}))
      .constant("v", Tensor::of<float>(Shape{1, 1, 1, 1}, {3.0F}))
      .node("Conv", {"x", weights.name, "b"}, {"a"})
      .node("Add", {"a", "k"}, {"s"})
      .node("Conv", {"s", "v"}, {"y"})
      .output("y");
  return small;
}

std::string of(const Weights& weights) { return weights_fingerprint(two_convs(weights).graph()); }

TEST(WeightsFingerprint, TellsWeightsAndBiasesAndTheirNamesApart) {
  const std::string plain = of({});
  EXPECT_EQ(of({}), plain);
  EXPECT_EQ(plain.size(), 16U);
  EXPECT_NE(of({.first = 1.0000001F}), plain);
  EXPECT_NE(of({.bias = -0.5F}), plain);
  EXPECT_NE(of({.name = "u"}), plain);
}

TEST(WeightsFingerprint, AnAddedBiasCounts) {
  exec::SmallGraph small = two_convs({});
  small.constant("zero", Tensor::of<float>(Shape{1}, {0.0F}));
  small.last_node().inputs.push_back(small.value("zero"));
  EXPECT_NE(weights_fingerprint(small.graph()), of({}));
}

TEST(WeightsFingerprint, OrderAndOtherConstantsDoNotCount) {
  exec::SmallGraph small;
  small.constant("v", Tensor::of<float>(Shape{1, 1, 1, 1}, {3.0F}))
      .constant("k", Tensor::of<float>(Shape{1}, {7.0F}))
      .input("x", {8, 1, 4, 4})
      .constant("b", Tensor::of<float>(Shape{1}, {0.5F}))
      .constant("w", Tensor::of<float>(Shape{1, 1, 1, 1}, {1.0F}))
      .node("Conv", {"x", "w", "b"}, {"renamed"})
      .node("Relu", {"renamed"}, {"r"})
      .node("Conv", {"r", "v"}, {"y"})
      .output("y");
  EXPECT_EQ(weights_fingerprint(small.graph()), of({}));
}

}  // namespace
}  // namespace halfstep::pipeline
