// target_kinds.cpp: widths and real formats, node by node.
#include <algorithm>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "precision/target.hpp"
#include "precision/target_checks.hpp"

namespace halfstep::precision {
namespace {

using graph::ValueId;

NumberKind real_kind(const graph::Graph& graph, ValueId id) { return {graph::bits_of(graph.value(id).format), true}; }

NumberKind integer_kind(const Encoding& encoding) { return {storage_bits(encoding.grid()), false}; }

NumberKind planned_kind(const graph::Graph& graph, ValueId id, const Plan& plan, const EncodingSet& imported) {
  const TensorPlan& tensor = plan.of(id);
  switch (tensor.source) {
    case Source::kFloat:
      return real_kind(graph, id);
    case Source::kImported:
      if (const TensorEncoding* entry = find_encoding(imported, graph.value(id).name))
        return integer_kind(entry->encoding);
      return real_kind(graph, id);
    case Source::kShared:
      return planned_kind(graph, tensor.shared_with, plan, imported);
    case Source::kDerived:
      return {32, false};
    default:
      return {tensor.grid.bits, false};
  }
}

class KindJudge {
 public:
  KindJudge(const graph::Graph& graph, const TargetProfile& target, const TensorKinds& kinds, const Plan& plan)
      : graph_(graph), target_(target), kinds_(kinds), plan_(plan) {}

  Result<void> judge(const graph::Node& node) const {
    if (node.outputs.empty() || !kind_of(node.outputs[0])) return {};
    // A convert, or nothing at all: what reads it judges its two sides.
    if (node.op_type == "Identity") return {};
    if (kind_of(node.outputs[0])->real) return judge_real(node);
    const OperatorRule* rule = target_.rule_of(node.op_type);
    if (rule == nullptr) {
      return usage(place(node) +
                   " has no such operator; take the encoding of its output away, or the node out of the "
                   "model");
    }
    if (auto legal = judge_tensor(node, node.outputs[0], "output", rule->activations); !legal.ok()) return legal;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (auto legal = judge_operand(node, i, *rule); !legal.ok()) return legal;
    }
    return rule->one_width || rule->keeps_precision ? judge_one_width(node) : Result<void>();
  }

 private:
  std::optional<NumberKind> kind_of(ValueId id) const {
    return id == graph::kNoValue ? std::nullopt : kinds_[static_cast<std::size_t>(id)];
  }

  std::string place(const graph::Node& node) const {
    return graph::describe(graph_, node) + ": target " + target_.name;
  }

  /// "; leave out what asks for it: 16 bits: --op_type_bitwidth Softmax=16".
  std::string asked(ValueId id) const {
    const std::vector<std::string>& orders = plan_.of(id).orders;
    return orders.empty() ? "" : "; what asks for it is '" + orders.back() + "'";
  }

  Result<void> judge_real(const graph::Node& node) const {
    const NumberKind kind = *kind_of(node.outputs[0]);
    const OperatorRule* rule = target_.rule_of(node.op_type);
    const auto has = [&](const std::vector<NumberKind>& kinds) {
      return std::ranges::find(kinds, kind) != kinds.end();
    };
    // What only moves real numbers from an input to where they are put on a grid is not the device's.
    const ops::OpDef* op = ops::find_op(node);
    if (op != nullptr && op->aliases_input) return {};
    if (has(target_.host) || (rule != nullptr && has(rule->activations))) return {};
    const std::string what = rule == nullptr ? " has no such operator, and" : "";
    return usage(place(node) + what + " has no " + name_of(kind) + " to compute it in, which its output " +
                 quoted(graph_.value(node.outputs[0]).name) +
                 " is: give it integers, or take the node out of the model" + asked(node.outputs[0]));
  }

  Result<void> judge_tensor(const graph::Node& node, ValueId id, const std::string& what,
                            const std::vector<NumberKind>& legal) const {
    const std::optional<NumberKind> kind = kind_of(id);
    if (!kind || std::ranges::find(legal, *kind) != legal.end()) return {};
    const std::string given = kind->real ? "is " + name_of(*kind) : "has " + std::to_string(kind->bits) + " bits";
    const std::string rule = legal.empty() ? "takes none there; give the node another form"
                                           : "takes " + text_of(legal) + " there; give it one of these";
    return usage(graph::describe(graph_, node) + ": its " + what + " " + quoted(graph_.value(id).name) + " " + given +
                 ", and target " + target_.name + " " + rule + asked(id));
  }

  Result<void> judge_operand(const graph::Node& node, std::size_t i, const OperatorRule& rule) const {
    const ValueId id = node.inputs[i];
    switch (ops::operand_role(graph_, node, i)) {
      case ops::OperandRole::kData:
        // Real constants become codes of the node's own.
        if (kind_of(id) && kind_of(id)->real && graph::constant_of(graph_, id) != nullptr) return {};
        return judge_tensor(node, id, "operand " + std::to_string(i), rule.activations);
      case ops::OperandRole::kWeight:
        return judge_tensor(node, id, "weight", rule.weights);
      case ops::OperandRole::kBias:
        return judge_tensor(node, id, "bias", rule.biases);
      default:
        return {};
    }
  }

  Result<void> judge_one_width(const graph::Node& node) const {
    const NumberKind output = *kind_of(node.outputs[0]);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (ops::operand_role(graph_, node, i) != ops::OperandRole::kData || !kind_of(id) || kind_of(id)->real) continue;
      if (*kind_of(id) == output) continue;
      return usage(graph::describe(graph_, node) + ": its operand " + quoted(graph_.value(id).name) + " has " +
                   std::to_string(kind_of(id)->bits) + " bits and its output " + std::to_string(output.bits) +
                   ", and target " + target_.name + " has one width for all its data; give both the same" + asked(id));
    }
    return {};
  }

  const graph::Graph& graph_;
  const TargetProfile& target_;
  const TensorKinds& kinds_;
  const Plan& plan_;
};

template <class KindOf>
TensorKinds collect_kinds(const graph::Graph& graph, const ops::Facts& facts, const KindOf& kind_of) {
  TensorKinds kinds(graph.values.size());
  for (std::size_t v = 0; v < kinds.size(); ++v) {
    const auto id = static_cast<ValueId>(v);
    const bool computed = facts[v].value && graph::constant_of(graph, id) == nullptr;
    if (ops::is_float(facts, id) && !computed) kinds[v] = kind_of(id);
  }
  return kinds;
}

}  // namespace

TensorKinds kinds_of(const graph::Graph& graph, const ops::Facts& facts, const Plan& plan,
                     const EncodingSet& imported) {
  return collect_kinds(graph, facts, [&](ValueId id) { return planned_kind(graph, id, plan, imported); });
}

TensorKinds kinds_of(const graph::Graph& graph, const ops::Facts& facts, const EncodingSet& encodings) {
  return collect_kinds(graph, facts, [&](ValueId id) {
    const TensorEncoding* entry = find_encoding(encodings, graph.value(id).name);
    return entry != nullptr ? integer_kind(entry->encoding) : real_kind(graph, id);
  });
}

Result<void> check_kinds(const graph::Graph& graph, const TargetProfile& target, const TensorKinds& kinds,
                         const Plan& plan) {
  const KindJudge judge(graph, target, kinds, plan);
  for (const graph::Node& node : graph.nodes) {
    if (Result<void> legal = judge.judge(node); !legal.ok()) return legal;
  }
  return {};
}

}  // namespace halfstep::precision
