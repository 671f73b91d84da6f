// aimet_sections.hpp: AIMET's sections about mixed precision in a recipe.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "halfstep/result.hpp"

namespace halfstep::io {

/// The options that section "amp" or "autoquant" stands for: candidates (or amp_candidates), pairs of [bits, "int" or
/// "float"] for activations and weights; allowed_accuracy_drop, a share of 1; amp_search_algo; phase2_reverse. What
/// only Python can do, such as eval_callback, is refused by name. Errors: kInvalidInput naming `place` and the key.
Result<std::vector<std::pair<std::string, std::string>>> options_of_section(const std::string& name,
                                                                            const nlohmann::json& section,
                                                                            const std::string& place);

}  // namespace halfstep::io
