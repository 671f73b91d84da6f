// scalar_region.cpp: walks upwards through element-wise nodes and makes a function of what it finds.
#include "passes/scalar_region.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "ops/elementwise/unary_real.hpp"

namespace halfstep::passes {
namespace {

using graph::kNoNode;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

/// No formula of an activation is longer; bounds the walk.
constexpr std::size_t kMaxNodes = 16;

using Binary = double (*)(double, double);

struct NamedBinary {
  std::string_view type;
  Binary function;
};

constexpr std::array<NamedBinary, 7> kBinaries = {{
    {"Add", [](double a, double b) { return a + b; }},
    {"Sub", [](double a, double b) { return a - b; }},
    {"Mul", [](double a, double b) { return a * b; }},
    {"Div", [](double a, double b) { return a / b; }},
    {"Max", [](double a, double b) { return a > b ? a : b; }},
    {"Min", [](double a, double b) { return a < b ? a : b; }},
    {"Sum", [](double a, double b) { return a + b; }},
}};

/// Two operands, both data.
Binary binary_of(const Node& node) {
  if (node.inputs.size() != 2) return nullptr;
  const auto at = std::ranges::find_if(kBinaries, [&](const NamedBinary& b) { return plain(node, b.type); });
  return at == kBinaries.end() ? nullptr : at->function;
}

/// A function of operand 0, further operands being constants.
std::optional<std::function<double(double)>> unary_of(const Edit& edit, const Node& node) {
  if (!node.domain.empty() || node.clamp || node.inputs.empty()) return std::nullopt;
  std::vector<const Tensor*> values;
  std::vector<const TensorType*> types;
  for (const ValueId id : node.inputs) {
    values.push_back(graph::constant_of(edit.graph, id));
    types.push_back(values.back() == nullptr ? nullptr : &values.back()->type());
  }
  auto function = ops::real_function({node, types, values});
  return function.ok() ? std::optional(*std::move(function)) : std::nullopt;
}

/// Results of steps stand behind x and the slope in one list.
struct Step {
  std::function<double(double)> unary;
  Binary binary = nullptr;
  std::size_t a = 0;
  std::size_t b = 0;
};

class Walk {
 public:
  Walk(const Edit& edit, ValueId x) : edit_(edit), x_(x) {}

  /// The place of `id` in the list of results; empty if it depends on another tensor than x.
  std::optional<std::size_t> place_of(ValueId id) {
    if (id == x_) return 0;
    if (const auto known = places_.find(id); known != places_.end()) return known->second;
    std::optional<std::size_t> place;
    if (const Tensor* constant = graph::constant_of(edit_.graph, id)) {
      place = place_of_constant(id, *constant);
    } else {
      place = place_of_result(id);
    }
    if (place) places_.emplace(id, *place);
    return place;
  }

  std::vector<NodeId> nodes() const { return {nodes_.begin(), nodes_.end()}; }
  ValueId slope() const { return slope_; }
  bool reads_x() const { return reads_x_; }

  std::function<double(double, double)> function() && {
    return [steps = std::move(steps_), constants = std::move(constants_)](double x, double slope) {
      std::vector<double> results{x, slope};
      results.reserve(steps.size() + 2);
      for (std::size_t i = 0; i < steps.size(); ++i) {
        const Step& step = steps[i];
        if (const auto constant = constants.find(i); constant != constants.end()) {
          results.push_back(constant->second);
        } else if (step.binary != nullptr) {
          results.push_back(step.binary(results[step.a], results[step.b]));
        } else {
          results.push_back(step.unary(results[step.a]));
        }
      }
      return results.back();
    };
  }

 private:
  std::size_t add(Step step) {
    steps_.push_back(std::move(step));
    return steps_.size() + 1;
  }

  std::optional<std::size_t> place_of_constant(ValueId id, const Tensor& constant) {
    if (constant.dtype() != DType::kFloat32 || edit_.graph.value(id).pinned) return std::nullopt;
    if (constant.num_elements() == 1) {
      constants_.emplace(steps_.size(), static_cast<double>(constant.data<float>()[0]));
      return add({});
    }
    if (slope_ != kNoValue && slope_ != id) return std::nullopt;
    slope_ = id;
    return 1;
  }

