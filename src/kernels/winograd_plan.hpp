// winograd_plan.hpp: how winograd() lays out its scratch; internal to this layer.
#pragma once

#include "kernels/winograd.hpp"

namespace halfstep::kernels {

/// Scratch holds the transformed input, [36][in_channels][tile_stride]; the products of one group of output channels,
/// [36][kWinogradRows][tile_stride]; and one channel of the padded input, split by column modulo 4:
/// [rows][4][phase_floats].
struct WinogradPlan {
  std::int64_t tiles_h = 0;
  std::int64_t tiles_w = 0;
  std::int64_t tile_stride = 0;   ///< Tiles, and room for whole vectors from the first tile of the last row on.
  std::int64_t rows = 0;          ///< Of the padded input.
  std::int64_t phase_floats = 0;  ///< Of one row and phase, a multiple of 16.

  std::int64_t num_tiles() const { return tiles_h * tiles_w; }
};

WinogradPlan plan_winograd(const Conv& args);

}  // namespace halfstep::kernels
