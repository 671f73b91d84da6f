// recipe_json_test.cpp: what a recipe's file may say.
#include "io/json/recipe_json.hpp"

#include <gtest/gtest.h>

namespace halfstep::io {
namespace {

TEST(ReadRecipe, ValuesBecomeTheTextOfTheCommandLine) {
  const auto recipe = read_recipe(
      R"({"description": "d", "options": {"a": "word", "b": 8, "c": true, "d": 0.01, "e": false, "f": -3, "g": ""}})",
      "r.json");
  ASSERT_TRUE(recipe.ok()) << recipe.error().message;
  EXPECT_EQ(recipe->description, "d");
  std::string text;
  for (const auto& [name, value] : recipe->options) text += name + "=" + value + " ";
  EXPECT_EQ(text, "a=word b=8 c=true d=0.01 e=false f=-3 g= ");
}

TEST(ReadRecipe, DescriptionMayBeMissingAndOptionsEmpty) {
  const auto recipe = read_recipe(R"({"options": {}})", "r.json");
  ASSERT_TRUE(recipe.ok()) << recipe.error().message;
  EXPECT_TRUE(recipe->options.empty());
}

TEST(ReadRecipe, ErrorsNameFileAndPlace) {
  struct Bad {
    std::string text;
    std::string message;
  };
  const std::vector<Bad> bad = {
      {"", "r.json: not valid JSON at byte 1, line 1: the file is empty"},
      {"{\"options\": {\n\"a\": 1,\n}}", "r.json: not valid JSON at byte 23, line 3"},
      {R"({"options": {"a": 1e999}})", "r.json: not valid JSON: a number on line 1 is out of range"},
      {R"({"options": {"a": 1, "a": 2}})", "r.json: the name 'a' occurs twice in one object, again on line 1"},
      {"[]", "r.json: the document is not an object"},
      {"{}", "r.json: there is no key 'options'"},
      {R"({"options": []})", "r.json: 'options' is not an object"},
      {R"({"option": {}})",
       "r.json: a recipe holds 'description', 'options', 'forbids', 'amp' or 'autoquant', not 'option', did you mean "
       "'options'?"},
      {R"({"author": "", "options": {}})",
       "r.json: a recipe holds 'description', 'options', 'forbids', 'amp' or 'autoquant', not 'author'"},
      {R"({"description": 1, "options": {}})", "r.json: 'description' is not a text"},
      {R"({"description": "a\nb", "options": {}})", "r.json: 'description' is not one line of text"},
      {R"({"options": {"a": null}})", "r.json: the value of 'a' is not a line of text, a number or a boolean"},
      {R"({"options": {"a": [8]}})", "r.json: the value of 'a' is not a line of text, a number or a boolean"},
      {R"({"options": {"a": "\u0007"}})", "r.json: the value of 'a' is not a line of text, a number or a boolean"},
  };
  for (const Bad& file : bad) {
    const auto recipe = read_recipe(file.text, "r.json");
    ASSERT_FALSE(recipe.ok()) << file.text;
    EXPECT_EQ(recipe.error().message, file.message);
    EXPECT_EQ(recipe.error().code, ErrorCode::kInvalidInput) << file.text;
  }
}

}  // namespace
}  // namespace halfstep::io
