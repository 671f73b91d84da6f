// quantization_options.hpp: what the user may decide about grids and precision.
#pragma once

#include <cstdint>
#include <optional>

namespace halfstep {

/// The integers an encoding may store, both ends included. int8 full range is
/// {-128, 127}; int8 narrow range, used for weights, is {-127, 127}.
struct IntGrid {
  std::int32_t q_min = 0;
  std::int32_t q_max = 0;

  friend bool operator==(const IntGrid&, const IntGrid&) = default;
};

/// Where the grid lies relative to 0.
enum class Schema {
  kAsymmetric,         ///< Unsigned grid with a zero point.
  kSymmetric,          ///< Signed grid, zero point 0.
  kUnsignedSymmetric,  ///< Zero point 0; unsigned where the data has no negatives, else signed.
};

/// What scales may be.
enum class ScaleKind {
  kAffine,      ///< Any float32.
  kPowerOfTwo,  ///< 2^n, and no zero point.
};

/// Which activations have a grid for each channel rather than one for the whole tensor.
enum class ActPerChannel {
  kNone,
  kDepthwise,  ///< Those that only depthwise convolutions read: there it costs no instruction.
};

/// How the range of an activation is chosen.
enum class RangeMethod {
  kMinMax,  ///< Every observed value is inside.
};

/// The defaults are those of the quantize tool.
struct QuantizationOptions {
  int act_bits = 8;     ///< 8 or 16.
  int weight_bits = 8;  ///< 4, 8 or 16.
  int bias_bits = 32;   ///< 8 or 32.
  Schema act_schema = Schema::kAsymmetric;
  Schema param_schema = Schema::kSymmetric;
  bool per_channel = true;  ///< Weights of Conv, ConvTranspose, Gemm and MatMul along their output channels.
  ActPerChannel act_per_channel = ActPerChannel::kNone;
  ScaleKind scale = ScaleKind::kAffine;
  std::optional<IntGrid> restricted_steps;  ///< Replaces the signed grid of weights.
  RangeMethod act_method = RangeMethod::kMinMax;

  friend bool operator==(const QuantizationOptions&, const QuantizationOptions&) = default;
};

}  // namespace halfstep
