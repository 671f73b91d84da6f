// round_to_grid.cpp: prepared fake quantization.
#include "lower/round_to_grid.hpp"

#include <vector>

#include "encoding/encoding_set.hpp"
#include "kernels/quantize.hpp"

namespace halfstep::lower {

ops::Kernel round_to_grid_kernel(const Encoding& encoding) {
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

}  // namespace halfstep::lower
