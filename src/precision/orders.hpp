// orders.hpp: what users, recipes and targets ask of single tensors before anything is planned.
//
// An order says integers of a width, or real numbers; whole grids are encodings (Given::encodings). Orders of a tensor
// stand in the order of their strength: the last one that says something decides.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "encoding/encoding_set.hpp"
#include "encoding/range_to_encoding.hpp"
#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"
#include "precision/options.hpp"

namespace halfstep::precision {

/// What is asked of one tensor. At most one of `bits` and `real` is set; what is empty leaves the matter to weaker
/// orders.
struct Order {
  std::optional<int> bits = std::nullopt;                ///< Integers: 4, 8 or 16; biases also 32.
  std::optional<graph::RealFormat> real = std::nullopt;  ///< Real numbers.
  std::optional<bool> symmetric = std::nullopt;          ///< Of integers: zero point 0.
  bool unsigned_symmetric = false;                       ///< With `symmetric`: unsigned where there are no negatives.
  std::optional<bool> per_channel = std::nullopt;        ///< Of weights: a grid for each output channel.
  std::optional<RealRange> range = std::nullopt;         ///< Of computed tensors: instead of one that is observed.
  std::string by;                                        ///< Who: "ov.json:12: activation_encodings 'x'".
};

/// By name of the tensor.
using Orders = std::map<std::string, std::vector<Order>, std::less<>>;

/// What is settled about tensors of a graph before it is planned.
struct Given {
  Given() = default;
  Given(EncodingSet set) : encodings(std::move(set)) {}  // NOLINT: implicit on purpose

  EncodingSet encodings;  ///< Frozen: came with the model, or in a file of overrides.
  Orders orders;
  /// Tensors that insert_converts() added, and those they are converted from.
  std::map<std::string, std::string> converts = {};
  std::set<std::string> int32 = {};  ///< Tensors on both sides of nodes that compute_in_int32() changed.
};

/// What all orders of one tensor come to.
struct SettledOrder {
  std::optional<int> bits = std::nullopt;
  std::optional<graph::RealFormat> real = std::nullopt;
  std::optional<Schema> schema = std::nullopt;
  std::optional<bool> per_channel = std::nullopt;
  std::optional<RealRange> range = std::nullopt;
  std::vector<std::string> story = {};  ///< A line each, the strongest last.
};

/// By ValueId.
using SettledOrders = std::vector<SettledOrder>;

/// The orders of every tensor of `graph` as they were given.
SettledOrders settle_own(const graph::Graph& graph, const Given& given);

/// The orders of every tensor of `graph`, and what follows from them:
/// - output, weight and bias of a linear node (Conv, ConvTranspose, Gemm, MatMul) are real if one of them is, which is
///   QNN's rule; a bias that follows has options.mixed.float_bias_bits;
/// - outputs of one node are real together;
/// - nodes that only move data hand a width on, to both sides, where the other side has no order of its own; through
///   Concat only widths above those of options.act_bits go.
SettledOrders settle(const graph::Graph& graph, const ops::Facts& facts, const Options& options, const Given& given);

/// `request` with the width and symmetry that were ordered.
GridRequest ordered_grid(GridRequest request, const SettledOrder& order);

/// True if `node` computes on real numbers because of an order: its output 0 is to be real.
bool is_ordered_real(const graph::Node& node, const SettledOrders& orders);

}  // namespace halfstep::precision
