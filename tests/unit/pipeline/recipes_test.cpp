// recipes_test.cpp: finding recipes, which source decides an option, and TIDL's calibrationOption.
#include "halfstep/recipes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace halfstep {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const std::filesystem::path kConfigs = std::string(HALFSTEP_TEST_DATA) + "/../../configs";

/// The recipes of this repository.
std::vector<std::string> shipped() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kConfigs)) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

Recipe recipe_of(GivenOptions options) {
  return {.name = "r.json", .file = "dir/r.json", .description = "", .options = std::move(options), .forbids = {}};
}

/// Options that resolve without an error, with where they came from.
struct Resolved {
  QuantizeRequest request;
  OptionOrigins origins;

  OptionSource source(const std::string& name) const {
    const auto at = origins.find(name);
    return at == origins.end() ? OptionSource::kDefault : at->second.source;
  }
};
Resolved resolved(const std::optional<Recipe>& recipe, const GivenOptions& command_line) {
  Resolved result;
  const auto origins = resolve_options(result.request, recipe, command_line);
  EXPECT_TRUE(origins.ok()) << (origins.ok() ? "" : origins.error().message);
  if (origins.ok()) result.origins = *origins;
  return result;
}

/// The error of a recipe, or of a command line.
Error error_of(const std::optional<Recipe>& recipe, const GivenOptions& command_line) {
  QuantizeRequest request;
  const auto origins = resolve_options(request, recipe, command_line);
  EXPECT_FALSE(origins.ok());
  return origins.ok() ? Error{} : origins.error();
}

/// Off by default, and never decided by --effort, or only where that decides an option that recipes have.
const std::set<std::string_view> kMayBeLeftOut{"depthwise_params_16bit", "first_layer_params_16bit",
                                               "float_bias_bitwidth",    "block_size",
                                               "strict_symmetric",       "act_per_channel_calibration"};

TEST(Recipes, ShippedOnesAreCompleteAndLegal) {
  ASSERT_GE(shipped().size(), 10u);
  for (const std::string& name : shipped()) {
    const auto recipe = find_recipe(name, kConfigs);
    ASSERT_TRUE(recipe.ok()) << recipe.error().message;
    EXPECT_FALSE(recipe->description.empty()) << name;
    const Resolved result = resolved(*recipe, {});
    for (const auto& row : precision_options()) {
      const bool is_parameter = row.kind != OptionKind::kWord && row.kind != OptionKind::kBoolean;
      if (is_parameter || kMayBeLeftOut.contains(row.name) || !row.decides.empty()) continue;
      EXPECT_EQ(result.source(std::string(row.name)), OptionSource::kRecipe) << name << ": " << row.name;
    }
  }
}

TEST(Recipes, Int8AffineIsEffortFast) {
  const auto recipe = find_recipe("int8-affine", kConfigs);
  ASSERT_TRUE(recipe.ok()) << recipe.error().message;
  const Resolved result = resolved(*recipe, {});
  EXPECT_EQ(result.request.options, QuantizationOptions{});
  EXPECT_EQ(result.request.options, resolved({}, {{"effort", "fast"}}).request.options);
  EXPECT_THAT(result.request.tuning.algorithms, IsEmpty());
  EXPECT_FALSE(result.request.fixed.arithmetic);
}

TEST(Recipes, TidlOnesAreItsCalibrationOptions) {
  const std::vector<std::pair<std::string, std::string>> same{
      {"tidl-simple", "0"}, {"tidl-histogram", "1"}, {"tidl-advanced", "7"}, {"tidl-depthwise", "13"}};
  for (const auto& [name, bits] : same) {
    const auto recipe = find_recipe(name, kConfigs);
    ASSERT_TRUE(recipe.ok()) << recipe.error().message;
    const QuantizeRequest by_name = resolved(*recipe, {}).request;
    const QuantizeRequest by_bits = resolved({}, {{"calibration_option", bits}}).request;
    EXPECT_EQ(by_name.options, by_bits.options) << name;
    EXPECT_EQ(by_name.tuning, by_bits.tuning) << name;
    EXPECT_EQ(by_name.fixed.arithmetic, Arithmetic::kShiftHalfUp);
  }
}

