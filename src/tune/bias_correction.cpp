// bias_correction.cpp: measure, step, measure again.
#include "tune/bias_correction.hpp"

#include <algorithm>
#include <cmath>

#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "tune/output_statistics.hpp"

namespace halfstep::tune {
namespace {

using graph::ValueId;

/// Channels with fewer values inside the clamp would take steps that their few values do not bear out.
constexpr double kLeastInside = 0.02;

/// Newton's steps count at least this share as inside.
constexpr double kInsideFloor = 0.1;

/// Not so behind alpha and beta of Gemm.
bool adds_bias_plainly(const graph::Node& node) {
  return node.attributes.get_float("alpha", 1.0F) == 1.0F && node.attributes.get_float("beta", 1.0F) == 1.0F;
}

double root_mean_square(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value * value;
  return values.empty() ? 0.0 : std::sqrt(sum / static_cast<double>(values.size()));
}

/// A grid of its own (8 bits) grows with the values; one of 32 bits has room.
Result<void> make_room(QuantizedGraph& model, ValueId bias, const std::vector<float>& values) {
  const TensorEncoding* entry = find_encoding(model.encodings, model.graph.value(bias).name);
  if (entry == nullptr || !entry->encoding.is_per_tensor() || storage_bits(entry->encoding.grid()) == 32) return {};
  double largest = 0.0;
  for (const float value : values) largest = std::max(largest, std::abs(static_cast<double>(value)));
  QuantParams params = entry->encoding.params()[0];
  const double needed = largest / entry->encoding.real_max();
  if (needed <= 1.0) return {};
  params.scale *= entry->encoding.is_power_of_two() ? std::exp2(std::ceil(std::log2(needed))) : needed;
  Result<Encoding> wider = Encoding::per_tensor(entry->encoding.grid(), params);
  if (!wider.ok()) return wider.error();
  return change_encoding(model, bias, *std::move(wider), "bias corrected");
}

Result<void> set_bias(QuantizedGraph& model, ValueId bias, const std::vector<double>& values) {
  const Tensor& before = *model.graph.value(bias).constant;
  std::vector<float> rounded(values.begin(), values.end());
  if (auto room = make_room(model, bias, rounded); !room.ok()) return room;
  return change_constant(model, bias, Tensor::of<float>(before.shape(), std::span<const float>(rounded)),
                         "bias corrected");
}

/// The bias of each channel with the smallest shift so far.
struct BestBias {
  std::vector<double> bias;
  std::vector<double> shift;

