// qdq_movement.cpp: operators that move, clip or compare stored integers do so with the real values instead.
//
//   before:  y = DequantizeLinear(Transpose(QuantizeLinear(x, s, z)), s, z)
//   after:   y = DequantizeLinear(QuantizeLinear(Transpose(DequantizeLinear(QuantizeLinear(x, s, z), s, z)), s, z), s,
//   z)
//
//   before:  y = DequantizeLinear(Gather(codes, i), s, z), codes constant
//   after:   y = DequantizeLinear(QuantizeLinear(Gather(DequantizeLinear(codes, s, z), i), s, z), s, z)
//
//   before:  i = ArgMax(QuantizeLinear(x, s, z))
//   after:   i = ArgMax(DequantizeLinear(QuantizeLinear(x, s, z), s, z))
//
// after which every Q stands directly before a DQ. Condition: one grid for the
// whole tensor, and the operator only moves, selects, clips, compares or
// interpolates; the bounds of a Clip and what a Pad adds become those integers'
// real values. Exactness: it selects the same elements, (E1) is increasing, and
// rounding to a grid twice is rounding once. Only where Resize interpolates may
// a code differ by one step: how integers round there is the runtime's choice.
#include <algorithm>
#include <map>

#include "ops/op_def.hpp"
#include "passes/qdq_import.hpp"
#include "passes/qoperator_names.hpp"

namespace halfstep::passes {
namespace {

using graph::Graph;
using graph::kNoNode;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

bool is_stored(DType dtype) {
  return dtype == DType::kInt8 || dtype == DType::kUint8 || dtype == DType::kInt16 || dtype == DType::kUint16;
}

/// Moves or selects elements of operand 0 and adds none of its own.
bool moves_only(const Node& node) {
  const ops::OpDef* op = ops::find_op(node);
  return op != nullptr && op->output_rule == ops::OutputRule::kSameAsInput && op->has_integer_form && !node.clamp &&
         !op->interpolates && op->fill_operand == nullptr;
}

/// Between elements only, nothing from outside the tensor.
bool resizes(const Node& node) {
  return plain(node, "Resize") &&
         node.attributes.get_string("coordinate_transformation_mode", "") != "tf_crop_and_resize";
}

/// The order of the integers is that of the reals.
bool compares(const Node& node) { return plain(node, "ArgMax") || plain(node, "ArgMin"); }

/// Operands 1 and up that are real numbers, in integers: one constant number each, or absent.
bool has_integer_bounds(const Graph& graph, const Node& node, std::size_t first, std::size_t end) {
  for (std::size_t i = first; i < std::min(end, node.inputs.size()); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    const Tensor* constant = graph::constant_of(graph, node.inputs[i]);
    if (constant == nullptr || constant->num_elements() != 1 || constant->dtype() == DType::kFloat32) return false;
  }
  return true;
}

bool clips_only(const Graph& graph, const Node& node) {
  return plain(node, "Relu") || (plain(node, "Clip") && has_integer_bounds(graph, node, 1, 3));
}

bool pads(const Graph& graph, const Node& node) { return plain(node, "Pad") && has_integer_bounds(graph, node, 2, 3); }

/// Real values of an integer number on the grid of `quantize`.
ValueId real_constant(Graph& graph, RealNames& names, const Node& quantize, std::int64_t code,
                      const std::string& name) {
  const float scale = graph::constant_of(graph, quantize.inputs[1])->data<float>()[0];
  const Tensor* zero_point = graph::constant_of(graph, input_of(quantize, 2));
  const std::int64_t zero = zero_point == nullptr ? 0 : to_int64s(*zero_point)[0];
  const ValueId id = names.add(graph, name + "_real");
  graph.value(id).constant = Tensor::of<float>({}, {static_cast<float>(code - zero) * scale});
  return id;
}

/// The operands of `node` that are integers on the grid of `quantize` become real.
void make_operands_real(Graph& graph, RealNames& names, const Node& quantize, Node& node) {
  const std::string base = graph.value(node.outputs[0]).name;
  if (plain(node, "Relu")) {
    node.op_type = "Clip";
    node.inputs.resize(1);
    node.inputs.push_back(real_constant(graph, names, quantize, 0, base + "_min"));
    return;
  }
  const bool is_pad = plain(node, "Pad");
  if (!is_pad && !plain(node, "Clip")) return;
  if (is_pad && node.attributes.get_string("mode", "constant") == "constant" && node.inputs.size() < 3) {
    node.inputs.resize(2, kNoValue);
    node.inputs.push_back(kNoValue);
  }
  for (std::size_t i = is_pad ? 2 : 1; i < std::min<std::size_t>(node.inputs.size(), 3); ++i) {
    if (node.inputs[i] != kNoValue) {
      const std::int64_t code = to_int64s(*graph::constant_of(graph, node.inputs[i]))[0];
      node.inputs[i] = real_constant(graph, names, quantize, code, graph.value(node.inputs[i]).name);
    } else if (is_pad) {
      // What is not said is the integer 0.
      node.inputs[i] = real_constant(graph, names, quantize, 0, base + "_padding");
    }
  }
}

bool on_one_grid(const Graph& graph, const Node& node) {
  const Tensor* scale = graph::constant_of(graph, input_of(node, 1));
  const ValueId zero_point = input_of(node, 2);
  return scale != nullptr && scale->num_elements() == 1 && scale->dtype() == DType::kFloat32 &&
         node.outputs.size() == 1 && node.outputs[0] != kNoValue &&
         (zero_point == kNoValue || (graph::constant_of(graph, zero_point) != nullptr &&
                                     graph::constant_of(graph, zero_point)->num_elements() == 1 &&
                                     graph::constant_of(graph, zero_point)->dtype() != DType::kFloat32));
}

/// A Q or DQ with the parameters and attributes of `quantize`.
Node linear(const Node& quantize, const char* op_type, ValueId from, ValueId to, const std::string& name) {
  Node node = quantize;
  node.op_type = op_type;
  node.name = name;
  node.inputs[0] = from;
  node.outputs = {to};
  if (node.op_type == "DequantizeLinear") {
    node.attributes.erase("output_dtype");
    node.attributes.erase("saturate");
    node.attributes.erase("precision");
  }
  return node;
}

class Lift {
 public:
  explicit Lift(Graph graph) : graph_(std::move(graph)), names_(graph_), links_(graph::links_of(graph_)) {}