TEST(Recipes, WhatARecipeForbidsTheCommandLineMustNotChange) {
  Recipe recipe = recipe_of({{"act_per_channel", "none"}});
  recipe.forbids = {{"act_per_channel", "the device has one scale"}};
  const Error error = error_of(recipe, {{"act_per_channel", "depthwise"}});
  EXPECT_EQ(error.code, ErrorCode::kUsage);
  EXPECT_EQ(error.message, "--act_per_channel depthwise: recipe r.json forbids it: the device has one scale");
  EXPECT_EQ(resolved(recipe, {{"act_per_channel", "none"}}).source("act_per_channel"), OptionSource::kCommandLine);
  EXPECT_EQ(resolved(recipe, {{"effort", "best"}}).request.options.act_per_channel, ActPerChannel::kNone);
}

TEST(Recipes, WhatARecipeForbidsItMustSay) {
  Recipe recipe = recipe_of({{"act_per_channel", "none"}});
  recipe.forbids = {{"act_per_chanel", "the device has one scale"}};
  const Error error = error_of(recipe, {});
  EXPECT_EQ(error.code, ErrorCode::kInvalidInput);
  EXPECT_EQ(error.message,
            "dir/r.json: 'forbids' names 'act_per_chanel', which 'options' does not set, did you mean "
            "'act_per_channel'?");
}

TEST(Recipes, ShippedOnesForbidGridsByChannelWhereTheDeviceHasNone) {
  for (const char* name : {"onnxruntime", "qnn-default", "qnn-enhanced-cle", "tflite-int8", "tflite-16x8",
                           "tidl-simple", "tidl-histogram", "tidl-advanced", "tidl-depthwise"}) {
    const auto recipe = find_recipe(name, kConfigs);
    ASSERT_TRUE(recipe.ok()) << recipe.error().message;
    EXPECT_THAT(error_of(*recipe, {{"act_per_channel", "depthwise"}}).message,
                StartsWith(std::string("--act_per_channel depthwise: recipe ") + name + " forbids it: "));
  }
}

TEST(Recipes, AWrongNameGetsTheNearestAndAll) {
  const auto missing = find_recipe("tidl-simpel", kConfigs);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kUsage);
  EXPECT_THAT(missing.error().message,
              StartsWith("there is no recipe 'tidl-simpel', did you mean 'tidl-simple'? Recipes: int8-affine, "));
  EXPECT_THAT(find_recipe("zzzzzzzzzzzzzzzz", kConfigs).error().message,
              StartsWith("there is no recipe 'zzzzzzzzzzzzzzzz'. Recipes: int8-affine, "));
  EXPECT_THAT(find_recipe("", kConfigs).error().message, StartsWith("there is no recipe ''"));
  EXPECT_EQ(find_recipe("x", "/nonexistent").error().message, "there is no recipe 'x': /nonexistent holds none");
  EXPECT_EQ(find_recipe("x.json", kConfigs).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(find_recipe("./tidl-simple", kConfigs).error().code, ErrorCode::kInvalidInput);
}

TEST(Recipes, TheCommandLineWins) {
  const Recipe recipe = recipe_of({{"weights_bitwidth", "4"},
                                   {"act_bitwidth", "16"},
                                   {"act_quantizer_calibration", "percentile"},
                                   {"percentile_calibration_value", "99.9"},
                                   {"arithmetic", "q31_double"},
                                   {"accumulator_bits", "32"},
                                   {"encodings_version", "2.0.0"}});
  const Resolved result = resolved(recipe, {{"weights_bitwidth", "16"}, {"act_quantizer_calibration", "mse"}});
  EXPECT_EQ(result.request.options.weight_bits, 16);
  EXPECT_EQ(result.request.options.act_bits, 16);
  EXPECT_EQ(result.request.options.act_range.method, RangeMethod::kMse);
  EXPECT_EQ(result.request.fixed.arithmetic, Arithmetic::kQ31Double);
  EXPECT_EQ(result.request.fixed.accumulator_bits, 32);
  EXPECT_EQ(result.request.encodings_version, "2.0.0");
  EXPECT_EQ(result.source("weights_bitwidth"), OptionSource::kCommandLine);
  EXPECT_EQ(result.source("act_bitwidth"), OptionSource::kRecipe);
  EXPECT_EQ(result.source("bias_bitwidth"), OptionSource::kDefault);
}

