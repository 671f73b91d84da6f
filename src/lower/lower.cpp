// lower.cpp: chooses a prepared step for every node that a result needs.
#include "lower/lower.hpp"

#include <algorithm>

#include "core/text.hpp"
#include "lower/float_steps.hpp"
#include "lower/needed_nodes.hpp"
#include "lower/outline.hpp"
#include "lower/program_builder.hpp"
#include "lower/round_to_grid.hpp"
#include "lower/simulated_product.hpp"
#include "numerics/factor.hpp"
#include "ops/evaluate.hpp"
#include "ops/op_def.hpp"

namespace halfstep::lower {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

/// Position after which no node reads a value any more, by ValueId.
std::vector<int> last_reads(const Graph& graph, const std::vector<bool>& node_needed) {
  std::vector<int> last(graph.values.size(), -1);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!node_needed[n]) continue;
    for (ValueId id : graph.nodes[n].inputs) {
      if (id != kNoValue) last[static_cast<std::size_t>(id)] = static_cast<int>(n);
    }
  }
  for (const graph::GraphOutput& output : graph.outputs) {
    last[static_cast<std::size_t>(output.value)] = static_cast<int>(graph.nodes.size());
  }
  return last;
}

/// The stages of lower_graph() for float32. With encodings, a tensor is complete once it has been rounded onto its
/// grid.
class FloatStages {
 public:
  FloatStages(const Graph& graph, const std::vector<bool>& node_needed, ops::Facts facts, const EncodingSet* encodings,
              numerics::Rounding rounding)
      : graph_(graph),
        steps_(graph, std::move(facts), encodings),
        builder_(graph),
        rounding_(rounding),
        last_read_(last_reads(graph, node_needed)),
        group_last_read_(last_read_) {}

  ProgramBuilder& builder() { return builder_; }

  Result<SlotId> lower_input(ValueId id, const std::string& label) {
    const SlotId slot = builder_.add_input(id, *steps_.fact(id).type);
    if (Result<void> rounded = round_to_grid(id, label); !rounded.ok()) return rounded.error();
    return slot;
  }

