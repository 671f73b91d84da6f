// target.hpp: whether options are within what a target can do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "encoding/target_profile.hpp"
#include "halfstep/arithmetic.hpp"
#include "precision/options.hpp"

namespace halfstep::precision {

/// An option that asks for what a target does not have.
struct Refusal {
  std::string option;  ///< "act_bitwidth"
  std::string value;   ///< "16"
  std::string rule;    ///< "has 8-bit activations only"; goes on from the target's name.
  std::string remedy;  ///< "use 8"
};

/// The first option of `options` and `fixed` that the target rules out whatever the model; empty: there is none.
std::optional<Refusal> refuse(const TargetProfile& target, const Options& options, const FixedPointRequest& fixed);

/// The integer width of `kinds` that serves best where `bits` were asked for: the narrowest with as many, else the
/// widest. Empty: there are no integers.
std::optional<int> legal_bits(const std::vector<NumberKind>& kinds, int bits);

/// "8 or 16 bits", "8 bits or float16".
std::string text_of(const std::vector<NumberKind>& kinds);

}  // namespace halfstep::precision
