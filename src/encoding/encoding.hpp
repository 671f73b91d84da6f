// encoding.hpp: how the real values of one tensor map onto an integer grid.
//
//   real = scale * (q - zero_point),    q_min <= q <= q_max               (E1)
//
// Serialization lives in src/io/json and src/io/onnx and is deliberately absent here.
// Source: docs/numerics.md section 1; Jacob et al., CVPR 2018, equation 1.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/dtype.hpp"
#include "halfstep/quantization_options.hpp"
#include "halfstep/result.hpp"

namespace halfstep {

/// Grids by bit width, 2 to 32 bits. The 32-bit one is signed only.
IntGrid signed_grid(int bits);
IntGrid narrow_signed_grid(int bits);
IntGrid unsigned_grid(int bits);

/// The smallest of 4, 8, 16 and 32 bits whose signed or unsigned grid contains `grid`.
int storage_bits(IntGrid grid);

/// True if `grid` contains negative integers: stored as intN rather than uintN.
inline bool is_signed(IntGrid grid) { return grid.q_min < 0; }

/// The element type that stores codes of `grid`: int8 or uint8 up to 8 bits, int16 or uint16 to 16, int32 beyond.
DType storage_dtype(IntGrid grid);

/// The two constants of (E1) for one tensor or one channel.
struct QuantParams {
  double scale = 1.0;           ///< Real units per integer step. Finite, > 0. A float32 value.
  std::int32_t zero_point = 0;  ///< The integer that means real 0. On the grid.

  friend bool operator==(const QuantParams&, const QuantParams&) = default;
};

/// The largest float32 scale for which both ends of the grid, scale * (q - zero_point), are finite float32 numbers.
/// Requires: the zero point is on the grid.
double largest_scale(IntGrid grid, std::int32_t zero_point);

/// The encoding of one tensor. A value of this type is always valid: the
/// factories are the only way to make one, and no member can be changed.
class Encoding {
 public:
  /// One (scale, zero_point) for the whole tensor.
  /// Scales are rounded to float32, the type every file stores.
  /// Errors: kInvalidInput if the grid is empty, the scale is not finite and
  /// positive as a float32, the zero point lies outside the grid, or an end of
  /// a grid of up to 16 bits is not a finite float32 (of wider ones, biases,
  /// only small codes are in use).
  static Result<Encoding> per_tensor(IntGrid grid, QuantParams params);

  /// One (scale, zero_point) per slice along `axis`.
  /// Shape: params has shape [C], where C is the tensor's extent along `axis`.
  /// Errors: as per_tensor, for any channel; also if `axis` is negative or
  /// `params` is empty. That C matches a tensor is checked where both are seen.
  static Result<Encoding> per_channel(IntGrid grid, int axis, std::vector<QuantParams> params);

  /// One (scale, zero_point) for each block of `block_size` elements along `axis` (the last block may be shorter), at
  /// each place along the other axes. Only constants have such encodings; no integer form reads them.
  /// Shape: params in row-major order of the tensor's shape with extent E of `axis` replaced by ceil(E / block_size).
  /// Errors: as per_channel; also if `block_size` < 1. That the count matches a tensor is checked where both are seen.
  /// Source: ONNX operator DequantizeLinear, opset 21.
  static Result<Encoding> per_block(IntGrid grid, int axis, std::int64_t block_size, std::vector<QuantParams> params);

  IntGrid grid() const { return grid_; }
  std::optional<int> axis() const { return axis_; }              ///< Of channels; empty if not per channel.
  std::optional<int> block_axis() const { return block_axis_; }  ///< Empty if not per block.
  std::int64_t block_size() const { return block_size_; }        ///< 0 if not per block.
  bool is_per_tensor() const { return !axis_ && !block_axis_; }
  const std::vector<QuantParams>& params() const { return params_; }  ///< Size 1 if per tensor.

  /// The real numbers at the ends of the grid of params()[channel].
  double real_min(std::size_t channel = 0) const;
  double real_max(std::size_t channel = 0) const;

  /// Whether any zero point is not 0.
  bool has_zero_point() const;

  /// True if every scale is a power of two and every zero point is 0.
  bool is_power_of_two() const;

  friend bool operator==(const Encoding&, const Encoding&) = default;

 private:
  Encoding(IntGrid grid, std::optional<int> axis, std::vector<QuantParams> params)
      : grid_(grid), axis_(axis), params_(std::move(params)) {}

  IntGrid grid_;
  std::optional<int> axis_;
  std::optional<int> block_axis_ = std::nullopt;
  std::int64_t block_size_ = 0;
  std::vector<QuantParams> params_;
};

}  // namespace halfstep
