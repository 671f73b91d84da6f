// recipes.hpp: named sets of options, and which source decided each option.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "halfstep/observer.hpp"
#include "halfstep/options.hpp"
#include "halfstep/quantize.hpp"
#include "halfstep/result.hpp"

namespace halfstep {

/// A file of options: configs/NAME.json, or one of the user's.
struct Recipe {
  std::string name;  ///< As it was asked for.
  std::filesystem::path file;
  std::string description;
  GivenOptions options;
  /// Of `options`, those that the recipe's device cannot have otherwise, and why; the command line must not change
  /// them.
  std::vector<std::pair<std::string, std::string>> forbids;
};

/// Where an installed or freshly built program has its recipes: ../share/halfstep/configs, seen from its own folder.
std::filesystem::path recipe_folder();

/// Reads a recipe. What has a '/', ends in .json or is an existing file is a file, anything else the name of one in
/// `folder`. Whether its options are legal is for resolve_options() to say.
/// Errors: kUsage for a name that `folder` does not hold, with the nearest one and all of them; kInvalidInput for a
/// file that is missing or unreadable, or is no recipe.
Result<Recipe> find_recipe(const std::string& name_or_file, const std::filesystem::path& folder = recipe_folder());

/// What decided an option. The command line wins over a recipe, which wins over a target, which wins over
/// --aimet_config and defaults.
enum class OptionSource {
  kDefault,
  kEffort,       ///< --effort, where nobody else decided.
  kAimetConfig,  ///< --aimet_config.
  kTarget,       ///< --target.
  kRecipe,
  kCommandLine,
  kScale,  ///< It follows from the scale, which a stronger source decided.
};

struct OptionOrigin {
  OptionSource source = OptionSource::kDefault;
  std::string through;  ///< The option that stood for this one, such as calibration_option; empty: it itself.
};

/// By name of the option; what is missing has its default.
using OptionOrigins = std::map<std::string, OptionOrigin, std::less<>>;

/// Sets the options of `request`, which has the defaults: first those that a file of --aimet_config stands for, then
/// those of the target that the command line names, those of the recipe, and those of the command line, each in the
/// order of the rows; what none decides follows from --effort (nothing does with --dynamic, which takes few options).
/// Also settles what a scale that was given implies for what a weaker source said, or nobody: the schema of activations
/// (settle_defaults()), and a recipe's arithmetic that needs powers of two. Errors: kInvalidInput, naming the recipe's
/// file, for an option that no recipe may have (with the nearest one), one it forbids but does not set, a value that is
/// not legal, and options that do not go together even without a command line; kUsage for the same on the command line,
/// for widths that --aimet_config has no kernel for, and for what the target cannot do, whoever asked for it; those of
/// reading the files.
Result<OptionOrigins> resolve_options(QuantizeRequest& request, const std::optional<Recipe>& recipe,
                                      const GivenOptions& command_line);

/// One line an option with its value and its source, in columns. The model is read, because it may record the
/// arithmetic; nothing is calibrated or written. Parameters of methods that are not in use are left out.
/// Errors: those of reading the model; kUsage for options that contradict each other or the model.
Result<std::string> explain_options(const QuantizeRequest& request, const std::optional<Recipe>& recipe,
                                    const OptionOrigins& origins, const Observer& observer = {});

}  // namespace halfstep
