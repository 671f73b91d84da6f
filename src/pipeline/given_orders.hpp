// given_orders.hpp: what a request asks of single tensors, from options and override files.
#pragma once

#include <functional>
#include <string>

#include "encoding/target_profile.hpp"
#include "halfstep/quantize.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "pipeline/load_model.hpp"
#include "precision/plan.hpp"

namespace halfstep::pipeline {

/// True if `request` can decide every tensor without samples.
bool may_need_no_samples(const QuantizeRequest& request);

/// prepare_model(), but Relu and Clip stay nodes of their own behind tensors that an override file gives another grid
/// than what they leave of them. `warn` hears of that. Errors: those of prepare_model().
Result<PreparedModel> prepare_for_overrides(const QuantizeRequest& request, const RawModel& raw,
                                            const ops::InputShapes& shapes, const Observer& observer,
                                            const std::function<void(const std::string&)>& warn);

/// Puts what --aimet_config, options.mixed and the override files say into model.orders and model.encodings, the
/// strongest last, and the converts they need into model.graph. With request.float_fallback what is left without
/// encoding becomes real. `as_read`: the graph of the file, whose names users know. `target`, unless nullptr: what its
/// rules ask for stands above --aimet_config and below all else. Errors, with the name of the
/// file at fault: those of precision::mixed_orders(), of check_kernels() and of reading the files; kUsage for a node
/// that the target cannot compute as planned.
Result<void> give_orders(const QuantizeRequest& request, const graph::Graph& as_read, const ops::InputShapes& shapes,
                         const TargetProfile* target, PreparedModel& model,
                         const std::function<void(const std::string&)>& warn);

/// Which order keeps `node` real; empty if none does.
std::string reason_to_be_real(const graph::Node& node, const precision::Plan& plan);

}  // namespace halfstep::pipeline
