// causes.hpp: why a layer's quantization costs much, from its values and its grids.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "encoding/encoding_set.hpp"

namespace halfstep::sensitivity {

enum class CauseKind {
  kWeightOutlier,       ///< A weight far beyond the others of its grid.
  kChannelsApart,       ///< Channels of very different ranges on one grid.
  kDeadChannels,        ///< Channels of which rounding leaves nothing.
  kWideGrid,            ///< A grid far wider than its values.
  kSaturation,          ///< A grid that cuts off what counts.
  kActivationOutliers,  ///< Few values that stretch the grid of all others.
  kJointGrid,           ///< A grid shared with tensors of far wider range.
  kOtherWeights,        ///< Codes of other weights than the float model's.
  kExponentials,        ///< Exponentials of, or into, ranges that only floating point affords.
};

/// "weight-outlier", "channels-apart", ...: as reports spell it.
const char* name_of(CauseKind kind);

/// "a weight outlier", "channels far apart on one grid", ...
const char* words_of(CauseKind kind);

struct Cause {
  CauseKind kind = CauseKind::kWideGrid;
  std::string tensor;
  std::string sentence;  ///< With figures; begins with the tensor's role and name, ends without a full stop.
};

/// A share of a grid below which values have three bits less than the grid has.
inline constexpr double kSmallShare = 1.0 / 8.0;
/// A weight so many times the rms of the others leaves them, on 8 bits, an rms of 8 steps: 29 dB.
inline constexpr double kOutlierRatio = 16.0;
/// At most this share of the weights of a grid, and at least one, are no part of "the others".
inline constexpr double kOutlierShare = 1.0 / 512.0;
/// Error by clipping alone over the squares of all values: 30 dB.
inline constexpr double kClipNoise = 1e-3;
/// From this share of an activation's channels on, those that rounding leaves empty count.
inline constexpr double kDeadShare = 1.0 / 8.0;
/// A code so many steps from its value came from another one: algorithms that choose roundings stay within one step.
inline constexpr double kForeignSteps = 1.5;
/// Half a step of this much makes exponentials wrong by 28 %.
inline constexpr double kExponentStep = 0.5;

/// What stands out in constant `real` of a layer, by its encoding. `channel_axis`: that of the output channels.
/// Requires: float32 and finite; the encoding fits it.
std::vector<Cause> weight_causes(const std::string& name, const Tensor& real, const TensorEncoding& entry,
                                 std::optional<int> channel_axis);

/// What was seen of values that share a grid, or of a channel.
struct Spread {
  double min = 0.0;
  double max = 0.0;            ///< min > max: no values.
  double usual = 0.0;          ///< The magnitude that 99.9 % of the values do not exceed.
  double clipped_share = 0.0;  ///< Of the values, 0 to 1.
  double clip_noise = 0.0;     ///< Squares of what clipping takes away, over the squares of all values.
};

/// An activation with its grid.
struct ActivationFacts {
  std::string name;
  Spread whole;
  std::vector<Spread> channels;  ///< Of `usual` and what follows it nothing is needed. May be empty.
  const Encoding* encoding = nullptr;
  bool feeds_exponential = false;  ///< Softmax, LogSoftmax or Exp reads it.
  bool is_exponential = false;     ///< Exp writes it.
};

/// What stands out in the activations of a quantizer group, whose tensors on equal grids share them.
std::vector<Cause> activation_causes(std::span<const ActivationFacts> group);

}  // namespace halfstep::sensitivity