TEST(Recipes, TheCommandLineIsJudgedWithWhatTheRecipeSays) {
  const Recipe percentile = recipe_of({{"act_quantizer_calibration", "percentile"}});
  EXPECT_EQ(resolved(percentile, {{"percentile_calibration_value", "99"}}).request.options.act_range.percentile, 99.0);
  EXPECT_EQ(error_of({}, {{"percentile_calibration_value", "99"}, {"effort", "fast"}}).code, ErrorCode::kUsage);
  // Older and newer spelling in two sources are no contradiction: the command line wins.
  const Recipe newer = recipe_of({{"act_quantizer_schema", "symmetric"}, {"act_quantizer_calibration", "mse"}});
  const QuantizationOptions options = resolved(newer, {{"act_quantizer", "enhanced"}}).request.options;
  EXPECT_EQ(options.act_schema, Schema::kAsymmetric);
  EXPECT_EQ(options.act_range.method, RangeMethod::kSqnr);
}

TEST(Recipes, AScaleFromAStrongerSourceSettlesWhatAWeakerOneSaid) {
  const Recipe affine = recipe_of({{"scale", "affine"}, {"act_quantizer_schema", "asymmetric"}});
  const Resolved shifted = resolved(affine, {{"scale", "power_of_two"}});
  EXPECT_EQ(shifted.request.options.act_schema, Schema::kUnsignedSymmetric);
  EXPECT_EQ(shifted.source("act_quantizer_schema"), OptionSource::kScale);

  const Recipe shifts = recipe_of({{"scale", "power_of_two"}, {"arithmetic", "shift_half_up"}});
  const Resolved widened = resolved(shifts, {{"scale", "affine"}});
  EXPECT_FALSE(widened.request.fixed.arithmetic);
  EXPECT_EQ(widened.source("arithmetic"), OptionSource::kScale);
  const Resolved insisted = resolved(shifts, {{"scale", "affine"}, {"arithmetic", "shift_half_even"}});
  EXPECT_EQ(insisted.request.fixed.arithmetic, Arithmetic::kShiftHalfEven);
}

TEST(Recipes, ErrorsNameFileAndKeyWithoutDashes) {
  const auto check = [](GivenOptions options, const std::string& message) {
    const Error error = error_of(recipe_of(std::move(options)), {});
    EXPECT_EQ(error.message, "dir/r.json: " + message);
    EXPECT_EQ(error.code, ErrorCode::kInvalidInput) << message;
  };
  check({{"act_bitwith", "8"}}, "recipes have no option 'act_bitwith', did you mean 'act_bitwidth'?");
  check({{"validate", "8"}}, "recipes have no option 'validate'");
  check({{"act_bitwidth", "7"}}, "act_bitwidth: 7 is not one of 8, 16, 32");
  check({{"arithmetic", "q31"}},
        "arithmetic: q31 is not one of float_half_even, q31_single, q31_double, shift_half_up, "
        "shift_half_even, shift_half_away");
  check({{"act_quantizer", "tf"}, {"act_quantizer_schema", "symmetric"}},
        "act_quantizer and act_quantizer_schema set the same thing, use one of them");
  check({{"mean_std_factor", "3"}}, "mean_std_factor has no effect without act_quantizer_calibration mean-std");
  check({{"scale", "power_of_two"}, {"act_quantizer_schema", "asymmetric"}},
        "activations: power-of-two scales leave no zero point: use schema symmetric or unsignedsymmetric, not "
        "asymmetric");
  check({{"calibration_option", "71"}},
        "calibration_option: 71 asks for bias range (64), which this version does not have; use 7");
}

