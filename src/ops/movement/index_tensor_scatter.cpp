// index_tensor_scatter.cpp: TensorScatter, rows written into a cache.
#include <cstring>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "ops/movement/index_ops.hpp"
#include "ops/movement/index_support.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

Result<Inferred> infer_tensor_scatter(const NodeArgs& args) {
  const Shape& cache = args.shape(0);
  const Result<int> axis = normalize_axis(args.attributes().get_int("axis", -2), cache.rank());
  if (!axis.ok()) return axis.error();
  if (*axis == 0) return invalid("axis 0 is the batch axis, expected another");
  if (args.type(1).dtype != args.type(0).dtype || !equal_except(args.shape(1), cache, *axis) ||
      args.shape(1)[*axis] > cache[*axis]) {
    return invalid("update is " + to_string(args.type(1)) + ", which does not fit the cache " +
                   to_string(args.type(0)) + " along axis " + std::to_string(*axis));
  }
  if (args.has(2) && args.type(2) != TensorType{DType::kInt64, {cache[0]}}) {
    return invalid("write_indices is " + to_string(args.type(2)) + ", expected int64[" + std::to_string(cache[0]) +
                   "]");
  }
  const std::string mode = args.attributes().get_string("mode", "linear");
  if (mode != "linear" && mode != "circular") {
    return invalid("mode is " + quoted(mode) + ", expected linear or circular");
  }
  return Inferred::one(args.type(0));
}

Result<Prepared> lower_tensor_scatter(const LowerArgs& args) {
  const Shape& cache = args.shape(0);
  const int axis = *normalize_axis(args.attributes().get_int("axis", -2), cache.rank());
  const bool circular = args.attributes().get_string("mode", "linear") == "circular";
  const std::int64_t blocks = cache.num_elements(1, axis);
  const std::int64_t batch = cache[0];
  const std::int64_t extent = cache[axis];
  const std::int64_t steps = args.shape(1)[axis];
  const std::int64_t inner_bytes = cache.num_elements(axis + 1, cache.rank()) * element_bytes(args.type(0));
  return Prepared{[=, copy = copy_kernel()](const KernelIo& io) -> Result<void> {
    if (auto copied = copy(io); !copied.ok()) return copied;
    const bool given = io.inputs.size() > 2 && io.inputs[2].present();
    if (steps == 0 || inner_bytes == 0) return {};
    for (std::int64_t b = 0; b < batch; ++b) {
      const std::int64_t start = given ? io.inputs[2].data<std::int64_t>()[b] : 0;
      if (start < 0 || (!circular && start > extent - steps)) {
        return invalid("write index " + std::to_string(start) + " of batch entry " + std::to_string(b) +
                       " is out of range for " + std::to_string(steps) + " steps along axis " + std::to_string(axis) +
                       " of extent " + std::to_string(extent));
      }
      for (std::int64_t block = b * blocks; block < (b + 1) * blocks; ++block) {
        for (std::int64_t step = 0; step < steps; ++step) {
          const std::int64_t place = (start % extent + step) % extent;
          std::memcpy(io.outputs[0].bytes + (block * extent + (circular ? place : start + step)) * inner_bytes,
                      io.inputs[1].bytes + (block * steps + step) * inner_bytes, static_cast<std::size_t>(inner_bytes));
        }
      }
    }
    return {};
  }};
}

}  // namespace

OpDef tensor_scatter_op() {
  return {.type = "TensorScatter",
          .since_opset = 24,
          .operand_count = {2, 3},
          .output_rule = OutputRule::kObserved,
          .in_place = true,
          .infer = &infer_tensor_scatter,
          .lower_float = &lower_tensor_scatter};
}

}  // namespace halfstep::ops
