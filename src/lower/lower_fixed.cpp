// lower_fixed.cpp: chooses integer steps where operators and encodings allow them, and float islands elsewhere.
#include <algorithm>
#include <memory>

#include "lower/fixed_moves.hpp"
#include "lower/fixed_steps.hpp"
#include "lower/lower.hpp"
#include "lower/needed_nodes.hpp"
#include "lower/outline.hpp"
#include "ops/op_def.hpp"

namespace halfstep::lower {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

/// The stages of lower_graph() for codes. A tensor with an encoding is complete as codes, others as real numbers; what
/// a reader asks for in another form FixedTensors makes when it is asked first, in front of that reader.
class FixedStages {
 public:
  FixedStages(const Graph& graph, FixedTensors& tensors, const FixedPointOptions& options,
              const CodeInputs& code_inputs, OutputForm output_form)
      : graph_(graph),
        code_inputs_(code_inputs),
        output_form_(output_form),
        tensors_(tensors),
        steps_(tensors.steps()),
        builder_(tensors.builder()),
        context_{.graph = graph, .options = options, .tensors = tensors} {}

  Result<SlotId> lower_input(ValueId id, const std::string& label) {
    const auto codes = code_inputs_.find(graph_.value(id).name);
    if (codes == code_inputs_.end()) {
      const SlotId slot = builder_.add_input(id, *steps_.fact(id).type);
      Result<void> done = tensors_.complete_real(id, slot, label, graph::kNoNode);
      return done.ok() ? Result<SlotId>(slot) : done.error();
    }
    if (!steps_.is_float32(id)) return Error{ErrorCode::kInvalidInput, label + " is not float32 and has no codes"};
    const Shape& shape = steps_.fact(id).type->shape;
    if (Result<void> fits = check_fits(codes->second, shape); !fits.ok()) return fits.error().at(label);
    const SlotId slot = builder_.add_input(id, TensorType{storage_dtype(codes->second.grid()), shape});
    const auto grid = std::make_shared<const Encoding>(codes->second);
    builder_.set_encoding(slot, grid);
    tensors_.complete(id, slot, grid);
    builder_.mark_complete(slot, label, graph::kNoNode);
    return slot;
  }

  /// The first way that takes the node; the reason of an island is why its own way did not.
  Result<void> lower_node(const ops::OpDef& op, NodeId n) {
    const Node& node = graph_.node(n);
    if (is_half(node)) {
      note_island(n, "computes in float16");
      return lower_real(context_, op, n);
    }
    if (is_convert(op, node)) return lower_convert(n);
    std::string reason = "shapes depend on the data";
    if (reads_blocks(node)) {
      reason = "weights on a grid for each block";
    } else if (steps_.all_typed(node)) {
      Result<void> lowered = op.lower_fixed != nullptr ? lower_integer(context_, op, n)
                             : moves_codes(op, node)   ? lower_move(context_, op, n)
                             : op.compares_values      ? lower_comparison(context_, op, n)
                                                  : Error{ErrorCode::kUnsupported, "the operator has no integer form"};
      if (lowered.ok() || lowered.error().code != ErrorCode::kUnsupported) return lowered;
      reason = lowered.error().message;
    }
    note_island(n, reason);
    return lower_real(context_, op, n);
  }

  Result<SlotId> output_slot(ValueId id) {
    const bool as_codes = output_form_ == OutputForm::kCodes && tensors_.grid_of(id) != nullptr;
    return as_codes ? tensors_.code_slot(id) : tensors_.real_slot(id);
  }

 private:
  /// Half precision is asked for, or ends here.
  bool is_half(const Node& node) const {
    return std::ranges::any_of(node.outputs, [&](ValueId id) { return steps_.is_half(id); }) ||
           (node.op_type == "Identity" && steps_.is_half(node.inputs[0]) &&
            tensors_.own_encoding(node.outputs[0]) == nullptr);
  }

  /// An Identity from real numbers onto a grid.
  bool is_convert(const ops::OpDef& op, const Node& node) {
    return op.type == "Identity" && steps_.all_typed(node) && tensors_.grid_of(node.inputs[0]) == nullptr &&
           tensors_.own_encoding(node.outputs[0]) != nullptr;
  }

  Result<void> lower_convert(NodeId n) {
    const Node& node = graph_.node(n);
    const Result<SlotId> real = tensors_.real_slot(node.inputs[0]);
    if (!real.ok()) return real.error();
    return tensors_.complete_real(node.outputs[0], *real, graph::describe(graph_, node), n);
  }

  bool reads_blocks(const Node& node) const {
    return std::ranges::any_of(node.inputs, [&](ValueId id) {
      const Encoding* encoding = steps_.encoding_of(id);
      return encoding != nullptr && encoding->block_axis();
    });
  }

  /// Nodes on plain integers (shapes) are no islands, and neither is Identity, which converts.
  void note_island(NodeId n, const std::string& reason) {
    const Node& node = graph_.node(n);
    if (node.op_type == "Identity") return;
    const auto works_on_reals = [&](ValueId id) {
      return id != kNoValue && !tensors_.is_known(id) && (!steps_.fact(id).type || steps_.is_float32(id));
    };
    if (!std::ranges::any_of(node.inputs, works_on_reals)) return;
    builder_.add_island({n, graph::describe(graph_, node), reason});
  }

  const Graph& graph_;
  const CodeInputs& code_inputs_;
  OutputForm output_form_;
  FixedTensors& tensors_;
  FloatSteps& steps_;
  ProgramBuilder& builder_;
  FixedContext context_;
};

}  // namespace

Result<Program> fixed_program(const Graph& graph, const ops::InputShapes& shapes, const EncodingSet& encodings,
                              const FixedPointOptions& options, const CodeInputs& code_inputs, OutputForm output_form) {
  for (const auto& [name, grid] : code_inputs) {
    const ValueId id = graph::find_value(graph, name);
    if (id != kNoValue && std::ranges::find(graph.inputs, id, &graph::GraphInput::value) != graph.inputs.end())
      continue;
    return Error{ErrorCode::kInvalidInput, "codes are given for " + quoted(name) + ", which is no input"};
  }
  Result<ops::Facts> facts = ops::infer_facts(graph, shapes);
  if (!facts.ok()) return facts.error();
  const std::vector<bool> node_needed = needed_nodes(graph, *facts);
  FixedTensors tensors(graph, *std::move(facts), encodings, options.arithmetic);
  FixedStages stages(graph, tensors, options, code_inputs, output_form);
  return lower_graph(graph, node_needed, tensors.builder(), stages);
}

}  // namespace halfstep::lower
