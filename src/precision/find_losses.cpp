// find_losses.cpp: one function a kind of loss.
#include "precision/find_losses.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "precision/draft.hpp"

namespace halfstep::precision {
namespace {

/// Half of it is what a value is off by: a factor of 1.3 in its probability.
constexpr double kWidestStep = 0.5;

class Losses {
 public:
  Losses(const graph::Graph& graph, const ops::Facts& facts, const calib::Observations& observations,
         const EncodingSet& encodings)
      : graph_(graph), facts_(facts), observations_(observations), encodings_(encodings) {}

  std::vector<std::string> find() {
    for (const graph::Node& node : graph_.nodes) {
      if (!ops::is_integer_node(node, facts_)) continue;
      const ops::OpDef& op = *ops::find_op(node);
      if (op.sums || op.output_rule == ops::OutputRule::kSameAsInputs) vanishing_operands(node);
      if (op.row_axis != nullptr) wide_steps(node);
      if (op.divisor) zero_divisors(node, *op.divisor);
      clipped_by_import(node);
    }
    return std::move(lines_);
  }

 private:
  const TensorEncoding* entry_of(graph::ValueId id) const {
    return id == graph::kNoValue ? nullptr : find_encoding(encodings_, graph_.value(id).name);
  }
  void add(const graph::Node& node, const std::string& text) {
    lines_.push_back(graph::describe(graph_, node) + ": " + text);
  }

  const std::string& name_of(graph::ValueId id) const { return graph_.value(id).name; }

  /// The smallest and largest value of a tensor, as far as they are known.
  std::optional<RealRange> range_of(graph::ValueId id) const {
    const Tensor* constant = graph::constant_of(graph_, id);
    if (constant != nullptr && constant->dtype() == DType::kFloat32 && constant->num_elements() > 0) {
      const auto [low, high] = std::ranges::minmax(constant->values<float>());
      return RealRange{static_cast<double>(low), static_cast<double>(high)};
    }
    const calib::Observation* seen = calib::find_observation(observations_, name_of(id));
    if (seen == nullptr || seen->moments.count == 0) return std::nullopt;
    return RealRange{static_cast<double>(seen->moments.min), static_cast<double>(seen->moments.max)};
  }

  void vanishing_operands(const graph::Node& node) {
    const TensorEncoding* output = entry_of(node.outputs[0]);
    if (output == nullptr || !output->encoding.is_per_tensor()) return;
    const double half_step = output->encoding.params()[0].scale / 2.0;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (ops::operand_role(graph_, node, i) != ops::OperandRole::kData) continue;
      const std::optional<RealRange> range = range_of(node.inputs[i]);
      if (!range) continue;
      const double largest = std::max(-range->min, range->max);
      if (largest == 0.0 || largest >= half_step) continue;
      add(node, "its input " + quoted(name_of(node.inputs[i])) + " stays within [" + shown(range->min) + ", " +
                    shown(range->max) + "], less than half a step (" + shown(half_step) +
                    ") of its output's grid: " + "all of it is lost; --act_bitwidth 16 has finer steps");
    }
  }

  void wide_steps(const graph::Node& node) {
    const TensorEncoding* input = entry_of(node.inputs[0]);
    if (input == nullptr || !input->encoding.is_per_tensor()) return;
    const double step = input->encoding.params()[0].scale;
    if (step <= kWidestStep) return;
    add(node, "one step of its input " + quoted(name_of(node.inputs[0])) + " is " + shown(step) +
                  ", its grid covers [" + shown(input->encoding.real_min()) + ", " + shown(input->encoding.real_max()) +
                  "]: each value is off by up to a factor of e^" + shown(step / 2.0) +
                  "; if that is a mask's doing, one of about -100 hides as well, else try --act_bitwidth 16");
  }

  void zero_divisors(const graph::Node& node, std::size_t operand) {
    const graph::ValueId id = node.inputs[operand];
    const TensorEncoding* entry = entry_of(id);
    if (entry == nullptr || !entry->encoding.is_per_tensor()) return;
    const double half_step = entry->encoding.params()[0].scale / 2.0;
    const std::int64_t count = count_below(id, half_step);
    if (count == 0) return;
    add(node, std::to_string(count) + " values of its divisor " + quoted(name_of(id)) + " are less than half a step (" +
                  shown(half_step) +
                  ") from 0 and become 0: what they divide ends at an end of the output's grid, 0 / 0 at " +
                  "0, and ONNX Runtime may give anything; --act_bitwidth 16 has finer steps");
  }

  /// How many values of a constant, or how many seen of an activation, lie within `bound` of 0.
  std::int64_t count_below(graph::ValueId id, double bound) const {
    const Tensor* constant = graph::constant_of(graph_, id);
    if (constant != nullptr) {
      return std::ranges::count_if(constant->values<float>(),
                                   [&](float x) { return x != 0.0F && std::fabs(static_cast<double>(x)) < bound; });
    }
    const calib::Observation* seen = calib::find_observation(observations_, name_of(id));
    if (seen == nullptr || seen->histogram.empty()) return 0;
    const calib::DyadicHistogram& histogram = seen->histogram;
    const std::vector<std::uint64_t> counts = histogram.counts();
    std::int64_t count = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const double low = histogram.lower_edge(i);
      const double high = low + std::ldexp(1.0, histogram.log2_width());
      if (low > -bound && high < bound) count += static_cast<std::int64_t>(counts[i]);
    }
    return count;
  }

  void clipped_by_import(const graph::Node& node) {
    if (!ops::leaves_input_range(graph_, node, facts_)) return;
    const TensorEncoding* input = entry_of(node.inputs[0]);
    const TensorEncoding* output = entry_of(node.outputs[0]);
    if (input == nullptr || output == nullptr || !output->frozen || output->encoding != input->encoding) return;
    const std::optional<double> fill = ops::known_fill(graph_, node, facts_);
    const std::string range =
        "[" + shown(output->encoding.real_min()) + ", " + shown(output->encoding.real_max()) + "]";
    if (fill && *fill >= output->encoding.real_min() && *fill <= output->encoding.real_max()) return;
    add(node, "its output came with its input's encoding, but can leave that range: what lies beyond " + range +
                  " is clipped; without the encoding it gets a range of its own");
  }

  const graph::Graph& graph_;
  const ops::Facts& facts_;
  const calib::Observations& observations_;
  const EncodingSet& encodings_;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> find_losses(const graph::Graph& graph, const ops::Facts& facts,
                                     const calib::Observations& observations, const EncodingSet& encodings) {
  return Losses(graph, facts, observations, encodings).find();
}

}  // namespace halfstep::precision
