// recipe_json.hpp: the text of a recipe's file.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "halfstep/result.hpp"

namespace halfstep::io {

/// What a recipe's file says; whether the options exist and are legal is for others to judge.
struct RecipeText {
  std::string description;                                   ///< Empty if there is none.
  std::vector<std::pair<std::string, std::string>> options;  ///< Name and value as on the command line.
  std::vector<std::pair<std::string, std::string>> forbids;  ///< Name of an option, and why it may not change.
};

/// Reads {"description": "...", "options": {"act_bitwidth": 8, ...}, "forbids": {"act_per_channel": "why"}}. Values are
/// texts, numbers or booleans. AIMET's sections "amp" and "autoquant" become options, too (docs/mixed-precision.md).
/// `file` is its name in messages. Errors: kInvalidInput naming file and place: not JSON, a
/// repeated name, a key other than these (with the nearest one), neither options nor a section, a description that is
/// no text, a value of another kind.
Result<RecipeText> read_recipe(std::string_view text, const std::string& file);

}  // namespace halfstep::io
