// infer_graph.cpp: types and known values, node by node.
#include "ops/infer_graph.hpp"

#include <algorithm>
#include <limits>
#include <memory>

#include "core/memory_budget.hpp"
#include "core/text.hpp"
#include "ops/evaluate.hpp"
#include "ops/op_def.hpp"
#include "ops/work.hpp"

namespace halfstep::ops {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;

/// Known operands are computed on the way only up to this size: enough for
/// shape arithmetic and anchors, too small to double a model's weights.
constexpr std::int64_t kMaxComputedElements = std::int64_t{1} << 18;

/// What may be computed on the way in all, however many nodes a model has: what its constants take, and some more.
/// Beyond it values stay unknown.
struct Allowance {
  double bytes;
  double work;

  explicit Allowance(const Graph& graph) {
    double constants = 0.0;
    for (const graph::Value& value : graph.values) {
      if (value.constant) constants += static_cast<double>(value.constant->num_bytes());
    }
    bytes = 2.0 * constants + 0x1p27;
    work = 16.0 * constants + 0x1p28;
  }

  bool take(double more_bytes, double more_work) {
    if (more_bytes > bytes || more_work > work) return false;
    bytes -= more_bytes;
    work -= more_work;
    return true;
  }
};

enum class OnFailure { kReport, kLeaveUnknown };

bool has_subgraph(const Node& node) {
  return std::any_of(node.attributes.begin(), node.attributes.end(), [](const auto& entry) {
    return std::holds_alternative<std::shared_ptr<const Graph>>(entry.second);
  });
}

Result<Shape> input_shape(const Graph& graph, const graph::GraphInput& input, const InputShapes& shapes) {
  const std::string& name = graph.value(input.value).name;
  const auto given = shapes.find(name);
  const auto& dims = input.declared.dims;
  if (given != shapes.end()) {
    const Shape& shape = given->second;
    if (dims) {
      bool fits = static_cast<int>(dims->size()) == shape.rank();
      for (int axis = 0; fits && axis < shape.rank(); ++axis) {
        const graph::Dim& dim = (*dims)[static_cast<std::size_t>(axis)];
        fits = !dim.fixed() || dim.extent == shape[axis];
      }
      if (!fits) {
        return Error{ErrorCode::kInvalidInput, "input " + quoted(name) + " has shape " + to_string(shape) +
                                                   ", the model declares " + to_string(*dims)};
      }
    }
    return shape;
  }
  Shape shape;
  bool known = dims.has_value();
  if (dims) {
    for (const graph::Dim& dim : *dims) {
      known = known && dim.fixed();
      shape.push_back(dim.extent);
    }
  }
  if (!known) {
    return Error{ErrorCode::kInvalidInput, "input " + quoted(name) + " has no fixed shape; give one with --input_dim"};
  }
  return shape;
}

Result<void> infer_node(const Node& node, Facts& facts, Allowance& allowance) {
  const OpDef* op = find_op(node);
  if (op == nullptr) {
    return Error{ErrorCode::kUnsupported, "operator is not supported (opset " + std::to_string(node.file_opset) +
                                              "); 'quantize-inspect --operators' lists what is"};
  }
  std::vector<const TensorType*> types;
  std::vector<const Tensor*> values;
  bool all_known = true;
  for (graph::ValueId id : node.inputs) {
    if (id == kNoValue) {
      types.push_back(nullptr);
      values.push_back(nullptr);
      continue;
    }
    const Fact& fact = facts[static_cast<std::size_t>(id)];
    if (!fact.type) return {};
    types.push_back(&*fact.type);
    values.push_back(fact.value ? &*fact.value : nullptr);
    all_known = all_known && fact.value.has_value();
  }
  const NodeArgs args{node, types, values};
  Result<Inferred> inferred = checked_infer(*op, args);
  if (!inferred.ok()) return inferred.error();
  if (inferred->data_dependent) return {};

  std::int64_t num_elements = 0;
  double num_bytes = 0.0;
  bool values_given = !inferred->values.empty();
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    Fact& fact = facts[static_cast<std::size_t>(node.outputs[i])];
    fact.type = inferred->outputs[i];
    if (i < inferred->values.size() && inferred->values[i]) {
      fact.value = *inferred->values[i];
    } else {
      values_given = false;
    }
    num_elements += fact.type->shape.num_elements();
    num_bytes += static_cast<double>(fact.type->num_bytes());
  }
  if (values_given || !all_known || op->nondeterministic || num_elements > kMaxComputedElements) return {};
  if (!allowance.take(num_bytes, work_of(*op, args, inferred->outputs))) return {};

