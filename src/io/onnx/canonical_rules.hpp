// canonical_rules.hpp: what the rules of canonicalize() share.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// The graph while its nodes are rewritten one after the other.
class Rewriter {
 public:
  /// Values are added to `graph`, which must outlive the Rewriter; its nodes are only looked at here.
  explicit Rewriter(graph::Graph& graph);

  /// A new constant. `role` goes into its name.
  graph::ValueId constant(std::string_view role, Tensor tensor);
  graph::ValueId ints(std::string_view role, std::span<const std::int64_t> values);

  /// Puts a node of one output in front of the current one; returns its output.
  graph::ValueId before(std::string_view op_type, std::vector<graph::ValueId> inputs,
                        graph::Attributes attributes = {});

  /// Makes the current node write a new value instead of output `index`, and
  /// puts a node behind it that makes the old output of it and `more_inputs`.
  void after(graph::Node& node, std::size_t index, std::string_view op_type, std::vector<graph::ValueId> more_inputs,
             graph::Attributes attributes = {});

  /// Sets input `index`, filling up with absent ones.
  static void set_input(graph::Node& node, std::size_t index, graph::ValueId value);
  static graph::ValueId input(const graph::Node& node, std::size_t index) {
    return index < node.inputs.size() ? node.inputs[index] : graph::kNoValue;
  }

  const Tensor* value_of(graph::ValueId id) const { return graph::constant_of(graph_, id); }
  /// Whether anything reads output `index` of the node.
  bool is_used(const graph::Node& node, std::size_t index) const;
  /// The number of dimensions where it is plain to see.
  std::optional<int> rank_of(graph::ValueId id, int levels = 16) const;

 private:
  friend Result<graph::Graph> canonicalize(graph::Graph graph);

  graph::ValueId new_value(const std::string& base, std::string_view role);

  graph::Graph& graph_;
  std::unordered_set<std::string> names_;
  std::unordered_map<graph::ValueId, int> input_ranks_;
  std::vector<bool> used_;                                    // By ValueId, as read.
  std::unordered_map<graph::ValueId, std::size_t> producer_;  // Into done_.
  std::vector<graph::Node> done_;
  std::vector<graph::Node> after_;
  std::string base_;  // The current node's first output: new names start with it.
  int file_opset_ = 0;
};

/// Changes one node from an older form. Errors do not name the node.
using Rule = Result<void> (*)(Rewriter&, graph::Node&);

struct RuleRow {
  std::string_view op_type;
  int first_opset;  ///< The rule is for nodes of opsets in [first_opset, end_opset).
  int end_opset;
  Rule rule;
};

std::span<const RuleRow> attribute_rules();  ///< Attributes that became inputs.
std::span<const RuleRow> resize_rules();     ///< Upsample and Resize.
std::span<const RuleRow> other_rules();      ///< Softmax, normalizations and the rest.

}  // namespace halfstep::io
