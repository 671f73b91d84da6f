// product_grid.cpp: scales of accumulators.
#include "lower/product_grid.hpp"

#include "ops/op_def.hpp"
#include "ops/operands.hpp"

namespace halfstep::lower {

std::optional<Encoding> accumulator_grid(const ops::OpDef& op, const graph::Node& node, const Encoding* x,
                                         const FloatSteps& steps) {
  if (op.channels.weight_output_axis == nullptr || node.inputs.size() < 2) return std::nullopt;
  for (const graph::ValueId id : {node.inputs[0], node.inputs[1], node.outputs[0]}) {
    if (id == graph::kNoValue || !steps.is_float32(id)) return std::nullopt;
  }
  const Encoding* w = steps.encoding_of(node.inputs[1]);
  if (x == nullptr || w == nullptr || !steps.fact(node.inputs[1]).value || w->block_axis()) {
    return std::nullopt;
  }
  const Shape& output = steps.fact(node.outputs[0]).type->shape;
  const int axis = ops::output_channel_axis(op, output.rank());
  if (axis < 0) return std::nullopt;
  const double alpha = static_cast<double>(node.attributes.get_float("alpha", 1.0F));
  std::vector<QuantParams> params;
  for (std::int64_t c = 0; c < output[axis]; ++c) {
    const auto at = static_cast<std::size_t>(c);
    const double x_scale = x->params()[at % x->params().size()].scale;
    params.push_back({x_scale * w->params()[at % w->params().size()].scale * alpha, 0});
  }
  Result<Encoding> grid = Encoding::per_channel(signed_grid(32), axis, std::move(params));
  return grid.ok() ? std::optional<Encoding>(*std::move(grid)) : std::nullopt;
}

}  // namespace halfstep::lower