  Result<std::vector<Tensor>> computed = run_with_known_operands(*op, args, *inferred);
  if (!computed.ok()) return computed.error();
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) facts[static_cast<std::size_t>(node.outputs[i])].value = (*computed)[i];
  }
  return {};
}

Result<Facts> infer(const Graph& graph, const InputShapes& shapes, OnFailure on_failure) {
  Facts facts(graph.values.size());
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    if (!graph.values[v].constant) continue;
    facts[v].type = graph.values[v].constant->type();
    facts[v].value = graph.values[v].constant;
  }
  for (const graph::GraphInput& input : graph.inputs) {
    Result<Shape> shape = input_shape(graph, input, shapes);
    if (!shape.ok()) return shape.error();
    const DType dtype = input.declared.dtype;
    if (Result<void> sane = check_shape(*shape, dtype); !sane.ok()) {
      return sane.error().at("input " + quoted(graph.value(input.value).name));
    }
    if (Result<void> small = check_tensor_memory({dtype, *shape}); !small.ok()) {
      return small.error().at("input " + quoted(graph.value(input.value).name));
    }
    facts[static_cast<std::size_t>(input.value)].type = TensorType{dtype, *std::move(shape)};
  }
  Allowance allowance(graph);
  for (const Node& node : graph.nodes) {
    if (has_subgraph(node)) continue;  // Resolved or refused by a pass; unknown until then.
    const Result<void> outcome = unless_out_of_memory([&] { return infer_node(node, facts, allowance); });
    if (!outcome.ok() && on_failure == OnFailure::kReport) {
      return outcome.error().at(graph::describe(graph, node));
    }
  }
  return facts;
}

/// Marks extents that differ between `a` and `b` by -1; empty if more than that differs.
std::optional<TensorType> common_type(const std::optional<TensorType>& a, const std::optional<TensorType>& b) {
  if (!a || !b || a->dtype != b->dtype || a->shape.rank() != b->shape.rank()) return std::nullopt;
  TensorType common = *a;
  for (int axis = 0; axis < common.shape.rank(); ++axis) {
    if (a->shape[axis] != b->shape[axis]) common.shape[axis] = -1;
  }
  return common;
}

}  // namespace

Result<Facts> infer_facts(const Graph& graph, const InputShapes& shapes) {
  return infer(graph, shapes, OnFailure::kReport);
}

Result<Facts> infer_invariant_facts(const Graph& graph, const InputShapes& shapes) {
  Result<Facts> facts = infer(graph, shapes, OnFailure::kReport);
  if (!facts.ok()) return facts;

  InputShapes doubled;
  bool any_symbolic = false;
  for (const graph::GraphInput& input : graph.inputs) {
    Shape shape = (*facts)[static_cast<std::size_t>(input.value)].type->shape;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const bool fixed = input.declared.dims && (*input.declared.dims)[static_cast<std::size_t>(axis)].fixed();
      if (fixed) continue;
      shape[axis] *= 2;  // Twice, not plus one: strides and patches keep dividing it.
      any_symbolic = true;
    }
    doubled.insert_or_assign(graph.value(input.value).name, std::move(shape));
  }
  if (!any_symbolic) return facts;

  const Result<Facts> other = infer(graph, doubled, OnFailure::kLeaveUnknown);
  if (!other.ok()) return other.error();
  for (std::size_t v = 0; v < facts->size(); ++v) {
    Fact& fact = (*facts)[v];
    const Fact& twice = (*other)[v];
    fact.type = common_type(fact.type, twice.type);
    if (fact.value && !(twice.value && identical(*fact.value, *twice.value))) fact.value.reset();
  }
  return facts;
}

Result<std::vector<Tensor>> evaluate_node(const Graph& graph, const Node& node,
                                          const std::vector<const Tensor*>& operands) {
  Result<std::vector<Tensor>> outputs = evaluate(node, operands);
  if (!outputs.ok()) return outputs.error().at(graph::describe(graph, node));
  return outputs;
}

}  // namespace halfstep::ops