  Result<void> lower_node(const ops::OpDef& op, NodeId n) {
    const Node& node = graph_.node(n);
    Step step;
    step.label = graph::describe(graph_, node);
    step.node = n;
    const bool all_typed = steps_.all_typed(node);
    for (ValueId id : node.inputs) {
      Result<SlotId> slot = operand(id);
      if (!slot.ok()) return slot.error();
      step.inputs.push_back(*slot);
    }

    if (all_typed && !node.outputs.empty() && try_alias(op, n, step)) return {};
    bool clamps = true;
    bool on_grid = false;
    if (all_typed) {
      Result<std::optional<ops::Prepared>> product = simulated_product(op, node, steps_, rounding_);
      if (!product.ok()) return product.error();
      on_grid = product->has_value();
      Result<ops::Prepared> prepared = on_grid ? **std::move(product) : steps_.prepare(op, node);
      if (!prepared.ok()) return prepared.error();
      step.prepared = *std::move(prepared);
      clamps = step.prepared.clamps;
    } else {
      step.late = true;
      step.late_node = node;
    }
    std::vector<SlotId> outputs;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId id = node.outputs[i];
      if (id == kNoValue) {
        outputs.push_back(kNoSlot);
      } else if (all_typed) {
        outputs.push_back(place_output(op, n, i, step));
      } else {
        outputs.push_back(builder_.add_variable(id, std::nullopt));
      }
    }
    step.outputs = outputs;
    const std::string label = step.label;
    builder_.add_step(std::move(step));
    if (op.partial && on_grids(node)) builder_.add_in_place_step(label, n, outputs[0], nan_to_zero_kernel());
    if (node.clamp && !clamps) builder_.add_in_place_step(label, n, outputs[0], ops::clamp_kernel(*node.clamp));
    for (ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      if (on_grid) {
        builder_.mark_complete(builder_.slot_of(id), label, n);
      } else if (Result<void> rounded = round_to_grid(id, label, n); !rounded.ok()) {
        return rounded;
      }
    }
    return {};
  }

  Result<SlotId> output_slot(ValueId id) { return operand(id); }

 private:
  static std::size_t index(ValueId id) { return static_cast<std::size_t>(id); }

  Result<SlotId> operand(ValueId id) {
    if (id == kNoValue) return kNoSlot;
    if (const SlotId slot = builder_.slot_of(id); slot != kNoSlot) return slot;
    Result<const Tensor*> value = steps_.known_value(id);
    if (!value.ok()) return value.error();
    return builder_.add_constant(id, **value);
  }

  /// True if no node after position `n` reads the storage group of `slot`.
  bool dies_at(SlotId slot, NodeId n) const {
    const ValueId root_value = builder_.slot(builder_.root(slot)).value;
    return group_last_read_[index(root_value)] <= n && group_last_read_[index(builder_.slot(slot).value)] <= n;
  }

  /// Decides where output `i` of a statically typed node lives.
  SlotId place_output(const ops::OpDef& op, NodeId n, std::size_t i, const Step& step) {
    const ValueId id = graph_.node(n).outputs[i];
    const TensorType& type = *steps_.fact(id).type;
    const SlotId source = i == 0 && !step.inputs.empty() ? step.inputs[0] : kNoSlot;
    const bool reusable = source != kNoSlot && builder_.is_static_variable(source) && op.in_place &&
                          *builder_.slot(source).type == type && dies_at(source, n) &&
                          std::count(step.inputs.begin(), step.inputs.end(), source) == 1;
    if (!reusable) return builder_.add_variable(id, type);
    const ValueId root_value = builder_.slot(builder_.root(source)).value;
    group_last_read_[index(root_value)] = std::max(group_last_read_[index(root_value)], last_read_[index(id)]);
    return builder_.add_alias(id, type, source);
  }

  /// Reshape and the like: the output is the input's storage, nothing runs.
  bool try_alias(const ops::OpDef& op, NodeId n, Step& step) {
    const Node& node = graph_.node(n);
    const ValueId output = node.outputs[0];
    const bool other_outputs =
        std::any_of(node.outputs.begin() + 1, node.outputs.end(), [](ValueId id) { return id != kNoValue; });
    if (!op.aliases_input || other_outputs || node.clamp || step.inputs.empty() || step.inputs[0] == kNoSlot)
      return false;
    const SlotId source = step.inputs[0];
    const TensorType& type = *steps_.fact(output).type;
    if (!builder_.is_static_variable(source) || builder_.slot(source).type->num_bytes() != type.num_bytes())
      return false;
    const Encoding* on_output = steps_.encoding_of(output);
    const Encoding* on_input = steps_.encoding_of(node.inputs[0]);
    if (steps_.is_half(output) && !steps_.is_half(node.inputs[0])) return false;
    if (on_output != nullptr && !(on_input != nullptr && *on_input == *on_output && !on_input->axis())) return false;
    const ValueId root_value = builder_.slot(builder_.root(source)).value;
    group_last_read_[index(root_value)] = std::max(group_last_read_[index(root_value)], last_read_[index(output)]);
    const SlotId slot = builder_.add_alias(output, type, source);
    builder_.add_alias_step(std::move(step.label), n, source, slot);
    return true;
  }

  /// Output and operands have grids: the integer form decides what a value that is not defined is.
  bool on_grids(const Node& node) const {
    return steps_.encoding_of(node.outputs[0]) != nullptr && std::ranges::all_of(node.inputs, [&](ValueId id) {
             return id == kNoValue || steps_.fact(id).value || steps_.encoding_of(id) != nullptr;
           });
  }

  /// Rounds `id` in place if it has an encoding or is kept in half precision, and marks it complete.
  Result<void> round_to_grid(ValueId id, const std::string& label, NodeId n = graph::kNoNode) {
    const SlotId slot = builder_.slot_of(id);
    const std::optional<TensorType>& type = steps_.fact(id).type;
    const Encoding* encoding = steps_.encoding_of(id);
    const bool rounds = encoding != nullptr && (!type || type->dtype == DType::kFloat32);
    if (rounds) {
      if (type) {
        if (Result<void> fits = check_fits(*encoding, type->shape); !fits.ok()) {
          return fits.error().at("tensor " + quoted(graph_.value(id).name));
        }
      }
      builder_.add_in_place_step(
          label, n, slot,
          round_to_grid_kernel(*encoding, n == graph::kNoNode ? numerics::Rounding::kHalfEven : rounding_));
    }
    if (steps_.is_half(id) && (!type || type->dtype == DType::kFloat32)) {
      builder_.add_in_place_step(label, n, slot, round_to_half_kernel());
    }
    builder_.mark_complete(slot, label, n);
    return {};
  }

  const Graph& graph_;
  FloatSteps steps_;
  ProgramBuilder builder_;
  numerics::Rounding rounding_;
  std::vector<int> last_read_;        // By ValueId.
  std::vector<int> group_last_read_;  // By ValueId; for roots, over all that share the storage.
};

Result<Program> lower_with(const Graph& graph, const ops::InputShapes& shapes, const EncodingSet* encodings,
                           numerics::Rounding rounding) {
  Result<ops::Facts> facts = ops::infer_facts(graph, shapes);
  if (!facts.ok()) return facts.error();
  const std::vector<bool> node_needed = needed_nodes(graph, *facts);
  FloatStages stages(graph, node_needed, *std::move(facts), encodings, rounding);
  return lower_graph(graph, node_needed, stages.builder(), stages);
}

}  // namespace

Result<Program> float_program(const Graph& graph, const ops::InputShapes& shapes) {
  return lower_with(graph, shapes, nullptr, numerics::Rounding::kHalfEven);
}

Result<Program> simulated_program(const Graph& graph, const ops::InputShapes& shapes, const EncodingSet& encodings,
                                  Arithmetic arithmetic) {
  return lower_with(graph, shapes, &encodings, numerics::simulated_rounding_of(arithmetic));
}

}  // namespace halfstep::lower
