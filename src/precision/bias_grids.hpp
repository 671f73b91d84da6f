// bias_grids.hpp: grids of biases, and the weight scales they ask for.
//
//   scale_b[c] = scale_x * scale_w[c], zero_point 0                       (E6)
//
// so that a bias code can start the accumulator. |bias| / scale_b must fit the
// accumulator with room for the products: where it does not, scale_w[c] is raised.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/tensor.hpp"
#include "encoding/encoding.hpp"
#include "encoding/range_to_encoding.hpp"
#include "halfstep/result.hpp"
#include "precision/parameter_grids.hpp"

namespace halfstep::precision {

/// Bias codes stay within +-2^30: half of an int32 accumulator is left to the products.
inline constexpr double kMaxBiasCode = 1073741824.0;

/// Which weight channel bias element i of the last axis belongs to: i modulo
/// the number of weight channels (ConvTranspose repeats them for each group).
/// Empty if `bias` has no such layout, then (E6) does not apply: scalars, [1]
/// behind many channels, and a bias that differs from row to row.
std::optional<std::int64_t> num_bias_channels(const Tensor& bias, std::int64_t num_weight_channels);

/// In the following, `input_scales` has one element, or one for each element of
/// the bias' last axis (depthwise convolution of an input with a grid a channel).

/// Raises scales of `weights` (as little as needed; to the next power of two
/// with kPowerOfTwo) until every bias code fits.
/// Requires: `bias` finite and fits weights.params (num_bias_channels).
struct RaisedScales {
  int num_channels = 0;         ///< How many scales were raised.
  double largest_factor = 1.0;  ///< By how much at most.
};
RaisedScales raise_for_bias(const Tensor& bias, std::span<const double> input_scales, ScaleKind kind,
                            ParameterGrid& weights);

/// (E6) as an int32 encoding for `bias`.
/// Errors: kInvalidInput if a product is not a positive float32.
Result<Encoding> bias_encoding(const Tensor& bias, std::span<const double> input_scales, const Encoding& weights);

/// True if every |bias| / scale stays within kMaxBiasCode.
bool bias_fits(const Tensor& bias, const Encoding& encoding);

/// True if both give every element of `bias` the same scale, but for the rounding of a product to float32.
bool same_bias_scales(const Tensor& bias, const Encoding& a, const Encoding& b);

}  // namespace halfstep::precision
