// moved_names.cpp: looks along the nodes of the model as read for names that the prepared model still has.
#include "precision/moved_names.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/text.hpp"
#include "ops/operands.hpp"
#include "precision/unchanged_values.hpp"

namespace halfstep::precision {
namespace {

using graph::Graph;
using graph::kNoNode;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

bool is_of_type(const Node& node, std::span<const std::string_view> types) {
  return node.domain.empty() && std::ranges::find(types, node.op_type) != types.end();
}

bool is_clamp(const Node& node) {
  static constexpr std::array<std::string_view, 4> kTypes{"Relu", "Clip", "Max", "Min"};
  return is_of_type(node, kTypes);
}

/// Nodes that passes move into the weights of a linear neighbour.
bool is_foldable(const Node& node) {
  static constexpr std::array<std::string_view, 5> kTypes{"BatchNormalization", "Mul", "Div", "Add", "Sub"};
  return is_of_type(node, kTypes);
}

/// "BatchNormalization 'bn1'".
std::string operator_and_name(const Node& node) {
  return node.name.empty() ? "a " + node.op_type : node.op_type + " " + quoted(node.name);
}

class MovedNames {
 public:
  MovedNames(const Graph& as_read, const Graph& prepared)
      : old_(as_read), new_(prepared), old_links_(graph::links_of(as_read)), new_links_(graph::links_of(prepared)) {
    for (std::size_t v = 0; v < prepared.values.size(); ++v) {
      survivors_.emplace(prepared.values[v].name, static_cast<ValueId>(v));
    }
    for (std::size_t n = 0; n < prepared.nodes.size(); ++n) {
      const auto& clamp = prepared.nodes[n].clamp;
      if (clamp) limited_.emplace(clamp->pre_name, static_cast<NodeId>(n));
    }
  }

  bool survives(std::string_view name) const { return survivors_.contains(name); }

  MovedName of_activation(ValueId moved) const {
    const std::vector<ValueId> same = same_values(moved);
    for (const ValueId other : same) {
      if (survivor(other) != kNoValue) return under_another_name(other);
    }
    const Reached behind = nearest_behind(moved);
    if (std::optional<MovedName> fused = fused_from(same)) return *fused;
    if (std::optional<MovedName> folded = folded_from(moved, same, behind)) return *folded;
    if (behind.value == kNoValue) return {MoveKind::kPart, "", "is not needed for any output of the model"};
    return {MoveKind::kPart, new_name(behind.value),
            "is not computed any more; the nearest tensor behind it is " + quoted(new_name(behind.value)) +
                (behind.node == kNoNode ? "" : " of " + graph::describe(new_, new_.node(behind.node)))};
  }

  MovedName of_constant(ValueId moved) const {
    for (const ValueId other : same_values(moved)) {
      if (survivor(other) != kNoValue) return under_another_name(other);
    }
    const std::vector<NodeId>& readers = old_links_.consumers[index(moved)];
    if (readers.empty()) return {MoveKind::kPart, "", "is not needed for any output of the model"};
    const Node& reader = old_.node(readers.front());
    const Reached behind = nearest_behind(moved);
    const NodeId host = behind.node;
    if (host == kNoNode)
      return {MoveKind::kPart, "", "is a constant of " + operator_and_name(reader) + ", which is gone"};
    const ValueId weight = ops::weight_of(new_, new_.node(host));
    const std::string where = graph::describe(new_, new_.node(host));
    if (is_clamp(reader) && new_.node(host).clamp) {
      return {MoveKind::kBound, new_name(behind.value),
              "is a bound of " + operator_and_name(reader) + ", which is part of " + where + " now"};
    }
    if (weight != kNoValue && is_foldable(reader)) {
      return {MoveKind::kFolded, new_name(weight),
              "is a parameter of " + operator_and_name(reader) + ", which is part of " + where + " now"};
    }
    return {MoveKind::kPart, "",
            "is a constant of " + operator_and_name(reader) + ", which is part of " + where + " now"};
  }

 private:
  /// A computed tensor of the prepared model and the node that writes it.
  struct Reached {
    ValueId value = kNoValue;
    NodeId node = kNoNode;
  };

  static std::size_t index(std::int32_t id) { return static_cast<std::size_t>(id); }
  const std::string& old_name(ValueId id) const { return old_.value(id).name; }
  const std::string& new_name(ValueId id) const { return new_.value(id).name; }

  /// The prepared model's tensor with the name of `id`.
  ValueId survivor(ValueId id) const {
    const auto at = survivors_.find(old_name(id));
    return at == survivors_.end() ? kNoValue : at->second;
  }

  /// The prepared model's tensor that is there instead of `id`: itself, or what its clamp left of it.
  Reached reached(ValueId id) const {
    if (const ValueId itself = survivor(id); itself != kNoValue) {
      return new_.value(itself).constant ? Reached{} : Reached{itself, new_links_.producer[index(itself)]};
    }
    const auto clamped = limited_.find(old_name(id));
    if (clamped == limited_.end()) return {};
    return {new_.node(clamped->second).outputs[0], clamped->second};
  }

  /// Breadth first along the nodes that read `from`.
  Reached nearest_behind(ValueId from) const {
    std::vector<ValueId> queue{from};
    std::vector<bool> seen(old_.values.size());
    seen[index(from)] = true;
    for (std::size_t i = 0; i < queue.size(); ++i) {
      const Reached found = i == 0 ? Reached{} : reached(queue[i]);
      if (found.value != kNoValue) return found;
      for (const NodeId reader : old_links_.consumers[index(queue[i])]) {
        for (const ValueId output : old_.node(reader).outputs) {
          if (output == kNoValue || seen[index(output)]) continue;
          seen[index(output)] = true;
          queue.push_back(output);
        }
      }
    }
    return {};
  }

