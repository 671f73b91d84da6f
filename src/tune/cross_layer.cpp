// cross_layer.cpp: chains are scaling groups of one writer and one reader, or two around a depthwise convolution.
#include "tune/cross_layer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text.hpp"
#include "tune/channel_scaling.hpp"
#include "tune/scale_channels.hpp"

namespace halfstep::tune {
namespace {

constexpr int kMaxRounds = 100;
constexpr double kSettled = 1e-3;

bool is_plain_or_depthwise(const ScalableLinear& linear) { return linear.groups == 1 || linear.is_depthwise(); }

/// max(x, 0), or that with upper bounds.
bool is_relu_or_bounded(const graph::FusedClamp& clamp) {
  if (!clamp.channels) return clamp.min == 0.0F && clamp.max > 0.0F;
  return std::ranges::all_of(clamp.channels->min, [](float low) { return low == 0.0F; });
}

/// Why `group` joins no two layers; empty: it does. Goes on from the name of its tensor.
std::string why_no_chain(const graph::Graph& graph, const graph::Links& links, const ScalingGroup& group) {
  const auto describe = [&](graph::NodeId id) { return graph::describe(graph, graph.node(id)); };
  for (const graph::NodeId id : group.joints) {
    const std::string& type = graph.node(id).op_type;
    if (type == "Relu" || type == "LeakyRelu" || type == "PRelu") continue;
    return "read or written by " + describe(id) + ", which is neither a layer nor a Relu";
  }
  // Without sums there is one writer.
  const ScalableLinear& writer = group.writers[0];
  const auto& clamp = graph.node(writer.node).clamp;
  if (!is_plain_or_depthwise(writer)) return "written by " + describe(writer.node) + ", which is grouped";
  if (clamp && !is_relu_or_bounded(*clamp)) return "written by " + describe(writer.node) + ", whose clamp is no Relu";
  for (const GroupTensor& tensor : group.tensors) {
    const auto& readers = links.consumers[static_cast<std::size_t>(tensor.value)];
    if (readers.size() > 1) return "read by " + std::to_string(readers.size()) + " nodes";
  }
  const ScalableLinear& reader = group.readers[0];
  if (!is_plain_or_depthwise(reader)) return "read by " + describe(reader.node) + ", which is grouped";
  return {};
}

/// Groups that join two layers each, and how they make chains.
struct FoundChains {
  std::vector<ScalingGroup> groups;
  std::vector<std::vector<std::size_t>> chains;  // Indices into `groups`: one of a pair, two of a triple.
  std::vector<std::string> refused;
};

FoundChains find_chains(const graph::Graph& graph, const ops::Facts& facts, const EncodingSet& imported) {
  ScalingGroups all = find_scaling_groups(graph, facts, imported);
  const graph::Links links = graph::links_of(graph);
  FoundChains found{.groups = {}, .chains = {}, .refused = std::move(all.refused)};
  for (ScalingGroup& group : all.groups) {
    const std::string why = why_no_chain(graph, links, group);
    if (why.empty()) {
      found.groups.push_back(std::move(group));
    } else {
      found.refused.push_back(quoted(graph.value(group.tensors[0].value).name) + ": " + why);
    }
  }
  std::vector<bool> taken(found.groups.size());
  for (std::size_t g = 0; g < taken.size(); ++g) {
    if (taken[g]) continue;
    taken[g] = true;
    found.chains.push_back({g});
    const ScalableLinear& middle = found.groups[g].readers[0];
    if (!middle.is_depthwise() || middle.in_channels != middle.out_channels) continue;
    for (std::size_t next = 0; next < taken.size(); ++next) {
      if (taken[next] || found.groups[next].writers[0].node != middle.node) continue;
      taken[next] = true;
      found.chains.back().push_back(next);
      break;
    }
  }
  return found;
}

/// Turns the bounded clamps within chains into Relu, and names their nodes.
std::vector<std::string> relax_clamps(graph::Graph& graph, const std::vector<ScalingGroup>& groups) {
  std::vector<std::string> relaxed;
  for (const ScalingGroup& group : groups) {
    graph::Node& node = graph.node(group.writers[0].node);
    if (!node.clamp || (!node.clamp->channels && std::isinf(node.clamp->max))) continue;
    node.clamp->max = std::numeric_limits<float>::infinity();
    node.clamp->channels.reset();
    relaxed.push_back(graph::describe(graph, node));
  }
  return relaxed;
}

/// One chain's factors, relative to those it has.
class ChainEqualizer {
 public:
  ChainEqualizer(ChannelScaling& scaling, const std::vector<std::size_t>& members)
      : scaling_(scaling), members_(members) {}

