// winograd.hpp: float 3x3 convolution with stride 1 by F(4x4, 3x3): 36 multiplications for 16 outputs instead of 144.
//
// Source: A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, with the points 0, 5/8, -5/8,
// 3/2, -3/2 and infinity (winograd_plan.hpp). Results are off by some 1e-6 of the largest output, two to three times as
// much as those of plain sums, and integers are not exact.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/conv.hpp"

namespace halfstep::kernels {

/// Output channels whose products are in memory at a time.
inline constexpr std::int64_t kWinogradRows = 16;

/// Whether winograd() computes this convolution, faster than conv() does.
bool suits_winograd(const Conv& args);

/// The 36 transformed weights of all pairs of channels: groups of kWinogradRows output channels, each group as
/// [36][its output channels][in_channels]. `args.weight` is read.
std::vector<float> transform_winograd_weight(const Conv& args);

/// Bytes of scratch winograd() needs; the pointers in `args` are not looked at.
std::size_t winograd_scratch_bytes(const Conv& args);

/// What one call computes.
struct WinogradPart {
  std::int64_t first_channel = 0, last_channel = 0;  ///< Of outputs: whole groups of kWinogradRows.
  std::int64_t first_band = 0, last_band = 0;        ///< Of winograd_bands(): rows of outputs.
};
std::int64_t winograd_bands(const Conv& args);

/// As conv() for this part, whatever `args.first` and `args.last` are. `transformed` is
/// transform_winograd_weight(args), `args.weight` is not read. The bits do not depend on the part. Requires
/// suits_winograd(args) and the scratch, 64-byte aligned.
void winograd(const Conv& args, const float* transformed, const WinogradPart& part, float* scratch);

}  // namespace halfstep::kernels
