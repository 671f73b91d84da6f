// conv_fixed.cpp: Conv from encodings to integers.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "ops/linear/conv_int.hpp"
#include "ops/linear/product_weights.hpp"
#include "ops/shared/fixed_support.hpp"

namespace halfstep::ops {
namespace {

// "3x3", or "3" where all axes have the same extent and `shortened`.
std::string extents(const ConvGeometry& g, const std::array<std::int64_t, 3>& values, bool shortened) {
  const auto first = values.end() - g.num_axes;
  if (shortened && std::all_of(first, values.end(), [&](std::int64_t v) { return v == *first; })) {
    return std::to_string(*first);
  }
  std::string text;
  for (auto v = first; v != values.end(); ++v) text += (text.empty() ? "" : "x") + std::to_string(*v);
  return text;
}

}  // namespace

std::string describe_conv(const ConvGeometry& g, std::string_view kind) {
  constexpr std::array<std::int64_t, 3> kOnes = {1, 1, 1};
  std::string text = std::string(kind) + " " + extents(g, g.kernel, false);
  if (g.stride != kOnes) text += ", stride " + extents(g, g.stride, true);
  if (g.dilation != kOnes) text += ", dilation " + extents(g, g.dilation, true);
  if (g.groups != 1) text += ", groups " + std::to_string(g.groups);
  return text;
}

Result<void> require_conv_encodings(const FixedArgs& args, const ConvGeometry& g) {
  if (auto encoded = require_encodings(args, 2); !encoded.ok()) return encoded.error();
  if (auto fits = require_channel_axis(*args.output_encoding(), 1, g.out_channels, "the output"); !fits.ok()) {
    return fits.error();
  }
  const Encoding& x = *args.input_encoding(0);
  if (auto fits = require_channel_axis(x, 1, g.in_channels, "the input"); !fits.ok()) return fits.error();
  if (!x.axis()) return {};
  const auto group_in = static_cast<std::size_t>(g.in_channels / g.groups);
  for (std::size_t i = 0; i < x.params().size(); ++i) {
    if (x.params()[i] == x.params()[i / group_in * group_in]) continue;
    return Error{ErrorCode::kUnsupported, "the input has an encoding for each channel, and a sum runs over " +
                                              std::to_string(group_in) + " of them"};
  }
  return {};
}

Result<FixedForm> lower_conv_fixed(const FixedArgs& args) {
  const Result<ConvGeometry> geometry = conv_geometry(args);
  if (!geometry.ok()) return geometry.error();
  const ConvGeometry& g = *geometry;
  if (auto checked = require_conv_encodings(args, g); !checked.ok()) return checked.error();
  if (g.output_shape().num_elements() == 0) return empty_fixed_form();
  const std::int64_t group_in = g.in_channels / g.groups;
  const std::int64_t group_out = g.out_channels / g.groups;
  const std::int64_t taps = g.kernel_size();
  ProductSpec spec;
  spec.rows = g.out_channels;
  spec.k = group_in * taps;
  spec.row_offset = [=](std::int64_t row) { return row * group_in * taps; };
  for (std::int64_t k = 0; k < spec.k; ++k) spec.k_offsets.push_back(k % group_in * taps + k / group_in);
  if (g.groups == g.in_channels) {
    // k counts the taps, a row of the filter at a time.
    spec.packing = has_byte_depthwise_form(g) ? Packing::kQuads : Packing::kNone;
    spec.k_run = g.kernel[2];
  } else {
    spec.packing = has_panel_form(g) ? Packing::kAny : Packing::kNone;
    spec.k_run = group_in;
  }
  spec.input_entry = [=](std::int64_t channel) { return static_cast<std::size_t>(channel / group_out * group_in); };
  spec.output_entry = [](std::int64_t channel) { return static_cast<std::size_t>(channel); };
  Result<BuiltProduct> built = build_product(args, spec);
  if (!built.ok()) return built.error();
  FixedForm form;
  form.facts = std::move(built->facts);
  form.facts.kernel = describe_conv(g, "convolution");
  form.replaced_operands = constant_codes(args, 1);
  form.prepared = prepare_int_conv({.geometry = g,
                                    .product = std::move(built->product),
                                    .centres = std::move(built->centres),
                                    .x_dtype = storage_dtype(args.input_encoding(0)->grid())});
  return form;
}

}  // namespace halfstep::ops
