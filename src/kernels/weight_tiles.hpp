// weight_tiles.hpp: weights cut up for instructions that saturate sums of two products of bytes.
#pragma once

#include "kernels/packed_gemm.hpp"

namespace halfstep::kernels {

/// Sets left.tiles and left.steps from left.groups. Requires quads.
void add_weight_tiles(PackedLeft& left);

}  // namespace halfstep::kernels
