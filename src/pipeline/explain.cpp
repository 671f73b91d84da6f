// explain.cpp: every option with its value and what decided it.
#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "core/text.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/recipes.hpp"
#include "precision/options.hpp"

namespace halfstep {
namespace {

using pipeline::origin_of;

/// What stands in the three columns.
struct Line {
  std::string option;
  std::string value;
  std::string origin;
};

std::string text_of(const OptionOrigin& origin, const std::optional<Recipe>& recipe, const std::string& target) {
  std::string text;
  switch (origin.source) {
    case OptionSource::kDefault:
      return "default";
    case OptionSource::kEffort:
      return "effort";
    case OptionSource::kAimetConfig:
      text = "AIMET configuration";
      break;
    case OptionSource::kScale:
      return "implied by scale";
    case OptionSource::kTarget:
      text = "target " + target;
      break;
    case OptionSource::kRecipe:
      text = "recipe " + (recipe ? recipe->name : std::string());
      break;
    case OptionSource::kCommandLine:
      text = "command line";
      break;
  }
  return origin.through.empty() ? text : text + " (" + origin.through + ")";
}

/// The value of a row; empty if it has none, or none that has an effect.
template <class Request>
std::optional<std::string> value_of(const OptionRow<Request>& row, const Request& request) {
  std::optional<std::string> value = row.get(request);
  const bool stands_for_others = row.default_text == "not set";
  if (value || stands_for_others) return value;
  if constexpr (std::is_same_v<Request, TuningOptions>) return std::nullopt;  // Of an algorithm that does not run.
  // Reports say nothing of these where they have their defaults.
  if (row.kind == OptionKind::kWord) return std::string(row.values[0]);
  if (row.kind == OptionKind::kBoolean) return std::string(row.default_text);
  return std::nullopt;
}

/// The rule of fixed-point runs, as far as it is known before calibration: see pipeline::fixed_options_for().
Result<Line> explain_arithmetic(const QuantizeRequest& request, Line line, const Observer& observer) {
  Result<pipeline::RawModel> raw = pipeline::read_model(request.model, observer);
  if (!raw.ok()) return raw.error();
  const Result<pipeline::PreparedModel> carried = pipeline::encodings_of_model(*std::move(raw), observer);
  if (!carried.ok()) return carried.error();
  const Result<FixedPointOptions> fixed = pipeline::fixed_options_for(*carried, request.fixed);
  if (!fixed.ok()) return fixed.error();
  Arithmetic rule = fixed->arithmetic;
  const bool power_of_two = request.options.scale == ScaleKind::kPowerOfTwo;
  if (request.fixed.arithmetic) {
    if (carried->encodings.empty() && needs_power_of_two(rule) && !power_of_two) {
      return Error{ErrorCode::kUsage, "--arithmetic " + std::string(name_of(rule)) +
                                          " needs scales that are powers of two; use --scale power_of_two, or another "
                                          "rule"};
    }
  } else if (carried->encodings.empty()) {
    rule = power_of_two ? Arithmetic::kShiftHalfUp : Arithmetic::kQ31Single;
    if (power_of_two) line.origin = text_of({OptionSource::kScale, ""}, {}, "");
  } else if (needs_power_of_two(rule) || name_of(rule) == carried->arithmetic) {
    line.origin = "model";
  }
  line.value = name_of(rule);
  return line;
}

std::string in_columns(const std::vector<Line>& lines) {
  std::size_t option_width = 0;
  std::size_t value_width = 0;
  for (const Line& line : lines) {
    option_width = std::max(option_width, line.option.size());
    value_width = std::max(value_width, line.value.size());
  }
  std::string text;
  for (const Line& line : lines) {
    text += line.option + std::string(option_width + 2 - line.option.size(), ' ');
    text += line.value + std::string(value_width + 2 - line.value.size(), ' ');
    text += line.origin + "\n";
  }
  return text;
}

}  // namespace

Result<std::string> explain_options(const QuantizeRequest& request, const std::optional<Recipe>& recipe,
                                    const OptionOrigins& origins, const Observer& observer) {
  if (Result<void> legal = precision::check(request.options); !legal.ok()) return legal.error();
  Result<Line> arithmetic = explain_arithmetic(
      request, {"arithmetic", "", text_of(origin_of(origins, "arithmetic"), recipe, request.target)}, observer);
  if (!arithmetic.ok()) return arithmetic.error();
  std::vector<Line> lines{{"option", "value", "from"}};
  pipeline::for_each_row(request, [&](const auto& row, const auto& part) {
    if (row.name == "arithmetic") {
      lines.push_back(*arithmetic);
    } else if (request.search && std::ranges::count(pipeline::kSearched, row.name) > 0) {
      if (row.name != "effort") lines.push_back({std::string(row.name), "several", "search"});
    } else if (std::optional<std::string> value = value_of(row, part)) {
      lines.push_back(
          {std::string(row.name), *std::move(value), text_of(origin_of(origins, row.name), recipe, request.target)});
    }
  });
  std::string heading;
  if (recipe) {
    const bool is_users_own = recipe->file == recipe->name;
    heading = (is_users_own ? "File " : "Recipe ") + recipe->name + ": " + recipe->description + "\n\n";
  }
  return heading + in_columns(lines);
}

}  // namespace halfstep
