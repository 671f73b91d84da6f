// target_json.hpp: the text of a target's profile.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "encoding/target_profile.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// Reads the profile of docs/targets.md; its name is `file`. `operators`: the names of all there are. Whether the
/// options exist and are legal is for others to judge. Errors: kInvalidInput naming file and key ("operators.Conv.
/// weights"): not JSON, an unknown key, word or operator (with the nearest one), a key that is missing, a value of
/// another type, an empty list, numbers out of range.
Result<TargetProfile> read_target(std::string_view text, const std::string& file,
                                  const std::vector<std::string>& operators);

}  // namespace halfstep::io