  void look_at(const std::vector<double>& tried, const std::vector<double>& its_shift) {
    if (bias.empty()) {
      bias = tried;
      shift = its_shift;
      return;
    }
    for (std::size_t c = 0; c < bias.size(); ++c) {
      if (std::abs(its_shift[c]) >= std::abs(shift[c])) continue;
      bias[c] = tried[c];
      shift[c] = its_shift[c];
    }
  }
};

/// Of one channel over samples; reorders them. Requires: not empty.
double median_of(std::vector<double>& values) {
  const auto upper = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, upper);
  if (values.size() % 2 != 0) return *upper;
  return (*upper + *std::max_element(values.begin(), upper)) / 2.0;
}

double mean_of(std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

/// How far each channel is from the float model's over samples, [C].
std::vector<double> shift_between(const ChannelMeans& reference, const ChannelMeans& seen,
                                  double (*over_samples)(std::vector<double>&)) {
  std::vector<double> shift(seen.by_sample.front().size());
  std::vector<double> each(seen.by_sample.size());
  for (std::size_t c = 0; c < shift.size(); ++c) {
    for (std::size_t s = 0; s < each.size(); ++s) each[s] = reference.by_sample[s][c] - seen.by_sample[s][c];
    shift[c] = over_samples(each);
  }
  return shift;
}

}  // namespace

Result<CorrectedBias> correct_bias(const SweptLayer& layer, QuantizedGraph& model, const ReferenceMeans& reference,
                                   const BiasRule& rule, int num_threads) {
  CorrectedBias outcome;
  const graph::Node& node = model.graph.node(layer.node());
  const ValueId id = ops::bias_of(model.graph, node);
  const auto known = reference.find(model.graph.value(model.graph.node(layer.last()).outputs[0]).name);
  if (id == graph::kNoValue || known == reference.end() || !adds_bias_plainly(node)) return outcome;
  const TensorEncoding* entry = find_encoding(model.encodings, model.graph.value(id).name);
  if (entry != nullptr && entry->frozen) return outcome;
  const auto samples = std::min<std::int64_t>(rule.frames, static_cast<std::int64_t>(known->second.by_sample.size()));
  const std::span<const float> start = model.graph.value(id).constant->values<float>();
  if (start.size() != known->second.by_sample.front().size()) return outcome;
  std::vector<double> bias(start.begin(), start.end());
  BestBias best;
  const int steps = rule.iterations > 0 ? rule.iterations : rule.newton_steps;
  for (int step = 0; step <= steps; ++step) {
    const bool is_last = step == steps;
    if (is_last && rule.iterations == 0) break;  // The last of Newton's steps is not measured: it costs a run.
    const Result<OutputStatistics> seen = measure_output(layer, model.graph, samples, num_threads);
    if (!seen.ok()) return seen.error();
    const std::vector<double> shift =
        shift_between(known->second, seen->means, rule.iterations > 0 ? mean_of : median_of);
    if (step == 0) outcome.mean_shift_before = root_mean_square(shift);
    best.look_at(bias, shift);
    if (is_last) break;
    const bool iterates = rule.iterations > 0;
    if (!iterates) bias = best.bias;  // (N2) goes on from where it is: steps too small to show add up.
    for (std::size_t c = 0; c < bias.size(); ++c) {
      if (seen->inside[c] < kLeastInside) continue;
      bias[c] += iterates ? rule.factor * shift[c] : best.shift[c] / std::max(seen->inside[c], kInsideFloor);
    }
    if (auto set = set_bias(model, id, bias); !set.ok()) return set.error();
  }
  if (steps > 1 || rule.iterations > 0) outcome.mean_shift_after = root_mean_square(best.shift);
  outcome.corrected = true;
  if (rule.iterations > 0) {
    if (auto set = set_bias(model, id, best.bias); !set.ok()) return set.error();
  }
  return outcome;
}

graph::Graph with_biases(graph::Graph graph) {
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const graph::Node& node = graph.nodes[n];
    const ops::OpDef* op = ops::find_op(node);
    if (op == nullptr || !op->has_integer_form || op->operands[2] != ops::OperandRole::kBias) continue;
    if (!adds_bias_plainly(node)) continue;
    const ValueId weight = ops::weight_of(graph, node);
    if (weight == graph::kNoValue || (node.inputs.size() > 2 && node.inputs[2] != graph::kNoValue)) continue;
    const Shape& shape = graph::constant_of(graph, weight)->shape();
    const int axis = op->channels.weight_output_axis(node, shape);
    if (axis < 0) continue;
    const std::int64_t groups = axis == 0 ? 1 : node.attributes.get_int("group", 1);
    const std::string name = graph.value(node.outputs[0]).name + "_bias";
    const ValueId bias =
        graph::add_constant(graph, name, Tensor(TensorType{DType::kFloat32, Shape{shape[axis] * groups}}));
    graph.value(bias).format = graph.value(node.outputs[0]).format;
    graph::Node& changed = graph.nodes[n];
    changed.inputs.resize(3, graph::kNoValue);
    changed.inputs[2] = bias;
  }
  return graph;
}

std::vector<WantedMeans> corrected_tensors(const graph::Graph& graph, const ops::Facts& facts,
                                           const EncodingSet& encodings) {
  std::vector<WantedMeans> tensors;
  const graph::Links links = graph::links_of(graph);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const graph::Node& node = graph.nodes[n];
    if (!ops::is_integer_node(node, facts) || ops::weight_of(graph, node) == graph::kNoValue ||
        ops::bias_of(graph, node) == graph::kNoValue) {
      continue;
    }
    const graph::NodeId activation = ops::activation_behind(graph, links, facts, static_cast<graph::NodeId>(n));
    const ValueId output = (activation == graph::kNoNode ? node : graph.node(activation)).outputs[0];
    const auto& type = facts[static_cast<std::size_t>(output)].type;
    if (!type) continue;
    const int axis = ops::output_channel_axis(*ops::find_op(node), type->shape.rank());
    const TensorEncoding* entry = find_encoding(encodings, graph.value(output).name);
    const bool fits = entry != nullptr && (!entry->encoding.axis() || *entry->encoding.axis() == axis);
    tensors.push_back({output, axis, fits ? &entry->encoding : nullptr});
  }
  return tensors;
}

}  // namespace halfstep::tune
