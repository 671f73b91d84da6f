// option_table_test.cpp: rows set what they name, and README shows them.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "halfstep/options.hpp"

namespace halfstep {
namespace {

/// Rows that stand for others say nothing of their own.
bool is_alias(const OptionRow<QuantizationOptions>& row) { return row.default_text == "not set"; }

TEST(OptionTable, EveryLegalWordIsReadBackAsItWasSet) {
  for (const auto& row : precision_options()) {
    if (is_alias(row)) continue;
    for (const std::string_view word : row.values) {
      QuantizationOptions options;
      ASSERT_TRUE(set_option(options, row.name, std::string(word)).ok()) << row.name;
      const std::optional<std::string> value = row.get(options);
      EXPECT_EQ(value.value_or(std::string(row.values[0])), word) << row.name;
    }
  }
}

TEST(OptionTable, TheFirstWordIsTheDefault) {
  const QuantizationOptions defaults;
  for (const auto& row : precision_options()) {
    if (row.values.empty() || is_alias(row)) continue;
    QuantizationOptions options;
    ASSERT_TRUE(set_option(options, row.name, std::string(row.values[0])).ok());
    EXPECT_EQ(options, defaults) << row.name;
  }
}

TEST(OptionTable, SettingsAreTheRowsThatSaySomething) {
  QuantizationOptions options;
  ASSERT_TRUE(set_option(options, "use_per_channel_quantization", "no").ok());
  ASSERT_TRUE(set_option(options, "restrict_quantization_steps", "-0x80 127").ok());
  std::string text;
  for (const auto& [name, value] : settings_of(options, {})) text += name + "=" + value + " ";
  EXPECT_EQ(text,
            "act_bitwidth=8 weights_bitwidth=8 bias_bitwidth=32 act_quantizer_schema=asymmetric "
            "param_quantizer_schema=symmetric use_per_channel_quantization=false scale=affine "
            "act_quantizer_calibration=min-max restrict_quantization_steps=-128 127 algorithms=none ");
}

TEST(OptionTable, WhatIsWrongIsNamed) {
  QuantizationOptions options;
  EXPECT_EQ(set_option(options, "act_bitwith", "8").error().message,
            "there is no option 'act_bitwith', did you mean 'act_bitwidth'?");
  EXPECT_EQ(set_option(options, "act_bitwidth", "7").error().message, "--act_bitwidth: 7 is not one of 8, 16, 32");
  EXPECT_EQ(set_option(options, "use_per_channel_quantization", "maybe").error().message,
            "--use_per_channel_quantization: maybe is not true, false or depthwise");
  EXPECT_FALSE(set_option(options, "restrict_quantization_steps", "1 2 3").ok());
  EXPECT_EQ(options, QuantizationOptions{});
}

TEST(OptionTable, PowersOfTwoChangeTheDefaultSchemaOnly) {
  QuantizationOptions options;
  ASSERT_TRUE(set_option(options, "scale", "power_of_two").ok());
  QuantizationOptions chosen = options;
  settle_defaults(options, {"scale"});
  EXPECT_EQ(options.act_schema, Schema::kUnsignedSymmetric);
  settle_defaults(chosen, {"scale", "act_quantizer_schema"});
  EXPECT_EQ(chosen.act_schema, Schema::kAsymmetric);
}

TEST(OptionTable, OlderSpellingsSetSchemaAndMethod) {
  QuantizationOptions options;
  ASSERT_TRUE(set_option(options, "act_quantizer", "enhanced").ok());
  ASSERT_TRUE(set_option(options, "param_quantizer", "adjusted").ok());
  EXPECT_EQ(options.act_range.method, RangeMethod::kSqnr);
  EXPECT_EQ(options.act_schema, Schema::kAsymmetric);
  EXPECT_EQ(options.param_range.method, RangeMethod::kAdjusted);
  EXPECT_EQ(options.param_schema, Schema::kAsymmetric);
  ASSERT_TRUE(set_option(options, "act_quantizer", "symmetric").ok());
  EXPECT_EQ(options.act_range.method, RangeMethod::kMinMax);
  EXPECT_EQ(options.act_schema, Schema::kSymmetric);
  EXPECT_EQ(set_option(options, "act_quantizer", "adjusted").error().message,
            "--act_quantizer: adjusted is not one of tf, enhanced, symmetric");
}

TEST(OptionTable, ShrinkIsWhatThePercentileLeaves) {
  QuantizationOptions options;
  ASSERT_TRUE(set_option(options, "act_quantizer_calibration", "percentile").ok());
  ASSERT_TRUE(set_option(options, "param_quantizer_calibration", "percentile").ok());
  ASSERT_TRUE(set_option(options, "percentile_act_range_shrink", "0.1").ok());
  EXPECT_DOUBLE_EQ(options.act_range.percentile, 99.9);
  EXPECT_EQ(options.param_range.percentile, 99.99);
  std::string text;
  for (const auto& [name, value] : settings_of(options, {})) {
    if (name.find("percentile") != std::string::npos) text += name + "=" + value + " ";
  }
  EXPECT_EQ(text, "percentile_act_range_shrink=0.1 percentile_wt_range_shrink=0.01 ");
  for (const char* wrong : {"101", "89.9", "nan", "", "99,9"}) {
    EXPECT_FALSE(set_option(options, "percentile_calibration_value", wrong).ok()) << wrong;
  }
}

TEST(OptionTable, WhatWouldHaveNoEffectIsRefused) {
  QuantizationOptions options;
  EXPECT_EQ(check_given(options, {"percentile_calibration_value"}).error().message,
            "--percentile_calibration_value has no effect without --act_quantizer_calibration percentile");
  options.act_range.method = RangeMethod::kPercentile;
  EXPECT_TRUE(check_given(options, {"percentile_calibration_value"}).ok());
  EXPECT_FALSE(check_given(options, {"percentile_wt_range_shrink"}).ok());
  EXPECT_EQ(check_given(options, {"act_quantizer", "act_quantizer_schema"}).error().message,
            "--act_quantizer and --act_quantizer_schema set the same thing, use one of them");
}

TEST(OptionTable, ReadmeShowsTheRows) {
  std::ifstream file(std::string(HALFSTEP_TEST_DATA) + "/../../README.md");
  ASSERT_TRUE(file) << "README.md is not beside tests/";
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_NE(text.str().find("\n" + options_markdown() + "\n"), std::string::npos)
      << "README.md must hold this table:\n\n"
      << options_markdown();
}

}  // namespace
}  // namespace halfstep
