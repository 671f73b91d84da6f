// aimet_orders.cpp: rules of operators meet the nodes of a model.
#include "pipeline/aimet_orders.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "pipeline/aimet_config.hpp"
#include "precision/node_parts.hpp"

namespace halfstep::pipeline {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;
using io::QuantsimConfig;
using io::QuantsimKernel;
using io::QuantsimParam;
using io::QuantsimRules;
using precision::Order;
using precision::Part;

/// Which operator of the user's model a tensor of the prepared one belongs to: what is fused goes by its last part, as
/// in AIMET the quantizer of a supergroup does.
class UserOperators {
 public:
  explicit UserOperators(const Graph& as_read) {
    for (const Node& node : as_read.nodes) {
      for (const ValueId id : node.outputs) {
        if (id != graph::kNoValue) writers_.emplace(as_read.value(id).name, node.op_type);
      }
      for (const ValueId id : node.inputs) {
        if (id != graph::kNoValue && as_read.value(id).constant) readers_.emplace(as_read.value(id).name, node.op_type);
      }
    }
  }

  /// The operator that writes `tensor`, or else the one of `node`. A BatchNormalization is part of the layer before it,
  /// as AIMET's users fold it first.
  const std::string& writer(const std::string& tensor, const Node& node) const {
    const std::string& type = of(writers_, tensor, node);
    return type == "BatchNormalization" ? node.op_type : type;
  }
  /// The operator whose weight `tensor` is, or else the one of `node`.
  const std::string& reader(const std::string& tensor, const Node& node) const { return of(readers_, tensor, node); }

 private:
  using Types = std::map<std::string, std::string, std::less<>>;

  static const std::string& of(const Types& types, const std::string& tensor, const Node& node) {
    const auto at = types.find(tensor);
    return at == types.end() ? node.op_type : at->second;
  }

  Types writers_;  ///< By the name of an output.
  Types readers_;  ///< By the name of a constant.
};

const QuantsimRules* rules_of(const QuantsimConfig& config, const std::string& type) {
  const auto at = config.op_types.find(type);
  return at == config.op_types.end() ? nullptr : &at->second;
}

/// A yes or no and where it stands.
struct Ruling {
  bool yes = true;
  std::string place;
};

class OrderMaker {
 public:
  OrderMaker(const QuantsimConfig& config, const Graph& as_read, const Graph& graph, const ops::Facts& facts,
             const QuantizationOptions& options)
      : config_(config), as_read_(as_read), graph_(graph), facts_(facts), options_(options), operators_(as_read) {}

  AimetOrders make() {
    warn_of_unknown_names();
    for (const Node& node : graph_.nodes) {
      const Part part = precision::part_of(graph_, node, facts_);
      if (part == Part::kCompute) rule_output(node);
      if (part != Part::kFloat) rule_weight(node);
    }
    for (const io::QuantsimSupergroup& group : config_.supergroups) rule_supergroup(group);
    for (const graph::GraphInput& input : graph_.inputs) rule_border(config_.model_input, input.value);
    for (const graph::GraphOutput& output : graph_.outputs) rule_border(config_.model_output, output.value);
    for (const auto& [id, ruling] : quantized_) {
      if (!ruling.yes) add(id, {.real = graph::RealFormat::kFloat32, .by = ruling.place + ": not quantized"});
    }
    return std::move(made_);
  }

 private:
  void warn(std::string text) { made_.warnings.push_back(std::move(text)); }

  void add(ValueId id, Order order) { made_.orders[graph_.value(id).name].push_back(std::move(order)); }

  void warn_of_unknown_names() {
    std::set<std::string> unknown;
    const auto look = [&](const std::string& type) {
      const bool known = std::ranges::any_of(ops::all_ops(), [&](const ops::OpDef& op) { return op.type == type; });
      const bool used = std::ranges::any_of(as_read_.nodes, [&](const Node& node) { return node.op_type == type; });
      if (!known && !used) unknown.insert(type);
    };
    for (const auto& [type, rules] : config_.op_types) look(type);
    for (const auto& group : config_.supergroups) std::ranges::for_each(group.ops, look);
    std::string list;
    for (const std::string& type : unknown) list += (list.empty() ? "" : ", ") + quoted(type);
    if (!list.empty()) warn("--aimet_config: no operators of ONNX that are known here, and ignored: " + list);
    for (const auto& [kind, param] : config_.params) {
      if (kind != "weight" && kind != "bias")
        warn(config_.params_place + ": parameters are 'weight' and 'bias' here, " + quoted(kind) + " is ignored");
    }
  }

