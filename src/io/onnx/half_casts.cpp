// half_casts.cpp: one walk over the nodes.
#include "io/onnx/half_casts.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace halfstep::io {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::RealFormat;
using graph::ValueId;

// Numbers of TensorProto.DataType.
constexpr std::int64_t kCastToFloat = 1;
constexpr std::int64_t kCastToHalf = 10;

class HalfCasts {
 public:
  explicit HalfCasts(Graph graph) : graph_(std::move(graph)), read_as_float32_(graph_.values.size()) {
    for (const Node& node : graph_.nodes) {
      const bool computes_half = std::ranges::any_of(node.outputs, [&](ValueId id) { return is_half(id); });
      if (computes_half || node.op_type == "Identity") continue;
      for (const ValueId id : node.inputs) {
        if (is_half(id)) read_as_float32_[static_cast<std::size_t>(id)] = true;
      }
    }
    for (const graph::GraphOutput& output : graph_.outputs) {
      read_as_float32_[static_cast<std::size_t>(output.value)] = true;
    }
  }

  Graph run() {
    for (Node& node : std::exchange(graph_.nodes, {})) {
      const bool computes_half = std::ranges::any_of(node.outputs, [&](ValueId id) { return is_half(id); });
      const bool converts = node.op_type == "Identity" && is_half(node.inputs[0]) != computes_half;
      if (node.op_type == "Cast" && computes_half) {
        node.attributes.set("to", kCastToHalf);
      } else if (converts && (computes_half || !is_read_as_float32(node.inputs[0]))) {
        node.op_type = "Cast";
        node.attributes.set("to", computes_half ? kCastToHalf : kCastToFloat);
      } else if (!computes_half) {
        for (ValueId& id : node.inputs) {
          if (is_half(id)) id = as_float32(id);
        }
      }
      graph_.nodes.push_back(std::move(node));
    }
    for (graph::GraphOutput& output : graph_.outputs) {
      if (!is_half(output.value)) continue;
      const ValueId half = std::exchange(output.value, as_float32(output.value));
      std::string name = graph_.value(half).name;
      std::string name_of_half = name + "_float16";
      while (graph::find_value(graph_, name_of_half) != kNoValue) name_of_half += "_";
      graph_.value(half).name = std::move(name_of_half);
      graph_.value(output.value).name = std::move(name);
    }
    return std::move(graph_);
  }

 private:
  /// By what needs a Cast of its own, which converts then share.
  bool is_read_as_float32(ValueId id) const { return read_as_float32_[static_cast<std::size_t>(id)]; }
  bool is_half(ValueId id) const { return id != kNoValue && graph_.value(id).format == RealFormat::kFloat16; }

  ValueId as_float32(ValueId id) {
    const auto [at, is_new] = casts_.emplace(id, kNoValue);
    if (!is_new) return at->second;
    at->second = graph::add_value(graph_, graph_.value(id).name + "_float32");
    Node cast;
    cast.name = graph_.value(at->second).name;
    cast.op_type = "Cast";
    cast.attributes.set("to", kCastToFloat);
    cast.inputs = {id};
    cast.outputs = {at->second};
    graph_.nodes.push_back(std::move(cast));
    return at->second;
  }

  Graph graph_;
  std::vector<bool> read_as_float32_;  // By ValueId of the graph without Casts.
  std::map<ValueId, ValueId> casts_;
};

}  // namespace

Graph insert_half_casts(Graph graph) {
  if (std::ranges::none_of(graph.values, [](const auto& value) { return value.format == RealFormat::kFloat16; }))
    return graph;
  return HalfCasts(std::move(graph)).run();
}

void restore_halves(Graph& graph) {
  const auto is_half = [&](ValueId id) { return id != kNoValue && graph.value(id).format == RealFormat::kFloat16; };
  for (Node& node : graph.nodes) {
    if (node.outputs.empty() || node.outputs[0] == kNoValue || node.op_type == "QuantizeLinear" ||
        node.op_type == "DequantizeLinear")
      continue;
    const bool reads_half = std::ranges::any_of(node.inputs, is_half);
    if (node.op_type == "Cast") {
      // What is cast to half precision need not be real itself.
      if (reads_half && !is_half(node.outputs[0]) && node.attributes.get_int("to", 0) == kCastToFloat) {
        node.op_type = "Identity";
        node.attributes.erase("to");
      }
      continue;
    }
    if (!reads_half) continue;
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) graph.value(id).format = RealFormat::kFloat16;
    }
  }
}

}  // namespace halfstep::io
