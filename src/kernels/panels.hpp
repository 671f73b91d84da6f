// panels.hpp: codes laid out as panels of packed_gemm(): groups of neighbours along k.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/im2col.hpp"
#include "kernels/int_columns.hpp"
#include "kernels/packed_gemm.hpp"

namespace halfstep::kernels {

/// panel[g][i], rows `padded` groups apart: group g of column first + i of `matrix`, for n columns. With kPairs,
/// numbers are centred and fit int16; with kQuads codes are 8-bit and matrix.centre is the lowest value of their type.
/// The numbers behind k in the last group are any: the left side has zeros there.
void pack_panel(const CodeMatrix& matrix, Group group, std::int64_t k, std::int64_t first, std::int64_t n,
                std::int64_t padded, std::int32_t* panel);

/// A band of rows of an image as groups of neighbouring channels, padding in place, such that the groups that
/// neighbouring windows read at one tap lie side by side: with stride s there are s lines a row, one for each
/// remainder. k of the product counts tap * channels + channel, the channels of a tap filled up to whole groups.
struct GroupedImage {
  Windows windows;  ///< Of two axes: the first extents are 1.
  Group group = Group::kQuads;
  std::int64_t channels = 0;
  std::int64_t band_rows = 0;  ///< Rows of output at a time.
  std::int64_t image_rows = 0;
  std::int64_t line = 0;              ///< Groups of a line.
  std::vector<std::int32_t> offsets;  ///< By group along k: what gather_panel() takes.

  std::int64_t channel_groups() const { return (channels + group_size(group) - 1) / group_size(group); }
  std::int64_t row_groups() const { return line * windows.stride[2]; }
  /// Groups of the band, and of the line that is put together before it is split.
  std::int64_t band_groups() const { return channel_groups() * image_rows * row_groups() + panel_shape().lanes; }
  std::int64_t scratch_groups() const { return band_groups() + row_groups() + panel_shape().lanes; }
};

/// Bands of about `bytes`, or one row of output. offsets are empty if even that needs more than a few MB.
GroupedImage plan_grouped_image(const Windows& windows, Group group, std::int64_t channels, std::int64_t bytes);

/// Fills the band of `plan` for the output rows [first, first + count) from `image` [channels, image_size].
void group_image(const GroupedImage& plan, const CodeImage& image, std::int64_t first, std::int64_t count,
                 std::int32_t* scratch);

/// panel[k_groups][padded]: the n windows from `first` on, counted from the first row of the band in `scratch`.
void gather_windows(const GroupedImage& plan, const std::int32_t* scratch, std::int64_t first, std::int64_t n,
                    std::int64_t padded, std::int32_t* panel);

}  // namespace halfstep::kernels