  void rule_output(const Node& node) {
    const ValueId id = node.outputs[0];
    if (id == graph::kNoValue || !ops::is_float(facts_, id)) return;
    const QuantsimRules* rules = rules_of(config_, operators_.writer(graph_.value(id).name, node));
    Ruling ruling{config_.defaults.is_output_quantized.value_or(false), config_.defaults.place + " of operators"};
    if (rules != nullptr && rules->is_output_quantized)
      ruling = {*rules->is_output_quantized, rules->place + ", is_output_quantized"};
    quantized_[id] = ruling;
    if (rules == nullptr) return;
    if (rules->is_symmetric) add(id, symmetric_order(*rules->is_symmetric, rules->place + ", is_symmetric"));
    if (rules->encoding_constraints && rules->encoding_constraints->max) {
      const RealRange range{rules->encoding_constraints->min, *rules->encoding_constraints->max};
      add(id, {.range = range, .by = rules->place + ", encoding_constraints"});
    }
    order_kernel(node, *rules);
  }

  Order symmetric_order(bool symmetric, std::string by) const {
    return {
        .symmetric = symmetric, .unsigned_symmetric = config_.unsigned_symmetric.value_or(false), .by = std::move(by)};
  }

  /// The widths of the model where the operator has a kernel for them, else those of its first kernel.
  void order_kernel(const Node& node, const QuantsimRules& rules) {
    if (rules.supported_kernels.empty()) return;
    const ValueId weight = ops::weight_of(graph_, node);
    QuantsimKernel wanted{.activation = {options_.act_bits, false}, .param = std::nullopt};
    if (weight != graph::kNoValue) wanted.param = NumberKind{options_.weight_bits, false};
    if (has_kernel(rules.supported_kernels, wanted)) return;
    const QuantsimKernel* kernel = first_integer_kernel(rules.supported_kernels, 0, 0);
    if (kernel == nullptr) return;  // check_kernels() says so.
    const std::string by = rules.place + ", supported_kernels";
    add(node.outputs[0], {.bits = kernel->activation.bits, .by = by});
    if (weight != graph::kNoValue && kernel->param) add(weight, {.bits = kernel->param->bits, .by = by});
    if (told_.insert(rules.place).second)
      warn(by + ": not for " + in_words(wanted) + ": these nodes have " + in_words(*kernel));
  }

  void rule_weight(const Node& node) {
    const ValueId weight = ops::weight_of(graph_, node);
    if (weight == graph::kNoValue) return;
    const QuantsimRules* rules = rules_of(config_, operators_.reader(graph_.value(weight).name, node));
    Ruling ruling{config_.default_params.is_quantized.value_or(false), config_.defaults.place + " of params"};
    const auto take = [&](const io::QuantsimParams& params, const std::string& place) {
      const auto at = params.find("weight");
      if (at != params.end() && at->second.is_quantized) ruling = {*at->second.is_quantized, place + ", 'weight'"};
    };
    take(config_.params, config_.params_place);
    if (rules != nullptr) take(rules->params, rules->place + ": params");
    quantized_[weight] = ruling;
    if (rules == nullptr) return;
    const auto own = rules->params.find("weight");
    if (own != rules->params.end() && own->second.is_symmetric)
      add(weight, symmetric_order(*own->second.is_symmetric, rules->place + ": params, 'weight', is_symmetric"));
    if (rules->per_channel_quantization)
      add(weight, {.per_channel = rules->per_channel_quantization, .by = rules->place + ", per_channel_quantization"});
  }

  /// What a chain of nodes hands on inside stays real, where it is not one node here anyway.
  void rule_supergroup(const io::QuantsimSupergroup& group) {
    const graph::Links links = graph::links_of(as_read_);
    std::vector<std::string> real;
    for (std::size_t n = 0; n < as_read_.nodes.size(); ++n) {
      for (const ValueId inner : inside_of(group, static_cast<NodeId>(n), links)) {
        const ValueId id = graph::find_value(graph_, as_read_.value(inner).name);
        const auto computed = id == graph::kNoValue ? quantized_.end() : quantized_.find(id);
        if (computed == quantized_.end()) continue;
        if (computed->second.yes) real.push_back(graph_.value(id).name);
        computed->second = {false, group.place};
      }
    }
    if (real.empty()) return;
    warn(group.place + ": no single step here, so " + quoted(real.front()) +
         (real.size() > 1 ? " and " + std::to_string(real.size() - 1) + " others are" : " is") + " computed in float");
  }

