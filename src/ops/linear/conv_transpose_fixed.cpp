// conv_transpose_fixed.cpp: ConvTranspose from encodings to integers.
#include <utility>

#include "ops/linear/conv_int.hpp"
#include "ops/linear/product_weights.hpp"
#include "ops/shared/fixed_support.hpp"

namespace halfstep::ops {

Result<FixedForm> lower_conv_transpose_fixed(const FixedArgs& args) {
  const Result<ConvGeometry> geometry = conv_transpose_geometry(args);
  if (!geometry.ok()) return geometry.error();
  const ConvGeometry& g = *geometry;
  if (auto checked = require_conv_encodings(args, g); !checked.ok()) return checked.error();
  if (g.output_shape().num_elements() == 0) return empty_fixed_form();
  const std::int64_t group_in = g.in_channels / g.groups;
  const std::int64_t group_out = g.out_channels / g.groups;
  const std::int64_t taps = g.kernel_size();
  ProductSpec spec;
  spec.rows = g.out_channels * taps;
  spec.k = group_in;
  // An output position adds up some of its channel's taps; the proof counts all of them.
  spec.rows_per_channel = taps;
  spec.row_offset = [=](std::int64_t row) {
    const std::int64_t channel = row / taps;
    return (channel / group_out * group_in * group_out + channel % group_out) * taps + row % taps;
  };
  for (std::int64_t k = 0; k < spec.k; ++k) spec.k_offsets.push_back(k * group_out * taps);
  spec.input_entry = [=](std::int64_t channel) { return static_cast<std::size_t>(channel / group_out * group_in); };
  spec.output_entry = [](std::int64_t channel) { return static_cast<std::size_t>(channel); };
  Result<BuiltProduct> built = build_product(args, spec);
  if (!built.ok()) return built.error();
  FixedForm form;
  form.facts = std::move(built->facts);
  form.facts.kernel = describe_conv(g, "transposed convolution");
  form.replaced_operands = constant_codes(args, 1);
  form.prepared = prepare_int_conv_transpose({.geometry = g,
                                              .product = std::move(built->product),
                                              .centres = std::move(built->centres),
                                              .x_dtype = storage_dtype(args.input_encoding(0)->grid())});
  return form;
}

}  // namespace halfstep::ops
