// work.cpp: bounds from sizes alone.
#include "ops/work.hpp"

#include <algorithm>
#include <cmath>

namespace halfstep::ops {

double work_of(const OpDef& op, const NodeArgs& args, std::span<const TensorType> outputs) {
  double read = 0.0;
  for (std::size_t i = 0; i < args.num_inputs(); ++i) {
    if (args.has(i)) read += static_cast<double>(args.shape(i).num_elements());
  }
  double written = 0.0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (args.wants_output(i)) written += static_cast<double>(outputs[i].shape.num_elements());
  }
  const double elements = read + written;
  if (!op.multiplies_work) return elements;
  const std::optional<std::size_t> weight = op.operands.find(OperandRole::kWeight);
  if (!weight || !args.has(0) || !args.has(*weight)) return elements + elements * elements / 4.0;
  const auto weights = static_cast<double>(args.shape(*weight).num_elements());
  const auto inputs = static_cast<double>(args.shape(0).num_elements());
  // A convolution: no element meets a weight twice. Else [m, k] by [k, n] are m k n products: the root of the product
  // of all three sizes.
  if (op.channels.channels_first) return elements + std::min(inputs, written) * weights;
  return elements + std::sqrt(inputs * weights * written);
}

}  // namespace halfstep::ops
