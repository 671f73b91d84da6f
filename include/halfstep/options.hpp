// options.hpp: what the user may set, one row an option, for the command line, recipes, reports, --help and README.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "halfstep/arithmetic.hpp"
#include "halfstep/quantization_options.hpp"
#include "halfstep/quantize.hpp"
#include "halfstep/result.hpp"

namespace halfstep {

/// What the text of a value looks like.
enum class OptionKind {
  kWord,     ///< One of OptionRow::values.
  kBoolean,  ///< true or false, or what else set() takes; on the command line the name alone means true.
  kNumber,   ///< An integer of at least 0.
  kText,     ///< Anything: file names, pairs of numbers.
  kList,     ///< One or more texts; set() is called for each.
};

/// One option of a `Request`. Names are those of the command line without its dashes, of recipes and of reports.
template <class Request>
struct OptionRow {
  std::string_view name;
  OptionKind kind = OptionKind::kText;
  std::vector<std::string_view> values = {};   ///< kWord: what is legal, the default first.
  std::string_view type = "";                  ///< Else: "FILE", "N".
  std::string_view default_text = "";          ///< As a person reads it.
  std::string_view help;                       ///< One line, without the default.
  std::vector<std::string_view> decides = {};  ///< Other rows whose values it sets as well.
  /// Called by set_row(), with words and whole numbers that the row allows.
  /// Errors: kUsage, naming the option, if `text` is not legal otherwise.
  Result<void> (*set)(Request&, const std::string& text) = nullptr;
  /// The value as set() takes it; empty: not set, or not worth a line in reports.
  std::optional<std::string> (*get)(const Request&) = nullptr;
};

/// (name, text) of options as a user gave them.
using GivenOptions = std::vector<std::pair<std::string, std::string>>;
/// Names of options that were given.
using GivenNames = std::set<std::string, std::less<>>;

/// Grids and precision: what a recipe holds, and reports and encodings files record.
std::span<const OptionRow<QuantizationOptions>> precision_options();
/// Algorithms that change the model: recipes hold them, and reports and encodings files record them.
std::span<const OptionRow<TuningOptions>> tuning_options();
/// How fixed-point runs compute; all four tools.
std::span<const OptionRow<FixedPointRequest>> fixed_point_options();
/// Files that quantize writes, and its check at the end.
std::span<const OptionRow<QuantizeRequest>> quantize_options();

/// Sets what `row` is about. The rows above: QuantizationOptions, TuningOptions, FixedPointRequest,
/// QuantizeRequest.
/// Errors: kUsage for a value that is not legal, with those that are and the nearest one.
template <class Request>
Result<void> set_row(const OptionRow<Request>& row, Request& request, const std::string& text);

/// Sets one precision option by name.
/// Errors: kUsage for an unknown name, with the nearest one, and for a value that is not legal, with those that are.
Result<void> set_option(QuantizationOptions& options, std::string_view name, const std::string& text);

/// What follows from other options where the user said nothing: power-of-two scales have no zero point, so the schema
/// of activations is then unsignedsymmetric. `given`: the names that were set.
void settle_defaults(QuantizationOptions& options, const GivenNames& given);

/// Whether what was given on one command line or in one recipe makes sense together.
/// Errors: kUsage if two names set the same thing, or if a parameter's method is not in use, so that it would have no
/// effect.
Result<void> check_given(const QuantizationOptions& options, const GivenNames& given);

/// Errors: kUsage for a parameter of an algorithm, or of a method of one, that does not run. `given`: names that a user
/// set; call it when all sources are applied.
Result<void> check_tuning(const TuningOptions& options, const GivenNames& given);

/// (name, value) of every option of precision and of algorithms with a value, in the order of the rows.
GivenOptions settings_of(const QuantizationOptions& options, const TuningOptions& tuning);

/// The same with the name of the target, if there is one.
GivenOptions settings_of(const QuantizeRequest& request);

/// README's table of quantize's options, in Markdown.
std::string options_markdown();

}  // namespace halfstep
