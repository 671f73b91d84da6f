// encoding_target.hpp: what a reader of encodings files must know of the tensors they name.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/shape.hpp"
#include "encoding/encoding_set.hpp"

namespace halfstep {

/// Activations have a grid for each channel of [N, C, ...], if not one for all.
inline constexpr int kActivationChannelAxis = 1;

/// A tensor that an encodings file may name. Files don't say which axis is per channel: the operator that reads it
/// does.
struct EncodingTarget {
  TensorRole role = TensorRole::kActivation;
  std::optional<int> channel_axis;                 ///< Empty: it has none.
  std::optional<Shape> shape;                      ///< Of constants: channel counts are checked against it.
  std::optional<Shape> data_shape = std::nullopt;  ///< Of activations, where known: likewise.
};

/// By tensor name.
using EncodingTargets = std::map<std::string, EncodingTarget, std::less<>>;

}  // namespace halfstep
