// Contract under test: src/pipeline/other_units.hpp, and what src/pipeline/comparison.hpp does with it.
#include "pipeline/other_units.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/comparison.hpp"
#include "unit/exec/small_graph.hpp"

namespace halfstep::pipeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

OtherUnits recorded(const std::vector<std::pair<std::string, std::string>>& metadata,
                    std::vector<std::string>* warnings = nullptr) {
  graph::Graph graph;
  graph.metadata = metadata;
  Observer observer;
  if (warnings != nullptr) observer.warning = [warnings](const std::string& line) { warnings->push_back(line); };
  return recorded_units(graph, "m.onnx", observer);
}

TEST(OtherUnits, MetadataGivesThemBack) {
  const OtherUnits units{.rescaled = {"a \"b\"", "c,d"}, .shifted = {"e"}};
  EXPECT_THAT(metadata_of(units), ElementsAre(std::pair("halfstep.rescaled", R"(["a \"b\"","c,d"])"),
                                              std::pair("halfstep.shifted", R"(["e"])")));
  EXPECT_EQ(recorded(metadata_of(units)), units);
}

TEST(OtherUnits, NoneAreNotRecorded) {
  EXPECT_THAT(metadata_of({}), IsEmpty());
  EXPECT_EQ(metadata_of({.rescaled = {"a"}, .shifted = {}}).size(), 1U);
  EXPECT_EQ(recorded({{"halfstep.version", "1"}}), OtherUnits{});
}

TEST(OtherUnits, ATextThatIsNoListHasNoEffectButAWarning) {
  std::vector<std::string> warnings;
  EXPECT_EQ(recorded({{"halfstep.rescaled", "a"}, {"halfstep.shifted", R"(["b"])"}}, &warnings),
            (OtherUnits{.rescaled = {}, .shifted = {"b"}}));
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("m.onnx: metadata halfstep.rescaled has no effect")));
}

TEST(OtherUnits, OnlyModelsInTheSameUnitsAreCompared) {
  const OtherUnits one{.rescaled = {"a"}, .shifted = {}};
  const OtherUnits other{.rescaled = {"a", "b"}, .shifted = {"c"}};
  EXPECT_EQ(incomparable(one, one), OtherUnits{});
  EXPECT_EQ(incomparable(one, {}), one);
  EXPECT_EQ(incomparable({}, one), one);
  // Who equalized a model that was equalized already may have scaled its tensors again.
  EXPECT_EQ(incomparable(other, one), other);
}

/// x -> Relu -> a -> Relu -> b -> Relu -> y, all on one grid.
FloatComparisonOutcome compared(const OtherUnits& incomparable) {
  exec::SmallGraph small;
  small.input("x", {4}).node("Relu", {"x"}, {"a"}).node("Relu", {"a"}, {"b"}).node("Relu", {"b"}, {"y"}).output("y");
  EncodingSet encodings;
  for (const char* name : {"x", "a", "b", "y"}) {
    encodings.emplace(name, TensorEncoding{.encoding = *Encoding::per_tensor({-128, 127}, {0.0625, 0}),
                                           .role = TensorRole::kActivation,
                                           .provenance = {},
                                           .codes = {}});
  }
  FloatComparison request;
  request.reference = &small.graph();
  request.quantized = &small.graph();
  request.encodings = &encodings;
  request.samples = {.count = 1,
                     .load = [](std::int64_t) -> Result<std::vector<Tensor>> {
                       return std::vector{Tensor::of<float>(Shape{4}, {0.5F, -1.0F, 1.1F, 3.3F})};
                     },
                     .place = {}};
  request.num_threads = 1;
  request.isolated = true;
  request.incomparable = incomparable;
  Result<FloatComparisonOutcome> outcome = compare_with_float(request, {});
  EXPECT_TRUE(outcome.ok()) << outcome.error().message;
  return *std::move(outcome);
}

std::vector<std::string> layers_of(const FloatComparisonOutcome& outcome) {
  std::vector<std::string> names;
  for (const auto& layer : outcome.main.layers) names.push_back(layer.name);
  return names;
}

TEST(CompareWithFloat, LeavesOutTensorsInOtherUnitsAndSaysSo) {
  const FloatComparisonOutcome all = compared({});
  EXPECT_THAT(layers_of(all), testing::UnorderedElementsAre("x", "a", "b", "y"));
  EXPECT_THAT(all.warnings, IsEmpty());

  const FloatComparisonOutcome some = compared({.rescaled = {"a", "b", "not there"}, .shifted = {"x"}});
  EXPECT_THAT(layers_of(some), ElementsAre("y"));
  EXPECT_THAT(some.warnings, ElementsAre("2 tensors are scaled by channel (equalize) and are not compared one by one",
                                         "1 tensor is shifted by channel (hba) and is not compared one by one"));
  EXPECT_EQ(some.main.outputs.size(), 1U);
}

}  // namespace
}  // namespace halfstep::pipeline
