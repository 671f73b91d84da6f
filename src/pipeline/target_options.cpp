// target_options.cpp: refusals with the source that is to blame.
#include "pipeline/target_options.hpp"

#include <string>

#include "core/errors.hpp"
#include "pipeline/effort.hpp"
#include "pipeline/recipes.hpp"
#include "pipeline/target.hpp"
#include "precision/target.hpp"

namespace halfstep::pipeline {

Result<std::optional<TargetProfile>> target_on(const GivenOptions& command_line) {
  QuantizeRequest request;
  for (const auto& [name, text] : command_line) {
    if (name == "target") request.target = text;
  }
  return target_of(request);
}

Result<void> check_target_options(const TargetProfile& target, const QuantizeRequest& request,
                                  const OptionOrigins& origins) {
  const bool tries_channels = request.search && suits_grids_by_channel(request.options);
  if (tries_channels && target.activations_per_channel == ActPerChannel::kNone) {
    return usage("--search tries activations with a scale for each channel, and target " + target.name +
                 " has one scale for an activation; leave one of them out");
  }
  const std::optional<precision::Refusal> refusal = precision::refuse(target, request.options, request.fixed);
  if (!refusal) return {};
  const OptionOrigin origin = origin_of(origins, refusal->option);
  const std::string rule = "target " + target.name + " " + refusal->rule;
  const std::string option = "--" + refusal->option + " " + refusal->value;
  if (origin.source == OptionSource::kRecipe) {
    return usage("the recipe sets " + option + ": " + rule + "; leave the recipe out, or " + refusal->remedy);
  }
  const bool implied = origin.source == OptionSource::kScale;
  const std::string through = implied                  ? " (implied by --scale)"
                              : origin.through.empty() ? ""
                                                       : " (by --" + origin.through + ")";
  return usage(option + through + ": " + rule + "; leave it out, or " + refusal->remedy);
}

}  // namespace halfstep::pipeline
