// given_orders.cpp: AIMET's configuration and options first, then files, then what follows from both.
#include "pipeline/given_orders.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "core/text.hpp"
#include "io/json/overrides_json.hpp"
#include "io/json/own_records.hpp"
#include "ops/operands.hpp"
#include "pipeline/aimet_config.hpp"
#include "pipeline/aimet_orders.hpp"
#include "pipeline/load_encodings.hpp"
#include "pipeline/target.hpp"
#include "precision/choose_tensors.hpp"
#include "precision/encoding_targets.hpp"
#include "precision/mixed_orders.hpp"
#include "precision/moved_names.hpp"
#include "precision/target_converts.hpp"
#include "precision/target_orders.hpp"

namespace halfstep::pipeline {
namespace {

using precision::Given;
using precision::Order;

/// Without input list, overrides and the like, --float_bitwidth is about the whole model.
bool is_float_model(const QuantizeRequest& request) {
  MixedPrecision alone;
  alone.float_bits = request.options.mixed.float_bits;
  if (request.options.mixed != alone || request.options.act_bits == 32 || request.float_fallback) return false;
  return !request.has_samples() && request.statistics_in.empty() && request.quantization_overrides.empty() &&
         request.options.mixed.float_bits.has_value();
}

graph::RealFormat real_format(const QuantizationOptions& options) {
  return graph::real_format(options.mixed.float_bits.value_or(32));
}

void keep_all_real(PreparedModel& model, const ops::Facts& facts, const QuantizationOptions& options) {
  const Order order{.real = real_format(options), .by = "--float_bitwidth of the whole model"};
  for (std::size_t v = 0; v < model.graph.values.size(); ++v) {
    if (ops::is_float(facts, static_cast<graph::ValueId>(v))) model.orders[model.graph.values[v].name].push_back(order);
  }
}

/// A range that mathematics knows is no reason for a grid among real numbers.
bool reads_no_grid(const graph::Graph& graph, const graph::Links& links, graph::ValueId id,
                   const precision::Plan& plan) {
  const graph::NodeId producer = links.producer[static_cast<std::size_t>(id)];
  return producer != graph::kNoNode && std::ranges::none_of(graph.node(producer).inputs, [&](graph::ValueId input) {
           return input != graph::kNoValue && plan.of(input).source != precision::Source::kFloat;
         });
}

/// Tensors whose range somebody would have to observe become real until there are none: what is computed from them may
/// lose its encoding, too.
Result<void> fall_back_to_float(const ops::InputShapes& shapes, const QuantizeRequest& request, PreparedModel& model,
                                graph::RealFormat format) {
  const Result<ops::Facts> facts = ops::infer_facts(model.graph, shapes);
  if (!facts.ok()) return facts.error();
  const graph::Links links = graph::links_of(model.graph);
  for (bool changed = true; changed;) {
    changed = false;
    const precision::Plan plan = precision::choose_tensors(model.graph, *facts, request.options, given_of(model));
    for (std::size_t v = 0; v < plan.tensors.size(); ++v) {
      const bool is_adrift = plan.tensors[v].source == precision::Source::kFixed &&
                             reads_no_grid(model.graph, links, static_cast<graph::ValueId>(v), plan);
      if (plan.tensors[v].source != precision::Source::kObserved && !is_adrift) continue;
      model.orders[model.graph.values[v].name].push_back(
          {.real = format, .by = "nothing gives it an encoding (--float_fallback)"});
      changed = true;
    }
  }
  return {};
}

void apply(const io::Override& override, const EncodingTargets& targets, PreparedModel& model) {
  std::vector<Order>& orders = model.orders[override.tensor];
  if (override.encoding) {
    model.encodings.insert_or_assign(override.tensor,
                                     TensorEncoding{.encoding = *override.encoding,
                                                    .role = targets.at(override.tensor).role,
                                                    .provenance = {Origin::kOverridden, override.place},
                                                    .codes = {},
                                                    .frozen = true});
    orders.push_back({.bits = storage_bits(override.encoding->grid()), .by = override.place});
    return;
  }
  model.encodings.erase(override.tensor);
  Order order{.bits = override.bits, .symmetric = override.symmetric, .by = override.place};
  if (override.float_bits) order.real = graph::real_format(*override.float_bits);
  orders.push_back(std::move(order));
}

io::OverrideContext context_for(const QuantizeRequest& request, const graph::Graph& as_read, const PreparedModel& model,
                                const EncodingTargets& targets) {
  io::OverrideContext context;
  context.targets = targets;
  context.lenient = request.overrides_lenient;
  context.find_moved = [&as_read, &model](const std::string& name) {
    return precision::find_moved_name(as_read, model.graph, name);
  };
  return context;
}

/// With the shapes of data, so that the number of channels is looked at where the file still has a line.
EncodingTargets targets_with_shapes(const graph::Graph& graph, const ops::Facts& facts) {
  EncodingTargets targets = precision::encoding_targets(graph);
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    EncodingTarget& target = targets.at(graph.values[v].name);
    if (!target.shape && facts[v].type) target.data_shape = facts[v].type->shape;
  }
  return targets;
}

/// File by file: later ones win. Errors: of the files, with their lines.
Result<void> apply_overrides(const QuantizeRequest& request, const graph::Graph& as_read,
                             const ops::InputShapes& shapes, PreparedModel& model,
                             const std::function<void(const std::string&)>& warn) {
  if (request.quantization_overrides.empty()) return {};
  for (const std::filesystem::path& file : request.quantization_overrides) {
    const Result<std::string> text = read_text(file);
    if (!text.ok()) return text.error();
    const io::OwnRecords own = io::read_own_records(*text);
    if (!fits_weights(own, model.graph)) {
      const Error other = other_weights(file.string(), request.model.model.string());
      if (!request.overrides_lenient) return other;
      warn(other.message);
    }
    restore_converts(own, model);
    if (!own.arithmetic.empty()) model.arithmetic = own.arithmetic;
    const Result<ops::Facts> facts = ops::infer_facts(model.graph, shapes);
    if (!facts.ok()) return facts.error();
    io::OverrideContext context = context_for(request, as_read, model, targets_with_shapes(model.graph, *facts));
    const Result<io::OverridesFile> read = io::read_overrides(*text, file.string(), context);
    if (!read.ok()) return read.error();
    std::ranges::for_each(read->warnings, warn);
    // Version 2 has no entries for real numbers; our own key has.
    for (const auto& [name, bits] : own.reals) {
      io::Override real;
      real.tensor = name;
      real.place = file.string() + ": halfstep, reals";
      real.float_bits = bits;
      if (context.targets.contains(name)) apply(real, context.targets, model);
    }
    for (const io::Override& override : read->overrides) apply(override, context.targets, model);
    for (const std::string& name : own.int32) {
      if (context.targets.contains(name))
        model.orders[name].push_back({.bits = 32, .by = file.string() + ": halfstep, int32"});
    }
  }
  return {};
}

/// Adds the orders of one source behind the weaker ones of another.
void put_behind(precision::Orders& orders, precision::Orders stronger) {
  for (auto& [tensor, added] : stronger) {
    std::vector<Order>& all = orders[tensor];
    std::ranges::move(added, std::back_inserter(all));
  }
}

/// Below everything else.
Result<void> order_for_target(const QuantizeRequest& request, const TargetProfile& target,
                              const ops::InputShapes& shapes, PreparedModel& model,
                              const std::function<void(const std::string&)>& warn) {
  model.graph = precision::split_clamps(std::move(model.graph), target);
  const Result<ops::Facts> facts = ops::infer_facts(model.graph, shapes);
  if (!facts.ok()) return facts.error();
  std::vector<std::string> warnings;
  put_behind(model.orders, precision::target_orders(model.graph, *facts, request.options, target, warnings));
  std::ranges::for_each(warnings, warn);
  return {};
}

/// With the converts that `given` and `target` need.
Result<void> convert(const QuantizeRequest& request, const ops::InputShapes& shapes, const TargetProfile* target,
                     PreparedModel& model, const std::function<void(const std::string&)>& warn) {
  const Result<std::vector<std::string>> warnings = give(given_of(model), shapes, request.options, model);
  if (!warnings.ok()) return warnings.error();
  std::ranges::for_each(*warnings, warn);
  if (target == nullptr) return {};
  Given given = given_of(model);
  Result<graph::Graph> converted =
      precision::convert_widths(std::move(model.graph), shapes, request.options, *target, given);
  if (!converted.ok()) return converted.error();
  model.graph = *std::move(converted);
  take(std::move(given), model);
  return {};
}

/// What follows from everything that was asked for.
void follow(const QuantizeRequest& request, const TargetProfile& target, const ops::Facts& facts,
            PreparedModel& model) {
  Given given = given_of(model);
  precision::follow_target(model.graph, facts, request.options, target, given);
  take(std::move(given), model);
}

/// The weakest orders there are. `config` is empty if there is none.
Result<precision::Orders> orders_of_aimet(const QuantizeRequest& request, const graph::Graph& as_read,
                                          const PreparedModel& model, const ops::Facts& facts,
                                          std::optional<io::QuantsimConfig>& config,
                                          const std::function<void(const std::string&)>& warn) {
  if (request.aimet_config.empty()) return precision::Orders{};
  Result<io::QuantsimConfig> read = read_aimet_config(request.aimet_config);
  if (!read.ok()) return read.error();
  config = *std::move(read);
  AimetOrders made = aimet_orders(*config, as_read, model.graph, facts, request.options);
  std::ranges::for_each(made.warnings, warn);
  return std::move(made.orders);
}

/// Mistakes of the files are for apply_overrides() to tell.
std::set<std::string> limited_tensors(const QuantizeRequest& request, const graph::Graph& as_read,
                                      const PreparedModel& model) {
  std::set<std::string> limited;
  const EncodingTargets targets = precision::encoding_targets(model.graph);
  io::OverrideContext context = context_for(request, as_read, model, targets);
  context.lenient = true;
  context.limited = &limited;
  for (const std::filesystem::path& file : request.quantization_overrides) {
    const Result<std::string> text = read_text(file);
    if (text.ok()) (void)io::read_overrides(*text, file.string(), context).ok();
  }
  return limited;
}

}  // namespace

