// qdq_graph.cpp: insertion of QuantizeLinear/DequantizeLinear pairs.
#include "io/onnx/qdq_graph.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "core/text.hpp"

namespace halfstep::io {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

/// Adds values under unique names in constant time each; graph::add_value is linear.
class Editor {
 public:
  explicit Editor(Graph graph) : graph_(std::move(graph)) {
    for (const graph::Value& value : graph_.values) names_.insert(value.name);
  }

  Graph& graph() { return graph_; }
  std::string name_of(ValueId id) const { return graph_.value(id).name; }

  ValueId add(std::string name) {
    std::string unique = name;
    for (int suffix = 2; !names_.insert(unique).second; ++suffix) unique = name + "_" + std::to_string(suffix);
    graph_.values.emplace_back().name = std::move(unique);
    return static_cast<ValueId>(graph_.values.size() - 1);
  }

  ValueId add_constant(std::string name, Tensor tensor, int narrow_bits = 0) {
    const ValueId id = add(std::move(name));
    graph_.value(id).constant = std::move(tensor);
    graph_.value(id).narrow_bits = narrow_bits;
    return id;
  }

  /// Exchanges the names of two values.
  void swap_names(ValueId a, ValueId b) { std::swap(graph_.value(a).name, graph_.value(b).name); }

