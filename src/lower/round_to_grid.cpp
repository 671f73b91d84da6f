// round_to_grid.cpp: prepared fake quantization.
#include "lower/round_to_grid.hpp"

#include <cmath>
#include <vector>

#include "core/half.hpp"
#include "encoding/encoding_set.hpp"
#include "encoding/grid_runs.hpp"
#include "kernels/quantize.hpp"
#include "numerics/factor.hpp"

namespace halfstep::lower {

namespace {

/// Any rule but halves to even, for which there are vector kernels, and grids by block, which no activation has.
ops::Kernel plain_kernel(const Encoding& encoding, numerics::Rounding rounding) {
  return [encoding, rounding](const ops::KernelIo& io) -> Result<void> {
    const MutableView& x = io.outputs[0];
    if (Result<void> fits = check_fits(encoding, x.shape()); !fits.ok()) return fits;
    float* values = x.data<float>();
    for_each_grid_run(x.shape(), encoding, [&](std::int64_t offset, std::int64_t count, std::size_t channel) {
      const QuantParams& p = encoding.params()[channel];
      const auto scale = static_cast<float>(p.scale);
      const auto low = static_cast<float>(encoding.grid().q_min - p.zero_point);
      const auto high = static_cast<float>(encoding.grid().q_max - p.zero_point);
      for (float* at = values + offset; at < values + offset + count; ++at) {
        float steps = *at / scale;
        steps = steps > low ? steps : low;
        steps = steps < high ? steps : high;
        *at = numerics::round_by(steps, rounding) * scale;
      }
    });
    return {};
  };
}

}  // namespace

ops::Kernel round_to_grid_kernel(const Encoding& encoding, numerics::Rounding rounding) {
  if (encoding.block_axis() || (rounding != numerics::Rounding::kHalfEven && storage_bits(encoding.grid()) <= 16)) {
    return plain_kernel(encoding, rounding);
  }
  std::vector<float> scales;
  std::vector<std::int32_t> zero_points;
  for (const QuantParams& params : encoding.params()) {
    scales.push_back(static_cast<float>(params.scale));
    zero_points.push_back(params.zero_point);
  }
  const kernels::GridBounds bounds{encoding.grid().q_min, encoding.grid().q_max};
  if (!encoding.axis()) {
    return [scale = scales[0], zero_point = zero_points[0], bounds](const ops::KernelIo& io) -> Result<void> {
      const MutableView& x = io.outputs[0];
      kernels::quantize_dequantize(x.data<float>(), x.data<float>(), x.num_elements(), scale, zero_point, bounds);
      return {};
    };
  }
  return [encoding, scales, zero_points, bounds](const ops::KernelIo& io) -> Result<void> {
    const MutableView& x = io.outputs[0];
    if (Result<void> fits = check_fits(encoding, x.shape()); !fits.ok()) return fits;
    const int axis = *encoding.axis();
    kernels::quantize_dequantize_per_channel(x.data<float>(), x.data<float>(), x.shape().num_elements(0, axis),
                                             x.shape()[axis], x.shape().num_elements(axis + 1, x.shape().rank()),
                                             scales.data(), zero_points.data(), bounds);
    return {};
  };
}

ops::Kernel round_to_half_kernel() {
  return [](const ops::KernelIo& io) -> Result<void> {
    const MutableView& x = io.outputs[0];
    float* values = x.data<float>();
    for (std::int64_t i = 0; i < x.num_elements(); ++i) values[i] = rounded_to_half(values[i]);
    return {};
  };
}

ops::Kernel nan_to_zero_kernel() {
  return [](const ops::KernelIo& io) -> Result<void> {
    const MutableView& x = io.outputs[0];
    float* values = x.data<float>();
    for (std::int64_t i = 0; i < x.num_elements(); ++i) values[i] = std::isnan(values[i]) ? 0.0F : values[i];
    return {};
  };
}

}  // namespace halfstep::lower
