// recipe_json.cpp: a recipe's document to names and values.
#include "io/json/recipe_json.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/json/aimet_sections.hpp"
#include "io/json/parse_json.hpp"

namespace halfstep::io {
namespace {

bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

Result<RecipeText> read_recipe(std::string_view text, const std::string& file) {
  const Result<nlohmann::json> document = parse_json(text);
  if (!document.ok()) return document.error().at(file);
  if (!document->is_object()) return invalid(file + ": the document is not an object");
  const std::array<std::string, 5> keys{"description", "options", "forbids", "amp", "autoquant"};
  bool has_section = false;
  RecipeText recipe;
  for (const auto& [key, value] : document->items()) {
    if (key == "description") {
      if (!value.is_string()) return invalid(file + ": 'description' is not a text");
      recipe.description = value.get<std::string>();
      if (has_control_characters(recipe.description)) return invalid(file + ": 'description' is not one line of text");
    } else if (key == "forbids") {
      if (!value.is_object()) return invalid(file + ": 'forbids' is not an object");
      for (const auto& [name, why] : value.items()) {
        if (!why.is_string() || has_control_characters(why.get_ref<const std::string&>())) {
          return invalid(file + ": 'forbids' gives no line of text for " + halfstep::quoted(name));
        }
        recipe.forbids.emplace_back(name, why.get<std::string>());
      }
    } else if (key == "amp" || key == "autoquant") {
      if (has_section) return invalid(file + ": 'amp' and 'autoquant' are two ways to the same, give one of them");
      has_section = true;
      Result<std::vector<std::pair<std::string, std::string>>> options = options_of_section(key, value, file);
      if (!options.ok()) return options.error();
      std::ranges::move(*options, std::back_inserter(recipe.options));
    } else if (key != "options") {
      return invalid(file + ": a recipe holds 'description', 'options', 'forbids', 'amp' or 'autoquant', not " +
                     halfstep::quoted(key) + did_you_mean(key, keys));
    }
  }
  const auto options = document->find("options");
  if (options == document->end()) {
    return has_section ? Result<RecipeText>(std::move(recipe)) : invalid(file + ": there is no key 'options'");
  }
  if (!options->is_object()) return invalid(file + ": 'options' is not an object");
  for (const auto& [name, value] : options->items()) {
    if (value.is_string() && !has_control_characters(value.get_ref<const std::string&>())) {
      recipe.options.emplace_back(name, value.get<std::string>());
    } else if (value.is_number() || value.is_boolean()) {
      recipe.options.emplace_back(name, value.dump());
    } else {
      return invalid(file + ": the value of " + halfstep::quoted(name) +
                     " is not a line of text, a number or a boolean");
    }
  }
  return recipe;
}

}  // namespace halfstep::io
