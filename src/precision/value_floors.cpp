// value_floors.cpp: floors flow from Softmax backwards.
#include "precision/value_floors.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/elementwise/unary_real.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "precision/flat_ends.hpp"

namespace halfstep::precision {
namespace {

using graph::ValueId;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// What a row's raised values may add to its sum of exponentials, in units of the largest.
constexpr double kTolerance = 1e-6;

std::size_t by_id(ValueId id) { return static_cast<std::size_t>(id); }

class Floors {
 public:
  Floors(const graph::Graph& graph, const ops::Facts& facts, const Plan& plan, const calib::Observations& observations,
         const EncodingSet& imported)
      : graph_(graph),
        facts_(facts),
        plan_(plan),
        observations_(observations),
        imported_(imported),
        floors_(graph.values.size(), kInfinity),
        has_reader_(graph.values.size()) {}

  std::vector<double> find() {
    for (const graph::GraphOutput& output : graph_.outputs) lower(output.value, -kInfinity);
    // Readers come behind what they read.
    for (std::size_t n = graph_.nodes.size(); n-- > 0;) visit(graph_.nodes[n]);
    for (std::size_t v = 0; v < floors_.size(); ++v) {
      if (!has_reader_[v]) floors_[v] = -kInfinity;
    }
    return std::move(floors_);
  }

 private:
  void lower(ValueId id, double floor) {
    if (id == graph::kNoValue) return;
    has_reader_[by_id(id)] = true;
    floors_[by_id(id)] = std::min(floors_[by_id(id)], floor);
  }

  void visit(const graph::Node& node) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != graph::kNoValue) lower(node.inputs[i], floor_of_operand(node, i));
    }
  }

  double floor_of_operand(const graph::Node& node, std::size_t i) const {
    const ops::OpDef* op = ops::find_op(node);
    if (node.clamp || !ops::is_integer_node(node, facts_)) return -kInfinity;
    if (op->row_axis != nullptr) return i == 0 ? floor_of_rows(node.inputs[0]) : -kInfinity;
    if (ops::operand_role(graph_, node, i) != ops::OperandRole::kData) return -kInfinity;
    switch (op->output_rule) {
      case ops::OutputRule::kSameAsInput:
        return op->lower_fixed == nullptr ? lowest_floor(node.outputs) : -kInfinity;
      case ops::OutputRule::kSameAsInputs:
        return lowest_floor(node.outputs);
      default:
        if (plan_.trim_flat && op->keeps_channels_apart && node.inputs.size() == 1) return floor_of_flat(node);
        return op->sums ? floor_of_addend(node, i) : -kInfinity;
    }
  }

  double lowest_floor(const std::vector<ValueId>& outputs) const {
    double floor = kInfinity;
    for (const ValueId id : outputs) {
      if (id != graph::kNoValue && ops::is_float(facts_, id)) floor = std::min(floor, final_floor(id));
    }
    return floor == kInfinity ? -kInfinity : floor;
  }

  double final_floor(ValueId id) const { return has_reader_[by_id(id)] ? floors_[by_id(id)] : -kInfinity; }

  /// Raised to this, a value leaves the sum at or below the sum's floor. Of a difference the first operand only.
  double floor_of_addend(const graph::Node& node, std::size_t i) const {
    const bool subtracts = node.op_type == "Sub";
    double floor = final_floor(node.outputs[0]);
    if (subtracts && i == 1) return -kInfinity;
    for (std::size_t other = 0; other < node.inputs.size(); ++other) {
      if (other == i || node.inputs[other] == graph::kNoValue) continue;
      const RealRange range = range_of(node.inputs[other]);
      floor -= subtracts ? -range.min : range.max;
    }
    return std::isnan(floor) ? -kInfinity : floor;
  }

  /// Below this the function changes by less than a quarter of a step of its output's grid.
  double floor_of_flat(const graph::Node& node) const {
    const ValueId output = node.outputs[0];
    const auto f = ops::real_function({.node = node, .inputs = {}, .values = {}});
    const RealRange input = range_of(node.inputs[0]);
    const RealRange written = range_of(output);
    const TensorPlan& planned = plan_.of(output);
    const bool has_grid = planned.source == Source::kObserved || planned.source == Source::kFixed;
    const double width = written.max - written.min;
    const bool is_known = std::isfinite(input.min) && std::isfinite(input.max) && std::isfinite(width);
    if (!f.ok() || !has_grid || !is_known || !(input.min < input.max) || !(width > 0.0)) return -kInfinity;
    const double step = width / (std::exp2(planned.grid.bits) - 1.0);
    const double floor = flat_below(*f, input, step / 4.0);
    return floor > input.min ? floor : -kInfinity;
  }

  double floor_of_rows(ValueId id) const {
    const calib::Observation* observation = calib::find_observation(observations_, graph_.value(id).name);
    if (observation == nullptr || observation->rows.extent == 0) return -kInfinity;
    const double lowest = static_cast<double>(observation->rows.lowest);
    const double distance = std::log(static_cast<double>(observation->rows.extent) / kTolerance);
    if (static_cast<double>(observation->moments.min) > lowest - 2.0 * distance) return -kInfinity;
    const double spread = static_cast<double>(observation->moments.max) - lowest;
    return lowest - distance - std::min(distance, spread);
  }

  /// Of a tensor as far as anything is known of it, else the whole line.
  RealRange range_of(ValueId id) const {
    const RealRange unknown{-kInfinity, kInfinity};
    if (const Tensor* constant = graph::constant_of(graph_, id)) {
      if (constant->dtype() != DType::kFloat32 || constant->num_elements() == 0) return unknown;
      const auto [low, high] = std::ranges::minmax(constant->values<float>());
      return {static_cast<double>(low), static_cast<double>(high)};
    }
    const calib::Observation* seen = calib::find_observation(observations_, graph_.value(id).name);
    if (seen != nullptr && seen->moments.count > 0) {
      return {static_cast<double>(seen->moments.min), static_cast<double>(seen->moments.max)};
    }
    if (const TensorEncoding* entry = find_encoding(imported_, graph_.value(id).name);
        entry && entry->encoding.is_per_tensor()) {
      return {entry->encoding.real_min(), entry->encoding.real_max()};
    }
    return plan_.of(id).source == Source::kFixed ? plan_.of(id).fixed_range : unknown;
  }

  const graph::Graph& graph_;
  const ops::Facts& facts_;
  const Plan& plan_;
  const calib::Observations& observations_;
  const EncodingSet& imported_;
  std::vector<double> floors_;
  std::vector<bool> has_reader_;
};

}  // namespace

std::vector<double> value_floors(const graph::Graph& graph, const ops::Facts& facts, const Plan& plan,
                                 const calib::Observations& observations, const EncodingSet& imported) {
  return Floors(graph, facts, plan, observations, imported).find();
}

}  // namespace halfstep::precision
