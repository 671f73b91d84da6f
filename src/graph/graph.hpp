// graph.hpp: our own intermediate representation of a model.
//
// A Graph is a value: copying it is cheap because tensors share their storage.
// Nodes and values are addressed by index. Every value is written once: by a
// graph input, an initializer or one node. Operators are in the canonical form
// of docs/operators-canonical.md (the newest ONNX form each), whatever the file's opset.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tensor.hpp"
#include "graph/attributes.hpp"
#include "halfstep/result.hpp"

namespace halfstep::graph {

using ValueId = std::int32_t;
using NodeId = std::int32_t;

/// Stands for an absent optional operand.
inline constexpr ValueId kNoValue = -1;
inline constexpr NodeId kNoNode = -1;

/// One extent of a graph input or output as the model declares it.
struct Dim {
  std::int64_t extent = -1;  ///< >= 0, or -1 if not fixed.
  std::string symbol;        ///< dim_param; may be empty when not fixed.

  bool fixed() const { return extent >= 0; }
  friend bool operator==(const Dim&, const Dim&) = default;
};

/// "[N, 3, 224, ?]".
std::string to_string(const std::vector<Dim>& dims);

/// What the model declares of a graph input or output.
struct Declared {
  DType dtype = DType::kFloat32;
  std::optional<std::vector<Dim>> dims;  ///< Empty: rank unknown.
};

/// What real numbers are stored as.
enum class RealFormat { kFloat32, kFloat16 };

/// `bits`: 16 or 32.
constexpr RealFormat real_format(int bits) { return bits == 16 ? RealFormat::kFloat16 : RealFormat::kFloat32; }
constexpr int bits_of(RealFormat format) { return format == RealFormat::kFloat16 ? 16 : 32; }

/// A tensor's place in the graph.
struct Value {
  std::string name;                ///< Unique and not empty.
  std::optional<Tensor> constant;  ///< Set: an initializer.
  /// Set on integer constants whose file type is narrower than the DType that
  /// holds them: 4 for int4 and uint4, 2 for int2 and uint2. Else 0.
  int narrow_bits = 0;
  /// The tensor carries an encoding from the model, or the user named it: no
  /// pass may remove, bypass or fuse it away.
  bool pinned = false;
  /// Of a float32 tensor without encoding: kFloat16 says that the quantized model holds it in half precision. Like
  /// encodings it is no part of what the float model computes.
  RealFormat format = RealFormat::kFloat32;
};

/// Bounds of a clamp for each channel: what scaling the channels of a layer in front of its Relu6 leaves.
struct ChannelBounds {
  std::vector<float> min;  ///< [C]
  std::vector<float> max;  ///< [C]
  int inner_axes = 0;      ///< Axes behind the channels': 2 for [N, C, H, W].
  friend bool operator==(const ChannelBounds&, const ChannelBounds&) = default;
};

/// A clamp the node applies to its output 0 (Relu, Relu6, Clip, Max and Min with constants fused into it).
struct FusedClamp {
  float min = 0.0F;       ///< -infinity: no lower bound. With `channels`: the lowest of theirs.
  float max = 0.0F;       ///< +infinity: no upper bound. With `channels`: the highest of theirs.
  std::string node_name;  ///< Of the activation that was fused; kept for export.
  std::string pre_name;   ///< Name of the tensor between the two; kept for export.
  std::optional<ChannelBounds> channels = std::nullopt;

