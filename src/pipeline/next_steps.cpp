// next_steps.cpp: step by step: the tensors it concerns, the form of the model, its score.
#include "pipeline/next_steps.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "pipeline/other_grids.hpp"
#include "pipeline/shell_word.hpp"
#include "precision/depthwise.hpp"

namespace halfstep::pipeline {
namespace {

using report::DiagnosisStep;
using sensitivity::Cause;
using sensitivity::CauseKind;
using sensitivity::Part;
using sensitivity::QuantizerGroup;
using Groups = std::vector<const QuantizerGroup*>;

/// Lists separate names by commas, and '*' stands for others.
bool fits_lists(const std::string& name) { return name.find_first_of(",*") == std::string::npos; }

class StepFinder {
 public:
  explicit StepFinder(const StepRequest& request) : request_(request), model_(*request.model) {
    for (const DearLayer& layer : *request.layers) {
      dear_.push_back(layer.group);
      if (layer.part != Part::kActivations && !layer.group->weights.empty()) dear_weights_.push_back(layer.group);
      if (layer.part != Part::kWeights && !layer.group->activations.empty()) dear_activations_.push_back(layer.group);
    }
    for (const graph::Node& node : request.reference->nodes) {
      if (!node.name.empty()) reference_nodes_.insert(node.name);
    }
  }

  std::vector<DiagnosisStep> run() {
    change_ranges();
    change_weights();
    change_channels();
    add_bits();
    widen_weights();
    leave_in_float();
    search_widths();
    std::ranges::stable_sort(steps_, [](const DiagnosisStep& a, const DiagnosisStep& b) {
      return a.measured != b.measured ? a.measured : a.gain_db > b.gain_db;
    });
    return std::move(steps_);
  }

 private:
  void add(std::string options, std::string reason, double sqnr_db, bool measured, bool is_bound = true) {
    const double gain = sqnr_db - request_.sqnr_db;
    if (gain < kWorthDb) return;
    steps_.push_back({std::move(options), std::move(reason), sqnr_db, gain, measured, is_bound});
  }

  std::optional<double> measured(const QuantizedGraph& form) const {
    const Result<OutputScore> score = request_.measure(form);
    return score.ok() ? std::optional(score->sqnr_db) : std::nullopt;
  }
  std::optional<double> measured(const Result<QuantizedGraph>& form) const {
    return form.ok() ? measured(*form) : std::nullopt;
  }
  void measure(std::string options, std::string reason, const Result<QuantizedGraph>& form) {
    if (const std::optional<double> sqnr_db = measured(form))
      add(std::move(options), std::move(reason), *sqnr_db, true);
  }

  /// Tensors with a cause of these kinds, of activations or of weights.
  Names tensors_with(std::initializer_list<CauseKind> kinds, bool weights) const {
    Names names;
    for (const DearLayer& layer : *request_.layers) {
      const std::vector<std::string>& of_part = weights ? layer.group->weights : layer.group->activations;
      for (const Cause& cause : layer.causes) {
        const bool is_kind = std::ranges::find(kinds, cause.kind) != kinds.end();
        if (is_kind && std::ranges::find(of_part, cause.tensor) != of_part.end()) names.insert(cause.tensor);
      }
    }
    return names;
  }

  static std::string words(const Names& names) {
    return names.size() == 1 ? "'" + *names.begin() + "'" : std::to_string(names.size()) + " tensors";
  }

  void change_ranges() {
    if (const Names wide = tensors_with({CauseKind::kWideGrid}, false); !wide.empty()) {
      measure("--act_quantizer_calibration min-max",
              "the range of " + words(wide) + " from samples, no override and no grid of another model",
              with_new_ranges(model_, wide, *request_.observed, RangeMethod::kMinMax));
    }
    if (const Names joint = tensors_with({CauseKind::kJointGrid}, false); !joint.empty()) {
      measure("--align_inputs false", "a grid of its own for " + words(joint) + ", from samples, no override",
              with_new_ranges(model_, joint, *request_.observed, RangeMethod::kMinMax));
    }
    const Names cut = tensors_with({CauseKind::kSaturation, CauseKind::kActivationOutliers}, false);
    if (cut.empty()) return;
    const std::string reason = "the range of " + words(cut) + " that errs least over these samples";
    const Result<QuantizedGraph> form = with_new_ranges(model_, cut, *request_.observed, RangeMethod::kMse);
    measure("--act_quantizer_calibration mse", reason, form);
  }