  /// `id` and the values that equal it, the nearest first, inputs before outputs.
  std::vector<ValueId> same_values(ValueId id) const {
    std::vector<ValueId> found{id};
    const auto add = [&](ValueId other) {
      if (other != kNoValue && std::ranges::find(found, other) == found.end()) found.push_back(other);
    };
    for (std::size_t i = 0; i < found.size(); ++i) {
      const ValueId at = found[i];
      const NodeId producer = old_links_.producer[index(at)];
      if (producer != kNoNode && old_.node(producer).outputs[0] == at) add(source_of(producer));
      for (const NodeId reader : old_links_.consumers[index(at)]) {
        if (source_of(reader) == at) add(old_.node(reader).outputs[0]);
      }
    }
    return found;
  }

  /// The operand that output 0 of the node equals; kNoValue if there is none.
  ValueId source_of(NodeId n) const {
    const Node& node = old_.node(n);
    const ValueId plain = unchanged_operand_of(old_, node);
    if (plain != kNoValue || !moves_values(node) || node.inputs.empty() || node.inputs[0] == kNoValue) return plain;
    return was_bypassed(node) || is_folded_move(node) ? node.inputs[0] : kNoValue;
  }

  /// A node that moves values changed nothing if the prepared model goes on without it: the node that read its output
  /// reads its input, or the one in front of it writes its output.
  bool was_bypassed(const Node& node) const {
    const ValueId input = node.inputs[0];
    const ValueId output = node.outputs[0];
    if (survivor(output) != kNoValue && survivor(input) != kNoValue) return false;
    if (survivor(output) != kNoValue) {
      const NodeId before = old_links_.producer[index(input)];
      const NodeId now = new_links_.producer[index(survivor(output))];
      return before != kNoNode && now != kNoNode && !moves_values(old_.node(before)) &&
             old_.node(before).op_type == new_.node(now).op_type;
    }
    return std::ranges::any_of(old_links_.consumers[index(output)], [&](NodeId n) {
      const Node& reader = old_.node(n);
      const NodeId now = nearest_behind(output).node;
      return !moves_values(reader) && now != kNoNode && new_.node(now).op_type == reader.op_type &&
             survivor(input) != kNoValue && std::ranges::count(new_.node(now).inputs, survivor(input)) > 0;
    });
  }

  /// A constant whose elements were put in order for its reader: a weight behind a Transpose or Reshape.
  bool is_folded_move(const Node& node) const {
    static constexpr std::array<std::string_view, 5> kTypes{"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"};
    const ValueId now = survivor(node.outputs[0]);
    return is_of_type(node, kTypes) && old_.value(node.inputs[0]).constant && now != kNoValue &&
           new_.value(now).constant;
  }

  MovedName under_another_name(ValueId other) const {
    return {MoveKind::kSame, old_name(other),
            "goes on as " + quoted(old_name(other)) + ": the nodes between the two change nothing"};
  }

  /// A clamp behind one of these values is part of the node in front.
  std::optional<MovedName> fused_from(const std::vector<ValueId>& same) const {
    for (const ValueId id : same) {
      for (const NodeId reader : old_links_.consumers[index(id)]) {
        if (!is_clamp(old_.node(reader))) continue;
        const Reached clamped = nearest_behind(id);
        if (clamped.node == kNoNode || !new_.node(clamped.node).clamp) continue;
        return MovedName{MoveKind::kFused, new_name(clamped.value),
                         "is the input of " + operator_and_name(old_.node(reader)) + ", which is part of " +
                             graph::describe(new_, new_.node(clamped.node)) + " now"};
      }
    }
    return std::nullopt;
  }

  /// A neighbour of one of these values is part of the weights of a linear node.
  std::optional<MovedName> folded_from(ValueId moved, const std::vector<ValueId>& same, const Reached& behind) const {
    if (behind.node == kNoNode || ops::weight_of(new_, new_.node(behind.node)) == kNoValue) return std::nullopt;
    const auto folded = [&](const char* side, NodeId n) {
      return MovedName{MoveKind::kFolded, new_name(behind.value),
                       std::string("is the ") + side + " of " + operator_and_name(old_.node(n)) +
                           ", which is part of " + graph::describe(new_, new_.node(behind.node)) + " now"};
    };
    for (const ValueId id : same) {
      for (const NodeId reader : old_links_.consumers[index(id)]) {
        if (is_foldable(old_.node(reader))) return folded("input", reader);
      }
    }
    const NodeId producer = old_links_.producer[index(moved)];
    if (producer != kNoNode && is_foldable(old_.node(producer))) return folded("output", producer);
    return std::nullopt;
  }

  const Graph& old_;
  const Graph& new_;
  graph::Links old_links_;
  graph::Links new_links_;
  std::map<std::string, ValueId, std::less<>> survivors_;  ///< By name.
  std::map<std::string, NodeId, std::less<>> limited_;     ///< By name of what a clamp limits: the node it is part of.
};

}  // namespace

std::optional<MovedName> find_moved_name(const Graph& as_read, const Graph& prepared, std::string_view name) {
  const ValueId moved = graph::find_value(as_read, name);
  if (moved == kNoValue) return std::nullopt;
  const MovedNames names(as_read, prepared);
  if (names.survives(name)) return std::nullopt;
  return as_read.value(moved).constant ? names.of_constant(moved) : names.of_activation(moved);
}

}  // namespace halfstep::precision