  /// The largest |factor - 1| that was applied.
  double step() {
    const std::vector<double> first = scaling_.writer_peaks(members_.front());
    const std::vector<double> last = scaling_.reader_peaks(members_.back());
    if (members_.size() == 1) {
      return apply({&first, &last}, [&](std::size_t c) { return std::vector{std::sqrt(first[c] / last[c])}; });
    }
    const std::vector<double> middle = scaling_.writer_peaks(members_.back());
    return apply({&first, &middle, &last}, [&](std::size_t c) {
      const double mean = std::cbrt(first[c]) * std::cbrt(middle[c]) * std::cbrt(last[c]);
      return std::vector{first[c] / mean, mean / last[c]};
    });
  }

 private:
  /// factors_at(c): those of channel c, one a member.
  template <class F>
  double apply(const std::vector<const std::vector<double>*>& peaks, F&& factors_at) {
    const std::vector<bool> live = live_channels(peaks);
    std::vector<std::vector<double>> factors;
    for (const std::size_t member : members_) factors.push_back(scaling_.factors(member));
    double largest = 0.0;
    for (std::size_t c = 0; c < live.size(); ++c) {
      if (!live[c]) continue;
      const std::vector<double> now = factors_at(c);
      for (std::size_t m = 0; m < now.size(); ++m) {
        factors[m][c] *= now[m];
        largest = std::max(largest, std::abs(now[m] - 1.0));
      }
    }
    for (std::size_t m = 0; m < members_.size(); ++m) scaling_.set_factors(members_[m], std::move(factors[m]));
    return largest;
  }

  ChannelScaling& scaling_;
  const std::vector<std::size_t>& members_;
};

/// One round over all chains; the largest |factor - 1| that was applied.
double equalize_once(ChannelScaling& scaling, const std::vector<std::vector<std::size_t>>& chains) {
  double largest = 0.0;
  for (const std::vector<std::size_t>& members : chains) {
    largest = std::max(largest, ChainEqualizer(scaling, members).step());
  }
  return largest;
}

}  // namespace

Result<CrossLayerEqualized> equalize_cross_layer(const graph::Graph& graph, const ops::Facts& facts,
                                                 const EncodingSet& imported) {
  FoundChains found = find_chains(graph, facts, imported);
  graph::Graph relaxed = graph;
  CrossLayerEqualized result{.graph = {}, .chains = {}, .refused = std::move(found.refused), .relaxed_clamps = {}};
  result.relaxed_clamps = relax_clamps(relaxed, found.groups);
  ChannelScaling scaling(graph, std::move(found.groups));
  result.converged = found.chains.empty();
  while (!result.converged && result.num_rounds < kMaxRounds) {
    result.converged = equalize_once(scaling, found.chains) <= kSettled;
    ++result.num_rounds;
  }
  for (const std::vector<std::size_t>& members : found.chains) {
    EqualizedChain& chain = result.chains.emplace_back();
    for (const std::size_t member : members) {
      chain.tensors.push_back(graph.value(scaling.groups()[member].tensors[0].value).name);
      chain.factors.push_back(scaling.factors(member));
    }
  }
  const FactorRange range = range_of(scaling.all_factors());
  result.smallest_factor = range.smallest;
  result.largest_factor = range.largest;
  Result<graph::Graph> scaled = scale_channels(std::move(relaxed), scaling.groups(), scaling.all_factors());
  if (!scaled.ok()) return scaled.error();
  result.graph = *std::move(scaled);
  return result;
}

}  // namespace halfstep::tune
