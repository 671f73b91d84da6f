// effort.hpp: what options are where nobody decided them.
#pragma once

#include "halfstep/quantize.hpp"
#include "halfstep/recipes.hpp"

namespace halfstep::pipeline {

/// Whether --effort and --search may give activations a grid a channel: affine scales of 8 bits, on targets that have
/// weights by channel.
bool suits_grids_by_channel(const QuantizationOptions& options);

/// Sets algorithms, ranges and grids that no recipe and no user decided by request.tuning.effort and by what was
/// decided: bits, scale, weights by channel. The figures behind the choice are in docs/calibration.md. `origins` say
/// so.
void apply_effort(QuantizeRequest& request, OptionOrigins& origins);

}  // namespace halfstep::pipeline