 private:
  Graph graph_;
  std::unordered_set<std::string> names_;
};

/// Scale and zero point of one encoding as initializers.
struct Parameters {
  ValueId scale;
  ValueId zero_point;
};

/// `shape`: that of scale_shape().
Parameters add_parameters(Editor& editor, const std::string& name, const Encoding& encoding, const Shape& shape) {
  const DType dtype = storage_dtype(encoding.grid());
  Tensor scale(TensorType{DType::kFloat32, shape});
  Tensor zero_point(TensorType{dtype, shape});
  for (std::size_t c = 0; c < encoding.params().size(); ++c) {
    scale.mutable_data<float>()[c] = static_cast<float>(encoding.params()[c].scale);
    visit_dtype(dtype,
                [&]<class T>() { zero_point.mutable_data<T>()[c] = static_cast<T>(encoding.params()[c].zero_point); });
  }
  const int narrow_bits = storage_bits(encoding.grid()) == 4 ? 4 : 0;
  return {editor.add_constant(name + "_scale", std::move(scale)),
          editor.add_constant(name + "_zero_point", std::move(zero_point), narrow_bits)};
}

Node linear_node(const char* op_type, std::string name, ValueId input, Parameters parameters, ValueId output,
                 const Encoding& encoding) {
  Node node;
  node.name = std::move(name);
  node.op_type = op_type;
  node.inputs = {input, parameters.scale, parameters.zero_point};
  node.outputs = {output};
  if (encoding.axis()) node.attributes.set("axis", std::int64_t{*encoding.axis()});
  if (encoding.block_axis()) {
    node.attributes.set("axis", std::int64_t{*encoding.block_axis()});
    node.attributes.set("block_size", encoding.block_size());
  }
  return node;
}

/// Makes an encoded constant an integer initializer plus a DequantizeLinear, which is returned.
Result<Node> dequantize_constant(Editor& editor, ValueId id, const TensorEncoding& entry) {
  const std::string name = editor.name_of(id);
  const Tensor real = *editor.graph().value(id).constant;  // By value: adding constants moves them.
  if (Result<void> fits = check_fits(entry.encoding, real.shape()); !fits.ok()) {
    return fits.error().at("tensor " + quoted(name));
  }
  Tensor codes = entry.codes ? *entry.codes : quantize(real, entry.encoding);
  const int narrow_bits = storage_bits(entry.encoding.grid()) == 4 ? 4 : 0;
  const ValueId stored = editor.add_constant(name + "_quantized", std::move(codes), narrow_bits);
  const Parameters parameters = add_parameters(editor, name, entry.encoding, scale_shape(entry.encoding, real.shape()));
  editor.graph().value(id).constant.reset();
  return linear_node("DequantizeLinear", name + "_DequantizeLinear", stored, parameters, id, entry.encoding);
}

/// The pair behind an activation. On return `readers_of[x]` is what readers of x read.
void add_pair(Editor& editor, ValueId id, const Encoding& encoding, bool is_output, std::vector<ValueId>& readers_of,
              std::vector<Node>& nodes) {
  const std::string name = editor.name_of(id);
  const ValueId stored = editor.add(name + "_quantized");
  // A graph output's name belongs on the dequantized side.
  const ValueId back = editor.add(name + (is_output ? "_float" : "_dequantized"));
  if (is_output) editor.swap_names(id, back);
  const auto count = static_cast<std::int64_t>(encoding.params().size());
  const Parameters parameters = add_parameters(editor, name, encoding, encoding.axis() ? Shape{count} : Shape{});
  nodes.push_back(linear_node("QuantizeLinear", name + "_QuantizeLinear", id, parameters, stored, encoding));
  nodes.push_back(linear_node("DequantizeLinear", name + "_DequantizeLinear", stored, parameters, back, encoding));
  readers_of[static_cast<std::size_t>(id)] = back;
}

/// Max or Min of `input` and one bound a channel, [C, 1, ...]; ONNX's Clip takes numbers only.
Node channel_bound_node(Editor& editor, const char* op_type, std::string name, ValueId input, ValueId output,
                        const std::vector<float>& bounds, int inner_axes) {
  Shape shape{static_cast<std::int64_t>(bounds.size())};
  for (int axis = 0; axis < inner_axes; ++axis) shape.push_back(1);
  Tensor constant(TensorType{DType::kFloat32, shape});
  std::ranges::copy(bounds, constant.mutable_data<float>());
  Node node;
  node.op_type = op_type;
  node.name = std::move(name);
  const char* suffix = node.op_type == "Max" ? "_min" : "_max";
  const ValueId bound = editor.add_constant(editor.name_of(output) + suffix, std::move(constant));
  editor.graph().value(bound).format = editor.graph().value(output).format;
  node.inputs = {input, bound};
  node.outputs = {output};
  return node;
}

void add_channel_clamp(Editor& editor, const graph::FusedClamp& clamp, ValueId before, ValueId after,
                       std::vector<Node>& nodes) {
  const graph::ChannelBounds& channels = *clamp.channels;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const bool has_min = std::ranges::any_of(channels.min, [](float x) { return x > -kInfinity; });
  const bool has_max = std::ranges::any_of(channels.max, [](float x) { return x < kInfinity; });
  const ValueId between = has_min && has_max ? editor.add(editor.name_of(after) + "_above_min") : after;
  editor.graph().value(between).format = editor.graph().value(after).format;
  if (has_min) {
    nodes.push_back(channel_bound_node(editor, "Max", has_max ? clamp.node_name + "_min" : clamp.node_name, before,
                                       between, channels.min, channels.inner_axes));
  }
  if (has_max) {
    nodes.push_back(channel_bound_node(editor, "Min", clamp.node_name, has_min ? between : before, after, channels.max,
                                       channels.inner_axes));
  }
}

/// Splits Node::clamp off as a node of its own, written to `nodes` behind `node`.
void add_clamp_node(Editor& editor, Node& node, std::vector<Node>& nodes) {
  const graph::FusedClamp clamp = *node.clamp;
  node.clamp.reset();
  const ValueId after = node.outputs[0];
  const ValueId before = editor.add(clamp.pre_name.empty() ? editor.name_of(after) + "_pre_clamp" : clamp.pre_name);
  const graph::RealFormat format = editor.graph().value(after).format;
  editor.graph().value(before).format = format;
  node.outputs[0] = before;
  nodes.push_back(node);
  if (clamp.channels) {
    add_channel_clamp(editor, clamp, before, after, nodes);
    return;
  }
  Node activation;
  activation.name = clamp.node_name;
  activation.inputs = {before};
  activation.outputs = {after};
  if (clamp.min == 0.0F && std::isinf(clamp.max)) {
    activation.op_type = "Relu";
  } else {
    activation.op_type = "Clip";
    const std::string base = editor.name_of(after);
    const auto bound = [&](const char* suffix, float value) {
      if (std::isinf(value)) return kNoValue;
      const ValueId id = editor.add_constant(base + suffix, Tensor::of<float>(Shape{}, {value}));
      editor.graph().value(id).format = format;
      return id;
    };
    activation.inputs.push_back(bound("_min", clamp.min));
    activation.inputs.push_back(bound("_max", clamp.max));
    while (activation.inputs.back() == kNoValue) activation.inputs.pop_back();
  }
  nodes.push_back(std::move(activation));
}

/// ONNX Runtime makes a QLinearConv of a Conv between DequantizeLinear and QuantizeLinear, also behind a Clip that the
/// grid implies; but its QLinearConv takes no activation with a grid for each channel. A Max that limits nothing keeps
/// it a Conv of real numbers; reading takes it out again. On return `node` is that Max, with the clamp of the Conv.
void keep_real(Editor& editor, Node& node, std::vector<Node>& nodes) {
  const ValueId after = node.outputs[0];
  const ValueId real = editor.add(editor.name_of(after) + "_real");
  Node keeper = channel_bound_node(editor, "Max", node.name + "_keep_real", real, after,
                                   {-std::numeric_limits<float>::infinity()}, 0);
  keeper.clamp = std::move(node.clamp);
  node.clamp.reset();
  node.outputs[0] = real;
  nodes.push_back(std::move(node));
  node = std::move(keeper);
}

}  // namespace

