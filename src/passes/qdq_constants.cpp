// qdq_constants.cpp: quantized weights and biases become float constants with an encoding.
//
//   before:  w = DequantizeLinear(codes, s, z)
//   after:   w is a constant with an encoding, its codes kept bit for bit
//
//   before:  y = DequantizeLinear(QuantizeLinear(w, s, z), s, z)
//   after:   the same, codes = Q(w)
//
//   before:  v = Transpose(w), w encoded
//   after:   v is a constant with an encoding, its codes transposed
//
// In the second form w itself is encoded if nothing else reads it, else y is.
// Exactness: the constant holds (code - z) * s in float32, what DequantizeLinear gives.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>
#include <string_view>

#include "core/text.hpp"
#include "passes/qdq_import.hpp"

namespace halfstep::passes {
namespace {

using graph::kNoNode;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

/// What tools append to a tensor's name for its dequantized copy.
constexpr std::array<std::string_view, 4> kSuffixes = {"_DequantizeLinear_Output", "_dequantized", "_qdq", "_dq"};

/// "dq_output_w_1" is what NNCF makes of "w".
std::string without_nncf_marks(const std::string& name) {
  constexpr std::string_view kPrefix = "dq_output_";
  const std::size_t end = name.find_last_not_of("0123456789");
  if (!name.starts_with(kPrefix) || end == std::string::npos || end <= kPrefix.size() || end + 1 == name.size() ||
      name[end] != '_') {
    return name;
  }
  return name.substr(kPrefix.size(), end - kPrefix.size());
}

void restore_name(graph::Graph& graph, ValueId id) {
  const std::string& name = graph.value(id).name;
  std::string shorter = without_nncf_marks(name);
  for (std::string_view suffix : kSuffixes) {
    if (name.ends_with(suffix) && name.size() > suffix.size()) {
      shorter = name.substr(0, name.size() - suffix.size());
      break;
    }
  }
  if (shorter != name && graph::find_value(graph, shorter) == kNoValue) graph.value(id).name = std::move(shorter);
}

Result<void> set_encoded_constant(QdqImport& import, ValueId target, const Tensor& codes, const QdqGrid& grid,
                                  const Node& source) {
  const Result<Encoding> encoding = constant_encoding_of(grid, codes.shape());
  if (!encoding.ok()) return encoding.error();
  graph::Value& value = import.edit.graph.value(target);
  value.constant = dequantize(codes, *encoding);
  value.narrow_bits = 0;
  import.encode(target, *encoding, source, codes);
  return {};
}

/// w = DQ(constant integers).
Result<void> import_codes(QdqImport& import, NodeId n) {
  Edit& edit = import.edit;
  const Node node = edit.node(n);
  const ValueId output = node.outputs[0];
  if (edit.links.is_output[static_cast<std::size_t>(output)]) return {};
  const Tensor codes = *graph::constant_of(edit.graph, node.inputs[0]);
  if (Result<void> set = set_encoded_constant(import, output, codes, *import.grid(n), node); !set.ok()) return set;
  restore_name(edit.graph, output);
  edit.detach(n);
  edit.refresh();
  return {};
}

/// True if every reader of `id` is a Q on the same grid whose integers only DQs read.
bool is_read_on_one_grid(const QdqImport& import, ValueId id, const QdqGrid& grid) {
  const graph::Links& links = import.edit.links;
  if (links.is_output[static_cast<std::size_t>(id)]) return false;
  return std::ranges::all_of(links.consumers[static_cast<std::size_t>(id)], [&](NodeId n) {
    return is_quantize(import.edit.node(n)) && import.edit.node(n).inputs[0] == id && import.grid(n) == grid &&
           !dequantized_values(import, n).empty();
  });
}

/// y = DQ(Q(constant reals)).
Result<void> import_reals(QdqImport& import, NodeId n) {
  Edit& edit = import.edit;
  const Node node = edit.node(n);
  const ValueId real = node.inputs[0];
  const std::vector<ValueId> outputs = dequantized_values(import, n);
  const auto is_output = [&](ValueId id) { return edit.links.is_output[static_cast<std::size_t>(id)]; };
  if (outputs.empty() || std::ranges::any_of(outputs, is_output)) return {};

  const Tensor reals = *graph::constant_of(edit.graph, real);
  if (std::ranges::any_of(reals.values<float>(), [](float value) { return std::isnan(value); })) {
    return Error{ErrorCode::kInvalidInput, "constant " + quoted(edit.graph.value(real).name) + " contains NaN"};
  }
  const Result<Encoding> encoding = constant_encoding_of(*import.grid(n), reals.shape());
  if (!encoding.ok()) return encoding.error();
  const auto known = import.encodings.find(real);
  const bool encoded_before = known != import.encodings.end();
  const bool on_itself =
      encoded_before ? known->second.encoding == *encoding : is_read_on_one_grid(import, real, *import.grid(n));
  const ValueId target = on_itself ? real : outputs[0];
  for (ValueId output : outputs) {
    edit.detach(edit.producer(output));
    if (output != target) graph::replace_uses(edit.graph, output, target);
  }
  edit.detach(n);
  edit.refresh();
  if (on_itself && encoded_before) return {};
  return set_encoded_constant(import, target, quantize(reals, *encoding), *import.grid(n), node);
}

/// The encoding of what Transpose `node` makes of a constant with codes.
Result<Encoding> transposed_encoding(const graph::Graph& graph, const Node& node, const TensorEncoding& before) {
  const Encoding& encoding = before.encoding;
  if (encoding.is_per_tensor()) return encoding;
  const Shape& shape = before.codes->shape();
  std::vector<std::int64_t> perm = node.attributes.get_ints("perm");
  for (int i = shape.rank(); perm.size() < static_cast<std::size_t>(shape.rank());) perm.push_back(--i);
  const auto moved = [&](int axis) { return static_cast<int>(std::ranges::find(perm, axis) - perm.begin()); };
  if (encoding.axis()) return Encoding::per_channel(encoding.grid(), moved(*encoding.axis()), encoding.params());
  // Scales of blocks lie as the tensor does: what Transpose does to their positions says which goes where.
  Tensor positions(TensorType{DType::kInt64, scale_shape(encoding, shape)});
  std::iota(positions.mutable_data<std::int64_t>(), positions.mutable_data<std::int64_t>() + positions.num_elements(),
            std::int64_t{0});
  const Result<std::vector<Tensor>> from = ops::evaluate_node(graph, node, {&positions});
  if (!from.ok()) return from.error();
  std::vector<QuantParams> params;
  for (const std::int64_t i : from->front().values<std::int64_t>()) {
    params.push_back(encoding.params()[static_cast<std::size_t>(i)]);
  }
  return Encoding::per_block(encoding.grid(), moved(*encoding.block_axis()), encoding.block_size(), std::move(params));
}

/// v = Transpose(w): a quantized weight on its way to a MatMul.
Result<void> import_transpose(QdqImport& import, NodeId n) {
  Edit& edit = import.edit;
  const Node node = edit.node(n);
  const auto found = import.encodings.find(node.inputs[0]);
  if (found == import.encodings.end() || !found->second.codes || edit.links.single_consumer(node.inputs[0]) != n ||
      edit.links.is_output[static_cast<std::size_t>(node.outputs[0])]) {
    return {};
  }
  const TensorEncoding before = found->second;
  const Result<std::vector<Tensor>> codes = ops::evaluate_node(edit.graph, node, {&*before.codes});
  const Result<std::vector<Tensor>> reals =
      ops::evaluate_node(edit.graph, node, {graph::constant_of(edit.graph, node.inputs[0])});
  if (!codes.ok() || !reals.ok()) return {};  // Not a type Transpose takes: it stays a node.
  const Result<Encoding> encoding = transposed_encoding(import.edit.graph, node, before);
  if (!encoding.ok()) return encoding.error();
  edit.graph.value(node.outputs[0]).constant = reals->front();
  import.encode(node.outputs[0], *encoding, node, codes->front());
  import.encodings.at(node.outputs[0]).provenance = before.provenance;
  import.encodings.erase(node.inputs[0]);
  edit.graph.value(node.inputs[0]).pinned = false;
  edit.detach(n);
  edit.refresh();
  return {};
}

Result<void> import_constant_at(QdqImport& import, NodeId n) {
  const Node& node = import.edit.node(n);
  if (plain(node, "Transpose")) return import_transpose(import, n);
  if ((!is_quantize(node) && !is_dequantize(node)) || !import.grid(n)) return {};
  const Tensor* input = graph::constant_of(import.edit.graph, node.inputs[0]);
  if (input == nullptr) return {};
  const bool real = input->dtype() == DType::kFloat32;
  if (is_quantize(node)) return real ? import_reals(import, n) : Result<void>();
  if (!real) return import_codes(import, n);
  return Error{ErrorCode::kInvalidInput, "input is float32, expected an integer"};
}

}  // namespace

Result<void> import_qdq_constants(QdqImport& import) {
  for (std::size_t n = 0; n < import.edit.graph.nodes.size(); ++n) {
    const std::string place = graph::describe(import.edit.graph, import.edit.graph.nodes[n]);
    const Result<void> imported = import_constant_at(import, static_cast<NodeId>(n));
    if (!imported.ok()) return imported.error().at(place);
  }
  return {};
}

}  // namespace halfstep::passes