  Graph run();

 private:
  /// The Q whose grid the integers `id` are on, or one like it; nullptr if that is not known.
  const Node* quantize_of(ValueId id, const Node& reader);
  /// The DQ that constant codes meet behind movement, kNoNode if there is none.
  graph::NodeId dequantize_behind(ValueId id, int depth) const;
  void lift(const Node& quantize, Node node);

  Graph graph_;
  RealNames names_;
  graph::Links links_;  ///< Of the graph as it was; new nodes and values are not in it.
  std::map<ValueId, Node> quantize_of_;
  std::vector<Node> nodes_;
};

graph::NodeId Lift::dequantize_behind(ValueId id, int depth) const {
  if (static_cast<std::size_t>(id) >= links_.consumers.size() || depth > 64) return kNoNode;
  for (graph::NodeId n : links_.consumers[static_cast<std::size_t>(id)]) {
    const Node& node = graph_.node(n);
    if (input_of(node, 0) != id) continue;
    if (is_dequantize(node)) return on_one_grid(graph_, node) ? n : kNoNode;
    if (!moves_only(node) || !only_first_output(node)) continue;
    if (const graph::NodeId behind = dequantize_behind(node.outputs[0], depth + 1); behind != kNoNode) return behind;
  }
  return kNoNode;
}

const Node* Lift::quantize_of(ValueId id, const Node& reader) {
  if (const auto known = quantize_of_.find(id); known != quantize_of_.end()) return &known->second;
  const Tensor* codes = graph::constant_of(graph_, id);
  if (codes == nullptr || !is_stored(codes->dtype()) || !moves_only(reader) || !only_first_output(reader)) {
    return nullptr;
  }
  const DType stored = codes->dtype();
  const graph::NodeId behind = dequantize_behind(reader.outputs[0], 0);
  if (behind == kNoNode) return nullptr;
  Node quantize = linear(graph_.node(behind), "QuantizeLinear", kNoValue, kNoValue, "");
  quantize.attributes.erase("output_dtype");
  if (input_of(quantize, 2) == kNoValue) {
    // Without it a Q would store uint8.
    const ValueId zero = names_.add(graph_, graph_.value(id).name + "_zero_point");
    graph_.value(zero).constant = Tensor(TensorType{stored, Shape{}});
    graph_.value(zero).narrow_bits = graph_.value(id).narrow_bits;
    quantize.inputs.resize(2);
    quantize.inputs.push_back(zero);
  }
  return &quantize_of_.emplace(id, std::move(quantize)).first->second;
}

void Lift::lift(const Node& quantize, Node node) {
  const ValueId source = node.inputs[0];
  const std::string base = graph_.value(source).name;
  const ValueId real = names_.add(graph_, base + "_real");
  nodes_.push_back(linear(quantize, "DequantizeLinear", source, real, base + "_DequantizeLinear"));
  node.inputs[0] = real;
  if (compares(node)) {
    nodes_.push_back(std::move(node));
    return;
  }
  make_operands_real(graph_, names_, quantize, node);
  // Of several outputs (MaxPool, TopK) the others are indices.
  const std::size_t num_real = plain(node, "Split") ? node.outputs.size() : 1;
  const std::vector<ValueId> integers(node.outputs.begin(),
                                      node.outputs.begin() + static_cast<std::ptrdiff_t>(num_real));
  std::vector<Node> behind;
  for (std::size_t i = 0; i < num_real; ++i) {
    if (integers[i] == kNoValue) continue;
    node.outputs[i] = names_.real_of(graph_, integers[i]);
    const std::string name = graph_.value(integers[i]).name + "_QuantizeLinear";
    behind.push_back(linear(quantize, "QuantizeLinear", node.outputs[i], integers[i], name));
  }
  nodes_.push_back(std::move(node));
  for (Node& made : behind) {
    quantize_of_.emplace(made.outputs[0], made);
    nodes_.push_back(std::move(made));
  }
}

Graph Lift::run() {
  std::vector<Node> nodes = graph_.nodes;
  for (Node& node : nodes) {
    const bool lifts =
        moves_only(node) || clips_only(graph_, node) || pads(graph_, node) || resizes(node) || compares(node);
    const ValueId source = input_of(node, 0);
    const Node* quantize = lifts && source != kNoValue && !node.outputs.empty() && node.outputs[0] != kNoValue
                               ? quantize_of(source, node)
                               : nullptr;
    if (quantize != nullptr) {
      lift(Node(*quantize), std::move(node));
      continue;
    }
    if (is_quantize(node) && on_one_grid(graph_, node)) quantize_of_.emplace(node.outputs[0], node);
    nodes_.push_back(std::move(node));
  }
  graph_.nodes = std::move(nodes_);
  return std::move(graph_);
}

}  // namespace

Graph lift_integer_movement(Graph graph) { return Lift(std::move(graph)).run(); }

}  // namespace halfstep::passes