Result<Graph> insert_qdq(const Graph& source, const EncodingSet& encodings) {
  Editor editor(source);
  const graph::Links links = graph::links_of(source);
  const std::size_t num_values = source.values.size();
  std::vector<ValueId> readers_of(num_values);
  std::vector<const TensorEncoding*> entries(num_values, nullptr);
  for (std::size_t v = 0; v < num_values; ++v) {
    readers_of[v] = static_cast<ValueId>(v);
    entries[v] = find_encoding(encodings, source.values[v].name);
  }
  std::vector<Node> nodes;
  const auto add_activation = [&](ValueId id) {
    const auto v = static_cast<std::size_t>(id);
    if (id == kNoValue || v >= num_values || entries[v] == nullptr) return;
    // An output that is an input too must keep its name: it is left as it is.
    const bool is_output = links.is_output[v] && links.producer[v] != graph::kNoNode;
    if (links.is_output[v] && !is_output && links.consumers[v].empty()) return;
    add_pair(editor, id, entries[v]->encoding, is_output, readers_of, nodes);
  };

  for (std::size_t v = 0; v < num_values; ++v) {
    if (!source.values[v].constant || entries[v] == nullptr || source.values[v].constant->dtype() != DType::kFloat32) {
      continue;
    }
    Result<Node> node = dequantize_constant(editor, static_cast<ValueId>(v), *entries[v]);
    if (!node.ok()) return node.error();
    nodes.push_back(*std::move(node));
  }
  for (const graph::GraphInput& input : source.inputs) add_activation(input.value);
  const auto has_channel_grid = [&](ValueId id) {
    const TensorEncoding* entry = id == kNoValue ? nullptr : entries[static_cast<std::size_t>(id)];
    return entry != nullptr && entry->role == TensorRole::kActivation && entry->encoding.axis();
  };
  for (Node node : source.nodes) {
    const bool stays_real = node.op_type == "Conv" && node.domain.empty() &&
                            (has_channel_grid(node.inputs[0]) || has_channel_grid(node.outputs[0]));
    for (ValueId& id : node.inputs) {
      if (id != kNoValue) id = readers_of[static_cast<std::size_t>(id)];
    }
    const std::vector<ValueId> outputs = node.outputs;
    if (stays_real) keep_real(editor, node, nodes);
    if (node.clamp) {
      add_clamp_node(editor, node, nodes);
    } else {
      nodes.push_back(std::move(node));
    }
    for (ValueId id : outputs) add_activation(id);
  }
  Graph& result = editor.graph();
  result.nodes = std::move(nodes);
  for (graph::GraphOutput& output : result.outputs) {
    const auto v = static_cast<std::size_t>(output.value);
    if (links.producer[v] != graph::kNoNode) output.value = readers_of[v];
  }
  return graph::remove_unused(std::move(result));
}

}  // namespace halfstep::io
