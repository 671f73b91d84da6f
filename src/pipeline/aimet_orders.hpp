// aimet_orders.hpp: what an AIMET quantsim configuration says of a model's single tensors.
//
// A tensor has one grid here and not a quantizer at each of its ends, so:
// - is_output_quantized speaks of nodes that compute. What only moves data has the grid of its data in any case.
// - is_input_quantized of operators says nothing of its own: integers are read from grids.
// - A bias without quantizer means in AIMET that the runtime derives its grid, and so it is derived here.
// Rules by strength: defaults, params, op_type, supergroups, model_input and model_output.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "halfstep/quantization_options.hpp"
#include "halfstep/result.hpp"
#include "io/json/quantsim_config.hpp"
#include "ops/infer_graph.hpp"
#include "precision/orders.hpp"

namespace halfstep::pipeline {

struct AimetOrders {
  precision::Orders orders;
  std::vector<std::string> warnings;  ///< One line each: what the file says in vain, and what it costs.
};

/// `as_read`: the graph of the file, whose operators the configuration names; `graph`: prepared. Of operators with
/// supported_kernels that lack the widths of `options`, output and weight get the first one of integers.
AimetOrders aimet_orders(const io::QuantsimConfig& config, const graph::Graph& as_read, const graph::Graph& graph,
                         const ops::Facts& facts, const QuantizationOptions& options);

/// Whether the file has a kernel for every node that computes on integers or in float16, as `given` and `options` have
/// it. Errors: kUsage naming the rule, the node and what asks for its width.
Result<void> check_kernels(const io::QuantsimConfig& config, const graph::Graph& as_read, const graph::Graph& graph,
                           const ops::Facts& facts, const QuantizationOptions& options, const precision::Given& given);

}  // namespace halfstep::pipeline
