// scalar_region.hpp: nodes that together compute a function of one real number, element by element.
#pragma once

#include <functional>
#include <vector>

#include "passes/edit.hpp"

namespace halfstep::passes {

/// y = f(x) or, where one constant of several elements takes part, y = f(x, slope) with its element.
struct ScalarRegion {
  graph::ValueId x = graph::kNoValue;
  graph::ValueId slope = graph::kNoValue;  ///< kNoValue: none.
  std::vector<graph::NodeId> nodes;        ///< In the order of the graph; the last computes y.
  /// In double precision. May give NaN and infinities.
  std::function<double(double x, double slope)> function;
};

/// The regions that end at `root`, those that reach furthest up first. Each has two nodes or more, one tensor x that is
/// no constant, and is closed: nothing between is read elsewhere, pinned or a graph output. y has x's shape.
std::vector<ScalarRegion> scalar_regions_at(const Edit& edit, graph::NodeId root, const ops::Facts& facts);

}  // namespace halfstep::passes
