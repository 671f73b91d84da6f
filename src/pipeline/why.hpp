// why.hpp: the story of one tensor, as quantize-inspect --why tells it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "pipeline/load_model.hpp"

namespace halfstep::pipeline {

/// What became of the tensor `name` of `as_read` in `model`: what writes and reads it, where it went if passes removed
/// it, the rules that touched it in their order, its encoding and where that came from, and what would change it.
/// `rules` and `origins`: by tensor, as an encodings file of ours records them. Errors: kUsage, with the nearest name,
/// if the model has no such tensor.
Result<std::string> story_of(const std::string& name, const graph::Graph& as_read, const PreparedModel& model,
                             const ops::Facts& facts, const std::map<std::string, std::vector<std::string>>& rules,
                             const std::map<std::string, std::string>& origins);

/// One line about a grid: type, ends, scale, zero point.
std::string describe_grid(const Encoding& encoding);

}  // namespace halfstep::pipeline
