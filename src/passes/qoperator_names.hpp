// qoperator_names.hpp: names for the real tensors that stand where a file has integers.
#pragma once

#include <string>
#include <unordered_map>

#include "graph/graph.hpp"

namespace halfstep::passes {

/// The names of a graph under import, kept unique.
class RealNames {
 public:
  explicit RealNames(const graph::Graph& graph);

  bool is_free(const std::string& name) const { return !values_.contains(name); }

  /// Adds a value; a number is appended to `name` if it is taken.
  graph::ValueId add(graph::Graph& graph, const std::string& name);

  /// Adds the real tensor whose integers are `codes`: "y" for "y_quantized".
  /// Where the file has a "y" that a DQ makes of those integers, they change
  /// names; without a suffix to take away it is the integers that change theirs.
  graph::ValueId real_of(graph::Graph& graph, graph::ValueId codes);

  /// "y" for "y_quantized" and for "yquantized", else `name` itself.
  static std::string without_suffix(const std::string& name);

 private:
  std::string unique(const std::string& name) const;
  /// Gives `id` the next free name like `name`.
  void rename(graph::Graph& graph, graph::ValueId id, const std::string& name);

  std::unordered_map<std::string, graph::ValueId> values_;
  std::unordered_map<graph::ValueId, graph::ValueId> codes_of_;  ///< By output of a DQ.
  std::unordered_map<graph::ValueId, bool> is_output_;           ///< Graph outputs only.
};

}  // namespace halfstep::passes
