// recipes.cpp: finds recipes, and turns recipe and command line into options.
#include "pipeline/recipes.hpp"

#include <algorithm>
#include <array>
#include <system_error>
#include <type_traits>
#include <vector>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/json/recipe_json.hpp"
#include "pipeline/aimet_config.hpp"
#include "pipeline/effort.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/named_files.hpp"
#include "pipeline/quantize_dynamic.hpp"
#include "pipeline/target_options.hpp"
#include "precision/options.hpp"

namespace halfstep {
namespace pipeline {

OptionOrigin origin_of(const OptionOrigins& origins, std::string_view name) {
  const auto at = origins.find(name);
  return at == origins.end() ? OptionOrigin{} : at->second;
}

}  // namespace pipeline

namespace {

using pipeline::for_each_row;
using pipeline::origin_of;
using std::filesystem::path;

constexpr std::string_view kSchemaOfActivations = "act_quantizer_schema";

/// Options of a file have no dashes.
std::string without_dashes(std::string message) {
  if (message.starts_with("--")) message.erase(0, 2);
  for (std::size_t at = message.find(" --"); at != std::string::npos; at = message.find(" --", at + 1)) {
    message.erase(at + 1, 2);
  }
  return message;
}

/// Files to write and the like belong to one run, not to a recipe.
template <class Request>
bool is_for_recipes(const OptionRow<Request>& row) {
  constexpr std::array<std::string_view, 9> kOfRequests{
      "encodings_version",  "calibration_option", "auto_mixed_precision", "amp_candidates", "allowed_accuracy_drop",
      "max_bit_operations", "max_latency_factor", "amp_search",           "phase2_reverse"};
  return !std::is_same_v<Request, QuantizeRequest> || std::ranges::find(kOfRequests, row.name) != kOfRequests.end();
}

Result<void> check_recipe_names(const Recipe& recipe, OptionSource source) {
  std::vector<std::string> known;
  QuantizeRequest any;
  for_each_row(any, [&](const auto& row, const auto&) {
    if (is_for_recipes(row)) known.emplace_back(row.name);
  });
  std::vector<std::string> own;
  for (const auto& [name, text] : recipe.options) {
    own.push_back(name);
    if (std::ranges::find(known, name) != known.end()) continue;
    return invalid(std::string(source == OptionSource::kTarget ? "targets" : "recipes") + " have no option " +
                   quoted(name) + did_you_mean(name, known));
  }
  // Otherwise --effort or --search might choose what the recipe forbids.
  for (const auto& [name, reason] : recipe.forbids) {
    if (std::ranges::find(own, name) != own.end()) continue;
    return invalid("'forbids' names " + quoted(name) + ", which 'options' does not set" + did_you_mean(name, own));
  }
  return {};
}

GivenNames names_of(const GivenOptions& given) {
  GivenNames names;
  for (const auto& [name, text] : given) names.insert(name);
  return names;
}

/// Sets what one source gave, in the order of the rows, whatever its own.
Result<void> apply(QuantizeRequest& request, const GivenOptions& given, OptionSource source, OptionOrigins& origins) {
  Result<void> done;
  for_each_row(request, [&](const auto& row, auto& part) {
    bool is_given = false;
    for (const auto& [name, text] : given) {
      if (name != row.name || !done.ok()) continue;
      is_given = true;
      done = set_row(row, part, text);
    }
    if (!is_given || !done.ok()) return;
    origins[std::string(row.name)] = {source, ""};
    for (const std::string_view other : row.decides) origins[std::string(other)] = {source, std::string(row.name)};
  });
  return done;
}

void settle(QuantizeRequest& request, OptionOrigins& origins) {
  const OptionSource scale = origin_of(origins, "scale").source;
  const OptionOrigin schema = origin_of(origins, kSchemaOfActivations);
  GivenNames firm;
  // QNN's older switch speaks of the method; the schema that comes with it gives way to the scale.
  if (schema.source >= scale && schema.through.empty()) firm.emplace(kSchemaOfActivations);
  const Schema before = request.options.act_schema;
  settle_defaults(request.options, firm);
  const OptionOrigin implied{OptionSource::kScale, ""};
  if (request.options.act_schema != before) origins[std::string(kSchemaOfActivations)] = implied;

  const bool only_shifts = request.fixed.arithmetic && needs_power_of_two(*request.fixed.arithmetic);
  const bool is_weaker = origin_of(origins, "arithmetic").source < scale;
  if (only_shifts && is_weaker && request.options.scale != ScaleKind::kPowerOfTwo) {
    request.fixed.arithmetic.reset();
    origins["arithmetic"] = implied;
  }
}

/// What it decides must be left open.
Result<void> check_search(const OptionOrigins& origins) {
  for (const std::string_view name : pipeline::kSearched) {
    const OptionSource source = origin_of(origins, name).source;
    if (source != OptionSource::kRecipe && source != OptionSource::kCommandLine) continue;
    return usage("--search tries several values of --" + std::string(name) + ", and a " +
                 (source == OptionSource::kRecipe ? "recipe" : "command line") + " sets it: leave one of them out");
  }
  return {};
}

/// What a recipe's device cannot do, the command line must not ask for.
Result<void> check_forbidden(const Recipe& recipe, const GivenOptions& command_line) {
  for (const auto& [name, reason] : recipe.forbids) {
    const auto same_name = [&wanted = name](const auto& option) { return option.first == wanted; };
    const auto asked = std::ranges::find_if(command_line, same_name);
    if (asked == command_line.end()) continue;
    const auto own = std::ranges::find_if(recipe.options, same_name);
    if (own != recipe.options.end() && own->second == asked->second) continue;
    return usage("--" + name + " " + asked->second + ": recipe " + recipe.name + " forbids it: " + reason);
  }
  return {};
}

/// The options that the command line's --aimet_config stands for.
Result<void> apply_aimet_config(QuantizeRequest& request, const std::optional<Recipe>& recipe,
                                const GivenOptions& command_line, OptionOrigins& origins) {
  const auto file = std::ranges::find(command_line, "aimet_config", &GivenOptions::value_type::first);
  if (file == command_line.end() || file->second.empty()) return {};
  const Result<io::QuantsimConfig> config = pipeline::read_aimet_config(file->second);
  if (!config.ok()) return config.error();
  GivenOptions given = command_line;
  if (recipe) given.insert(given.end(), recipe->options.begin(), recipe->options.end());
  const Result<GivenOptions> options = pipeline::options_of(*config, given);
  if (!options.ok()) return options.error();
  return apply(request, *options, OptionSource::kAimetConfig, origins);
}

/// A recipe is judged by itself, whatever the command line changes. `source`: the options of a target are one, too.
Result<void> apply_recipe(QuantizeRequest& request, const Recipe& recipe, OptionSource source, OptionOrigins& origins) {
  if (Result<void> known = check_recipe_names(recipe, source); !known.ok()) return known;
  if (Result<void> done = apply(request, recipe.options, source, origins); !done.ok()) return done;
  QuantizeRequest alone = request;
  OptionOrigins settled = origins;
  settle(alone, settled);
  pipeline::apply_effort(alone, settled);
  if (Result<void> sensible = check_given(alone.options, names_of(recipe.options)); !sensible.ok()) return sensible;
  if (Result<void> sensible = check_tuning(alone.tuning, names_of(recipe.options)); !sensible.ok()) return sensible;
  return precision::check(alone.options);
}

/// The options of a target must be within its own rules.
Result<void> apply_target(QuantizeRequest& request, const TargetProfile& target, OptionOrigins& origins) {
  const Recipe recipe{.name = target.name, .file = {}, .description = {}, .options = target.options, .forbids = {}};
  if (auto done = apply_recipe(request, recipe, OptionSource::kTarget, origins); !done.ok()) return done;
  QuantizeRequest alone = request;
  OptionOrigins settled = origins;
  settle(alone, settled);
  pipeline::apply_effort(alone, settled);
  return pipeline::check_target_options(target, alone, settled);
}

}  // namespace

path recipe_folder() {
  std::error_code failure;
  const path program = std::filesystem::read_symlink("/proc/self/exe", failure);
  return program.parent_path().parent_path() / "share" / "halfstep" / "configs";
}

Result<Recipe> find_recipe(const std::string& name_or_file, const path& folder) {
  Recipe recipe{.name = name_or_file, .file = name_or_file, .description = {}, .options = {}, .forbids = {}};
  Result<path> file = pipeline::find_named_file("recipe", name_or_file, folder);
  if (!file.ok()) return file.error();
  recipe.file = *std::move(file);
  const Result<std::string> text = pipeline::read_text(recipe.file);
  if (!text.ok()) return text.error();
  Result<io::RecipeText> read = io::read_recipe(*text, recipe.file.string());
  if (!read.ok()) return read.error();
  recipe.description = std::move(read->description);
  recipe.options = std::move(read->options);
  recipe.forbids = std::move(read->forbids);
  return recipe;
}

Result<OptionOrigins> resolve_options(QuantizeRequest& request, const std::optional<Recipe>& recipe,
                                      const GivenOptions& command_line) {
  OptionOrigins origins;
  if (auto done = apply_aimet_config(request, recipe, command_line, origins); !done.ok()) return done.error();
  const Result<std::optional<TargetProfile>> target = pipeline::target_on(command_line);
  if (!target.ok()) return target.error();
  if (*target) {
    if (Result<void> done = apply_target(request, **target, origins); !done.ok()) {
      return invalid("target " + (*target)->name + ": options: " + without_dashes(done.error().message));
    }
  }
  if (recipe) {
    if (Result<void> done = apply_recipe(request, *recipe, OptionSource::kRecipe, origins); !done.ok()) {
      return invalid(recipe->file.string() + ": " + without_dashes(done.error().message));
    }
  }
  if (recipe) {
    if (Result<void> allowed = check_forbidden(*recipe, command_line); !allowed.ok()) return allowed.error();
  }
  if (Result<void> done = apply(request, command_line, OptionSource::kCommandLine, origins); !done.ok()) {
    return done.error();
  }
  settle(request, origins);
  if (request.dynamic) {
    if (*target) return usage("--target has no effect with --dynamic: it is about grids that are found beforehand");
    if (auto useful = pipeline::check_dynamic_options(origins); !useful.ok()) return useful.error();
    if (auto sensible = check_given(request.options, names_of(command_line)); !sensible.ok()) return sensible.error();
    return origins;
  }
  if (request.search) {
    if (auto open = check_search(origins); !open.ok()) return open.error();
  } else if (request.time_budget_seconds) {
    return usage("--time_budget has no effect without --search");
  }
  pipeline::apply_effort(request, origins);
  if (auto sensible = check_given(request.options, names_of(command_line)); !sensible.ok()) return sensible.error();
  if (auto legal = check_tuning(request.tuning, names_of(command_line)); !legal.ok()) return legal.error();
  if (*target) {
    if (auto legal = pipeline::check_target_options(**target, request, origins); !legal.ok()) return legal.error();
  }
  return origins;
}

}  // namespace halfstep
