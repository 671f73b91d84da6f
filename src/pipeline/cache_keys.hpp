// cache_keys.hpp: texts that differ wherever what was measured may differ.
#pragma once

#include <string>

#include "encoding/encoding_set.hpp"
#include "exec/samples.hpp"
#include "graph/graph.hpp"
#include "halfstep/arithmetic.hpp"
#include "halfstep/quantize.hpp"
#include "halfstep/result.hpp"
#include "pipeline/load_model.hpp"

namespace halfstep::pipeline {

/// Of a quantized model, the float one that it is compared with, and how it computes.
std::string print_of_models(const graph::Graph& reference, const PreparedModel& quantized,
                            const FixedPointOptions& fixed);

/// Of every value of every sample. Errors: those of loading.
Result<std::string> print_of_samples(const exec::SampleSource& samples);

/// Of what a request orders, but for its samples and for what it searches for: options, and the files that it names.
/// Errors: those of read_text().
Result<std::string> print_of_orders(const QuantizeRequest& request);

}  // namespace halfstep::pipeline
