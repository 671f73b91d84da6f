// quantization_options.hpp: what the user may decide about grids and precision.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

/// Which weights have a scale for each output channel rather than one for the whole tensor.
enum class WeightsPerChannel {
  kNone,
  kDepthwise,  ///< Those of depthwise convolutions.
  kAll,        ///< Those of Conv, ConvTranspose, Gemm and MatMul.
};

/// Which signed symmetric grids leave out their lowest integer, so that w and -w are both on them.
enum class StrictSymmetric {
  kWeights,  ///< Those of weights, but for power-of-two scales.
  kAll,      ///< Those of weights and activations.
  kNone,
};

/// How a range is chosen. Formulas, sources and measured results: docs/calibration.md.
enum class RangeMethod {
  kMinMax,         ///< Every value is inside.
  kMovingAverage,  ///< Extremes of the samples, each pulling by RangeRule::moving_average_constant, in sample order.
  kMeanMinMax,     ///< Means of the samples' extremes.
  kMeanStd,        ///< Mean +- RangeRule::mean_std_factor standard deviations, within the extremes.
  kPercentile,     ///< At each end 100 - RangeRule::percentile % of the values are outside.
  kEntropy,        ///< Least Kullback-Leibler divergence of the codes' distribution from that of the values.
  kMse,            ///< Least mean squared error, of clipping and of rounding.
  kSqnr,           ///< The same where clipping counts three times: AIMET's tf-enhanced, QNN's enhanced.
  kAdjusted,       ///< Min-max widened until both extremes are on the grid; weights only.
};

/// A method and its parameters.
struct RangeRule {
  RangeMethod method = RangeMethod::kMinMax;
  double percentile = 99.99;              ///< kPercentile: 90 to 100.
  double moving_average_constant = 0.01;  ///< kMovingAverage: in (0, 1].
  double mean_std_factor = 3.0;           ///< kMeanStd: > 0.

  friend bool operator==(const RangeRule&, const RangeRule&) = default;
};

/// What one kind of tensor is made of: integers of `bits`, or real numbers of as many.
struct NumberKind {
  int bits = 8;  ///< Integers: 4, 8 or 16. Real numbers: 16 or 32.
  bool real = false;

  friend bool operator==(const NumberKind&, const NumberKind&) = default;
};

/// Which tensors differ from the rest. Names are those of nodes or of their outputs; '*' stands for any characters.
struct MixedPrecision {
  std::vector<std::string> output_16bit_names;  ///< Their outputs have 16 bits.
  std::vector<std::string> params_16bit_names;  ///< Their weights have 16 bits.
  bool depthwise_params_16bit = false;          ///< Weights of depthwise convolutions have 16 bits.
  bool first_layer_params_16bit = false;        ///< Weights of the linear nodes that read inputs of the model, too.
  std::vector<std::pair<std::string, NumberKind>> op_types;  ///< Outputs of these operators.
  std::vector<std::string> exclude_nodes;                    ///< They compute in float.
  std::vector<std::string> exclude_op_types;                 ///< And so do these.
  std::optional<int> float_bits;  ///< Of tensors that stay real: 16 or 32, and that unless given.
  int float_bias_bits = 32;       ///< Of the biases of linear nodes that stay real: 16 or 32.

  friend bool operator==(const MixedPrecision&, const MixedPrecision&) = default;
};

/// The defaults are those of the quantize tool.
struct QuantizationOptions {
  int act_bits = 8;     ///< 8, 16, or 32: activations and biases stay float32, weights alone are quantized.
  int weight_bits = 8;  ///< 4, 8 or 16.
  int bias_bits = 32;   ///< 8 or 32.
  Schema act_schema = Schema::kAsymmetric;
  Schema param_schema = Schema::kSymmetric;
  WeightsPerChannel per_channel = WeightsPerChannel::kAll;
  ActPerChannel act_per_channel = ActPerChannel::kNone;
  StrictSymmetric strict_symmetric = StrictSymmetric::kWeights;
  /// Not 0: weights of MatMul and Gemm have a grid for each block of this many along the axis they sum over. A power of
  /// two from 16 to 256, with act_bits 32 and weights of 4 or 8 bits.
  int block_size = 0;
  ScaleKind scale = ScaleKind::kAffine;
  std::optional<IntGrid> restricted_steps;  ///< Replaces the signed grid of weights.
  RangeRule act_range;                      ///< Activations.
  RangeRule param_range;                    ///< Weights and other constants.
  /// act_range, or act_per_channel, is good for 8 bits only: what is ordered to be wider has the whole range, or one
  /// grid.
  bool wide_keeps_range = false;
  bool wide_has_one_grid = false;
  /// act_range is for whole tensors: grids for each channel are min-max.
  bool channels_keep_range = false;
  bool trim_flat = false;     ///< Grids end where Swish and its like, their only readers, are flat.
  bool align_inputs = false;  ///< Inputs of Add and Concat share a grid where that costs less error.

  MixedPrecision mixed;

  friend bool operator==(const QuantizationOptions&, const QuantizationOptions&) = default;
};

}  // namespace halfstep
