// tuning_option_rows_test.cpp: rows of algorithms set what they name, and say what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "halfstep/options.hpp"
#include "tune/options.hpp"

namespace halfstep {
namespace {

using testing::ElementsAre;

const OptionRow<TuningOptions>& tuning_row(std::string_view name) {
  const auto rows = tuning_options();
  const auto row = std::ranges::find(rows, name, &OptionRow<TuningOptions>::name);
  EXPECT_NE(row, rows.end()) << name;
  return *row;
}

Result<void> set_tuning(TuningOptions& options, std::string_view name, const std::string& text) {
  return set_row(tuning_row(name), options, text);
}

/// The message of a value that is refused; every one is a matter of usage.
std::string refusal(std::string_view name, const std::string& text) {
  TuningOptions options;
  const Result<void> done = set_tuning(options, name, text);
  EXPECT_FALSE(done.ok()) << name << " takes " << text;
  if (done.ok()) return {};
  EXPECT_EQ(done.error().code, ErrorCode::kUsage);
  return done.error().message;
}

TEST(TuningRows, AlgorithmsComeInTheirOrder) {
  TuningOptions options;
  ASSERT_TRUE(set_tuning(options, "algorithms", "hba,equalize,bias-correction,round").ok());
  EXPECT_THAT(options.algorithms,
              ElementsAre(Algorithm::kHba, Algorithm::kEqualize, Algorithm::kBiasCorrection, Algorithm::kRound));
  EXPECT_TRUE(options.asked_for);
  EXPECT_EQ(tuning_row("algorithms").get(options), "hba,equalize,bias-correction,round");
  ASSERT_TRUE(set_tuning(options, "algorithms", "none").ok());
  EXPECT_TRUE(options.algorithms.empty());
  EXPECT_TRUE(options.asked_for);
  EXPECT_EQ(tuning_row("algorithms").get(options), "none");
}

TEST(TuningRows, BadListsAreNamed) {
  constexpr auto kList = " Algorithms: cle, equalize, hba, weight-clip, round, bias-correction; or none; or auto";
  EXPECT_EQ(refusal("algorithms", "equalise"),
            std::string("--algorithms: there is no algorithm 'equalise', did you mean 'equalize'?") + kList);
  EXPECT_EQ(
      refusal("algorithms", "round,bias_correction"),
      std::string("--algorithms: there is no algorithm 'bias_correction', did you mean 'bias-correction'?") + kList);
  EXPECT_EQ(refusal("algorithms", "sharpen"), std::string("--algorithms: there is no algorithm 'sharpen'.") + kList);
  for (const char* text : {"", ",", "round,", "cle,,round", " round", "none,round"}) {
    EXPECT_THAT(refusal("algorithms", text), testing::HasSubstr("there is no algorithm")) << text;
  }
  EXPECT_EQ(refusal("algorithms", "round,round"), "--algorithms names round twice");
  EXPECT_EQ(
      refusal("algorithms", "round,cle"),
      "--algorithms: cle changes the float model, and round, which works on the quantized one, would be lost: put "
      "it last");
}

TEST(TuningRows, BadNumbersAreNamed) {
  for (const char* text : {"-0.1", "1.5", "nan", "-nan", "inf", "", "half", "0.5x", "0,5"}) {
    EXPECT_THAT(refusal("equalize_alpha", text), testing::HasSubstr("auto or a number from 0 to 1")) << text;
  }
  for (const char* text : {"0", "-0.05", "1.01", "nan", "inf", ""}) {
    EXPECT_THAT(refusal("bias_calibration_factor", text), testing::HasSubstr("above 0, up to 1")) << text;
  }
  for (const char* name : {"bias_calibration_iterations", "bias_calibration_frames", "tuning_samples"}) {
    for (const char* text : {"0", "-1", "1.5", "", "many", "1000001", "99999999999999999999"}) {
      EXPECT_THAT(refusal(name, text), testing::HasSubstr(name)) << text;
    }
  }
  EXPECT_THAT(refusal("effort", "bests"), testing::HasSubstr("default, fast, best"));
  EXPECT_THAT(refusal("bias_correction_method", "analytical"), testing::HasSubstr("did you mean 'analytic'?"));
  EXPECT_THAT(refusal("weight_clip_method", "mean"), testing::HasSubstr("median, percentile"));
}

TEST(TuningRows, WordsAndNumbersAreReadBack) {
  for (const auto& row : tuning_options()) {
    for (const std::string_view word : row.values) {
      TuningOptions options;
      options.algorithms.assign(tune::kAlgorithms.begin(), tune::kAlgorithms.end());
      ASSERT_TRUE(set_row(row, options, std::string(word)).ok()) << row.name;
      EXPECT_EQ(row.get(options), word) << row.name;
    }
    if (!row.values.empty() || row.name == "algorithms") continue;
    TuningOptions options;
    options.algorithms.assign(tune::kAlgorithms.begin(), tune::kAlgorithms.end());
    ASSERT_TRUE(set_row(row, options, "1").ok()) << row.name;
    EXPECT_EQ(row.get(options), "1") << row.name;
    EXPECT_FALSE(row.get(TuningOptions{}).has_value()) << row.name;
  }
}

TEST(TuningRows, TidlsParametersChooseItsMethod) {
  for (const char* name : {"bias_calibration_factor", "bias_calibration_iterations", "bias_calibration_frames"}) {
    TuningOptions options;
    ASSERT_TRUE(set_tuning(options, name, "1").ok());
    EXPECT_EQ(options.bias_method, BiasMethod::kIterative) << name;
    EXPECT_THAT(tuning_row(name).decides, ElementsAre("bias_correction_method"));
  }
}

TEST(TuningRows, AlphaAutoIsChosenByGroup) {
  TuningOptions options;
  ASSERT_TRUE(set_tuning(options, "equalize_alpha", "0.25").ok());
  EXPECT_EQ(options.equalize_alpha, 0.25);
  EXPECT_FALSE(tuning_row("equalize_alpha").get(options).has_value());  // Nothing equalizes.
  ASSERT_TRUE(set_tuning(options, "equalize_alpha", "auto").ok());
  EXPECT_EQ(options.equalize_alpha, std::nullopt);
}

}  // namespace
}  // namespace halfstep
