// assign_encodings.cpp: activations, then weights, then the biases that follow from both.
#include "precision/assign_encodings.hpp"

#include <cstdio>
#include <map>
#include <utility>

#include "calib/range_estimators.hpp"
#include "core/text.hpp"
#include "ops/operands.hpp"
#include "precision/bias_grids.hpp"
#include "precision/find_losses.hpp"
#include "precision/parameter_grids.hpp"

namespace halfstep::precision {
namespace {

using graph::ValueId;

/// No network computes with activations this large; masks for Softmax are (-1e9, the lowest float32).
constexpr double kSuspiciousRange = 1e6;

std::string shown(double x) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", x);
  return text;
}

std::string shown(const Encoding& encoding) {
  return "[" + shown(encoding.real_min()) + ", " + shown(encoding.real_max()) + "]";
}

class Assigner {
 public:
  Assigner(const graph::Graph& graph, const ops::Facts& facts, const Choices& choices,
           const calib::Observations& observations, const Options& options, const EncodingSet& frozen)
      : graph_(graph),
        facts_(facts),
        choices_(choices),
        observations_(observations),
        options_(options),
        frozen_(frozen) {}

  Result<Assignment> assign() {
    if (auto ok = check(options_); !ok.ok()) return ok.error();
    for (auto stage :
         {&Assigner::keep_frozen, &Assigner::encode_activations, &Assigner::fit_weights, &Assigner::raise_weights,
          &Assigner::encode_weights, &Assigner::encode_operands, &Assigner::encode_shared, &Assigner::encode_biases}) {
      if (Result<void> done = (this->*stage)(); !done.ok()) return done.error();
    }
    for (std::string& line : find_losses(graph_, facts_, result_.encodings)) warn(std::move(line));
    return std::move(result_);
  }

 private:
  const std::string& name_of(ValueId id) const { return graph_.value(id).name; }
  const TensorEncoding* encoding_of_value(ValueId id) const {
    return id == graph::kNoValue ? nullptr : find_encoding(result_.encodings, name_of(id));
  }
  bool done(ValueId id) const { return encoding_of_value(id) != nullptr; }

  void add(ValueId id, Encoding encoding, TensorRole role, Provenance provenance) {
    TensorEncoding entry{
        .encoding = std::move(encoding), .role = role, .provenance = std::move(provenance), .codes = {}};
    if (const Tensor* constant = graph::constant_of(graph_, id)) entry.codes = quantize(*constant, entry.encoding);
    result_.encodings.insert_or_assign(name_of(id), std::move(entry));
  }

  void warn(std::string text) { result_.warnings.push_back(std::move(text)); }

  /// The nodes that run on integers.
  template <class F>
  Result<void> for_each_integer_node(F&& f) {
    for (const graph::Node& node : graph_.nodes) {
      if (!ops::is_integer_node(node, facts_)) continue;
      if (Result<void> ok = f(node); !ok.ok()) return ok;
    }
    return {};
  }

  Result<void> keep_frozen() {
    std::map<std::string_view, ValueId> by_name;
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      by_name.emplace(graph_.values[v].name, static_cast<ValueId>(v));
    }
    for (const auto& [name, entry] : frozen_) {
      const auto at = by_name.find(name);
      if (at == by_name.end()) {
        warn("the encoding of " + halfstep::quoted(name) + " is unused: no tensor has that name any more");
        continue;
      }
      TensorEncoding kept = entry;
      kept.frozen = true;
      if (const Tensor* constant = graph::constant_of(graph_, at->second)) {
        if (Result<void> fits = check_fits(kept.encoding, constant->shape()); !fits.ok()) {
          return fits.error().at("encoding of " + halfstep::quoted(name));
        }
        if (!kept.codes && constant->dtype() == DType::kFloat32) {
          if (auto finite = largest_magnitude(*constant, name); !finite.ok()) return finite.error();
          kept.codes = quantize(*constant, kept.encoding);
        }
      }
      result_.encodings.insert_or_assign(name, std::move(kept));
      ++result_.counts.frozen;
    }
    return {};
  }

