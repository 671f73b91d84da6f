// winograd_plan.hpp: how winograd() lays out its scratch; internal to this layer.
#pragma once

#include "kernels/winograd.hpp"

namespace halfstep::kernels {

/// The points are 0, both signs of these, and infinity; all their powers up to a^2 b^2 and b^3 are exact in float32.
/// Measured on random operands, the largest error is a fifth of what the points 1 and 2 give.
inline constexpr float kWinogradA = 0.625F;
inline constexpr float kWinogradB = 1.5F;

/// Tiles are numbered row by row, with one more in each row that means nothing: so the neighbours of a vector of tiles
/// are vectors, too. Scratch holds, in this order,
/// - the transformed input, 36 times [in_channels][tile_stride], input_step floats apart;
/// - the products of a group of output channels, 36 times [kWinogradRows][tile_stride], product_step floats apart;
/// - one padded row of the input, line_floats;
/// - one channel of the padded input as 16 planes: element t of plane i * 4 + j is row i, column j of tile t.
struct WinogradPlan {
  std::int64_t tiles_h = 0;
  std::int64_t tiles_w = 0;         ///< Without the one that means nothing.
  std::int64_t band_rows = 0;       ///< Rows of tiles computed at a time.
  std::int64_t num_tiles = 0;       ///< Of a band, with those that mean nothing.
  std::int64_t tile_stride = 0;     ///< A multiple of 16.
  std::int64_t input_step = 0;      ///< No multiple of 4096 bytes: the 36 would meet in one set of the cache.
  std::int64_t product_step = 0;    ///< The same.
  std::int64_t rows = 0;            ///< Of the padded input, for a band.
  std::int64_t line_floats = 0;     ///< A multiple of 64.
  std::int64_t copied_columns = 0;  ///< Of the input's width: what a line has room for.
  std::int64_t plane_floats = 0;    ///< A multiple of 16.

  std::int64_t num_floats() const { return 36 * (input_step + product_step) + line_floats + 16 * plane_floats; }
};

WinogradPlan plan_winograd(const Conv& args);

}  // namespace halfstep::kernels
