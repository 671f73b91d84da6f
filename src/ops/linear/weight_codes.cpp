// weight_codes.cpp: reads the codes of a weight in the order of a product.
#include "ops/linear/weight_codes.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>

#include "core/errors.hpp"
#include "numerics/rounding.hpp"

namespace halfstep::ops {

WeightCodes::WeightCodes(const FixedArgs& args, const ProductSpec& spec, const Encoding& encoding, const Tensor& codes)
    : args_(args), spec_(spec), encoding_(encoding), codes_(codes) {
  if (spec.k_offsets.empty()) return;
  const auto [least, most] = std::ranges::minmax(spec.k_offsets);
  least_ = least;
  most_ = most;
  in_order_ = least == 0 && most == spec.k - 1 && std::ranges::is_sorted(spec.k_offsets);
}

Result<WeightCodes> WeightCodes::of(const FixedArgs& args, const ProductSpec& spec) {
  const Encoding& encoding = *args.input_encoding(1);
  const Tensor* codes = args.code(1);
  if (codes == nullptr) return unsupported("the weight is not constant");
  const Shape& shape = args.shape(1);
  if (codes->num_elements() != shape.num_elements()) return unsupported("the weight's codes have another shape");
  WeightCodes w(args, spec, encoding, *codes);
  if (encoding.axis()) {
    const int axis = *encoding.axis();
    const std::int64_t extent = axis < shape.rank() ? shape[axis] : -1;
    const auto fits = require_channel_axis(encoding, axis, extent, "the weight");
    if (!fits.ok()) return fits.error();
    w.extent_ = shape[axis];
    w.inner_ = shape.num_elements(axis + 1, shape.rank());
  }
  return w;
}

Result<double> WeightCodes::scale(std::int64_t channel) const {
  if (spec_.k == 0) return encoding_.params()[0].scale;
  const std::int64_t first = channel * spec_.rows_per_channel;
  const double scale = params(spec_.row_offset(first) + spec_.k_offsets[0]).scale;
  if (extent_ == 1) return scale;
  for (std::int64_t row = first; row < first + spec_.rows_per_channel; ++row) {
    const std::int64_t offset = spec_.row_offset(row);
    const bool holds = shares_params(offset) ? params(offset + least_).scale == scale
                                             : std::ranges::all_of(spec_.k_offsets, [&](std::int64_t k_offset) {
                                                 return params(offset + k_offset).scale == scale;
                                               });
    if (!holds) {
      return unsupported("the weight's scales run along axis " + std::to_string(*encoding_.axis()) +
                         ", over which the sums run");
    }
  }
  return scale;
}

void WeightCodes::fill(std::int64_t channel, std::optional<double> raised_scale, std::int32_t* to) const {
  const std::int32_t sign = spec_.alpha < 0.0 ? -1 : 1;
  visit_dtype(codes_.dtype(), [&]<class T>() {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      const T* codes = codes_.data<T>();
      for (std::int64_t row = 0; row < spec_.rows_per_channel && spec_.k > 0; ++row, to += spec_.k) {
        const std::int64_t offset = spec_.row_offset(channel * spec_.rows_per_channel + row);
        const bool shared = shares_params(offset);
        const std::int32_t zero_point = params(offset + least_).zero_point;
        if (raised_scale || !shared) {
          for (std::int64_t i = 0; i < spec_.k; ++i) {
            const std::int64_t element = offset + spec_.k_offsets[static_cast<std::size_t>(i)];
            const QuantParams& p = params(element);
            const std::int32_t steps = static_cast<std::int32_t>(codes[element]) - p.zero_point;
            to[i] = sign * (raised_scale ? recoded(element, steps, p, *raised_scale) : steps);
          }
        } else if (in_order_) {
          const T* from = codes + offset;
          for (std::int64_t i = 0; i < spec_.k; ++i) to[i] = sign * (static_cast<std::int32_t>(from[i]) - zero_point);
        } else {
          const std::int64_t* k_offsets = spec_.k_offsets.data();
          const T* from = codes + offset;
          for (std::int64_t i = 0; i < spec_.k; ++i) {
            to[i] = sign * (static_cast<std::int32_t>(from[k_offsets[i]]) - zero_point);
          }
        }
      }
    }
  });
}

std::int32_t WeightCodes::recoded(std::int64_t element, std::int32_t steps, const QuantParams& p, double scale) const {
  const Tensor* real = args_.value(1);
  const double real_w = real == nullptr || real->dtype() != DType::kFloat32
                            ? p.scale * steps
                            : static_cast<double>(real->data<float>()[element]);
  const double lowest = static_cast<double>(encoding_.grid().q_min) - p.zero_point;
  const double highest = static_cast<double>(encoding_.grid().q_max) - p.zero_point;
  const double ratio = std::isnan(real_w) ? 0.0 : real_w / scale;
  return static_cast<std::int32_t>(numerics::round_half_even(std::clamp(ratio, lowest, highest)));
}

}  // namespace halfstep::ops
