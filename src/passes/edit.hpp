// edit.hpp: what the passes share: matching and rewriting of a Graph.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {

/// Where a table by value keeps `id`.
inline std::size_t index(graph::ValueId id) { return static_cast<std::size_t>(id); }

/// A Graph under edit. Nodes are not erased but emptied (detach), so that ids
/// stay valid until finish().
struct Edit {
  graph::Graph graph;
  graph::Links links;

  explicit Edit(graph::Graph edited) : graph(std::move(edited)), links(graph::links_of(graph)) {}

  /// Brings `links` up to date; needed after any edit.
  void refresh() { links = graph::links_of(graph); }

  graph::Node& node(graph::NodeId id) { return graph.node(id); }
  const graph::Node& node(graph::NodeId id) const { return graph.node(id); }
  graph::NodeId producer(graph::ValueId id) const {
    return id == graph::kNoValue ? graph::kNoNode : links.producer[static_cast<std::size_t>(id)];
  }

  /// The producer of `id` if it is a plain node (see plain()) of this type, else kNoNode.
  graph::NodeId producer_of_type(graph::ValueId id, std::string_view op_type) const;

  /// The value exists between its producer and one reader only: not pinned, no graph output, used once.
  bool is_private(graph::ValueId id) const;

  /// The only reader of a private value that is not a constant, else kNoNode.
  graph::NodeId private_consumer(graph::ValueId id) const;

  /// Empties a node: it reads and writes nothing and goes with finish().
  void detach(graph::NodeId id);
};

/// A node of the default domain, of this type, that applies no clamp.
bool plain(const graph::Node& node, std::string_view op_type);

/// Input `i`, kNoValue if the node has fewer.
graph::ValueId input_of(const graph::Node& node, std::size_t i);

/// True if no output but the first is wanted.
bool only_first_output(const graph::Node& node);

/// One rewriting rule: edits the graph at `node` and says whether it did.
using Rule = std::function<bool(Edit&, graph::NodeId)>;

/// Applies `rule` to every node, in order, until it finds nothing more; then drops what is unused.
graph::Graph rewrite(graph::Graph graph, const Rule& rule);

/// A rule that also looks at what holds for every size of the symbolic dimensions.
using FactRule = std::function<bool(Edit&, graph::NodeId, const ops::Facts&)>;

/// rewrite() with the invariant facts of `graph` as it comes in.
/// Errors: those of ops::infer_invariant_facts().
Result<graph::Graph> rewrite(graph::Graph graph, const PassContext& context, const FactRule& rule);

/// graph::remove_unused() that also keeps the captures of subgraphs pointing at the right values.
graph::Graph drop_unused(graph::Graph graph);

/// Makes `node` disappear, whose output 0 equals `source`. If that output is a
/// graph output, the producer of `source` takes over its name. False, and
/// nothing done, where names forbid it or the output is pinned.
bool bypass(Edit& edit, graph::NodeId node, graph::ValueId source);

/// A constant that passes may change or replace: set, float32, not pinned.
const Tensor* free_constant(const graph::Graph& graph, graph::ValueId id);

/// The value of a float32 constant with exactly one element.
std::optional<double> scalar_of(const graph::Graph& graph, graph::ValueId id);

/// The values of an integer constant, or of an absent operand: nothing.
std::optional<std::vector<std::int64_t>> integers_of(const graph::Graph& graph, graph::ValueId id);

/// Equal up to float32 rounding of either.
bool nearly(double a, double b);

/// Puts `tensor` at input `input` of `node`: in the place of the constant that
/// is there if the node is its only reader, else as a new constant called `name`.
/// Call refresh() afterwards.
void set_constant_input(Edit& edit, graph::NodeId node, std::size_t input, Tensor tensor, const std::string& name);

/// A name for the bias of a weight: "conv1.weight" gives "conv1.bias".
std::string bias_name_for(const std::string& weight_name);

/// True if only `nodes` read what `nodes` write, apart from `result`, and nothing of that is pinned or an output.
bool is_closed(const Edit& edit, std::span<const graph::NodeId> nodes, graph::ValueId result);

/// Replaces `nodes`, the last of which computes `result`, by `replacement` in
/// that last one's place; name, clamp and opset are taken from it.
void replace_nodes(Edit& edit, std::span<const graph::NodeId> nodes, graph::Node replacement);

/// What is known of `id`, nullptr if nothing. Values added after inference have no facts.
const TensorType* type_of(const ops::Facts& facts, graph::ValueId id);

/// Both ranks are known and equal: constants of many dimensions did not broadcast anything up.
bool same_rank(const ops::Facts& facts, graph::ValueId a, graph::ValueId b);

/// True if both graphs have the same nodes, values, names and constants.
bool same_graph(const graph::Graph& a, const graph::Graph& b);

/// True if both attribute sets are equal; subgraphs are compared by address.
bool same_attributes(const graph::Attributes& a, const graph::Attributes& b);

}  // namespace halfstep::passes