  float min_of(std::size_t channel) const { return channels ? channels->min[channel] : min; }
  float max_of(std::size_t channel) const { return channels ? channels->max[channel] : max; }
  friend bool operator==(const FusedClamp&, const FusedClamp&) = default;
};

/// How each channel of a layer's output 0 is distributed before the node's clamp, over the data the model was trained
/// on: normal, as the BatchNormalization behind the layer left it. Knowledge about values, not part of what is
/// computed.
struct NormalStatistics {
  std::vector<float> mean;                ///< [C], in units of the output.
  std::vector<float> standard_deviation;  ///< [C], >= 0, in units of the output.
  friend bool operator==(const NormalStatistics&, const NormalStatistics&) = default;
};

struct Node {
  std::string name;              ///< As in the file; may be empty or repeated.
  std::string op_type;           ///< "Conv", ...
  std::string domain;            ///< "" for ONNX, or "com.microsoft" and others.
  std::vector<ValueId> inputs;   ///< kNoValue: absent.
  std::vector<ValueId> outputs;  ///< kNoValue: not wanted.
  Attributes attributes;
  std::optional<FusedClamp> clamp;
  /// Set on linear nodes by passes/fold_batch_norm.cpp. Who changes the output transforms or drops it. In no file.
  std::optional<NormalStatistics> statistics = std::nullopt;
  int file_opset = 0;  ///< Opset of its domain in the file; for messages.
};

/// Inside a subgraph: a value that is computed by the enclosing graph.
struct Capture {
  ValueId inner;  ///< In this graph.
  ValueId outer;  ///< In the enclosing graph.
};

struct GraphInput {
  ValueId value;
  Declared declared;
};

struct GraphOutput {
  ValueId value;
  Declared declared;
};

struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<Node> nodes;  ///< Topological order after the reader and after every pass.
  std::vector<GraphInput> inputs;
  std::vector<GraphOutput> outputs;
  std::vector<Capture> captures;                              ///< Empty in a whole model.
  int opset = 0;                                              ///< Of the default domain, as in the file.
  int ir_version = 0;                                         ///< As in the file.
  std::vector<std::pair<std::string, std::string>> metadata;  ///< metadata_props of the file.

  Value& value(ValueId id) { return values[static_cast<std::size_t>(id)]; }
  const Value& value(ValueId id) const { return values[static_cast<std::size_t>(id)]; }
  Node& node(NodeId id) { return nodes[static_cast<std::size_t>(id)]; }
  const Node& node(NodeId id) const { return nodes[static_cast<std::size_t>(id)]; }
};

/// "node 'conv1' (Conv)"; falls back to the first output's name when the node has none.
std::string describe(const Graph& graph, const Node& node);

/// The value called `name`, or kNoValue. Linear.
ValueId find_value(const Graph& graph, std::string_view name);

/// Names of all values, for suggestions.
std::vector<std::string> value_names(const Graph& graph);

/// The constant of `id`, or nullptr when absent (also for kNoValue).
const Tensor* constant_of(const Graph& graph, ValueId id);

/// Who writes and reads each value. Invalid after any edit of the graph.
struct Links {
  std::vector<NodeId> producer;                ///< By ValueId; kNoNode for inputs and constants.
  std::vector<std::vector<NodeId>> consumers;  ///< By ValueId; a node appears once per use.
  std::vector<bool> is_output;                 ///< By ValueId: a graph output.

  /// The only node that reads `id`, or kNoNode (also if `id` is a graph output).
  NodeId single_consumer(ValueId id) const;
};
Links links_of(const Graph& graph);

/// Adds a value; a number is appended to `name` if it is taken already.
/// Linear in the number of values.
ValueId add_value(Graph& graph, std::string name);
ValueId add_constant(Graph& graph, std::string name, Tensor tensor);

/// Makes every reader of `from`, graph outputs included, read `to`.
void replace_uses(Graph& graph, ValueId from, ValueId to);

/// Removes nodes that reach no graph output, then values nobody uses; graph
/// inputs stay. Renumbers values and nodes.
Graph remove_unused(Graph graph);

/// Sorts nodes topologically, keeping file order where possible.
/// Errors: kInvalidInput naming a node on a cycle.
Result<Graph> sort_nodes(Graph graph);

/// Checks every invariant stated in this header: ids in range, names unique and
/// not empty, each value written exactly once, order topological.
/// Errors: kInvalidInput naming what is broken.
Result<void> verify(const Graph& graph);

}  // namespace halfstep::graph
