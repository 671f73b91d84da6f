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

/// Errors: kUnsupported unless operand 0's encoding is per tensor, or along axis 1 and the same for all channels of a
/// group; or if the output's is not per tensor or along axis 1.
Result<void> require_conv_encodings(const FixedArgs& args, const ConvGeometry& g);

/// "convolution 3x3, stride 2, groups 32".
std::string describe_conv(const ConvGeometry& g, std::string_view kind);

/// Conv and ConvTranspose, registered by conv_ops().
Result<FixedForm> lower_conv_fixed(const FixedArgs& args);
Result<FixedForm> lower_conv_transpose_fixed(const FixedArgs& args);

}  // namespace halfstep::ops
