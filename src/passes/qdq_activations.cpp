// qdq_activations.cpp: quantized activations become encodings on the tensors they stand for.
//
//   before:  y = DequantizeLinear(QuantizeLinear(x, s, z), s, z), nothing else reads x
//   after:   readers of y read x, which is encoded
//   before:  the same, but x is also read as it is, or through another grid
//   after:   y = Identity(x), y is encoded
//   before:  q = QuantizeLinear(x, s, z) is a graph output or read as integers, nothing else reads x
//   after:   q stays, x is encoded, readers of DequantizeLinear(q, s, z) read x
//   before:  y = DequantizeLinear(q, s, z) of integers from elsewhere, such as a graph input
//   after:   the same, y is encoded
//
// Encoded values are pinned, so the Identity stays. Where y is a graph output
// its name stays: the producer of x writes y. Shape and Size do not count as
// readers. Exactness: rounding to a grid twice is rounding once.
#include <algorithm>
#include <iterator>

#include "passes/qdq_import.hpp"

namespace halfstep::passes {
namespace {

using graph::kNoNode;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

/// Operators whose output has the rank of input 0: enough to find a rank from a Conv or a graph input.
bool keeps_rank(const Node& node) {
  for (const char* type : {"Relu",
                           "Clip",
                           "BatchNormalization",
                           "MaxPool",
                           "AveragePool",
                           "GlobalAveragePool",
                           "LeakyRelu",
                           "PRelu",
                           "Sigmoid",
                           "Tanh",
                           "HardSwish",
                           "HardSigmoid",
                           "Identity",
                           "Concat",
                           "Pad",
                           "Dropout",
                           "InstanceNormalization",
                           "QuantizeLinear",
                           "DequantizeLinear",
                           "Softmax"}) {
    if (node.op_type == type) return true;
  }
  return false;
}

/// The rank of `id` where it shows without inference; -1 otherwise.
int rank_of(const Edit& edit, ValueId id) {
  while (true) {
    if (const Tensor* constant = graph::constant_of(edit.graph, id)) return constant->shape().rank();
    const NodeId n = edit.producer(id);
    if (n == kNoNode) {
      const auto at = std::ranges::find(edit.graph.inputs, id, &graph::GraphInput::value);
      if (at == edit.graph.inputs.end() || !at->declared.dims) return -1;
      return static_cast<int>(at->declared.dims->size());
    }
    const Node& node = edit.node(n);
    if (node.op_type == "Gemm") return 2;
    const bool convolution = node.op_type == "Conv" || node.op_type == "ConvTranspose";
    if (!convolution && !keeps_rank(node)) return -1;
    id = input_of(node, convolution ? 1 : 0);
    if (id == kNoValue) return -1;
  }
}

/// Empty: per channel, counted from the end, of a tensor of unknown rank. Errors: kUnsupported for blocks.
Result<std::optional<Encoding>> activation_encoding(const Edit& edit, const QdqGrid& grid, ValueId id) {
  if (grid.per_block()) {
    return Error{ErrorCode::kUnsupported,
                 "scales of an activation are blocked; quantize activations per tensor or per channel"};
  }
  int rank = rank_of(edit, id);
  if (rank < 0 && grid.per_channel()) {
    if (grid.axis < 0 || grid.axis > 64) return std::optional<Encoding>();
    rank = static_cast<int>(grid.axis) + 1;
  }
  Result<Encoding> encoding = encoding_of(grid, rank);
  if (!encoding.ok()) return encoding.error();
  return std::optional(*std::move(encoding));
}

/// The Qs on `grid` that read x.
std::vector<NodeId> group_on_grid(const QdqImport& import, ValueId x, const QdqGrid& grid) {
  std::vector<NodeId> group;
  for (NodeId n : import.edit.links.consumers[index(x)]) {
    const Node& node = import.edit.node(n);
    if (is_quantize(node) && node.inputs[0] == x && import.grid(n) == grid) group.push_back(n);
  }
  return group;
}

/// Outputs of the DQs on the grid of Q `quantize` that read its integers, whatever else reads them.
std::vector<ValueId> read_back_values(const QdqImport& import, NodeId quantize) {
  const ValueId codes = import.edit.node(quantize).outputs[0];
  std::vector<ValueId> values;
  for (NodeId n : import.edit.links.consumers[index(codes)]) {
    const Node& node = import.edit.node(n);
    if (is_dequantize(node) && node.inputs[0] == codes && import.grid(n) == import.grid(quantize)) {
      values.push_back(node.outputs[0]);
    }
  }
  return values;
}

/// Nothing but the nodes of `group` reads the values of x.
bool reads_all_of(const QdqImport& import, const std::vector<NodeId>& group, ValueId x) {
  const graph::Links& links = import.edit.links;
  return !links.is_output[index(x)] && std::ranges::all_of(links.consumers[index(x)], [&](NodeId n) {
    const Node& node = import.edit.node(n);
    return std::ranges::find(group, n) != group.end() || plain(node, "Shape") || plain(node, "Size");
  });
}

Node identity(ValueId from, ValueId to, std::string name) {
  Node node;
  node.name = std::move(name);
  node.op_type = "Identity";
  node.inputs = {from};
  node.outputs = {to};
  return node;
}

/// The producer of x writes `output` instead, which takes over x's encoding.
void rename(QdqImport& import, ValueId x, ValueId output) {
  Edit& edit = import.edit;
  std::ranges::replace(edit.node(edit.producer(x)).outputs, x, output);
  graph::replace_uses(edit.graph, x, output);
  std::swap(edit.graph.value(x).pinned, edit.graph.value(output).pinned);
  if (auto moved = import.encodings.extract(x)) {
    moved.key() = output;
    import.encodings.insert(std::move(moved));
  }
}

/// Readers of the DQ output `y` read x instead, which is on the same grid.
/// Returns the value that x is now: y if that is a graph output which took x's place.
ValueId replace_dequantized(QdqImport& import, ValueId y, ValueId x) {
  Edit& edit = import.edit;
  const NodeId dequantize = edit.producer(y);
  const std::string name = edit.node(dequantize).name;
  edit.detach(dequantize);
  if (!edit.links.is_output[index(y)]) {
    graph::replace_uses(edit.graph, y, x);
  } else if (edit.producer(x) != kNoNode && !edit.links.is_output[index(x)]) {
    rename(import, x, y);
    x = y;
  } else {
    edit.node(dequantize) = identity(x, y, name);
  }
  edit.refresh();
  return x;
}

/// y = DQ(Q(x)), and the Q may go.
void import_pairs(QdqImport& import, NodeId n, const Encoding& encoding) {
  Edit& edit = import.edit;
  const Node first = edit.node(n);
  ValueId x = first.inputs[0];
  const std::vector<NodeId> group = group_on_grid(import, x, *import.grid(n));
  const auto known = import.encodings.find(x);
  const bool on_itself =
      known != import.encodings.end() ? known->second.encoding == encoding : reads_all_of(import, group, x);
  std::vector<ValueId> dequantized;
  std::vector<NodeId> pairs;
  std::ranges::copy_if(group, std::back_inserter(pairs),
                       [&](NodeId q) { return !dequantized_values(import, q).empty(); });
  for (NodeId q : pairs) std::ranges::copy(dequantized_values(import, q), std::back_inserter(dequantized));
  for (NodeId q : pairs) edit.detach(q);
  if (on_itself) {
    if (known == import.encodings.end()) import.encode(x, encoding, first, std::nullopt);
  } else {
    // A graph output keeps its name: prefer it for the tensor that carries the encoding.
    const auto named = std::ranges::find_if(dequantized, [&](ValueId y) { return edit.links.is_output[index(y)]; });
    const ValueId y = named == dequantized.end() ? dequantized[0] : *named;
    std::erase(dequantized, y);
    edit.detach(edit.producer(y));
    edit.node(n) = identity(x, y, first.name);
    import.encode(y, encoding, first, std::nullopt);
    x = y;
  }
  edit.refresh();
  for (ValueId y : dequantized) x = replace_dequantized(import, y, x);
}

/// q = Q(x), and the Q must stay for those that read q.
void import_lone(QdqImport& import, NodeId n, const Encoding& encoding) {
  const Node node = import.edit.node(n);
  ValueId x = node.inputs[0];
  const auto known = import.encodings.find(x);
  if (known != import.encodings.end() ? known->second.encoding != encoding
                                      : !reads_all_of(import, group_on_grid(import, x, *import.grid(n)), x)) {
    return;
  }
  if (known == import.encodings.end()) import.encode(x, encoding, node, std::nullopt);
  for (ValueId y : read_back_values(import, n)) x = replace_dequantized(import, y, x);
}

Result<void> import_activation(QdqImport& import, NodeId n) {
  const ValueId x = import.edit.node(n).inputs[0];
  if (graph::constant_of(import.edit.graph, x) != nullptr) return {};
  const Result<std::optional<Encoding>> encoding = activation_encoding(import.edit, *import.grid(n), x);
  if (!encoding.ok()) return encoding.error();
  if (!*encoding) return {};
  if (dequantized_values(import, n).empty()) {
    import_lone(import, n, **encoding);
  } else {
    import_pairs(import, n, **encoding);
  }
  return {};
}

/// The output of a DQ that stays is on its grid.
Result<void> encode_output(QdqImport& import, NodeId n) {
  const Node& node = import.edit.node(n);
  const ValueId y = node.outputs[0];
  if (import.grid(n)->stored.dtype == DType::kInt32 || import.encodings.contains(y)) return {};
  const Result<std::optional<Encoding>> encoding = activation_encoding(import.edit, *import.grid(n), y);
  if (!encoding.ok()) return encoding.error();
  if (*encoding) import.encode(y, **encoding, node, std::nullopt);
  return {};
}

}  // namespace

Result<void> import_qdq_activations(QdqImport& import) {
  const auto for_each = [&import](bool (*wanted)(const Node&), Result<void> (*imports)(QdqImport&, NodeId)) {
    for (std::size_t n = 0; n < import.edit.graph.nodes.size(); ++n) {
      const Node& node = import.edit.graph.nodes[n];
      if (!wanted(node) || node.outputs.empty() || !import.grid(static_cast<NodeId>(n))) continue;
      const std::string place = graph::describe(import.edit.graph, node);
      if (Result<void> done = imports(import, static_cast<NodeId>(n)); !done.ok())
        return Result<void>(done.error().at(place));
    }
    return Result<void>();
  };
  if (Result<void> quantized = for_each(is_quantize, import_activation); !quantized.ok()) return quantized;
  return for_each(is_dequantize, encode_output);
}

}  // namespace halfstep::passes