  std::optional<std::size_t> place_of_result(ValueId id) {
    const NodeId n = edit_.producer(id);
    if (n == kNoNode || nodes_.size() >= kMaxNodes) return std::nullopt;
    const Node& node = edit_.node(n);
    if (!only_first_output(node)) return std::nullopt;
    Step step;
    if ((step.binary = binary_of(node)) != nullptr) {
      const auto a = place_of(node.inputs[0]);
      const auto b = a ? place_of(node.inputs[1]) : std::nullopt;
      if (!b) return std::nullopt;
      step.a = *a;
      step.b = *b;
    } else if (auto unary = unary_of(edit_, node)) {
      const auto a = place_of(node.inputs[0]);
      if (!a) return std::nullopt;
      step.unary = *std::move(unary);
      step.a = *a;
    } else {
      return std::nullopt;
    }
    reads_x_ = reads_x_ || step.a == 0 || (step.binary != nullptr && step.b == 0);
    nodes_.insert(n);
    return add(std::move(step));
  }

  const Edit& edit_;
  ValueId x_;
  ValueId slope_ = kNoValue;
  bool reads_x_ = false;
  std::map<ValueId, std::size_t> places_;
  std::set<NodeId> nodes_;
  std::vector<Step> steps_;
  std::map<std::size_t, double> constants_;  // By index of the step that holds its place.
};

/// What may be x: tensors that element-wise nodes above `root` read or write, nearest first.
std::vector<ValueId> candidates(const Edit& edit, NodeId root) {
  std::vector<ValueId> found;
  std::vector<NodeId> queue{root};
  for (std::size_t i = 0; i < queue.size() && queue.size() <= kMaxNodes; ++i) {
    const Node& node = edit.node(queue[i]);
    if (binary_of(node) == nullptr && !unary_of(edit, node)) continue;
    for (const ValueId id : node.inputs) {
      if (id == kNoValue || graph::constant_of(edit.graph, id) != nullptr) continue;
      if (std::ranges::find(found, id) != found.end()) continue;
      found.push_back(id);
      if (const NodeId producer = edit.producer(id); producer != kNoNode) queue.push_back(producer);
    }
  }
  return found;
}

/// Constants that take part broadcast within x, not x along them.
bool keeps_shape(const Edit& edit, const ops::Facts& facts, const ScalarRegion& region, ValueId y) {
  const TensorType* from = type_of(facts, region.x);
  const TensorType* to = type_of(facts, y);
  if (from == nullptr || to == nullptr || from->dtype != DType::kFloat32 || !same_rank(facts, region.x, y))
    return false;
  if (region.slope == kNoValue) return true;
  const Shape& slope = graph::constant_of(edit.graph, region.slope)->shape();
  const int missing = from->shape.rank() - slope.rank();
  if (missing < 0) return false;
  for (int axis = 0; axis < slope.rank(); ++axis) {
    if (slope[axis] != 1 && slope[axis] != from->shape[missing + axis]) return false;
  }
  return true;
}

}  // namespace

std::vector<ScalarRegion> scalar_regions_at(const Edit& edit, NodeId root, const ops::Facts& facts) {
  std::vector<ScalarRegion> regions;
  const Node& node = edit.node(root);
  if (node.inputs.empty() || node.clamp || !only_first_output(node)) return regions;
  const std::vector<ValueId> may_be_x = candidates(edit, root);
  for (auto x = may_be_x.rbegin(); x != may_be_x.rend(); ++x) {
    Walk walk(edit, *x);
    if (!walk.place_of(node.outputs[0]) || !walk.reads_x()) continue;
    ScalarRegion region{.x = *x, .slope = walk.slope(), .nodes = walk.nodes(), .function = {}};
    if (region.nodes.size() < 2 || region.nodes.back() != root || !is_closed(edit, region.nodes, node.outputs[0]))
      continue;
    if (!keeps_shape(edit, facts, region, node.outputs[0])) continue;
    region.function = std::move(walk).function();
    regions.push_back(std::move(region));
  }
  return regions;
}

}  // namespace halfstep::passes
