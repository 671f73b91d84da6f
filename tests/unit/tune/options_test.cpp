// Contract under test: tune/options.hpp.
#include "tune/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace halfstep::tune {
namespace {

template <class List>
std::set<std::string> names_of(const List& list) {
  std::set<std::string> names;
  for (const auto value : list) names.emplace(name_of(value));
  return names;
}

TEST(TuningOptions, EveryValueHasANameOfItsOwn) {
  EXPECT_THAT(names_of(kAlgorithms),
              testing::ElementsAre("bias-correction", "cle", "equalize", "hba", "round", "weight-clip"));
  EXPECT_THAT(names_of(kEfforts), testing::ElementsAre("best", "default", "fast"));
  EXPECT_THAT(names_of(kBiasMethods), testing::ElementsAre("analytic", "empirical", "iterative"));
  EXPECT_THAT(names_of(kClipMethods), testing::ElementsAre("median", "percentile"));
}

TEST(TuningOptions, RoundingAndCorrectionBySamplesAreSwept) {
  TuningOptions options;
  for (const Algorithm algorithm : kAlgorithms) {
    const bool is_last_two = algorithm == Algorithm::kRound || algorithm == Algorithm::kBiasCorrection;
    EXPECT_EQ(is_swept(algorithm, options), is_last_two);
  }
  options.bias_method = BiasMethod::kAnalytic;
  EXPECT_FALSE(is_swept(Algorithm::kBiasCorrection, options));
  EXPECT_TRUE(is_swept(Algorithm::kRound, options));
}

TEST(TuningOptions, WhatChangesTheFloatModelComesFirst) {
  TuningOptions options;
  options.algorithms.assign(kAlgorithms.begin(), kAlgorithms.end());
  EXPECT_TRUE(check(options).ok());
  options.algorithms = {Algorithm::kBiasCorrection, Algorithm::kRound};
  EXPECT_TRUE(check(options).ok());
  options.algorithms = {Algorithm::kCle, Algorithm::kRound, Algorithm::kEqualize};
  const Result<void> wrong = check(options);
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code, ErrorCode::kUsage);
  EXPECT_EQ(
      wrong.error().message,
      "--algorithms: equalize changes the float model, and round, which works on the quantized one, would be lost: "
      "put it last");
  for (const BiasMethod method : kBiasMethods) {
    options.bias_method = method;
    options.algorithms = {Algorithm::kBiasCorrection, Algorithm::kHba};
    EXPECT_FALSE(check(options).ok());
  }
}

}  // namespace
}  // namespace halfstep::tune