TEST(CalibrationOption, BitsAreRangesGranularityAndAlgorithms) {
  for (int bits = 0; bits < 64; ++bits) {
    const QuantizeRequest request = resolved({}, {{"calibration_option", std::to_string(bits)}}).request;
    const QuantizationOptions& options = request.options;
    EXPECT_EQ(options.scale, ScaleKind::kPowerOfTwo);
    EXPECT_EQ(options.act_schema, Schema::kUnsignedSymmetric);
    EXPECT_EQ(options.param_schema, Schema::kSymmetric);
    EXPECT_EQ(options.act_range.method, (bits & 1) != 0 ? RangeMethod::kPercentile : RangeMethod::kMinMax) << bits;
    EXPECT_EQ(options.param_range.method, (bits & 2) != 0 ? RangeMethod::kPercentile : RangeMethod::kMinMax) << bits;
    EXPECT_EQ(options.per_channel, (bits & 8) != 0 ? WeightsPerChannel::kDepthwise : WeightsPerChannel::kNone) << bits;
    EXPECT_EQ(options.mixed.depthwise_params_16bit, (bits & 16) != 0) << bits;
    EXPECT_EQ(options.mixed.first_layer_params_16bit, (bits & 32) != 0) << bits;
    EXPECT_DOUBLE_EQ(options.act_range.percentile, 99.99);
    EXPECT_DOUBLE_EQ(options.param_range.percentile, 99.99);
    std::vector<Algorithm> algorithms;
    if ((bits & 12) == 4) algorithms.push_back(Algorithm::kWeightClip);
    if ((bits & 4) != 0) algorithms.push_back(Algorithm::kBiasCorrection);
    EXPECT_EQ(request.tuning.algorithms, algorithms) << bits;
    const bool calibrates = (bits & 4) != 0;
    EXPECT_EQ(request.tuning.bias_method, calibrates ? BiasMethod::kIterative : BiasMethod::kEmpirical) << bits;
  }
}

TEST(CalibrationOption, WhatIsNotBuiltIsNamedWithWhatRemains) {
  const auto message = [](const std::string& text) { return error_of({}, {{"calibration_option", text}}).message; };
  const std::string lacks = ", which this version does not have; use ";
  EXPECT_EQ(message("68"), "--calibration_option: 68 asks for bias range (64)" + lacks + "4");
  EXPECT_EQ(message("103"), "--calibration_option: 103 asks for bias range (64)" + lacks + "39");
  for (const char* wrong : {"128", "255", "-1", "", "1.5", "0x1", "advanced", "99999999999999999999"}) {
    EXPECT_THAT(message(wrong), HasSubstr(std::string(wrong) + " is not a sum of TIDL's 1 ")) << wrong;
  }
}

TEST(CalibrationOption, OtherOptionsOfTheSameSourceWinWhateverTheirOrder) {
  const GivenOptions first{{"calibration_option", "3"}, {"scale", "affine"}, {"param_quantizer_calibration", "mse"}};
  const GivenOptions last(first.rbegin(), first.rend());
  for (const GivenOptions& given : {first, last}) {
    for (const bool from_recipe : {false, true}) {
      const Resolved result = from_recipe ? resolved(recipe_of(given), {}) : resolved({}, given);
      EXPECT_EQ(result.request.options.scale, ScaleKind::kAffine);
      EXPECT_EQ(result.request.options.param_range.method, RangeMethod::kMse);
      EXPECT_EQ(result.request.options.act_range.method, RangeMethod::kPercentile);
      EXPECT_EQ(result.origins.at("act_quantizer_calibration").through, "calibration_option");
      EXPECT_EQ(result.origins.at("scale").through, "");
    }
  }
  // On the command line it wins over all of a recipe.
  const Recipe affine = recipe_of({{"scale", "affine"}, {"act_quantizer_schema", "asymmetric"}});
  EXPECT_EQ(resolved(affine, {{"calibration_option", "0"}}).request.options.scale, ScaleKind::kPowerOfTwo);
}

}  // namespace
}  // namespace halfstep
