// fuse_pad.cpp: a Pad becomes the padding of the window operator behind it.
//
//   before:  y = Conv(Pad(x, p, 0), pads = q)           after:  y = Conv(x, pads = p + q)
//   before:  y = AveragePool(Pad(x, p, 0), pads = q)    after:  y = AveragePool(x, p + q, count_include_pad)
//   before:  y = MaxPool(Pad(x, p, -inf), pads = q)     after:  y = MaxPool(x, pads = p + q)
//
// Conditions: p is constant, not negative, and zero on batch and channels; the
// padded value has no other reader, is no graph output and not pinned;
// auto_pad does not depend on the input's extents. AveragePool: the divisor
// stays the same, so q = 0 or count_include_pad already, and no ceil_mode.
// MaxPool: padding with 0 will do where x is never negative. Pools: every
// window holds an element of x, so pads stay below the kernel and dilation is 1.
#include <algorithm>
#include <cmath>
#include <limits>

#include "passes/edit.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {
namespace {

using graph::kNoNode;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

struct Padding {
  std::vector<std::int64_t> spatial;  ///< Begins, then ends, of axes 2 and on.
  float value = 0.0F;
};

std::optional<Padding> padding_of(const Edit& edit, const Node& pad, int rank) {
  if (pad.attributes.get_string("mode", "constant") != "constant" || rank < 3) return std::nullopt;
  const auto amounts = integers_of(edit.graph, input_of(pad, 1));
  const auto axes = integers_of(edit.graph, input_of(pad, 3));
  if (!amounts || !axes) return std::nullopt;
  Padding padding;
  if (const ValueId value = input_of(pad, 2); value != kNoValue) {
    const std::optional<double> scalar = scalar_of(edit.graph, value);
    if (!scalar) return std::nullopt;
    padding.value = static_cast<float>(*scalar);
  }
  const auto all = static_cast<std::size_t>(rank);
  const std::size_t count = input_of(pad, 3) == kNoValue ? all : axes->size();
  if (amounts->size() != 2 * count) return std::nullopt;
  std::vector<std::int64_t> full(2 * all, 0);
  for (std::size_t i = 0; i < count; ++i) {
    std::int64_t axis = static_cast<std::int64_t>(i);
    if (input_of(pad, 3) != kNoValue) axis = (*axes)[i] < 0 ? (*axes)[i] + rank : (*axes)[i];
    if (axis < 0 || axis >= rank) return std::nullopt;
    full[static_cast<std::size_t>(axis)] = (*amounts)[i];
    full[all + static_cast<std::size_t>(axis)] = (*amounts)[count + i];
  }
  constexpr std::int64_t kMaxPad = std::numeric_limits<std::int32_t>::max();
  if (std::ranges::any_of(full, [](std::int64_t amount) { return amount < 0 || amount > kMaxPad; })) {
    return std::nullopt;
  }
  if (full[0] != 0 || full[1] != 0 || full[all] != 0 || full[all + 1] != 0) return std::nullopt;
  for (std::size_t i = 2; i < all; ++i) padding.spatial.push_back(full[i]);
  for (std::size_t i = 2; i < all; ++i) padding.spatial.push_back(full[all + i]);
  return padding;
}

/// The node's own pads; empty if auto_pad computes them.
std::vector<std::int64_t> own_pads(const Node& node, std::size_t count) {
  const std::string auto_pad = node.attributes.get_string("auto_pad", "NOTSET");
  if (auto_pad == "VALID") return std::vector<std::int64_t>(count, 0);
  if (auto_pad != "NOTSET") return {};
  return node.attributes.get_ints("pads", std::vector<std::int64_t>(count, 0));
}

bool is_never_negative(const Edit& edit, ValueId id) {
  const NodeId n = edit.producer(id);
  if (n == kNoNode) return false;
  const Node& node = edit.node(n);
  if (node.clamp) return node.clamp->min >= 0.0F && node.outputs[0] == id;
  if (plain(node, "Relu") || plain(node, "Sigmoid") || plain(node, "HardSigmoid")) return true;
  return plain(node, "Clip") && scalar_of(edit.graph, input_of(node, 1)).value_or(-1.0) >= 0.0;
}

/// Pools: each window still meets an element of x.
bool windows_meet_input(const Node& pool, const std::vector<std::int64_t>& pads) {
  const auto kernel = pool.attributes.get_ints("kernel_shape");
  const auto dilations = pool.attributes.get_ints("dilations");
  if (pool.attributes.get_int("ceil_mode", 0) != 0 || kernel.size() * 2 != pads.size()) return false;
  if (std::ranges::any_of(dilations, [](std::int64_t dilation) { return dilation != 1; })) return false;
  for (std::size_t i = 0; i < pads.size(); ++i) {
    if (pads[i] >= kernel[i % kernel.size()]) return false;
  }
  return true;
}

bool fuse_pad_at(Edit& edit, NodeId n, const ops::Facts& facts) {
  const Node& node = edit.node(n);
  const bool conv = plain(node, "Conv");
  const bool average = plain(node, "AveragePool");
  const bool max = plain(node, "MaxPool") && only_first_output(node);
  if ((!conv && !average && !max) || !edit.is_private(node.inputs[0])) return false;
  const NodeId pad = edit.producer_of_type(node.inputs[0], "Pad");
  if (pad == kNoNode) return false;
  const ValueId source = edit.node(pad).inputs[0];
  const TensorType* type = type_of(facts, source);
  if (type == nullptr || type->dtype != DType::kFloat32) return false;
  const std::optional<Padding> padding = padding_of(edit, edit.node(pad), type->shape.rank());
  if (!padding) return false;

  std::vector<std::int64_t> pads = own_pads(node, padding->spatial.size());
  if (pads.size() != padding->spatial.size()) return false;
  const bool padded_before = std::ranges::any_of(pads, [](std::int64_t amount) { return amount != 0; });
  for (std::size_t i = 0; i < pads.size(); ++i) pads[i] += padding->spatial[i];
  if (!conv && !windows_meet_input(node, pads)) return false;
  if (max) {
    const bool lowest = padding->value == -std::numeric_limits<float>::infinity();
    if (!lowest && !(padding->value == 0.0F && is_never_negative(edit, source))) return false;
  } else if (padding->value != 0.0F) {
    return false;
  }
  if (average && padded_before && node.attributes.get_int("count_include_pad", 0) == 0) return false;

  Node& fused = edit.node(n);
  fused.inputs[0] = source;
  fused.attributes.set("pads", std::move(pads));
  fused.attributes.erase("auto_pad");
  if (average) fused.attributes.set("count_include_pad", std::int64_t{1});
  edit.detach(pad);
  return true;
}

}  // namespace

Result<graph::Graph> fuse_pad(graph::Graph graph, const PassContext& context) {
  return rewrite(std::move(graph), context, fuse_pad_at);
}

}  // namespace halfstep::passes
