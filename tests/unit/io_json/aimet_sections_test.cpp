// Contract under test: io/json/aimet_sections.hpp.
#include "io/json/aimet_sections.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/json/recipe_json.hpp"

namespace halfstep::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(AimetSections, BecomeOptions) {
  const Result<RecipeText> amp = read_recipe(
      R"({"options": {"scale": "affine"}, "amp": {"candidates": [[[16, "int"], [8, "int"]], [[16, "float"], [16, "float"]]],
          "allowed_accuracy_drop": 0.02, "amp_search_algo": "BruteForce", "phase2_reverse": true}})",
      "r.json");
  ASSERT_TRUE(amp.ok()) << amp.error().message;
  EXPECT_THAT(amp->options, ElementsAre(Pair("auto_mixed_precision", "true"), Pair("allowed_accuracy_drop", "2.0"),
                                        Pair("amp_search", "brute-force"), Pair("amp_candidates", "W8A16,float"),
                                        Pair("phase2_reverse", "true"), Pair("scale", "affine")));
  const Result<RecipeText> autoquant = read_recipe(R"({"autoquant": {"allowed_accuracy_drop": 0.5}})", "r.json");
  ASSERT_TRUE(autoquant.ok());
  EXPECT_THAT(autoquant->options, ElementsAre(Pair("algorithms", "auto"), Pair("allowed_accuracy_drop", "50.0")));
}

TEST(AimetSections, SayWhatIsWrong) {
  const auto message = [](const char* text) {
    const Result<RecipeText> read = read_recipe(text, "r.json");
    return read.ok() ? std::string() : read.error().message;
  };
  EXPECT_THAT(message(R"({"amp": 3})"), HasSubstr("'amp' is not an object"));
  EXPECT_THAT(message(R"({"amp": {}, "autoquant": {}})"), HasSubstr("give one of them"));
  EXPECT_THAT(message(R"({"amp": {"candidate": []}})"), HasSubstr("did you mean 'candidates'"));
  EXPECT_THAT(message(R"({"amp": {"candidates": []}})"), HasSubstr("amp.candidates is no list"));
  EXPECT_THAT(message(R"({"amp": {"candidates": [[[8, "int"]]]}})"), HasSubstr("holds"));
  EXPECT_THAT(message(R"({"amp": {"candidates": [[[16, "float"], [8, "int"]]]}})"), HasSubstr("holds"));
  EXPECT_THAT(message(R"({"amp": {"allowed_accuracy_drop": 2}})"), HasSubstr("no share from 0 to 1"));
  EXPECT_THAT(message(R"({"amp": {"amp_search_algo": "Random"}})"), HasSubstr("BruteForce"));
  EXPECT_THAT(message(R"({"amp": {"phase2_reverse": 1}})"), HasSubstr("neither true nor false"));
  EXPECT_THAT(message(R"({"autoquant": {"eval_callback": "f"}})"), HasSubstr("is for Python"));
}

}  // namespace
}  // namespace halfstep::io
