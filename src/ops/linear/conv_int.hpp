// conv_int.hpp: Conv and ConvTranspose on codes: from scales (*_fixed.cpp) to kernels of integers (*_int.cpp).
#pragma once

#include <vector>

#include "ops/fixed_form.hpp"
#include "ops/linear/conv_geometry.hpp"
#include "ops/linear/products.hpp"

namespace halfstep::ops {

/// A convolution in integers. Rows of the product: output channels, and k counts tap * group_in + input channel; in a
/// ConvTranspose output channels times taps, and k counts the input channels of the group.
struct IntConv {
  ConvGeometry geometry;
  Product product;
  std::vector<Centre> centres;  ///< One, or one for each input channel.
  DType x_dtype = DType::kUint8;

  Centre centre_of_group(std::int64_t group) const {
    if (centres.size() == 1) return centres[0];
    return centres[static_cast<std::size_t>(group * (geometry.in_channels / geometry.groups))];
  }
};

/// Kernels that read operand 0 and write output 0. Neither may be empty.
Prepared prepare_int_conv(IntConv conv);
Prepared prepare_int_conv_transpose(IntConv conv);

/// True if a Conv of this geometry can be formed from panels of its image (kernels/panels.hpp).
bool has_panel_form(const ConvGeometry& g);
/// The kernel that does so. Requires: has_panel_form() and a packed product.
Prepared prepare_panel_conv(IntConv conv);

/// True if a Conv of this geometry, one input channel a group, can be formed from bytes on this processor.
bool has_byte_depthwise_form(const ConvGeometry& g);
/// The kernel that does so. Requires: has_byte_depthwise_form() and a product packed in quads, rows of taps filled up.
Prepared prepare_byte_depthwise(IntConv conv);

/// How a channel is cut into bands of output rows, each with a padded copy of the input rows it reads.
struct BandPlan {
  std::int64_t rows = 0;         ///< Output rows of a band; 0: even one needs too much memory.
  std::int64_t row_size = 0;     ///< Of the padded copy, in elements.
  std::int64_t window_rows = 0;  ///< Input rows that one output row reads, from the first to the last.

  std::int64_t padded_size(const ConvGeometry& g, std::int64_t out_rows) const {
    return ((out_rows - 1) * g.stride[1] + window_rows) * row_size;
  }
};

/// Bands that, with sums of 32 bits, fit a second-level cache.
BandPlan plan_bands(const ConvGeometry& g);

/// The padded copy for output rows [first, first + count): the part [begin, end) of its rows that lies inside the
/// image, and which columns do.
struct Band {
  std::int64_t num_rows = 0;
  std::int64_t top = 0;  ///< Row r of the band is row top + r of the image.
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t left = 0;
  std::int64_t inside = 0;
};
Band band_of(const ConvGeometry& g, const BandPlan& plan, std::int64_t first, std::int64_t count);

/// Errors: kUnsupported unless operand 0's encoding is per tensor, or along axis 1 and the same for all channels of a
/// group; or if the output's is not per tensor or along axis 1.
Result<void> require_conv_encodings(const FixedArgs& args, const ConvGeometry& g);

/// "convolution 3x3, stride 2, groups 32".
std::string describe_conv(const ConvGeometry& g, std::string_view kind);

/// Conv and ConvTranspose, registered by conv_ops().
Result<FixedForm> lower_conv_fixed(const FixedArgs& args);
Result<FixedForm> lower_conv_transpose_fixed(const FixedArgs& args);

}  // namespace halfstep::ops
