// compute_in_int32.cpp: QNN's way with integers that are no codes.
#include <algorithm>
#include <map>
#include <utility>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "precision/insert_converts.hpp"

namespace halfstep::precision {
namespace {

using graph::Node;
using graph::ValueId;

// Numbers of TensorProto.DataType.
constexpr std::int64_t kOnnxFloat = 1;
constexpr std::int64_t kOnnxInt32 = 6;

class Int32Maker {
 public:
  Int32Maker(graph::Graph graph, ops::Facts facts, Given& given)
      : graph_(std::move(graph)), facts_(std::move(facts)), orders_(given.orders), taken_(given.int32) {}

  Result<graph::Graph> run() {
    for (Node& node : std::exchange(graph_.nodes, {})) {
      if (!is_asked_for(node)) {
        graph_.nodes.push_back(std::move(node));
      } else if (auto done = compute(std::move(node)); !done.ok()) {
        return done.error();
      }
    }
    if (auto used = check_all_used(); !used.ok()) return used.error();
    return std::move(graph_);
  }

 private:
  bool is_real(ValueId id) const { return id != graph::kNoValue && ops::is_float(facts_, id); }

  const Order* int32_order(ValueId id) const {
    const auto at = orders_.find(graph_.value(id).name);
    if (at == orders_.end() || at->second.empty() || at->second.back().bits != 32) return nullptr;
    return &at->second.back();
  }

  /// Both sides of the node are named; one side alone is that of a neighbour.
  bool is_asked_for(const Node& node) const {
    const auto is_named = [&](ValueId id) { return is_real(id) && int32_order(id) != nullptr; };
    const auto is_named_data = [&](ValueId id) { return is_named(id) && graph::constant_of(graph_, id) == nullptr; };
    return is_named(node.outputs[0]) && std::ranges::any_of(node.inputs, is_named_data);
  }

  Result<void> compute(Node node) {
    const std::string place = int32_order(node.outputs[0])->by + ": " + graph::describe(graph_, node);
    if (ops::weight_of(graph_, node) != graph::kNoValue)
      return usage(place + " has weights, and int32 is for operators without: leave the entry out");
    if (node.clamp) return usage(place + " is fused with an activation, which has no int32 form");
    for (ValueId& id : node.inputs) {
      if (!is_real(id)) continue;
      if (int32_order(id) == nullptr && graph::constant_of(graph_, id) == nullptr) {
        return usage(place + " computes in int32, but its input " + quoted(graph_.value(id).name) +
                     " has no entry of 32 bits: all inputs and outputs need one");
      }
      id = as_int32(id);
    }
    std::vector<Node> behind;
    for (ValueId& id : node.outputs) {
      if (!is_real(id)) continue;
      const ValueId inner = new_value(graph_.value(id).name + "_int32");
      behind.push_back(cast(inner, id, kOnnxFloat));
      taken_.insert(graph_.value(id).name);
      id = inner;
    }
    graph_.nodes.push_back(std::move(node));
    std::ranges::move(behind, std::back_inserter(graph_.nodes));
    return {};
  }

  ValueId new_value(std::string name) {
    const ValueId id = graph::add_value(graph_, std::move(name));
    graph_.value(id).pinned = true;
    facts_.emplace_back();
    return id;
  }

  Node cast(ValueId from, ValueId to, std::int64_t type) const {
    Node node;
    node.name = graph_.value(to).name + "_Cast";
    node.op_type = "Cast";
    node.attributes.set("to", type);
    node.inputs = {from};
    node.outputs = {to};
    node.file_opset = graph_.opset;
    return node;
  }

  ValueId as_int32(ValueId id) {
    const auto [at, is_new] = casts_.emplace(id, graph::kNoValue);
    if (!is_new) return at->second;
    at->second = new_value(graph_.value(id).name + "_as_int32");
    graph_.nodes.push_back(cast(id, at->second, kOnnxInt32));
    taken_.insert(graph_.value(id).name);
    return at->second;
  }

  /// An entry of 32 bits that no node took: its tensor is one side of a node only.
  Result<void> check_all_used() {
    for (const std::string& name : taken_) {
      const auto at = orders_.find(name);
      if (at != orders_.end()) std::erase_if(at->second, [](const Order& order) { return order.bits == 32; });
    }
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      const auto id = static_cast<ValueId>(v);
      if (graph_.values[v].constant || !is_real(id) || int32_order(id) == nullptr) continue;
      return usage(int32_order(id)->by + ": no node both reads and writes int32 here: give entries of 32 bits to all " +
                   "inputs and outputs of a node without weights");
    }
    return {};
  }

  graph::Graph graph_;
  ops::Facts facts_;
  Orders& orders_;
  std::map<ValueId, ValueId> casts_;
  std::set<std::string>& taken_;
};

}  // namespace

Result<graph::Graph> compute_in_int32(graph::Graph graph, const ops::InputShapes& shapes, Given& given) {
  const bool asked = std::ranges::any_of(given.orders, [](const auto& entry) {
    return std::ranges::any_of(entry.second, [](const Order& order) { return order.bits == 32; });
  });
  if (!asked) return graph;
  Result<ops::Facts> facts = ops::infer_facts(graph, shapes);
  if (!facts.ok()) return facts.error();
  Result<graph::Graph> made = Int32Maker(std::move(graph), *std::move(facts), given).run();
  if (!made.ok()) return made;
  // Operators that do not take int32 say so here.
  const Result<ops::Facts> checked = ops::infer_facts(*made, shapes);
  if (checked.ok()) return made;
  return usage("entries of 32 bits ask for int32: " + checked.error().message + "; leave them out");
}

}  // namespace halfstep::precision