  void change_weights() {
    const Groups all = all_groups();
    const auto is_single = [&](const std::string& name) {
      return find_encoding(model_.encodings, name)->encoding.is_per_tensor();
    };
    const bool on_one_grid = std::ranges::any_of(
        dear_weights_, [&](const QuantizerGroup* group) { return std::ranges::any_of(group->weights, is_single); });
    if (on_one_grid) {
      Names single;
      for (const QuantizerGroup* group : all) {
        for (const std::string& name : group->weights) {
          if (is_single(name)) single.insert(name);
        }
      }
      measure("--use_per_channel_quantization true", "a grid for each output channel of all weights",
              with_new_weights(model_, *request_.partial, all, single, true));
    }
    if (const Names other = tensors_with({CauseKind::kOtherWeights}, true); !other.empty()) {
      measure("", "this float model quantized anew, since " + words(other) + " has other values in the quantized one",
              with_new_weights(model_, *request_.partial, dear_, other, false));
    }
    if (const Names ranges = tensors_with({CauseKind::kWideGrid, CauseKind::kSaturation}, true); !ranges.empty()) {
      measure("--param_quantizer_calibration min-max", "the range of " + words(ranges) + " from its values",
              with_new_weights(model_, *request_.partial, dear_, ranges, false));
    }
  }

  /// Channels of activations: what algorithms make of them is not known before they ran.
  void change_channels() {
    const Names apart =
        tensors_with({CauseKind::kChannelsApart, CauseKind::kDeadChannels, CauseKind::kJointGrid}, false);
    if (apart.empty()) return;
    Groups concerned = dear_;
    std::erase_if(concerned, [&](const QuantizerGroup* group) {
      return std::ranges::none_of(group->activations, [&](const std::string& name) { return apart.contains(name); });
    });
    const std::optional<double> bound = measured(request_.partial->without(concerned, Part::kActivations));
    if (!bound) return;
    const graph::Links links = graph::links_of(model_.graph);
    const bool depthwise = std::ranges::all_of(apart, [&](const std::string& name) {
      const auto& readers = links.consumers[static_cast<std::size_t>(graph::find_value(model_.graph, name))];
      return !readers.empty() && std::ranges::all_of(readers, [&](graph::NodeId reader) {
        return precision::is_depthwise(model_.graph, *request_.facts, model_.graph.node(reader));
      });
    });
    if (depthwise) {
      add("--act_per_channel depthwise", "a grid for each channel of " + words(apart), *bound, false);
    }
    add("--algorithms equalize,bias-correction", "channels of " + words(apart) + " brought to one range", *bound, false,
        false);
  }

  /// As lists of options take it: the node's name, or where the float model has none so called, the tensor's.
  std::string listed(const QuantizerGroup& group, const std::string& tensor) const {
    return reference_nodes_.contains(group.name) ? group.name : tensor;
  }

  /// The node, or where the group has several tensors each of them; empty for inputs of the model.
  std::vector<std::string> outputs_of(const QuantizerGroup& group) const {
    if (group.node == graph::kNoNode) return {};
    if (group.activations.size() == 1) return {listed(group, group.activations[0])};
    return group.activations;
  }

