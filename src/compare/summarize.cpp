// summarize.cpp: names, operators and order of what was added up.
#include "compare/summarize.hpp"

#include <algorithm>

namespace halfstep::compare {
namespace {

/// What every tensor's entry is made from.
struct Tallied {
  const RunsRequest& request;
  const Watched& watched;
  const Tally& main;
  std::vector<graph::NodeId> producers;  ///< Of the other graph, by ValueId.
  bool with_details;                     ///< Fill what only the main comparison has.
};

/// Of watched tensor `w`; `tally` may be that of the output.
TensorError error_of(const Tallied& all, const TensorTally& tally, std::size_t w, const std::string& name) {
  const graph::Graph& other = *all.request.other.graph;
  const graph::NodeId n = all.producers[static_cast<std::size_t>(all.watched.layers[w].other)];
  TensorError error{name, n == graph::kNoNode ? std::string() : other.node(n).op_type, tally.sums, tally.unlike};
  const TensorTally& watched = all.main.watched[w];
  if (all.watched.layers[w].encoding != nullptr) {
    error.scale = rms_scale(*all.watched.layers[w].encoding);
    error.num_clipped = watched.clipped;
  }
  if (!all.with_details) return error;
  if (all.request.isolated && watched.isolated.count > 0) error.isolated = watched.isolated;
  const bool has_codes = std::ranges::any_of(watched.off_by, [](std::int64_t count) { return count > 0; });
  if (has_codes) error.off_by = watched.off_by;
  return error;
}

}  // namespace

Comparison summarize(const RunsRequest& request, const Watched& watched, const Tally& main, const Tally* simulated) {
  const graph::Graph& graph = *request.reference.graph;
  const graph::Graph& other = *request.other.graph;
  const Tallied all{request, watched, main, graph::links_of(other).producer, simulated == nullptr};
  const Tally& tally = simulated == nullptr ? main : *simulated;
  Comparison comparison;
  comparison.num_samples = request.samples.count;
  for (std::size_t o = 0; o < tally.outputs.size(); ++o) {
    if (tally.outputs[o].sums.count == 0 && tally.outputs[o].unlike == 0) continue;
    comparison.outputs.push_back(
        error_of(all, tally.outputs[o], watched.layer_of_output[o], graph.value(graph.outputs[o].value).name));
  }
  for (std::size_t l = 0; l < request.layers.size(); ++l) {
    if (tally.watched[l].sums.count == 0) continue;
    comparison.layers.push_back(error_of(all, tally.watched[l], l, other.value(request.layers[l].other).name));
  }
  std::ranges::sort(comparison.layers, [](const TensorError& a, const TensorError& b) {
    const double da = a.sums.sqnr_db();
    const double db = b.sums.sqnr_db();
    return da != db ? da < db : a.name < b.name;
  });
  comparison.top1_agreement_percent = tally.scores.agreement_percent();
  if (comparison.top1_agreement_percent) comparison.classes_of = graph.value(graph.outputs.front().value).name;
  comparison.miou = tally.scores.miou();
  if (!request.labels.empty()) {
    comparison.top1 = tally.scores.top1();
    comparison.top5 = tally.scores.top5();
  }
  return comparison;
}

}  // namespace halfstep::compare
