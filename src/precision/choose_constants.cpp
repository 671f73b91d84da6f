// choose_constants.cpp: weights, constant data, then the biases that follow from both.
#include "precision/choose_constants.hpp"

#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "precision/depthwise.hpp"

namespace halfstep::precision {
namespace {

using graph::ValueId;
using ops::OperandRole;

class ConstantChooser {
 public:
  ConstantChooser(const graph::Graph& graph, const ops::Facts& facts, const Options& options,
                  const EncodingSet& imported, const SettledOrders& orders, Plan& plan)
      : graph_(graph), facts_(facts), options_(options), imported_(imported), orders_(orders), plan_(plan) {}

  void choose_weight(const graph::Node& node) {
    const ValueId weight = ops::weight_of(graph_, node);
    if (weight == graph::kNoValue) return;
    TensorPlan* plan = undecided(weight, node, OperandRole::kWeight);
    if (plan == nullptr) return;
    plan->source = Source::kConstant;
    plan->grid = ordered_grid(weight_request(options_), order_of(weight));
    plan->rule = options_.param_range;
    const bool by_channel =
        options_.per_channel == WeightsPerChannel::kAll ||
        (options_.per_channel == WeightsPerChannel::kDepthwise && is_depthwise(graph_, facts_, node));
    if (order_of(weight).per_channel.value_or(by_channel)) plan->axis = ops::weight_axis(graph_, node);
    if (const std::optional<int> summed = options_.block_size == 0 ? std::nullopt : summed_axis(node)) {
      plan->axis.reset();
      plan->block_axis = summed;
      plan->block_size = options_.block_size;
    }
  }

  void choose_data(const graph::Node& node) {
    if (plan_.of(node.outputs[0]).source == Source::kFloat) return;
    const bool joins = ops::find_op(node)->output_rule == ops::OutputRule::kSameAsInputs && !node.clamp;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (graph::constant_of(graph_, id) == nullptr) continue;
      if (ops::operand_role(graph_, node, i) != OperandRole::kData) continue;
      TensorPlan* plan = undecided(id, node, OperandRole::kData);
      if (plan == nullptr) continue;
      const GridRequest request = data_request(node);
      plan->grid = ordered_grid(request, order_of(id));
      const bool shares = joins && plan->grid == request;  // Else it was ordered to have another precision.
      plan->source = shares ? Source::kShared : Source::kConstant;
      if (shares) plan->shared_with = node.outputs[0];
      plan->rule = options_.param_range;
    }
  }

  void choose_bias(const graph::Node& node, graph::NodeId id) {
    const ValueId bias = ops::bias_of(graph_, node);
    const ValueId weight = ops::weight_of(graph_, node);
    if (bias == graph::kNoValue || weight == graph::kNoValue) return;
    if (!has_grid(weight) || !has_grid(node.inputs[0]) || has_blocks(weight)) return;
    TensorPlan* plan = undecided(bias, node, OperandRole::kBias);
    if (plan_.of(bias).node == graph::kNoNode) plan_.of(bias).node = id;
    if (plan == nullptr) return;
    const int bits = order_of(bias).bits.value_or(options_.bias_bits);
    plan->source = bits == 32 ? Source::kDerived : Source::kConstant;
    plan->grid = {.bits = bits, .schema = Schema::kSymmetric, .scale = options_.scale};
    plan->rule = options_.param_range;
  }

 private:
  const SettledOrder& order_of(ValueId id) const { return orders_[static_cast<std::size_t>(id)]; }

  /// Constant operands are as wide as the result.
  GridRequest data_request(const graph::Node& node) const {
    GridRequest request = activation_request(options_);
    const TensorPlan& result = plan_.of(node.outputs[0]);
    const TensorPlan& origin = result.source == Source::kShared ? plan_.of(result.shared_with) : result;
    if (origin.source == Source::kObserved || origin.source == Source::kFixed) request.bits = origin.grid.bits;
    return request;
  }

  /// The axis of a matrix that MatMul or Gemm sums over; empty for other weights.
  std::optional<int> summed_axis(const graph::Node& node) const {
    if (node.op_type != "MatMul" && node.op_type != "Gemm") return std::nullopt;
    const std::optional<int> channels = ops::weight_axis(graph_, node);
    const int rank = graph::constant_of(graph_, ops::weight_of(graph_, node))->shape().rank();
    if (!channels || rank < 2) return std::nullopt;
    return *channels == rank - 1 ? rank - 2 : rank - 1;
  }

  bool has_grid(ValueId id) const { return plan_.of(id).source != Source::kFloat; }

  /// No sum of integers behind it that a bias could join.
  bool has_blocks(ValueId weight) const {
    const TensorEncoding* entry = find_encoding(imported_, graph_.value(weight).name);
    return entry != nullptr && entry->encoding.block_axis();
  }

  /// The entry of `id` if nothing decided about it yet; what came with the model is marked on the way.
  TensorPlan* undecided(ValueId id, const graph::Node& reader, OperandRole role) {
    TensorPlan& plan = plan_.of(id);
    if (plan.source != Source::kFloat) return nullptr;
    plan.role = role;
    if (order_of(id).real) {
      plan.why = "ordered to stay real";
      return nullptr;
    }
    plan.why = "read by " + graph::describe(graph_, reader);
    if (find_encoding(imported_, graph_.value(id).name) == nullptr) return &plan;
    plan.source = Source::kImported;
    return nullptr;
  }

  const graph::Graph& graph_;
  const ops::Facts& facts_;
  const Options& options_;
  const EncodingSet& imported_;
  const SettledOrders& orders_;
  Plan& plan_;
};

}  // namespace

void choose_constants(const graph::Graph& graph, const ops::Facts& facts, const Options& options,
                      const EncodingSet& imported, const SettledOrders& orders, Plan& plan) {
  ConstantChooser chooser(graph, facts, options, imported, orders, plan);
  std::vector<graph::NodeId> integer_nodes;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (ops::is_integer_node(graph.nodes[n], facts)) integer_nodes.push_back(static_cast<graph::NodeId>(n));
  }
  // A constant belongs to the first that claims it: unshare_parameters() left it readers of one kind.
  for (const graph::NodeId id : integer_nodes) chooser.choose_weight(graph.node(id));
  for (const graph::NodeId id : integer_nodes) chooser.choose_data(graph.node(id));
  for (const graph::NodeId id : integer_nodes) chooser.choose_bias(graph.node(id), id);
}

}  // namespace halfstep::precision
