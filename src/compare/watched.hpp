// watched.hpp: the tensors of both sides that a comparison looks at.
#pragma once

#include <map>
#include <vector>

#include "compare/compare_runs.hpp"

namespace halfstep::compare {

/// The request's layers, then the outputs that are no layers: only a tap sees the isolated error of these.
struct Watched {
  explicit Watched(const RunsRequest& request);

  std::vector<Layer> layers;
  std::vector<std::size_t> layer_of_output;  ///< Index into `layers`, by output.

  /// Calls f(index into `layers`) for each one whose tensor this is, on the reference's or on the other side.
  template <class F>
  void for_each_of_reference(graph::ValueId value, F&& f) const {
    for_each(reference_, value, f);
  }
  template <class F>
  void for_each_of_other(graph::ValueId value, F&& f) const {
    for_each(other_, value, f);
  }

 private:
  using Watchers = std::map<graph::ValueId, std::vector<std::size_t>>;

  template <class F>
  static void for_each(const Watchers& watchers, graph::ValueId value, F& f) {
    const auto at = watchers.find(value);
    if (at == watchers.end()) return;
    for (const std::size_t w : at->second) f(w);
  }

  Watchers reference_;
  Watchers other_;
};

}  // namespace halfstep::compare
