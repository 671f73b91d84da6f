// quantize.cpp: rounding onto a grid and back, as vectors.
//
// Cost: a division, two selects, two additions and a multiplication an element, one load and one store. The division
// binds: it is the one instruction here that does not start a vector each cycle. Multiplying by 1 / scale would spare
// it and is not what ONNX says: quotients beside a half would round the other way.
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

// 1.5 * 2^23. For |v| <= 2^22 the sum v + kRounder lies in [2^23, 2^24], where
// neighbouring floats are 1 apart: the addition itself rounds halves to even,
// and the subtraction is exact. The result of small negative v is +0.
constexpr float kRounder = 12582912.0F;
constexpr float kRounderLimit = 4194304.0F;
constexpr float kIntegersFromHere = 8388608.0F;

struct Grid {
  float scale;
  float low;   // q_min - zero_point
  float high;  // q_max - zero_point
};

Grid grid_of(float scale, std::int32_t zero_point, GridBounds bounds) {
  return {scale, static_cast<float>(std::int64_t{bounds.q_min} - zero_point),
          static_cast<float>(std::int64_t{bounds.q_max} - zero_point)};
}

// The bounds are integers, so clamping before rounding equals clamping after.
inline float clamped_steps(float x, const Grid& grid) {
  const float steps = x / grid.scale;
  const float raised = steps < grid.low ? grid.low : steps;
  return grid.high < raised ? grid.high : raised;
}

struct RoundNarrow {
  static float apply(float x, const Grid& grid) {
    return ((clamped_steps(x, grid) + kRounder) - kRounder) * grid.scale;
  }
};

struct RoundWide {
  static float apply(float x, const Grid& grid) {
    const float steps = clamped_steps(x, grid);
    const float size = __builtin_fabsf(steps);
    const float rounded = __builtin_copysignf((size + kIntegersFromHere) - kIntegersFromHere, steps);
    // Adding 0 turns -0 into +0, as going through an integer does.
    return ((size < kIntegersFromHere ? rounded : steps) + 0.0F) * grid.scale;
  }
};

template <class Round>
void run(const float* x, float* y, std::int64_t count, const Grid& grid) {
  const Grid local = grid;
  if (x == y) {
    for (std::int64_t i = 0; i < count; ++i) y[i] = Round::apply(y[i], local);
    return;
  }
  const float* __restrict from = x;
  float* __restrict to = y;
  for (std::int64_t i = 0; i < count; ++i) to[i] = Round::apply(from[i], local);
}

bool is_narrow(const Grid& grid) { return grid.low >= -kRounderLimit && grid.high <= kRounderLimit; }

void run_any(const float* x, float* y, std::int64_t count, const Grid& grid) {
  if (is_narrow(grid)) {
    run<RoundNarrow>(x, y, count, grid);
  } else {
    run<RoundWide>(x, y, count, grid);
  }
}

// One value a channel, channels innermost. A block of grids is laid out once
// and used for every row.
void run_channels_last(const float* x, float* y, std::int64_t rows, std::int64_t channels, const float* scales,
                       const std::int32_t* zero_points, GridBounds bounds) {
  constexpr std::int64_t kBlock = 256;
  float scale[kBlock];
  float low[kBlock];
  float high[kBlock];
  for (std::int64_t first = 0; first < channels; first += kBlock) {
    const std::int64_t count = channels - first < kBlock ? channels - first : kBlock;
    bool narrow = true;
    for (std::int64_t c = 0; c < count; ++c) {
      const Grid grid = grid_of(scales[first + c], zero_points[first + c], bounds);
      scale[c] = grid.scale;
      low[c] = grid.low;
      high[c] = grid.high;
      narrow = narrow && is_narrow(grid);
    }
    for (std::int64_t row = 0; row < rows; ++row) {
      const float* from = x + row * channels + first;
      float* to = y + row * channels + first;
      if (!narrow) {
        for (std::int64_t c = 0; c < count; ++c) to[c] = RoundWide::apply(from[c], {scale[c], low[c], high[c]});
      } else if (from == to) {
        for (std::int64_t c = 0; c < count; ++c) to[c] = RoundNarrow::apply(to[c], {scale[c], low[c], high[c]});
      } else {
        for (std::int64_t c = 0; c < count; ++c) to[c] = RoundNarrow::apply(from[c], {scale[c], low[c], high[c]});
      }
    }
  }
}

// NaN fails the first comparison.
template <class Q>
void quantize_to(const float* x, std::int64_t count, const Grid& grid, std::int32_t zero_point, Q* q) {
  const Grid local = grid;
  for (std::int64_t i = 0; i < count; ++i) {
    const float steps = x[i] / local.scale;
    const float raised = steps > local.low ? steps : local.low;
    const float clamped = raised < local.high ? raised : local.high;
    q[i] = static_cast<Q>(static_cast<std::int32_t>((clamped + kRounder) - kRounder) + zero_point);
  }
}

template <class Q>
void dequantize_from(const Q* q, std::int64_t count, float scale, std::int32_t zero_point, float* y) {
  for (std::int64_t i = 0; i < count; ++i) {
    y[i] = static_cast<float>(static_cast<std::int32_t>(q[i]) - zero_point) * scale;
  }
}

}  // namespace

void quantize_dequantize(const float* x, float* y, std::int64_t count, float scale, std::int32_t zero_point,
                         GridBounds bounds) {
  run_any(x, y, count, grid_of(scale, zero_point, bounds));
}

void quantize_dequantize_per_channel(const float* x, float* y, std::int64_t outer, std::int64_t channels,
                                     std::int64_t inner, const float* scales, const std::int32_t* zero_points,
                                     GridBounds bounds) {
  if (inner == 1) {
    run_channels_last(x, y, outer, channels, scales, zero_points, bounds);
    return;
  }
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t offset = (o * channels + c) * inner;
      run_any(x + offset, y + offset, inner, grid_of(scales[c], zero_points[c], bounds));
    }
  }
}

void quantize_codes(const float* x, std::int64_t count, float scale, std::int32_t zero_point, GridBounds bounds,
                    DType q_dtype, void* q) {
  const Grid grid = grid_of(scale, zero_point, bounds);
  switch (q_dtype) {
    case DType::kInt8:
      return quantize_to(x, count, grid, zero_point, static_cast<std::int8_t*>(q));
    case DType::kUint8:
      return quantize_to(x, count, grid, zero_point, static_cast<std::uint8_t*>(q));
    case DType::kInt16:
      return quantize_to(x, count, grid, zero_point, static_cast<std::int16_t*>(q));
    default:
      return quantize_to(x, count, grid, zero_point, static_cast<std::uint16_t*>(q));
  }
}

void dequantize_codes(const void* q, DType q_dtype, std::int64_t count, float scale, std::int32_t zero_point,
                      float* y) {
  switch (q_dtype) {
    case DType::kInt8:
      return dequantize_from(static_cast<const std::int8_t*>(q), count, scale, zero_point, y);
    case DType::kUint8:
      return dequantize_from(static_cast<const std::uint8_t*>(q), count, scale, zero_point, y);
    case DType::kInt16:
      return dequantize_from(static_cast<const std::int16_t*>(q), count, scale, zero_point, y);
    default:
      return dequantize_from(static_cast<const std::uint16_t*>(q), count, scale, zero_point, y);
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
