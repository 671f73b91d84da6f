// fold_batch_norm.cpp: BatchNormalization becomes part of its neighbour's weights.
//
//   before:  z = BatchNormalization(Conv(x, W, b))      after:  z = Conv(x, W', b')
//   before:  z = Conv(BatchNormalization(x), W, b)      after:  z = Conv(x, W', b')
//
// and the same with ConvTranspose, Gemm and MatMul of matrices. With
//
//   scale[c] = gamma[c] / sqrt(variance[c] + epsilon),  shift[c] = beta[c] - mean[c] * scale[c]
//
// W' and b' are those of linear.hpp, in double, rounded once. In the first form the Conv keeps what is known of its
// output: over the training data channel c is about normal, with mean beta[c] and standard deviation
// |scale[c]| * sqrt(variance[c]), which is |gamma[c]| but for epsilon (Nagel et al. 2019, section 4.1.3).
// Conditions: inference mode; constant parameters, none pinned; the value
// between the two has no other reader, is no graph output and not pinned. In
// front of a Conv: no padding, unless shift is 0, because the padding is not
// normalized; in front of a ConvTranspose: shift is 0, because its border sums fewer taps.
#include <algorithm>
#include <array>
#include <cmath>

#include "passes/linear.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {
namespace {

using graph::kNoNode;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

struct Normalization {
  ChannelMap map;
  graph::NormalStatistics statistics;  ///< Of its output.
};

std::optional<Normalization> normalization_of(const Edit& edit, const Node& node) {
  if (!plain(node, "BatchNormalization") || !only_first_output(node) || node.inputs.size() != 5) return std::nullopt;
  if (node.attributes.get_int("training_mode", 0) != 0) return std::nullopt;
  std::array<const Tensor*, 4> parameters{};
  for (std::size_t i = 0; i < 4; ++i) {
    parameters[i] = free_constant(edit.graph, node.inputs[i + 1]);
    if (parameters[i] == nullptr || parameters[i]->num_elements() != parameters[0]->num_elements()) return std::nullopt;
  }
  const auto [gamma, beta, mean, variance] = parameters;
  const double epsilon = node.attributes.get_float("epsilon", 1e-5F);
  Normalization found;
  for (std::int64_t c = 0; c < gamma->num_elements(); ++c) {
    const double scale = gamma->data<float>()[c] / std::sqrt(variance->data<float>()[c] + epsilon);
    const double shift = beta->data<float>()[c] - mean->data<float>()[c] * scale;
    if (!std::isfinite(scale) || !std::isfinite(shift)) return std::nullopt;
    found.map.scale.push_back(scale);
    found.map.shift.push_back(shift);
    const double deviation = std::abs(scale) * std::sqrt(std::max(0.0F, variance->data<float>()[c]));
    found.statistics.mean.push_back(beta->data<float>()[c]);
    found.statistics.standard_deviation.push_back(static_cast<float>(deviation));
  }
  return found;
}

bool fold_backward(Edit& edit, NodeId n, const Normalization& normalization, const ops::Facts& facts) {
  const ValueId between = edit.node(n).inputs[0];
  if (!edit.is_private(between)) return false;
  const std::optional<Linear> linear = linear_at(edit, edit.producer(between), facts);
  if (!linear || linear->channel_axis != 1) return false;
  if (linear->out_channels != static_cast<std::int64_t>(normalization.map.scale.size())) return false;
  if (!fold_behind(edit, *linear, normalization.map)) return false;
  edit.node(linear->node).statistics = normalization.statistics;
  edit.node(linear->node).outputs[0] = edit.node(n).outputs[0];
  edit.detach(n);
  return true;
}

bool fold_forward(Edit& edit, NodeId n, const ChannelMap& map, const ops::Facts& facts) {
  const ValueId between = edit.node(n).outputs[0];
  const std::optional<Linear> linear = linear_at(edit, edit.private_consumer(between), facts);
  // The input channels of matrix products of more than two dimensions are not on axis 1.
  if (!linear || (!linear->spatial && linear->output_rank != 2)) return false;
  const Node& consumer = edit.node(linear->node);
  if (consumer.inputs[0] != between || consumer.attributes.get_int("transA", 0) != 0) return false;
  if (linear->in_channels != static_cast<std::int64_t>(map.scale.size())) return false;
  if (map.shifts() && !shift_reaches_every_tap(consumer, *linear)) return false;
  if (!fold_in_front(edit, *linear, map)) return false;
  edit.node(linear->node).inputs[0] = edit.node(n).inputs[0];
  edit.detach(n);
  return true;
}

}  // namespace

Result<graph::Graph> fold_batch_norm(graph::Graph graph, const PassContext& context) {
  return rewrite(std::move(graph), context, [](Edit& edit, NodeId n, const ops::Facts& facts) {
    const std::optional<Normalization> found = normalization_of(edit, edit.node(n));
    return found && (fold_backward(edit, n, *found, facts) || fold_forward(edit, n, found->map, facts));
  });
}

}  // namespace halfstep::passes
