// conv_integer.cpp: weights packed at each run, since they may be computed; then windows, tile by tile.
#include "ops/linear/conv_integer.hpp"

#include <algorithm>

#include "kernels/int_columns.hpp"
#include "kernels/int_gemm.hpp"
#include "ops/linear/products.hpp"
#include "ops/shared/quantize_linear.hpp"

namespace halfstep::ops {
namespace {

/// Extents of the product of one group: [group_out, k] times [k, out_size].
struct GroupProduct {
  std::int64_t group_in = 0;
  std::int64_t group_out = 0;
  std::int64_t k_pairs = 0;  ///< Half of taps times input channels, rounded up.
  std::int64_t tile = 0;     ///< Columns laid out at a time.
};

GroupProduct group_product(const ConvGeometry& g) {
  GroupProduct p;
  p.group_in = g.in_channels / g.groups;
  p.group_out = g.out_channels / g.groups;
  p.k_pairs = (p.group_in * g.kernel_size() + 1) / 2;
  p.tile = product_columns(g.out_size(), p.k_pairs);
  return p;
}

/// packed[channel][tap * group_in + input channel], an odd row filled up with 0.
template <class W>
void pack_weights(const ConvGeometry& g, const GroupProduct& p, const ByteConv& conv, std::int16_t* packed) {
  const W* w = conv.weight.data<W>();
  const ConstView& zero_points = conv.weight_zero_points;
  const bool by_channel = zero_points.present() && zero_points.num_elements() > 1;
  const std::int64_t taps = g.kernel_size();
  std::fill_n(packed, 2 * p.k_pairs * g.out_channels, std::int16_t{0});
  for (std::int64_t m = 0; m < g.out_channels; ++m) {
    const std::int32_t zero_point = integer_at(zero_points, by_channel ? m : 0);
    std::int16_t* row = packed + 2 * p.k_pairs * m;
    for (std::int64_t c = 0; c < p.group_in; ++c, w += taps) {
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        row[tap * p.group_in + c] = static_cast<std::int16_t>(w[tap] - zero_point);
      }
    }
  }
}

/// True if a window is one element, and windows follow each other as elements do.
bool reads_elements_in_order(const ConvGeometry& g) {
  return g.kernel_size() == 1 && g.in == g.out && g.stride == std::array<std::int64_t, 3>{1, 1, 1} &&
         g.pad == std::array<std::int64_t, 3>{};
}

}  // namespace

std::size_t convolve_bytes_scratch(const ConvGeometry& g) {
  const GroupProduct p = group_product(g);
  ScratchParts parts;
  parts.take<std::int16_t>(2 * p.k_pairs * g.out_channels);
  parts.take<std::int16_t>(2 * p.k_pairs * p.tile);
  return parts.used();
}

void convolve_bytes(const ConvGeometry& g, const ByteConv& conv, std::byte* scratch, std::int32_t* sums) {
  const GroupProduct p = group_product(g);
  ScratchParts parts(scratch);
  auto* weights = parts.take<std::int16_t>(2 * p.k_pairs * g.out_channels);
  auto* columns = parts.take<std::int16_t>(2 * p.k_pairs * p.tile);
  if (conv.weight.dtype() == DType::kInt8) {
    pack_weights<std::int8_t>(g, p, conv, weights);
  } else {
    pack_weights<std::uint8_t>(g, p, conv, weights);
  }
  const kernels::Windows windows{
      .image = g.in, .steps = g.out, .kernel = g.kernel, .stride = g.stride, .dilation = g.dilation, .pad = g.pad};
  const bool in_order = reads_elements_in_order(g);
  for (std::int64_t image = 0; image < g.batch * g.groups; ++image) {
    const std::byte* x = conv.x.bytes + image * p.group_in * g.in_size();
    const std::int16_t* rows = weights + image % g.groups * p.group_out * 2 * p.k_pairs;
    std::int32_t* y = sums + image * p.group_out * g.out_size();
    for (std::int64_t first = 0; first < g.out_size(); first += p.tile) {
      const std::int64_t last = std::min(g.out_size(), first + p.tile);
      if (in_order) {
        kernels::pack_columns({.codes = x, .dtype = conv.x.dtype(), .k_step = g.in_size(), .centre = conv.x_zero_point},
                              p.group_in, first, last - first, columns);
      } else {
        kernels::pack_windows(
            windows, {.codes = x, .dtype = conv.x.dtype(), .channels = p.group_in, .centre = conv.x_zero_point}, first,
            last, columns);
      }
      kernels::int_gemm({.m = p.group_out,
                         .n = last - first,
                         .k_pairs = p.k_pairs,
                         .a = rows,
                         .a_stride = 2 * p.k_pairs,
                         .b = columns,
                         .b_stride = 2 * (last - first),
                         .acc = y + first,
                         .acc_stride = g.out_size()});
    }
  }
}

}  // namespace halfstep::ops