  /// The tensors between the nodes of `group` if they follow each other from `start` on; empty if they don't.
  std::vector<ValueId> inside_of(const io::QuantsimSupergroup& group, NodeId start, const graph::Links& links) const {
    std::vector<ValueId> inside;
    NodeId at = start;
    for (std::size_t i = 0; i < group.ops.size(); ++i) {
      if (at == graph::kNoNode || as_read_.node(at).op_type != group.ops[i]) return {};
      if (i + 1 == group.ops.size()) break;
      const ValueId output = as_read_.node(at).outputs[0];
      if (output == graph::kNoValue) return {};
      inside.push_back(output);
      at = links.single_consumer(output);
    }
    return inside;
  }

  void rule_border(const io::QuantsimBorder& border, ValueId id) {
    if (border.is_quantized && ops::is_float(facts_, id) && !graph_.value(id).constant)
      quantized_[id] = {*border.is_quantized, border.place};
  }

  const QuantsimConfig& config_;
  const Graph& as_read_;
  const Graph& graph_;
  const ops::Facts& facts_;
  const QuantizationOptions& options_;
  UserOperators operators_;
  std::map<ValueId, Ruling> quantized_;
  std::set<std::string> told_;
  AimetOrders made_;
};

/// What the widths of one tensor come to; empty for float32.
std::optional<NumberKind> kind_of(const precision::SettledOrder& order, const TensorEncoding* given, int bits) {
  if (order.real && *order.real == graph::RealFormat::kFloat32) return std::nullopt;
  if (order.real) return NumberKind{16, true};
  if (given != nullptr) return NumberKind{storage_bits(given->encoding.grid()), false};
  return NumberKind{order.bits.value_or(bits), false};
}

}  // namespace

AimetOrders aimet_orders(const QuantsimConfig& config, const Graph& as_read, const Graph& graph,
                         const ops::Facts& facts, const QuantizationOptions& options) {
  return OrderMaker(config, as_read, graph, facts, options).make();
}

Result<void> check_kernels(const QuantsimConfig& config, const Graph& as_read, const Graph& graph,
                           const ops::Facts& facts, const QuantizationOptions& options, const precision::Given& given) {
  if (options.act_bits == 32) return {};  // Weights alone: nothing computes on integers.
  const UserOperators operators(as_read);
  const precision::SettledOrders settled = precision::settle(graph, facts, options, given);
  for (const Node& node : graph.nodes) {
    const ValueId output = node.outputs[0];
    if (precision::part_of(graph, node, facts) != Part::kCompute || output == graph::kNoValue) continue;
    const QuantsimRules* rules = rules_of(config, operators.writer(graph.value(output).name, node));
    const bool has_own = rules != nullptr && !rules->supported_kernels.empty();
    const QuantsimRules& deciding = has_own ? *rules : config.defaults;
    if (deciding.supported_kernels.empty()) continue;
    const auto kind = [&](ValueId id, int bits) {
      return kind_of(settled[static_cast<std::size_t>(id)], find_encoding(given.encodings, graph.value(id).name), bits);
    };
    const std::optional<NumberKind> activation = kind(output, options.act_bits);
    if (!activation) continue;  // Not quantized.
    QuantsimKernel wanted{.activation = *activation, .param = std::nullopt};
    const ValueId weight = ops::weight_of(graph, node);
    if (weight != graph::kNoValue) wanted.param = kind(weight, options.weight_bits);
    if (has_kernel(deciding.supported_kernels, wanted)) continue;
    std::string why;
    for (const ValueId id : {output, weight}) {
      if (id == graph::kNoValue || settled[static_cast<std::size_t>(id)].story.empty()) continue;
      why += "; " + quoted(graph.value(id).name) + ": " + settled[static_cast<std::size_t>(id)].story.back();
    }
    return usage(deciding.place + ": supported_kernels has " + in_words(deciding.supported_kernels) + ", and " +
                 graph::describe(graph, node) + " is to compute " + in_words(wanted) + why +
                 ": ask for other widths or change the file");
  }
  return {};
}

}  // namespace halfstep::pipeline