  Result<void> encode_activations() {
    const GridRequest request = activation_request(options_);
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      const auto id = static_cast<ValueId>(v);
      const TensorChoice& choice = choices_.tensors[v];
      if (choice.source == Source::kFixed) {
        const Result<FittedGrid> fitted = fit_grid(choice.fixed_range, request);
        if (!fitted.ok()) return fitted.error().at("tensor " + halfstep::quoted(name_of(id)));
        if (auto ok = add_fitted(id, *fitted, {Origin::kFixed, ""}); !ok.ok()) return ok;
        ++result_.counts.fixed;
      } else if (choice.source == Source::kObserved) {
        if (auto ok = encode_observed(id, request); !ok.ok()) return ok;
        ++result_.counts.observed;
      }
    }
    return {};
  }

  Result<void> encode_observed(ValueId id, const GridRequest& request) {
    const auto at = observations_.find(id);
    const bool never_seen = at == observations_.end() || at->second.moments.count == 0;
    const RealRange range = never_seen ? RealRange{} : calib::estimate_range(at->second, options_.act_method);
    const Result<FittedGrid> fitted = fit_grid(range, request);
    if (!fitted.ok()) return fitted.error().at("tensor " + halfstep::quoted(name_of(id)));
    if (auto ok = add_fitted(id, *fitted, {Origin::kCalibrated, std::string(calib::name_of(options_.act_method))});
        !ok.ok()) {
      return ok;
    }
    const std::string covers = "its grid covers " + shown(encoding_of_value(id)->encoding);
    if (never_seen) {
      warn("tensor " + halfstep::quoted(name_of(id)) + " had no element in any sample: " + covers);
    } else if (fitted->all_zero) {
      warn("tensor " + halfstep::quoted(name_of(id)) + " was 0 in every sample: " + covers);
    } else if (fitted->widened) {
      warn("tensor " + halfstep::quoted(name_of(id)) + " stays within [" + shown(range.min) + ", " + shown(range.max) +
           "], widened to " + shown(kMinRange) + ": " + covers);
    } else if (range.max - range.min > kSuspiciousRange) {
      warn("tensor " + halfstep::quoted(name_of(id)) + " spans " + shown(range.min) + " to " + shown(range.max) +
           ", as attention masks make it: one step is " + shown(fitted->params.scale) +
           ", and smaller values are lost; a mask of about -100 does the same to Softmax");
    }
    return {};
  }

  Result<void> add_fitted(ValueId id, const FittedGrid& fitted, Provenance provenance) {
    Result<Encoding> encoding = encoding_of(fitted);
    if (!encoding.ok()) return encoding.error().at("tensor " + halfstep::quoted(name_of(id)));
    add(id, std::move(encoding).value(), TensorRole::kActivation, std::move(provenance));
    return {};
  }

  /// Grids of all weights; several nodes may read one.
  Result<void> fit_weights() {
    return for_each_integer_node([&](const graph::Node& node) -> Result<void> {
      const ValueId weight = ops::weight_of(graph_, node);
      if (weight == graph::kNoValue || done(weight) || weights_.count(weight) != 0) return {};
      const Tensor& values = *graph::constant_of(graph_, weight);
      const std::optional<int> axis = options_.per_channel ? ops::weight_axis(graph_, node) : std::nullopt;
      const GridRequest request = weight_request(options_);
      Result<ParameterGrid> fitted =
          axis ? fit_channels(values, *axis, request, name_of(weight)) : fit_tensor(values, request, name_of(weight));
      if (!fitted.ok()) {
        return fitted.error().code == ErrorCode::kUsage
                   ? fitted.error().at("weight " + halfstep::quoted(name_of(weight)))
                   : fitted.error();
      }
      weights_.emplace(weight, std::move(fitted).value());
      return {};
    });
  }

  /// Scales of the node's input for (E6); empty if it has none, or they don't match the bias.
  std::vector<double> input_scales(const graph::Node& node, std::int64_t num_channels) const {
    const TensorEncoding* input = input_encoding(node);
    std::vector<double> scales;
    if (input == nullptr) return scales;
    const Encoding& encoding = input->encoding;
    if (encoding.params().size() != 1 && static_cast<std::int64_t>(encoding.params().size()) != num_channels) return {};
    for (const QuantParams& params : encoding.params()) scales.push_back(params.scale);
    return scales;
  }

  /// kShared is resolved here already, because shared encodings are written last.
  const TensorEncoding* input_encoding(const graph::Node& node) const {
    ValueId input = node.inputs[0];
    const TensorChoice& choice = choices_.tensors[static_cast<std::size_t>(input)];
    if (choice.source == Source::kShared) input = choice.shared_with;
    return encoding_of_value(input);
  }

  /// Does (E6) apply to the node's bias? Not behind alpha and beta of Gemm, nor where shapes do not match.
  std::optional<std::vector<double>> plain_bias_scales(const graph::Node& node, const Tensor& bias,
                                                       std::size_t num_weight_channels) const {
    if (node.attributes.get_float("alpha", 1.0F) != 1.0F || node.attributes.get_float("beta", 1.0F) != 1.0F) {
      return std::nullopt;
    }
    const auto channels = num_bias_channels(bias, static_cast<std::int64_t>(num_weight_channels));
    if (!channels) return std::nullopt;
    std::vector<double> scales = input_scales(node, *channels);
    if (scales.empty()) return std::nullopt;
    return scales;
  }

  Result<void> raise_weights() {
    if (options_.bias_bits != 32) return {};
    return for_each_integer_node([&](const graph::Node& node) -> Result<void> {
      const ValueId bias = ops::bias_of(graph_, node);
      const auto weight = weights_.find(ops::weight_of(graph_, node));
      if (bias == graph::kNoValue || done(bias) || weight == weights_.end()) return {};
      const Tensor& values = *graph::constant_of(graph_, bias);
      if (auto finite = largest_magnitude(values, name_of(bias)); !finite.ok()) return finite.error();
      const auto scales = plain_bias_scales(node, values, weight->second.params.size());
      if (!scales) return {};
      const RaisedScales raised = raise_for_bias(values, *scales, options_.scale, weight->second);
      if (raised.num_channels > 0) {
        warn(graph::describe(graph_, node) + ": the weight scale of " + std::to_string(raised.num_channels) + " of " +
             std::to_string(weight->second.params.size()) + " channels was raised, by up to " +
             shown(raised.largest_factor) + ", so that the bias fits in 32 bits");
      }
      return {};
    });
  }

  Result<void> encode_weights() {
    for (const auto& [id, grid] : weights_) {
      Result<Encoding> encoding = grid.encoding();
      if (!encoding.ok()) return encoding.error().at("weight " + halfstep::quoted(name_of(id)));
      add(id, std::move(encoding).value(), TensorRole::kWeight, {Origin::kWeights, ""});
      ++result_.counts.weights;
    }
    return {};
  }

  /// Constants that are data, other than what Concat joins.
  Result<void> encode_operands() {
    const GridRequest request = activation_request(options_);
    return for_each_integer_node([&](const graph::Node& node) -> Result<void> {
      if (choices_.tensors[static_cast<std::size_t>(node.outputs[0])].source == Source::kFloat) return {};
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const ValueId id = node.inputs[i];
        const Tensor* constant = graph::constant_of(graph_, id);
        if (constant == nullptr || ops::operand_role(graph_, node, i) != ops::OperandRole::kData || done(id)) continue;
        const bool joins = ops::find_op(node)->output_rule == ops::OutputRule::kSameAsInputs && !node.clamp;
        if (joins) {
          joined_.emplace_back(id, node.outputs[0]);
          continue;
        }
        const Result<ParameterGrid> fitted = fit_tensor(*constant, request, name_of(id));
        if (!fitted.ok()) return fitted.error();
        Result<Encoding> encoding = fitted->encoding();
        if (!encoding.ok()) return encoding.error().at("constant " + halfstep::quoted(name_of(id)));
        add(id, std::move(encoding).value(), TensorRole::kWeight, {Origin::kWeights, ""});
        ++result_.counts.operands;
      }
      return {};
    });
  }

  Result<void> encode_shared() {
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      const TensorChoice& choice = choices_.tensors[v];
      if (choice.source != Source::kShared) continue;
      const TensorEncoding* origin = encoding_of_value(choice.shared_with);
      if (origin == nullptr) continue;
      add(static_cast<ValueId>(v), origin->encoding, TensorRole::kActivation,
          {Origin::kShared, name_of(choice.shared_with)});
      ++result_.counts.shared;
    }
    for (const auto& [constant, output] : joined_) {
      const TensorEncoding* origin = encoding_of_value(output);
      if (origin == nullptr || origin->encoding.axis() || done(constant)) continue;
      if (auto ok = largest_magnitude(*graph::constant_of(graph_, constant), name_of(constant)); !ok.ok()) {
        return ok.error();
      }
      add(constant, origin->encoding, TensorRole::kWeight, {Origin::kShared, name_of(output)});
      ++result_.counts.operands;
    }
    return {};
  }

  /// An int32 bias stands on input scale times weight scale or stays float: runtimes add its integers to the
  /// accumulators as they are. That holds for what came with the model, too.
  Result<void> encode_biases() {
    return for_each_integer_node([&](const graph::Node& node) -> Result<void> {
      const ValueId id = ops::bias_of(graph_, node);
      if (id == graph::kNoValue) return {};
      const TensorEncoding* weight = encoding_of_value(ops::weight_of(graph_, node));
      if (weight == nullptr || input_encoding(node) == nullptr) return {};
      const Tensor& values = *graph::constant_of(graph_, id);
      const TensorEncoding* known = encoding_of_value(id);
      if (known != nullptr && (!known->frozen || storage_bits(known->encoding.grid()) != 32)) return {};
      if (auto finite = largest_magnitude(values, name_of(id)); !finite.ok()) return finite.error();
      if (options_.bias_bits != 32 && known == nullptr) return encode_narrow_bias(id, values);
      std::optional<Encoding> derived = derived_bias(node, values, weight->encoding);
      if (known != nullptr) {
        if (derived && same_bias_scales(values, known->encoding, *derived)) return {};
        warn(graph::describe(graph_, node) + ": the encoding that came with its bias is not on input scale times " +
             "weight scale, which runtimes assume; the bias " + (derived ? "is put there" : "stays float32"));
        result_.encodings.erase(name_of(id));
        --result_.counts.frozen;
      } else if (!derived) {
        warn(graph::describe(graph_, node) +
             ": the bias stays float32, since its integers can't stand on input scale " +
             "times weight scale, as runtimes assume");
      }
      if (!derived) return {};
      add(id, *std::move(derived), TensorRole::kBias, {Origin::kDerived, graph::describe(graph_, node)});
      ++result_.counts.biases;
      return {};
    });
  }

  Result<void> encode_narrow_bias(ValueId id, const Tensor& values) {
    const Result<ParameterGrid> fitted = fit_tensor(
        values, {.bits = options_.bias_bits, .schema = Schema::kSymmetric, .scale = options_.scale}, name_of(id));
    if (!fitted.ok()) return fitted.error();
    Result<Encoding> encoding = fitted->encoding();
    if (!encoding.ok()) return encoding.error().at("bias " + halfstep::quoted(name_of(id)));
    add(id, *std::move(encoding), TensorRole::kBias,
        {Origin::kWeights, "own grid of " + std::to_string(options_.bias_bits) + " bits"});
    ++result_.counts.biases;
    return {};
  }

  /// (E6) for the bias of `node`; empty where it does not apply or the bias does not fit.
  std::optional<Encoding> derived_bias(const graph::Node& node, const Tensor& values, const Encoding& weight) const {
    const auto scales = plain_bias_scales(node, values, weight.params().size());
    if (!scales) return std::nullopt;
    Result<Encoding> derived = bias_encoding(values, *scales, weight);
    if (!derived.ok() || !bias_fits(values, *derived)) return std::nullopt;
    return *std::move(derived);
  }

  const graph::Graph& graph_;
  const ops::Facts& facts_;
  const Choices& choices_;
  const calib::Observations& observations_;
  const Options& options_;
  const EncodingSet& frozen_;
  std::map<ValueId, ParameterGrid> weights_;         // Not frozen; scales may still rise.
  std::vector<std::pair<ValueId, ValueId>> joined_;  // Constant operands of Concat, and its output.
  Assignment result_;
};

}  // namespace

Result<Assignment> assign_encodings(const graph::Graph& graph, const ops::Facts& facts, const Choices& choices,
                                    const calib::Observations& observations, const Options& options,
                                    const EncodingSet& frozen) {
  return Assigner(graph, facts, choices, observations, options, frozen).assign();
}

}  // namespace halfstep::precision
