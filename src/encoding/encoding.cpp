// encoding.cpp: grids, and the checks that make every Encoding valid.
#include "encoding/encoding.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "numerics/rounding.hpp"

namespace halfstep {
namespace {

double steps_to_farther_end(IntGrid grid, std::int32_t zero_point) {
  return std::max(static_cast<double>(zero_point) - grid.q_min, static_cast<double>(grid.q_max) - zero_point);
}

/// `part`: what each entry of `params` is for, in messages.
Result<void> check_and_round(IntGrid grid, std::vector<QuantParams>& params, const std::string& part = "channel") {
  if (grid.q_min >= grid.q_max) {
    return Error{ErrorCode::kInvalidInput, "the integer grid [" + std::to_string(grid.q_min) + ", " +
                                               std::to_string(grid.q_max) + "] has fewer than two steps"};
  }
  if (params.empty()) return Error{ErrorCode::kInvalidInput, "an encoding needs at least one scale"};
  for (std::size_t i = 0; i < params.size(); ++i) {
    const std::string where = params.size() == 1 ? "" : " of " + part + " " + std::to_string(i);
    params[i].scale = numerics::to_float32(params[i].scale);
    if (!std::isfinite(params[i].scale) || params[i].scale <= 0.0) {
      return Error{ErrorCode::kInvalidInput, "the scale" + where + " is not a finite positive float32"};
    }
    if (params[i].zero_point < grid.q_min || params[i].zero_point > grid.q_max) {
      return Error{ErrorCode::kInvalidInput, "zero point " + std::to_string(params[i].zero_point) + where +
                                                 " lies outside the grid [" + std::to_string(grid.q_min) + ", " +
                                                 std::to_string(grid.q_max) + "]"};
    }
    const double end = params[i].scale * steps_to_farther_end(grid, params[i].zero_point);
    if (storage_bits(grid) <= 16 && !std::isfinite(numerics::to_float32(end))) {
      return Error{ErrorCode::kInvalidInput, "the scale" + where + " is so large that an end of the grid [" +
                                                 std::to_string(grid.q_min) + ", " + std::to_string(grid.q_max) +
                                                 "] overflows float32; calibrate the tensor again"};
    }
  }
  return {};
}

}  // namespace

IntGrid signed_grid(int bits) {
  assert(bits >= 2 && bits <= 32);
  const std::int64_t half = std::int64_t{1} << (bits - 1);
  return {static_cast<std::int32_t>(-half), static_cast<std::int32_t>(half - 1)};
}

IntGrid narrow_signed_grid(int bits) {
  const IntGrid full = signed_grid(bits);
  return {-full.q_max, full.q_max};
}

IntGrid unsigned_grid(int bits) {
  assert(bits >= 2 && bits <= 31);
  return {0, static_cast<std::int32_t>((std::int64_t{1} << bits) - 1)};
}

int storage_bits(IntGrid grid) {
  for (const int bits : {4, 8, 16}) {
    const IntGrid whole = is_signed(grid) ? signed_grid(bits) : unsigned_grid(bits);
    if (grid.q_min >= whole.q_min && grid.q_max <= whole.q_max) return bits;
  }
  return 32;
}

DType storage_dtype(IntGrid grid) {
  switch (storage_bits(grid)) {
    case 4:
    case 8:
      return is_signed(grid) ? DType::kInt8 : DType::kUint8;
    case 16:
      return is_signed(grid) ? DType::kInt16 : DType::kUint16;
    default:
      return DType::kInt32;
  }
}

double largest_scale(IntGrid grid, std::int32_t zero_point) {
  const double limit = std::numeric_limits<float>::max() / steps_to_farther_end(grid, zero_point);
  const double nearest = numerics::to_float32(limit);
  return nearest <= limit ? nearest : std::nextafter(static_cast<float>(nearest), 0.0F);
}

Result<Encoding> Encoding::per_tensor(IntGrid grid, QuantParams params) {
  std::vector<QuantParams> one{params};
  if (Result<void> checked = check_and_round(grid, one); !checked.ok()) return checked.error();
  return Encoding(grid, std::nullopt, std::move(one));
}

Result<Encoding> Encoding::per_channel(IntGrid grid, int axis, std::vector<QuantParams> params) {
  if (axis < 0) return Error{ErrorCode::kInvalidInput, "the channel axis " + std::to_string(axis) + " is negative"};
  if (Result<void> checked = check_and_round(grid, params); !checked.ok()) return checked.error();
  return Encoding(grid, axis, std::move(params));
}

Result<Encoding> Encoding::per_block(IntGrid grid, int axis, std::int64_t block_size, std::vector<QuantParams> params) {
  if (axis < 0) return Error{ErrorCode::kInvalidInput, "the block axis " + std::to_string(axis) + " is negative"};
  if (block_size < 1) {
    return Error{ErrorCode::kInvalidInput, "the block size " + std::to_string(block_size) + " is not positive"};
  }
  if (Result<void> checked = check_and_round(grid, params, "block"); !checked.ok()) return checked.error();
  Encoding encoding(grid, std::nullopt, std::move(params));
  encoding.block_axis_ = axis;
  encoding.block_size_ = block_size;
  return encoding;
}

double Encoding::real_min(std::size_t channel) const {
  return params_[channel].scale * (static_cast<double>(grid_.q_min) - params_[channel].zero_point);
}

double Encoding::real_max(std::size_t channel) const {
  return params_[channel].scale * (static_cast<double>(grid_.q_max) - params_[channel].zero_point);
}

bool Encoding::has_zero_point() const {
  return std::ranges::any_of(params_, [](const QuantParams& p) { return p.zero_point != 0; });
}

bool Encoding::is_power_of_two() const {
  for (const QuantParams& p : params_) {
    int exponent = 0;
    if (p.zero_point != 0 || std::frexp(p.scale, &exponent) != 0.5) return false;
  }
  return true;
}

}  // namespace halfstep
