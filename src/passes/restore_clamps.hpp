// restore_clamps.hpp: activations that another quantizer left to saturation.
#pragma once

#include "passes/import_qdq.hpp"

namespace halfstep::passes {

/// Quantizers drop a Relu, or a Clip to [0, 6], whose output's grid begins at 0 (and ends at 6): saturation of the
/// codes does the same. The float graph then lacks it. Where the node before an imported grid combines or weights its
/// operands, so that negative values were to be expected, and the grid holds none, a Relu or Clip is put between them.
/// Quantized runs do not change. One note is added if there was anything to do.
ImportedQdq restore_clamps(ImportedQdq imported);

}  // namespace halfstep::passes
