// observed_causes.hpp: what is known of the tensors of a quantizer group, and the causes in it.
#pragma once

#include <vector>

#include "calib/observe.hpp"
#include "encoding/quantized_graph.hpp"
#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"
#include "sensitivity/causes.hpp"
#include "sensitivity/groups.hpp"
#include "sensitivity/partial.hpp"

namespace halfstep::pipeline {

/// What observe() shall look at for activation_causes_of(), each activation once. `facts`: of `model.graph`.
std::vector<calib::Watch> watches_of(const QuantizedGraph& model, const ops::Facts& facts,
                                     const std::vector<const sensitivity::QuantizerGroup*>& groups);

/// Causes in the activations of a group. `observed`: of the same tensors in float.
std::vector<sensitivity::Cause> activation_causes_of(const QuantizedGraph& model,
                                                     const sensitivity::QuantizerGroup& group,
                                                     const calib::Observations& observed);

/// Causes in its weights. `real`: `model.graph` with the float model's constants.
std::vector<sensitivity::Cause> weight_causes_of(const QuantizedGraph& model, const graph::Graph& real,
                                                 const sensitivity::QuantizerGroup& group);

}  // namespace halfstep::pipeline
