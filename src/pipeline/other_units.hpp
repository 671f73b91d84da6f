// other_units.hpp: tensors that algorithms put into other units than the float model has them in.
//
// Equalization divides the channels of a tensor, high-bias absorption subtracts from them, and the tensors that read it
// make up for it: the name stays, the numbers do not, so that the two cannot be compared one by one. The model records
// which: metadata "halfstep.rescaled" and "halfstep.shifted", a JSON array of names each, left out where there are
// none.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.hpp"
#include "halfstep/observer.hpp"

namespace halfstep::pipeline {

/// By name. A tensor may be in both.
struct OtherUnits {
  std::set<std::string> rescaled;  ///< Each channel divided by a factor of its own.
  std::set<std::string> shifted;   ///< Something was subtracted from some channels.

  void add(const OtherUnits& more);
  /// Both kinds.
  std::set<std::string, std::less<>> all() const;
  friend bool operator==(const OtherUnits&, const OtherUnits&) = default;
};

/// What a file's metadata records. An entry that is no list of names has no effect but a warning, `place` in front.
OtherUnits recorded_units(const graph::Graph& graph, const std::string& place, const Observer& observer);

/// The entries that record it; none for none.
std::vector<std::pair<std::string, std::string>> metadata_of(const OtherUnits& units);

/// The tensors of two models that cannot be compared one by one: none if both are in the same units.
OtherUnits incomparable(const OtherUnits& ours, const OtherUnits& theirs);

}  // namespace halfstep::pipeline
