// range_to_encoding.cpp: equations (E2) to (E5).
#include "encoding/range_to_encoding.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "numerics/rounding.hpp"

namespace halfstep {
namespace {

constexpr int kMinBits = 2;
constexpr int kMaxBits = 16;

Result<void> check_bits(int bits) {
  if (bits >= kMinBits && bits <= kMaxBits) return {};
  return Error{ErrorCode::kUsage, "a width of " + std::to_string(bits) + " bits is not supported, use " +
                                      std::to_string(kMinBits) + " to " + std::to_string(kMaxBits)};
}

IntGrid signed_grid_of(const GridRequest& request) {
  if (request.restricted) return *request.restricted;
  return request.signed_grid == SignedGrid::kNarrow ? narrow_signed_grid(request.bits) : signed_grid(request.bits);
}

/// (E2). The zero point is taken from the range itself: with the scale rounded to float32, [-1, 1] would miss its tie.
QuantParams asymmetric_params(RealRange range, IntGrid grid) {
  const double num_steps = static_cast<double>(grid.q_max) - grid.q_min;
  const double width = range.max - range.min;
  const double zero = std::clamp(numerics::round_half_away(-range.min * num_steps / width), 0.0, num_steps);
  return {numerics::to_float32(width / num_steps), grid.q_min + static_cast<std::int32_t>(zero)};
}

/// Near the end of float32 the grid would reach beyond it: what lies there is clipped instead.
void keep_ends_finite(ScaleKind kind, FittedGrid& fitted) {
  double& scale = fitted.params.scale;
  const double largest = largest_scale(fitted.grid, fitted.params.zero_point);
  if (kind == ScaleKind::kPowerOfTwo) {
    while (scale > largest) scale /= 2.0;
  } else {
    scale = std::min(scale, largest);
  }
}

}  // namespace

std::string_view name_of(Schema schema) {
  switch (schema) {
    case Schema::kAsymmetric:
      return "asymmetric";
    case Schema::kSymmetric:
      return "symmetric";
    case Schema::kUnsignedSymmetric:
      return "unsignedsymmetric";
  }
  return "unknown";
}

std::string_view name_of(ScaleKind kind) { return kind == ScaleKind::kAffine ? "affine" : "power_of_two"; }

Result<void> check_request(const GridRequest& request) {
  if (Result<void> bits = check_bits(request.bits); !bits.ok()) return bits;
  if (request.schema == Schema::kAsymmetric && request.scale == ScaleKind::kPowerOfTwo) {
    return Error{ErrorCode::kUsage,
                 "power-of-two scales leave no zero point: use schema symmetric or unsignedsymmetric, not asymmetric"};
  }
  if (request.restricted) {
    const IntGrid grid = *request.restricted;
    const IntGrid whole = signed_grid(request.bits);
    const std::string shown = "restricted steps " + std::to_string(grid.q_min) + " " + std::to_string(grid.q_max);
    if (request.schema == Schema::kAsymmetric) {
      return Error{ErrorCode::kUsage, shown + " have no effect on an asymmetric schema"};
    }
    if (grid.q_min >= 0 || grid.q_max <= 0) {
      return Error{ErrorCode::kUsage, shown + " must lie on both sides of 0"};
    }
    if (grid.q_min < whole.q_min || grid.q_max > whole.q_max) {
      return Error{ErrorCode::kUsage, shown + " do not fit in " + std::to_string(request.bits) + " bits"};
    }
  }
  return {};
}

Result<FittedGrid> fit_grid(RealRange range, const GridRequest& request) {
  if (Result<void> bits = check_bits(request.bits); !bits.ok()) return bits.error();
  if (!std::isfinite(range.min) || !std::isfinite(range.max) || range.min > range.max) {
    return Error{ErrorCode::kCalibration,
                 "the range [" + std::to_string(range.min) + ", " + std::to_string(range.max) + "] is not usable"};
  }
  range = {std::min(range.min, 0.0), std::max(range.max, 0.0)};
  const bool has_negatives = range.min < 0.0;
  const bool unsigned_only =
      !has_negatives && (request.schema == Schema::kUnsignedSymmetric ||
                         (request.schema == Schema::kAsymmetric && request.scale == ScaleKind::kPowerOfTwo));
  if (request.schema == Schema::kAsymmetric && request.scale == ScaleKind::kPowerOfTwo && has_negatives) {
    return Error{ErrorCode::kUsage,
                 "power-of-two scales leave no zero point: use schema symmetric or unsignedsymmetric, not asymmetric"};
  }

  FittedGrid fitted;
  if (range.min == 0.0 && range.max == 0.0) {
    fitted.all_zero = true;
    range = {unsigned_only ? 0.0 : -1.0, 1.0};
  }
  if (range.max - range.min < request.min_range) {
    fitted.widened = true;
    // One-sided ranges keep 0 at their end.
    if (range.max > 0.0) {
      range.max = range.min + request.min_range;
    } else {
      range.min = range.max - request.min_range;
    }
  }

  const double threshold = std::max(-range.min, range.max);
  const bool asymmetric = request.schema == Schema::kAsymmetric && request.scale == ScaleKind::kAffine;
  fitted.grid = asymmetric || unsigned_only ? unsigned_grid(request.bits) : signed_grid_of(request);
  if (asymmetric) {
    fitted.params = asymmetric_params(range, fitted.grid);
  } else if (request.scale == ScaleKind::kPowerOfTwo) {
    const int exponent = numerics::ceil_log2(threshold) - (unsigned_only ? request.bits : request.bits - 1);
    fitted.params = {std::ldexp(1.0, exponent), 0};
  } else if (unsigned_only) {
    fitted.params = {numerics::to_float32(threshold / fitted.grid.q_max), 0};
  } else {
    const double num_steps = std::min(-static_cast<double>(fitted.grid.q_min), static_cast<double>(fitted.grid.q_max));
    fitted.params = {numerics::to_float32(threshold / num_steps), 0};
  }
  keep_ends_finite(request.scale, fitted);
  return fitted;
}

Result<Encoding> encoding_of(const FittedGrid& fitted) { return Encoding::per_tensor(fitted.grid, fitted.params); }

}  // namespace halfstep
