// convert_inserter.hpp: puts converts into a graph, and back into one that lacks them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.hpp"

namespace halfstep::precision {

/// An operand of a node.
struct OperandUse {
  graph::NodeId node;
  std::size_t operand;
};

/// Adds converts to a graph: an Identity each, whose output is pinned; a copy, where a constant is converted. Node ids
/// stay valid until finish().
class ConvertInserter {
 public:
  explicit ConvertInserter(graph::Graph& graph) : graph_(graph) {}

  /// The new tensor that stands for `from` in `uses`, which it is put into. `name` is made unique. Requires: `uses` is
  /// not empty and in the order of nodes.
  graph::ValueId add(graph::ValueId from, const std::string& name, const std::vector<OperandUse>& uses);

  /// Puts each new node in front of its first reader.
  void finish();

 private:
  graph::Graph& graph_;
  std::map<graph::NodeId, std::vector<graph::Node>> in_front_;
};

/// A convert as files record it.
struct RecordedConvert {
  std::string from;                  ///< What is converted.
  std::vector<std::string> readers;  ///< First outputs of the nodes that read the new tensor.
};

/// By name of the new tensor.
using RecordedConverts = std::map<std::string, RecordedConvert, std::less<>>;

/// The converts called `names` of `graph`, each with what it is converted from.
RecordedConverts record_converts(const graph::Graph& graph, const std::map<std::string, std::string>& names);

/// Puts `converts` into a graph that has none of them; those whose tensors or readers it lacks are left out. Returns
/// the names of those it put in, each with what it is converted from.
std::map<std::string, std::string> restore_converts(graph::Graph& graph, const RecordedConverts& converts);

}  // namespace halfstep::precision
