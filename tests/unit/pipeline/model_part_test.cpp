// Contract under test: src/pipeline/model_part.hpp. What runs of parts give is tested by tests/cli/parts_test.py.
#include "pipeline/model_part.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/exec/small_graph.hpp"

namespace halfstep::pipeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TensorEncoding on_grid(TensorRole role) {
  return {.encoding = *Encoding::per_tensor({-128, 127}, {0.0625, 0}),
          .role = role,
          .provenance = {},
          .codes = {},
          .frozen = false};
}

/// x -> Conv(w) -> a -> Conv(w) -> b -> Conv(v) -> y; all but b has an encoding.
PreparedModel three_convs() {
  exec::SmallGraph small;
  small.input("x", {1, 2, 4, 4})
      .constant("w", Tensor::of<float>(Shape{2, 2, 1, 1}, {1.0F, -0.5F, 0.25F, 2.0F}))
      .constant("v", Tensor::of<float>(Shape{2, 2, 1, 1}, {0.5F, 1.5F, -1.0F, 0.75F}))
      .node("Conv", {"x", "w"}, {"a"})
      .node("Conv", {"a", "w"}, {"b"})
      .node("Conv", {"b", "v"}, {"y"})
      .output("y");
  PreparedModel model;
  model.graph = small.graph();
  for (const char* name : {"x", "a", "y"}) model.encodings.emplace(name, on_grid(TensorRole::kActivation));
  for (const char* name : {"w", "v"}) model.encodings.emplace(name, on_grid(TensorRole::kWeight));
  return model;
}

std::vector<std::string> encoded(const PreparedModel& model) {
  std::vector<std::string> names;
  for (const auto& [name, entry] : model.encodings) names.push_back(name);
  return names;
}

std::string weight_of(const PreparedModel& model, std::size_t node) {
  return model.graph.value(model.graph.nodes[node].inputs[1]).name;
}

TEST(QuantizeUntil, LeavesEncodingsUpToTheTensorOnly) {
  PreparedModel model = three_convs();
  ASSERT_TRUE(quantize_until({"b"}, model).ok());
  EXPECT_THAT(encoded(model), ElementsAre("a", "w", "x"));
  EXPECT_EQ(weight_of(model, 1), "w");
}

TEST(QuantizeUntil, AConstantThatBothSidesReadIsDoubled) {
  PreparedModel model = three_convs();
  ASSERT_TRUE(quantize_until({"a"}, model).ok());
  EXPECT_TRUE(graph::verify(model.graph).ok());
  EXPECT_THAT(encoded(model), ElementsAre("a", "w", "x"));
  EXPECT_EQ(weight_of(model, 0), "w");
  EXPECT_EQ(weight_of(model, 1), "w_float");
  EXPECT_EQ(weight_of(model, 2), "v");
  EXPECT_TRUE(identical(*graph::constant_of(model.graph, model.graph.nodes[1].inputs[1]),
                        *graph::constant_of(model.graph, model.graph.nodes[0].inputs[1])));
}

TEST(QuantizeUntil, SomethingMustBeQuantized) {
  PreparedModel model = three_convs();
  model.encodings.erase("x");
  const Result<void> done = quantize_until({"x"}, model);
  ASSERT_FALSE(done.ok());
  EXPECT_THAT(done.error().message, HasSubstr("nothing up to 'x' has an encoding"));
  const Result<void> unknown = quantize_until({"gone"}, model);
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, ErrorCode::kUsage);
}

TEST(CutModel, KeepsEncodingsByName) {
  PreparedModel model = three_convs();
  ASSERT_TRUE(cut_model({.from = {"a"}, .to = {"b"}}, {}, model).ok());
  ASSERT_EQ(model.graph.nodes.size(), 1U);
  EXPECT_EQ(model.graph.value(model.graph.inputs[0].value).name, "a");
  EXPECT_NE(find_encoding(model.encodings, weight_of(model, 0)), nullptr);
}

TEST(CutModel, TensorsThatNothingNeedsAreMisuse) {
  PreparedModel model = three_convs();
  const Result<void> done = cut_model({.from = {"b", "a"}, .to = {"y"}}, {}, model);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().message, "--from, --to: no output of the part depends on 'a'");
}

TEST(InheritedGrids, AreThoseOfTensorsWithoutAnEncoding) {
  const PreparedModel model = three_convs();
  const Result<lower::CodeInputs> grids = inherited_grids({"a", "b"}, {}, model, {});
  ASSERT_TRUE(grids.ok()) << grids.error().message;
  ASSERT_EQ(grids->size(), 1U);  // a has one of its own.
  EXPECT_EQ(storage_bits(grids->at("b").grid()), 32);
  EXPECT_EQ(grids->at("b").params()[0].scale, 0.0625 * 0.0625);
}

}  // namespace
}  // namespace halfstep::pipeline
