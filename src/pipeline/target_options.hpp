// target_options.hpp: a target among the sources of options.
#pragma once

#include <optional>

#include "encoding/target_profile.hpp"
#include "halfstep/options.hpp"
#include "halfstep/recipes.hpp"
#include "halfstep/result.hpp"

namespace halfstep::pipeline {

/// The profile that --target names; empty without the option. Errors: those of find_target().
Result<std::optional<TargetProfile>> target_on(const GivenOptions& command_line);

/// Whether `request`, all of whose options stand, is within what the target can do. Errors: kUsage "--act_bitwidth 16:
/// target esp-dl has activations of 8 bits only; leave it out, or use 8"; for what a recipe asks for, "recipe w8a16
/// sets ..."; for a search among schemes that the target does not have.
Result<void> check_target_options(const TargetProfile& target, const QuantizeRequest& request,
                                  const OptionOrigins& origins);

}  // namespace halfstep::pipeline
