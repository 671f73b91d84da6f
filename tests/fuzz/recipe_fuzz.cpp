// recipe_fuzz.cpp: the text of a recipe, and what its options make of a request.
#include "fuzz_target.hpp"
#include "halfstep/recipes.hpp"
#include "io/json/recipe_json.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace halfstep;
  Result<io::RecipeText> text = io::read_recipe(fuzz::as_text(data, size), "recipe.json");
  if (!fuzz::succeeded(text)) return 0;
  Recipe recipe;
  recipe.name = "recipe";
  recipe.file = "recipe.json";
  recipe.options = std::move(text->options);
  recipe.forbids = std::move(text->forbids);
  // These would read other files.
  std::erase_if(recipe.options,
                [](const auto& option) { return option.first == "target" || option.first == "aimet_config"; });
  QuantizeRequest request;
  (void)fuzz::succeeded(resolve_options(request, recipe, {}));
  return 0;
}
