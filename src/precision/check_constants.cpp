// check_constants.cpp: finds NaN and infinities before they spread.
#include "precision/check_constants.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/text.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"

namespace halfstep::precision {
namespace {

const char* role_of(const graph::Graph& graph, const graph::Node& node, std::size_t index) {
  switch (ops::operand_role(graph, node, index)) {
    case ops::OperandRole::kWeight:
      return "weight ";
    case ops::OperandRole::kBias:
      return "bias ";
    case ops::OperandRole::kPlain:
    case ops::OperandRole::kData:
    case ops::OperandRole::kParameter:
      break;
  }
  return "constant ";
}

}  // namespace

Result<void> check_constants(const graph::Graph& graph) {
  for (const graph::Node& node : graph.nodes) {
    const ops::OpDef* op = ops::find_op(node);
    if (op == nullptr || !op->has_integer_form) continue;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Tensor* constant = graph::constant_of(graph, node.inputs[i]);
      if (constant == nullptr || constant->dtype() != DType::kFloat32 ||
          ops::operand_role(graph, node, i) == ops::OperandRole::kPlain) {
        continue;
      };
      const std::span<const float> values = constant->values<float>();
      const auto bad =
          std::ranges::find_if(values, [&](float x) { return op->picks_extreme ? std::isnan(x) : !std::isfinite(x); });
      if (bad == values.end()) continue;
      return Error{ErrorCode::kCalibration,
                   role_of(graph, node, i) + halfstep::quoted(graph.value(node.inputs[i]).name) + " of " +
                       graph::describe(graph, node) + " holds " + (std::isnan(*bad) ? "NaN" : "an infinity") +
                       " at element " + std::to_string(bad - values.begin()) + "; such a model cannot be quantized"};
    }
  }
  return {};
}

}  // namespace halfstep::precision
