// import_qdq.cpp: models that already carry QuantizeLinear and DequantizeLinear.
//
// First what leads from constants to a Q or DQ is computed (qdq_fold.cpp), then
// the grids are read and checked, then constants and activations are taken apart
// (qdq_constants.cpp, qdq_activations.cpp). What is left stays an ordinary node.
#include "passes/import_qdq.hpp"

#include <algorithm>

#include "core/text.hpp"
#include "ops/op_def.hpp"
#include "passes/import_matmul_nbits.hpp"
#include "passes/qdq_import.hpp"

namespace halfstep::passes {

using graph::Graph;
using graph::kNoNode;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

namespace {

bool is_qdq(const Node& node) { return is_quantize(node) || is_dequantize(node); }

Result<void> read_grids(QdqImport& import) {
  const Graph& graph = import.edit.graph;
  import.grids.resize(graph.nodes.size());
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (!is_qdq(node)) continue;
    std::optional<StoredType> stored;
    if (is_dequantize(node)) {
      const ValueId input = input_of(node, 0);
      if (const Tensor* codes = graph::constant_of(graph, input)) {
        stored = StoredType{codes->dtype(), graph.value(input).narrow_bits};
      } else if (const NodeId q = import.edit.producer(input); q != kNoNode && is_quantize(graph.node(q))) {
        if (import.grid(q)) stored = import.grid(q)->stored;
      }
    }
    Result<std::optional<QdqGrid>> grid = qdq_grid_of(graph, node, stored);
    if (!grid.ok()) return grid.error();
    import.grids[n] = *std::move(grid);
  }
  return {};
}

/// A constant is a bias if an operator reads it as one, or if it is int32 and none reads it as a weight.
TensorRole role_of(const QdqImport& import, ValueId id, const Tensor& codes) {
  bool is_weight = false;
  for (NodeId n : import.edit.links.consumers[index(id)]) {
    const Node& node = import.edit.node(n);
    const ops::OpDef* op = ops::find_op(node);
    if (op == nullptr) continue;
    const auto reads_as = [&](ops::OperandRole role) {
      const std::optional<std::size_t> at = op->operands.find(role);
      return at && input_of(node, *at) == id;
    };
    if (reads_as(ops::OperandRole::kBias)) return TensorRole::kBias;
    is_weight = is_weight || reads_as(ops::OperandRole::kWeight);
  }
  return codes.dtype() == DType::kInt32 && !is_weight ? TensorRole::kBias : TensorRole::kWeight;
}

std::string why_left(const QdqImport& import, NodeId n) {
  const Node& node = import.edit.node(n);
  if (!import.grid(n)) return "its scale or zero point is computed";
  if (is_quantize(node)) return "its integers are not only read by a DequantizeLinear on the same grid";
  return "its input is not a constant or a QuantizeLinear on the same grid";
}

}  // namespace

void QdqImport::encode(ValueId value, Encoding encoding, const Node& source, std::optional<Tensor> codes) {
  edit.graph.value(value).pinned = true;
  const Provenance provenance{Origin::kImported, graph::describe(edit.graph, source)};
  encodings.insert_or_assign(value, TensorEncoding{std::move(encoding), TensorRole::kActivation, provenance,
                                                   std::move(codes), /*frozen=*/true});
}

std::vector<ValueId> dequantized_values(const QdqImport& import, NodeId quantize) {
  const Edit& edit = import.edit;
  const ValueId codes = edit.node(quantize).outputs[0];
  if (edit.links.is_output[index(codes)]) return {};
  std::vector<ValueId> values;
  for (NodeId n : edit.links.consumers[index(codes)]) {
    const Node& node = edit.node(n);
    if (!is_dequantize(node) || node.inputs[0] != codes || import.grid(n) != import.grid(quantize)) return {};
    values.push_back(node.outputs[0]);
  }
  return values;
}

Result<ImportedQdq> import_qdq(Graph source) {
  Result<Graph> products = import_matmul_nbits(std::move(source));
  if (!products.ok()) return products.error();
  Graph graph = *std::move(products);
  for (Node& node : graph.nodes) {
    // The contributed operators mean the same.
    if (node.domain == "com.microsoft" && (node.op_type == "QuantizeLinear" || node.op_type == "DequantizeLinear")) {
      node.domain.clear();
    }
  }
  if (std::ranges::none_of(graph.nodes, is_qdq)) return ImportedQdq{{std::move(graph), {}}, {}};

  Result<Graph> folded = fold_qdq_operands(std::move(graph));
  if (!folded.ok()) return folded.error();
  QdqImport import{Edit(lift_integer_movement(*std::move(folded))), {}, {}};
  if (Result<void> read = read_grids(import); !read.ok()) return read.error();
  if (Result<void> constants = import_qdq_constants(import); !constants.ok()) return constants.error();
  if (Result<void> activations = import_qdq_activations(import); !activations.ok()) return activations.error();

  ImportedQdq result;
  import.edit.refresh();
  for (std::size_t n = 0; n < import.edit.graph.nodes.size(); ++n) {
    const Node& node = import.edit.graph.nodes[n];
    if (!is_qdq(node) || node.outputs.empty()) continue;
    const ValueId real = is_quantize(node) ? node.inputs[0] : node.outputs[0];
    if (import.encodings.contains(real)) continue;
    result.notes.push_back(graph::describe(import.edit.graph, node) +
                           " stays an ordinary operator: " + why_left(import, static_cast<NodeId>(n)));
  }
  for (auto& [id, encoding] : import.encodings) {
    if (import.edit.links.consumers[index(id)].empty() && !import.edit.links.is_output[index(id)]) continue;
    if (encoding.codes) encoding.role = role_of(import, id, *encoding.codes);
    result.encodings.emplace(import.edit.graph.value(id).name, std::move(encoding));
  }
  result.graph = drop_unused(std::move(import.edit.graph));
  return result;
}

Result<void> check_encodings_fit(const ImportedQdq& imported, const ops::Facts& facts) {
  for (std::size_t v = 0; v < imported.graph.values.size(); ++v) {
    const std::string& name = imported.graph.values[v].name;
    const TensorEncoding* encoding = find_encoding(imported.encodings, name);
    const TensorType* type = type_of(facts, static_cast<ValueId>(v));
    if (encoding == nullptr || type == nullptr) continue;
    const Result<void> fits = check_fits(encoding->encoding, type->shape);
    if (!fits.ok()) return fits.error().at("tensor " + quoted(name));
  }
  return {};
}

}  // namespace halfstep::passes
