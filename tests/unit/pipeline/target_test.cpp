// target_test.cpp: the shipped targets, and targets among the sources of options.
#include "pipeline/target.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "halfstep/recipes.hpp"
#include "precision/target.hpp"

namespace halfstep::pipeline {
namespace {

using testing::HasSubstr;

const std::filesystem::path kTargets = std::string(HALFSTEP_TEST_DATA) + "/../../configs/targets";

std::string file_of(const std::string& name) { return (kTargets / (name + ".json")).string(); }

QuantizeRequest resolved_for(const GivenOptions& command_line, OptionOrigins& origins) {
  QuantizeRequest request;
  const auto done = resolve_options(request, {}, command_line);
  EXPECT_TRUE(done.ok()) << (done.ok() ? "" : done.error().message);
  if (done.ok()) origins = *done;
  return request;
}

std::string refusal_of(const GivenOptions& command_line, const std::optional<Recipe>& recipe = {}) {
  QuantizeRequest request;
  const auto done = resolve_options(request, recipe, command_line);
  EXPECT_FALSE(done.ok());
  if (done.ok()) return "";
  EXPECT_EQ(done.error().code, ErrorCode::kUsage);
  return done.error().message;
}

TEST(Targets, ShippedOnesSayWhatIsKnownAndObeyThemselves) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kTargets)) names.push_back(entry.path().stem().string());
  std::ranges::sort(names);
  EXPECT_EQ(names, (std::vector<std::string>{"esp-dl", "generic-int8", "onnxruntime-x86", "onnxruntime-x86-vnni",
                                             "qnn-htp", "tflite", "tidl", "vitis-dpu"}));
  for (const std::string& name : names) {
    const auto target = find_target(name, kTargets);
    ASSERT_TRUE(target.ok()) << target.error().message;
    EXPECT_FALSE(target->known.empty());
    EXPECT_FALSE(target->assumed.empty());
    OptionOrigins origins;
    resolved_for({{"target", file_of(name)}}, origins);
    EXPECT_EQ(origins["act_bitwidth"].source, OptionSource::kTarget) << name;
  }
}

TEST(Targets, UnknownNamesSuggest) {
  const auto target = find_target("tfilte", kTargets);
  ASSERT_FALSE(target.ok());
  EXPECT_EQ(target.error().code, ErrorCode::kUsage);
  EXPECT_THAT(target.error().message, HasSubstr("there is no target 'tfilte', did you mean 'tflite'? Targets: esp-dl"));
}

TEST(Targets, StandBelowRecipesAndTheCommandLine) {
  const Recipe recipe{
      .name = "r", .file = "r.json", .description = {}, .options = {{"bias_bitwidth", "8"}}, .forbids = {}};
  QuantizeRequest request;
  const auto origins = resolve_options(request, recipe, {{"act_bitwidth", "16"}, {"target", file_of("qnn-htp")}});
  ASSERT_TRUE(origins.ok()) << origins.error().message;
  EXPECT_EQ(request.options.act_bits, 16);
  EXPECT_EQ(request.options.bias_bits, 8);
  EXPECT_EQ(origins->at("act_bitwidth").source, OptionSource::kCommandLine);
  EXPECT_EQ(origins->at("bias_bitwidth").source, OptionSource::kRecipe);
  EXPECT_EQ(origins->at("weights_bitwidth").source, OptionSource::kTarget);
  EXPECT_EQ(request.target, file_of("qnn-htp"));
}

TEST(Targets, RefuseOptionsWithRuleAndRemedy) {
  const std::string esp = file_of("esp-dl");
  EXPECT_EQ(
      refusal_of({{"target", esp}, {"scale", "affine"}, {"arithmetic", "q31_single"}}),
      "--scale affine: target " + esp + " has scales of kind power_of_two only; leave it out, or use power_of_two");
  EXPECT_EQ(refusal_of({{"target", esp}, {"weights_bitwidth", "4"}}),
            "--weights_bitwidth 4: target " + esp + " has weights of 8 or 16 bits only; leave it out, or use 8");
  EXPECT_THAT(refusal_of({{"target", esp}, {"use_per_channel_quantization", "true"}}),
              HasSubstr("has one scale for a weight; leave it out, or use false"));
  EXPECT_THAT(refusal_of({{"target", esp}, {"arithmetic", "shift_half_up"}}),
              HasSubstr("has arithmetic shift_half_even only"));
  EXPECT_THAT(refusal_of({{"target", esp}, {"exclude_nodes", "x"}}), HasSubstr("--exclude_nodes x: target "));
  const std::string tflite = file_of("tflite");
  EXPECT_THAT(refusal_of({{"target", tflite}, {"act_per_channel", "depthwise"}}),
              HasSubstr("--act_per_channel depthwise: target " + tflite + " has one scale for an activation"));
  EXPECT_THAT(refusal_of({{"target", tflite}, {"depthwise_params_16bit", "true"}}), HasSubstr("no 16-bit weights"));
  EXPECT_THAT(refusal_of({{"target", tflite}, {"op_type_bitwidth", "LogSoftmax=16"}}),
              HasSubstr("--op_type_bitwidth LogSoftmax=16: target " + tflite + " has LogSoftmax with 8 bits only"));
  EXPECT_THAT(refusal_of({{"target", tflite}, {"search", "true"}}), HasSubstr("--search tries"));
  EXPECT_THAT(refusal_of({{"target", tflite}, {"calibration_option", "1"}}), HasSubstr("(by --calibration_option)"));
  EXPECT_THAT(refusal_of({{"target", file_of("onnxruntime-x86")}, {"accumulator_bits", "64"}}),
              HasSubstr("has accumulators of 32 bits; leave it out, or use 32"));
  EXPECT_THAT(refusal_of({{"target", file_of("vitis-dpu")}, {"op_type_bitwidth", "Softmax=8"}}),
              HasSubstr("has no Softmax"));
}

TEST(Targets, RefusalsOfARecipeBlameIt) {
  const Recipe recipe{
      .name = "r", .file = "r.json", .description = {}, .options = {{"act_bitwidth", "16"}}, .forbids = {}};
  EXPECT_THAT(refusal_of({{"target", file_of("generic-int8")}}, recipe),
              HasSubstr("the recipe sets --act_bitwidth 16: target "));
}

TEST(Targets, LegalBitsAreTheNarrowestThatAreEnough) {
  const std::vector<NumberKind> kinds{{16, false}, {4, false}, {32, true}};
  EXPECT_EQ(precision::legal_bits(kinds, 4), 4);
  EXPECT_EQ(precision::legal_bits(kinds, 8), 16);
  EXPECT_EQ(precision::legal_bits(kinds, 32), 16);
  EXPECT_EQ(precision::legal_bits({{32, true}}, 8), std::nullopt);
  EXPECT_EQ(precision::text_of(kinds), "16 or 4 bits or float32");
}

}  // namespace
}  // namespace halfstep::pipeline
