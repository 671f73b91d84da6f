// quantize_dynamic.hpp: quantize --dynamic: weights become integers, activations get grids whenever the model runs.
#pragma once

#include "halfstep/observer.hpp"
#include "halfstep/quantize.hpp"
#include "halfstep/result.hpp"
#include "pipeline/recipes.hpp"

namespace halfstep::pipeline {

/// Whether options that a command line or a recipe set have a use with --dynamic, which looks at no samples and decides
/// about weights only. Errors: kUsage naming the first that has none.
Result<void> check_dynamic_options(const OptionOrigins& origins);

/// Reads and prepares the model, rewrites it as precision::quantize_dynamically() says and writes it, the weights'
/// encodings and a report. Requires: request.dynamic.
/// Errors: kUsage for a request that asks for samples, for weights of other than 8 bits or scales 2^n, and for a model
/// that carries encodings; kUnsupported if no layer has an integer form; those of reading and writing.
Result<QuantizeOutcome> quantize_dynamic(const QuantizeRequest& request, const Observer& observer);

}  // namespace halfstep::pipeline
