// linear.hpp: convolutions and matrix products seen as one thing: y = W x + b.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "passes/edit.hpp"

namespace halfstep::passes {

/// A linear node whose weight and bias passes may change.
struct Linear {
  graph::NodeId node = graph::kNoNode;
  std::int64_t groups = 1;
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  bool output_first = true;  ///< Axis 0 of the weight runs over output channels and axis 1 over input channels.
  bool spatial = false;      ///< A convolution: weight axes from 2 on are the window.
  bool takes_shift = true;   ///< False: there is no operator that adds a bias (MatMul of more than two dimensions).
  int output_rank = 0;       ///< 0: not known.
  int channel_axis = 1;      ///< Of the output.
};

/// One factor and one summand a channel: y = scale[c] * x + shift[c].
struct ChannelMap {
  std::vector<double> scale;
  std::vector<double> shift;

  bool shifts() const;
};

/// Set if `node` is linear, has a constant weight and a constant bias or none, and neither is pinned. It may apply a
/// clamp: then y is what it clamps. A `node` of kNoNode is not linear.
std::optional<Linear> layer_at(const Edit& edit, graph::NodeId node, const ops::Facts& facts);

/// The same for nodes that apply no clamp.
std::optional<Linear> linear_at(const Edit& edit, graph::NodeId node, const ops::Facts& facts);

/// True for a spatial node that pads nothing, for every size of its input.
bool pads_nothing(const graph::Node& node);

/// A shift of input 0 that is the same everywhere shifts every output of a channel alike: each output sums all taps,
/// over inputs that all carry it. Not so with padding, which isn't shifted, and at the border of a ConvTranspose.
bool shift_reaches_every_tap(const graph::Node& node, const Linear& linear);

/// sum W[o][i] * x[i] over input channels i and taps, for each output channel o; in double, in the order of the
/// weight's elements. The alpha of a Gemm is left out. Requires: `weight` has the shape of the node's; x has
/// [in_channels].
std::vector<double> weighted_sums(const Linear& linear, const Tensor& weight, std::span<const double> x);

/// Makes the node compute map(W x + b):  W'[o] = scale[o] * W[o],  b'[o] = scale[o] * b[o] + shift[o],
/// in double, rounded once. A MatMul that gets a bias becomes a Gemm.
/// Its statistics go along. False, and nothing done, if a result is not finite or the node can't take the shift.
bool fold_behind(Edit& edit, const Linear& linear, const ChannelMap& map);

/// Makes the node compute W map(x) + b:  W'[o][i] = W[o][i] * scale[i],  b'[o] = b[o] + sum W[o][i] * shift[i].
/// The caller has made sure that every weight meets a shifted x (no zero padding), or nothing shifts.
/// False, and nothing done, as for fold_behind().
bool fold_in_front(Edit& edit, const Linear& linear, const ChannelMap& map);

}  // namespace halfstep::passes
