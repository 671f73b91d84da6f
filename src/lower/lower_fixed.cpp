// lower_fixed.cpp: chooses integer steps where operators and encodings allow them, and borders around the rest.
#include <algorithm>

#include "core/text.hpp"
#include "lower/fixed_moves.hpp"
#include "lower/fixed_tensors.hpp"
#include "lower/lower.hpp"
#include "lower/needed_nodes.hpp"
#include "lower/product_grid.hpp"
#include "ops/evaluate.hpp"

namespace halfstep::lower {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

class FixedLowering {
 public:
  FixedLowering(const Graph& graph, ops::Facts facts, const EncodingSet& encodings, const FixedPointOptions& options,
                const CodeInputs& code_inputs)
      : graph_(graph),
        options_(options),
        code_inputs_(code_inputs),
        node_needed_(needed_nodes(graph, facts)),
        tensors_(graph, std::move(facts), encodings, options.arithmetic),
        steps_(tensors_.steps()),
        builder_(tensors_.builder()) {}

  Result<Program> run() {
    std::vector<SlotId> inputs;
    for (const graph::GraphInput& input : graph_.inputs) {
      Result<SlotId> slot = lower_input(input.value);
      if (!slot.ok()) return slot.error();
      inputs.push_back(*slot);
    }
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (!node_needed_[n]) continue;
      if (Result<void> lowered = lower_node(static_cast<NodeId>(n)); !lowered.ok()) {
        return lowered.error().at(graph::describe(graph_, graph_.nodes[n]));
      }
    }
    std::vector<SlotId> outputs;
    for (const graph::GraphOutput& output : graph_.outputs) {
      Result<SlotId> slot = tensors_.real_slot(output.value);
      if (!slot.ok()) return slot.error();
      outputs.push_back(*slot);
    }
    return builder_.finish(std::move(inputs), std::move(outputs));
  }

 private:
  const std::string& name_of(ValueId id) const { return graph_.value(id).name; }

  Result<SlotId> lower_input(ValueId id) {
    const std::string label = "input " + quoted(name_of(id));
    const auto codes = code_inputs_.find(name_of(id));
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
    tensors_.mark_complete(slot, label, graph::kNoNode);
    return slot;
  }

  Result<void> lower_node(NodeId n) {
    const Node& node = graph_.node(n);
    const ops::OpDef* op = ops::find_op(node);
    if (op == nullptr) {
      return Error{ErrorCode::kUnsupported,
                   "operator is not supported (opset " + std::to_string(node.file_opset) + ")"};
    }
    std::string reason = "shapes depend on the data";
    if (steps_.all_typed(node)) {
      Result<void> lowered = op->lower_fixed != nullptr ? lower_integer(*op, n)
                             : moves_codes(*op, node)   ? lower_move(*op, n)
                             : op->compares_values      ? lower_comparison(*op, n)
                                                   : Error{ErrorCode::kUnsupported, "the operator has no integer form"};
      if (lowered.ok() || lowered.error().code != ErrorCode::kUnsupported) return lowered;
      reason = lowered.error().message;
    }
    note_island(n, reason);
    return lower_real(*op, n);
  }

  /// Nodes on plain integers (shapes) are no islands.
  void note_island(NodeId n, const std::string& reason) {
    const Node& node = graph_.node(n);
    const auto works_on_reals = [&](ValueId id) {
      return id != kNoValue && !tensors_.is_known(id) && (!steps_.fact(id).type || steps_.is_float32(id));
    };
    if (!std::ranges::any_of(node.inputs, works_on_reals)) return;
    builder_.add_island({n, graph::describe(graph_, node), reason});
  }