Result<PreparedModel> prepare_for_overrides(const QuantizeRequest& request, const RawModel& raw,
                                            const ops::InputShapes& shapes, const Observer& observer,
                                            const std::function<void(const std::string&)>& warn) {
  if (request.quantization_overrides.empty()) return prepare_model(raw, shapes, {}, observer);
  const Result<PreparedModel> fused = prepare_model(raw, shapes, {}, Observer{});
  if (!fused.ok()) return fused.error();
  const std::set<std::string> limited = limited_tensors(request, raw.graph, *fused);
  if (!limited.empty()) {
    warn("overrides give " + quoted(*limited.begin()) +
         (limited.size() > 1 ? " and " + std::to_string(limited.size() - 1) + " other tensors" : "") +
         " a grid of its own in front of a Relu or Clip, which therefore stays a step of its own");
  }
  return prepare_model(raw, shapes, {limited.begin(), limited.end()}, observer);
}

bool may_need_no_samples(const QuantizeRequest& request) {
  return !request.quantization_overrides.empty() || request.float_fallback || is_float_model(request);
}

Result<void> give_orders(const QuantizeRequest& request, const graph::Graph& as_read, const ops::InputShapes& shapes,
                         const TargetProfile* target, PreparedModel& model,
                         const std::function<void(const std::string&)>& warn) {
  precision::Orders of_model = std::exchange(model.orders, {});
  const std::string place = request.model.model.string();
  // With weights alone on integers there are no widths of data to follow.
  const TargetProfile* widths_of = request.options.act_bits == 32 ? nullptr : target;
  if (widths_of != nullptr) {
    if (auto done = order_for_target(request, *widths_of, shapes, model, warn); !done.ok())
      return done.error().at(place);
  }
  Result<ops::Facts> facts = ops::infer_facts(model.graph, shapes);
  if (!facts.ok()) return facts.error().at(place);
  Result<precision::MixedOrders> mixed = precision::mixed_orders(model.graph, *facts, request.options);
  if (!mixed.ok()) return mixed.error().at(place);
  std::ranges::for_each(mixed->warnings, warn);
  std::optional<io::QuantsimConfig> config;
  Result<precision::Orders> of_aimet = orders_of_aimet(request, as_read, model, *facts, config, warn);
  if (!of_aimet.ok()) return of_aimet.error();
  precision::Orders of_target = std::exchange(model.orders, std::move(of_model));
  put_behind(model.orders, *std::move(of_aimet));
  put_behind(model.orders, std::move(of_target));
  put_behind(model.orders, std::move(mixed->orders));
  if (auto done = apply_overrides(request, as_read, shapes, model, warn); !done.ok()) return done;
  facts = ops::infer_facts(model.graph, shapes);  // With the converts that files record.
  if (!facts.ok()) return facts.error();
  if (widths_of != nullptr) follow(request, *widths_of, *facts, model);
  if (is_float_model(request)) keep_all_real(model, *facts, request.options);
  if (request.float_fallback) {
    const graph::RealFormat format = real_format(request.options);
    if (auto done = fall_back_to_float(shapes, request, model, format); !done.ok()) return done.error().at(place);
  }
  if (config) {
    auto legal = check_kernels(*config, as_read, model.graph, *facts, request.options, given_of(model));
    if (!legal.ok()) return legal;
  }
  if (auto done = convert(request, shapes, widths_of, model, warn); !done.ok()) return done.error().at(place);
  // Converts into integers would need a range, too.
  if (request.float_fallback) {
    if (auto done = fall_back_to_float(shapes, request, model, graph::RealFormat::kFloat32); !done.ok())
      return done.error().at(place);
  }
  if (target == nullptr) return {};
  const Result<void> legal = check_target_plan(*target, model, shapes, request.options);
  return legal.ok() ? legal : legal.error().at(place);
}

std::string reason_to_be_real(const graph::Node& node, const precision::Plan& plan) {
  if (node.outputs[0] == graph::kNoValue) return "";
  const precision::TensorPlan& output = plan.of(node.outputs[0]);
  const bool asked = output.source == precision::Source::kFloat && !output.asked_bits && !output.orders.empty();
  return asked ? output.orders.back() : "";
}

}  // namespace halfstep::pipeline
