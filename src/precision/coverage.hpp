// coverage.hpp: where the encodings of all tensors came from, in numbers and tensor by tensor.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"
#include "precision/plan.hpp"

namespace halfstep::precision {

/// Kind and number of tensors, in a fixed order: "overrides" (whole grids), "source_model" (it came with them),
/// "calibrated", "constants" (from their own values), "derived" (biases), "fixed", "shared", "float". Together they are
/// all real-valued tensors of the graph. Then "ordered": those of all these for which a width or a format was
/// asked, but no whole grid.
using Coverage = std::vector<std::pair<std::string, std::int64_t>>;

Coverage coverage_of(const graph::Graph& graph, const ops::Facts& facts, const Plan& plan,
                     const EncodingSet& encodings);

/// By tensor: the rules that touched it, one line each, in their order; tensors without any are left out.
std::map<std::string, std::vector<std::string>> rules_of(const graph::Graph& graph, const ops::Facts& facts,
                                                         const Plan& plan);

/// One line for each order of a width that changed nothing, because the tensor stays real, or
/// keeps an encoding that came with the model.
std::vector<std::string> unmet_orders(const graph::Graph& graph, const ops::Facts& facts, const Plan& plan,
                                      const EncodingSet& encodings);

}  // namespace halfstep::precision
