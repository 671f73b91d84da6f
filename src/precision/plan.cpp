// plan.cpp: what a plan asks of calibration.
#include "precision/plan.hpp"

#include "ops/op_def.hpp"
#include "ops/operands.hpp"

namespace halfstep::precision {
namespace {

bool is_data(const graph::Graph& graph, const graph::Node& node, std::size_t operand) {
  return ops::operand_role(graph, node, operand) == ops::OperandRole::kData &&
         graph::constant_of(graph, node.inputs[operand]) == nullptr;
}

/// By ValueId; `value` is kNoValue where nothing is to be watched.
class WatchList {
 public:
  WatchList(const graph::Graph& graph, const ops::Facts& facts, const Plan& plan)
      : graph_(graph), facts_(facts), plan_(plan), all_(facts.size()) {}

  calib::Watch& at(graph::ValueId id) {
    calib::Watch& watch = all_[static_cast<std::size_t>(id)];
    watch.value = id;
    return watch;
  }

  void add_for(const graph::Node& node) {
    if (!ops::is_integer_node(node, facts_)) return;
    const ops::OpDef& op = *ops::find_op(node);
    if (op.row_axis != nullptr) {
      at(node.inputs[0]).row_axis =
          op.row_axis(node, facts_[static_cast<std::size_t>(node.inputs[0])].type->shape.rank());
    }
    const bool joins = op.output_rule == ops::OutputRule::kSameAsInputs;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (!is_data(graph_, node, i)) continue;
      if (op.sums || joins) look_at_part(node.inputs[i]);
      if (op.divisor == i) at(node.inputs[i]).histogram = true;
    }
    if (joins) look_at_part(node.outputs[0]);
  }

  std::vector<calib::Watch> take() {
    std::erase_if(all_, [](const calib::Watch& watch) { return watch.value == graph::kNoValue; });
    return std::move(all_);
  }

 private:
  /// An addend, or an input or output of Concat; with it what decides its grid.
  void look_at_part(graph::ValueId id) {
    at(id);
    const TensorPlan& planned = plan_.of(id);
    const graph::ValueId root = planned.source == Source::kShared ? planned.shared_with : id;
    if (plan_.align_inputs && plan_.of(root).source == Source::kObserved) at(root).histogram = true;
  }

  const graph::Graph& graph_;
  const ops::Facts& facts_;
  const Plan& plan_;
  std::vector<calib::Watch> all_;
};

}  // namespace

std::vector<calib::Watch> watches_of(const graph::Graph& graph, const ops::Facts& facts, const Plan& plan) {
  WatchList list(graph, facts, plan);
  for (std::size_t v = 0; v < plan.tensors.size(); ++v) {
    const TensorPlan& planned = plan.tensors[v];
    if (planned.source != Source::kObserved) continue;
    calib::Watch& watch = list.at(static_cast<graph::ValueId>(v));
    // With a grid for each channel, what is known of the whole counts only where there turn out to be no channels.
    watch.histogram = watch.histogram || (calib::needs_histogram(planned.rule) && !planned.axis);
    watch.sample_extremes = calib::needs_sample_extremes(planned.rule);
    watch.channel_axis = planned.axis;
    watch.channel_histograms = planned.axis && calib::needs_histogram(planned.rule);
    watch.channel_extremes = planned.axis && watch.sample_extremes;
  }
  for (const graph::Node& node : graph.nodes) list.add_for(node);
  return list.take();
}

}  // namespace halfstep::precision
