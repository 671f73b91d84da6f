// recipes.hpp: what resolving and explaining options share.
#pragma once

#include <array>
#include <string_view>

#include "halfstep/options.hpp"
#include "halfstep/recipes.hpp"

namespace halfstep::pipeline {

/// Calls visit(row, part) for every row of quantize, with the part of `request` that the row is about.
template <class Request, class Visit>
void for_each_row(Request& request, const Visit& visit) {
  for (const auto& row : quantize_options()) visit(row, request);
  for (const auto& row : fixed_point_options()) visit(row, request.fixed);
  for (const auto& row : precision_options()) visit(row, request.options);
  for (const auto& row : tuning_options()) visit(row, request.tuning);
}

/// What a search decides itself.
constexpr std::array<std::string_view, 7> kSearched{"algorithms",
                                                    "effort",
                                                    "act_quantizer_calibration",
                                                    "param_quantizer_calibration",
                                                    "act_per_channel",
                                                    "act_per_channel_calibration",
                                                    "percentile_calibration_value"};

/// Empty, that is the default, unless something decided the option.
OptionOrigin origin_of(const OptionOrigins& origins, std::string_view name);

}  // namespace halfstep::pipeline
