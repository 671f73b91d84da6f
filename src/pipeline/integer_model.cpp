// integer_model.cpp: told by operators and encodings.
#include "pipeline/integer_model.hpp"

#include <algorithm>

#include "core/errors.hpp"

namespace halfstep::pipeline {

bool multiplies_integers(const graph::Graph& graph) {
  return std::ranges::any_of(graph.nodes, [](const graph::Node& node) {
    return node.domain.empty() && (node.op_type == "ConvInteger" || node.op_type == "MatMulInteger");
  });
}

Result<void> check_rule_has_use(const PreparedModel& model, const std::string& path, const FixedPointRequest& request) {
  if (!request.arithmetic || !model.encodings.empty()) return {};
  return usage("--arithmetic has no effect on " + path +
               ": it carries no encodings, and its own operators say how they round; leave it out");
}

}  // namespace halfstep::pipeline