  Result<void> lower_integer(const ops::OpDef& op, NodeId n) {
    const Node& node = graph_.node(n);
    if (node.clamp && node.clamp->channels && op.channels.weight_output_axis == nullptr) {
      return Error{ErrorCode::kUnsupported, "a clamp with bounds for each channel"};
    }
    std::vector<const TensorType*> types;
    std::vector<const Tensor*> values;
    std::vector<SharedEncoding> grids;
    std::vector<const Encoding*> input_encodings;
    std::vector<Tensor> held;
    held.reserve(node.inputs.size());
    std::vector<const Tensor*> codes;
    for (ValueId id : node.inputs) {
      types.push_back(id == kNoValue ? nullptr : &*steps_.fact(id).type);
      values.push_back(id == kNoValue || !tensors_.is_known(id) ? nullptr : &tensors_.known_real(id));
      grids.push_back(tensors_.grid_of(id));
      input_encodings.push_back(grids.back().get());
      codes.push_back(nullptr);
      if (grids.back() == nullptr || !tensors_.is_known(id)) continue;
      Result<Tensor> known = tensors_.codes_of_known(id);
      if (!known.ok()) return known.error();
      held.push_back(*std::move(known));
      codes.back() = &held.back();
    }
    std::vector<TensorType> outputs;
    std::vector<SharedEncoding> output_grids;
    std::vector<const Encoding*> output_encodings;
    for (ValueId id : node.outputs) {
      outputs.push_back(id == kNoValue ? TensorType{} : *steps_.fact(id).type);
      output_grids.push_back(id == kNoValue ? nullptr : tensors_.own_encoding(id));
      if (output_grids.size() == 1 && output_grids[0] == nullptr) {
        const std::optional<Encoding> sums = accumulator_grid(op, node, input_encodings[0], steps_);
        if (sums) output_grids[0] = std::make_shared<const Encoding>(*sums);
      }
      output_encodings.push_back(output_grids.back().get());
      if (output_grids.back() == nullptr) continue;
      if (Result<void> fits = check_fits(*output_grids.back(), outputs.back().shape); !fits.ok()) {
        return fits.error().at("tensor " + quoted(name_of(id)));
      }
    }
    ops::FixedArgs args{{node, types, values}, outputs, input_encodings, codes, output_encodings, options_};
    Result<ops::FixedForm> form = op.lower_fixed(args);
    if (!form.ok()) return form.error();
    for (const std::string& warning : form->facts.warnings) {
      builder_.add_warning(graph::describe(graph_, node) + ": " + warning);
    }
    std::vector<SlotId> inputs;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      Result<SlotId> slot = integer_operand(node.inputs[i], i, *form);
      if (!slot.ok()) return slot.error();
      inputs.push_back(*slot);
    }
    return finish_codes(n, StepKind::kInteger, std::move(inputs), outputs, output_grids, *std::move(form));
  }

  Result<SlotId> integer_operand(ValueId id, std::size_t i, const ops::FixedForm& form) {
    if (id == kNoValue) return kNoSlot;
    if (i < form.replaced_operands.size() && form.replaced_operands[i]) {
      return builder_.add_constant(id, *form.replaced_operands[i]);
    }
    return tensors_.grid_of(id) != nullptr ? tensors_.code_slot(id) : tensors_.real_slot(id);
  }

  /// Adds the step that writes the node's outputs: codes where there is a grid, else what the types say.
  Result<void> finish_codes(NodeId n, StepKind kind, std::vector<SlotId> inputs, const std::vector<TensorType>& types,
                            const std::vector<SharedEncoding>& grids, ops::FixedForm form) {
    const Node& node = graph_.node(n);
    const std::string label = graph::describe(graph_, node);
    std::vector<SlotId> outputs;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId id = node.outputs[i];
      if (id == kNoValue) {
        outputs.push_back(kNoSlot);
      } else if (grids[i] != nullptr) {
        outputs.push_back(builder_.add_codes(id, types[i].shape, grids[i]));
      } else {
        outputs.push_back(builder_.add_variable(id, types[i]));
      }
      if (id != kNoValue) tensors_.complete(id, outputs.back(), grids[i]);
    }
    const std::vector<SlotId> written = outputs;
    tensors_.add_step(kind, label, n, std::move(inputs), std::move(outputs), std::move(form));
    for (SlotId slot : written) {
      if (slot != kNoSlot) tensors_.mark_complete(slot, label, n);
    }
    return {};
  }

  /// The grid a moving node works on: that of its first output, or of its input where the output has none.
  Result<SharedEncoding> moving_grid(const ops::OpDef& op, const Node& node) {
    SharedEncoding grid = node.outputs[0] == kNoValue ? nullptr : tensors_.own_encoding(node.outputs[0]);
    if (grid == nullptr) grid = tensors_.grid_of(node.inputs[op.operands.first_data()]);
    if (grid == nullptr) return Error{ErrorCode::kUnsupported, "neither input nor output has an encoding"};
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId id = node.outputs[i];
      if (id == kNoValue || !steps_.is_float32(id) || tensors_.own_encoding(id) == nullptr) continue;
      if (*tensors_.own_encoding(id) != *grid)
        return Error{ErrorCode::kUnsupported, "the outputs are on different grids"};
    }
    return grid;
  }

  Result<void> lower_move(const ops::OpDef& op, NodeId n) {
    const Node& node = graph_.node(n);
    const std::string label = graph::describe(graph_, node);
    Result<SharedEncoding> grid = moving_grid(op, node);
    if (!grid.ok()) return grid.error();
    const bool joins = op.output_rule == ops::OutputRule::kSameAsInputs;
    std::vector<bool> on_codes;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      on_codes.push_back(id != kNoValue && (i == 0 || joins) && steps_.is_float32(id));
      if (on_codes.back() && tensors_.grid_of(id) == nullptr) {
        return Error{ErrorCode::kUnsupported, "input " + quoted(name_of(id)) + " has no encoding"};
      }
    }
    Result<CodeMove> move = prepare_code_move(op, node, steps_, **grid, on_codes);
    if (!move.ok()) return move.error();
    std::vector<SlotId> inputs;
    for (std::size_t i = 0; i < std::max(node.inputs.size(), move->replaced_operands.size()); ++i) {
      const ValueId id = i < node.inputs.size() ? node.inputs[i] : kNoValue;
      if (i < move->replaced_operands.size() && move->replaced_operands[i]) {
        // Any value may stand for the constant: nobody looks it up.
        inputs.push_back(builder_.add_constant(id != kNoValue ? id : node.outputs[0], *move->replaced_operands[i]));
        continue;
      }
      Result<SlotId> slot =
          i < on_codes.size() && on_codes[i] ? tensors_.code_slot_on(id, *grid, label, n) : tensors_.real_slot(id);
      if (!slot.ok()) return slot.error();
      inputs.push_back(*slot);
    }
    if (try_alias(op, n, inputs[0], move->outputs[0], *grid)) return {};
    std::vector<SharedEncoding> grids;
    for (ValueId id : node.outputs) grids.push_back(id != kNoValue && steps_.is_float32(id) ? *grid : nullptr);
    ops::FixedForm form;
    form.prepared = std::move(move->prepared);
    form.facts.kernel = "moves codes";
    return finish_codes(n, StepKind::kMove, std::move(inputs), move->outputs, grids, std::move(form));
  }

  /// Reshape and the like: the output is the input's storage, nothing runs.
  bool try_alias(const ops::OpDef& op, NodeId n, SlotId source, const TensorType& type, const SharedEncoding& grid) {
    const Node& node = graph_.node(n);
    const bool other_outputs =
        std::any_of(node.outputs.begin() + 1, node.outputs.end(), [](ValueId id) { return id != kNoValue; });
    if (!op.aliases_input || other_outputs || grid->axis() || !builder_.is_static_variable(source)) return false;
    const SlotId slot = builder_.add_alias(node.outputs[0], type, source);
    builder_.set_encoding(slot, grid);
    tensors_.complete(node.outputs[0], slot, grid);
    Step step;
    step.label = graph::describe(graph_, node);
    step.node = n;
    step.kind = StepKind::kAlias;
    step.inputs = {source};
    step.outputs = {slot};
    step.completes = {slot};
    builder_.add_step(std::move(step));
    return true;
  }

  /// Comparisons and ArgMax: codes on one grid are as good as the real numbers.
  Result<void> lower_comparison(const ops::OpDef& op, NodeId n) {
    const Node& node = graph_.node(n);
    SharedEncoding grid;
    std::vector<bool> on_codes;
    for (ValueId id : node.inputs) {
      on_codes.push_back(id != kNoValue && steps_.is_float32(id));
      if (!on_codes.back()) continue;
      const SharedEncoding own = tensors_.grid_of(id);
      if (own == nullptr) return Error{ErrorCode::kUnsupported, "input " + quoted(name_of(id)) + " has no encoding"};
      if (grid != nullptr && *grid != *own) return Error{ErrorCode::kUnsupported, "the inputs are on different grids"};
      grid = own;
    }
    if (grid == nullptr) return Error{ErrorCode::kUnsupported, "no input has an encoding"};
    if (grid->axis()) return Error{ErrorCode::kUnsupported, "the inputs have a grid for each channel"};
    Result<CodeMove> move = prepare_code_move(op, node, steps_, *grid, on_codes);
    if (!move.ok()) return move.error();
    std::vector<SlotId> inputs;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      Result<SlotId> slot = on_codes[i] ? tensors_.code_slot(node.inputs[i]) : tensors_.real_slot(node.inputs[i]);
      if (!slot.ok()) return slot.error();
      inputs.push_back(*slot);
    }
    ops::FixedForm form;
    form.prepared = std::move(move->prepared);
    form.facts.kernel = "compares codes";
    const std::vector<SharedEncoding> grids(node.outputs.size(), nullptr);
    return finish_codes(n, StepKind::kMove, std::move(inputs), move->outputs, grids, std::move(form));
  }

  /// The node in float; its encoded outputs become codes behind it.
  Result<void> lower_real(const ops::OpDef& op, NodeId n) {
    const Node& node = graph_.node(n);
    Step step;
    step.label = graph::describe(graph_, node);
    step.node = n;
    for (ValueId id : node.inputs) {
      Result<SlotId> slot = tensors_.real_slot(id);
      if (!slot.ok()) return slot.error();
      step.inputs.push_back(*slot);
    }
    const bool typed = steps_.all_typed(node);
    bool clamps = true;
    if (typed) {
      Result<ops::Prepared> prepared = steps_.prepare(op, node);
      if (!prepared.ok()) return prepared.error();
      step.prepared = *std::move(prepared);
      clamps = step.prepared.clamps;
    } else {
      step.late = true;
      step.late_node = node;
    }
    for (ValueId id : node.outputs) {
      step.outputs.push_back(id == kNoValue ? kNoSlot
                                            : builder_.add_variable(id, typed ? steps_.fact(id).type : std::nullopt));
    }
    const std::vector<SlotId> outputs = step.outputs;
    const std::string label = step.label;
    builder_.add_step(std::move(step));
    if (node.clamp && !clamps) {
      ops::FixedForm clamp;
      clamp.prepared.run = ops::clamp_kernel(*node.clamp);
      tensors_.add_step(StepKind::kFloat, label, n, {outputs[0]}, {outputs[0]}, std::move(clamp));
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] == kNoSlot) continue;
      if (Result<void> done = tensors_.complete_real(node.outputs[i], outputs[i], label, n); !done.ok()) return done;
    }
    return {};
  }

  const Graph& graph_;
  FixedPointOptions options_;
  const CodeInputs& code_inputs_;
  std::vector<bool> node_needed_;
  FixedTensors tensors_;
  FloatSteps& steps_;
  ProgramBuilder& builder_;
};

}  // namespace

Result<Program> lower_fixed(const Graph& graph, const ops::InputShapes& shapes, const EncodingSet& encodings,
                            const FixedPointOptions& options, const CodeInputs& code_inputs) {
  for (const auto& [name, grid] : code_inputs) {
    const ValueId id = graph::find_value(graph, name);
    if (id != kNoValue && std::ranges::find(graph.inputs, id, &graph::GraphInput::value) != graph.inputs.end())
      continue;
    return Error{ErrorCode::kInvalidInput, "codes are given for " + quoted(name) + ", which is no input"};
  }
  Result<ops::Facts> facts = ops::infer_facts(graph, shapes);
  if (!facts.ok()) return facts.error();
  return FixedLowering(graph, *std::move(facts), encodings, options, code_inputs).run();
}

}  // namespace halfstep::lower