  void add_bits() {
    std::string activations;
    std::string weights;
    Groups outputs;
    Groups params;
    const auto append = [](const std::string& name, std::string& to) { to += (to.empty() ? "" : ",") + name; };
    for (const QuantizerGroup* group : dear_activations_) {
      const std::vector<std::string> names = outputs_of(*group);
      if (names.empty() || !std::ranges::all_of(names, fits_lists)) continue;
      for (const std::string& name : names) append(name, activations);
      outputs.push_back(group);
    }
    for (const QuantizerGroup* group : dear_weights_) {
      const std::string name = group->node == graph::kNoNode
                                   ? std::string()
                                   : listed(*group, model_.graph.value(model_.graph.node(group->node).outputs[0]).name);
      if (name.empty() || !fits_lists(name)) continue;
      append(name, weights);
      params.push_back(group);
    }
    std::string options;
    if (!activations.empty()) options = "--output_feature_16bit_names_list " + shell_word(activations);
    if (!weights.empty()) {
      options += (options.empty() ? "" : " ") + std::string("--params_16bit_names_list ") + shell_word(weights);
    }
    if (!options.empty()) {
      QuantizedGraph form = with_bits(model_, *request_.partial, params, Part::kWeights, 16);
      put_16_bits(outputs, form);
      measure(options, "16 bits where it costs most", form);
    }
    QuantizedGraph form = model_;
    put_16_bits(all_groups(), form);
    measure("--act_bitwidth 16", "all activations on 16 bits", form);
  }

  /// Where weights have 4 bits.
  void widen_weights() {
    const bool are_narrow = std::ranges::any_of(model_.encodings, [](const auto& named) {
      return named.second.role == TensorRole::kWeight && storage_bits(named.second.encoding.grid()) < 8;
    });
    if (!are_narrow) return;
    measure("--weights_bitwidth 8", "all weights on 8 bits",
            with_bits(model_, *request_.partial, all_groups(), Part::kWeights, 8));
  }

  Groups all_groups() const {
    Groups all;
    for (const QuantizerGroup& group : *request_.groups) all.push_back(&group);
    return all;
  }

  static void put_16_bits(const Groups& groups, QuantizedGraph& form) {
    for (const QuantizerGroup* group : groups) {
      for (const std::string& name : group->activations) {
        const auto at = form.encodings.find(name);
        if (at != form.encodings.end()) at->second.encoding = on_bits(at->second.encoding, 16);
      }
    }
  }

  /// Named only where it may win more than more bits do. No more than a bound: quantize still puts what such layers
  /// write on a grid where integer layers read it.
  void leave_in_float() {
    std::string options;
    Groups left;
    for (const QuantizerGroup* group : dear_) {
      if (group->node == graph::kNoNode) continue;
      std::vector<std::string> names = outputs_of(*group);
      if (names.empty()) names = {listed(*group, model_.graph.value(model_.graph.node(group->node).outputs[0]).name)};
      const auto is_pattern = [](const std::string& name) { return name.find('*') != std::string::npos; };
      if (std::ranges::any_of(names, is_pattern)) continue;
      for (const std::string& name : names) {
        options += (options.empty() ? "--exclude_nodes " : " --exclude_nodes ") + shell_word(name);
      }
      left.push_back(group);
    }
    if (left.empty()) return;
    const std::optional<double> sqnr_db = measured(request_.partial->without(left, Part::kBoth));
    double best = request_.sqnr_db;
    for (const DiagnosisStep& step : steps_) {
      if (step.measured) best = std::max(best, step.sqnr_db);
    }
    if (sqnr_db && *sqnr_db >= best + 1.0) add(options, "these layers in float", *sqnr_db, false);
  }

  void search_widths() {
    add("--auto_mixed_precision true --allowed_accuracy_drop 1", "more bits layer by layer, as few as hold the drop",
        request_.wide_sqnr_db, false);
  }

  const StepRequest& request_;
  const QuantizedGraph& model_;
  Groups dear_;
  Groups dear_weights_;
  Groups dear_activations_;
  std::set<std::string> reference_nodes_;
  std::vector<DiagnosisStep> steps_;
};

}  // namespace

std::vector<DiagnosisStep> next_steps(const StepRequest& request) { return StepFinder(request).run(); }

}  // namespace halfstep::pipeline
