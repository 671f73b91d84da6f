// evaluate.cpp: infer, lower and run a single node.
#include "ops/evaluate.hpp"

#include <memory>
#include <new>

#include "core/memory_budget.hpp"
#include "core/text.hpp"
#include "kernels/clamp.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {

Result<Inferred> checked_infer(const OpDef& op, const NodeArgs& args) {
  if (Result<void> count = check_operand_count(op.operand_count, args); !count.ok()) return count.error();
  Result<Inferred> inferred = op.infer(args);
  if (!inferred.ok() || inferred->data_dependent) return inferred;
  if (inferred->outputs.size() < args.node.outputs.size()) {
    return Error{ErrorCode::kInvalidInput, "has " + std::to_string(args.node.outputs.size()) +
                                               " outputs, the operator gives at most " +
                                               std::to_string(inferred->outputs.size())};
  }
  for (std::size_t i = 0; i < args.node.outputs.size(); ++i) {
    if (!args.wants_output(i)) continue;
    const TensorType& type = inferred->outputs[i];
    if (Result<void> sane = check_shape(type.shape, type.dtype); !sane.ok()) {
      return sane.error().at("output " + std::to_string(i));
    }
    if (Result<void> small = check_tensor_memory(type); !small.ok()) {
      return small.error().at("output " + std::to_string(i));
    }
  }
  return inferred;
}

Result<Prepared> prepare_float(const OpDef& op, const LowerArgs& args) {
  Result<Prepared> prepared = op.lower_float(args);
  if (prepared.ok() && args.node.clamp && args.node.clamp->channels) prepared->clamps = false;
  return prepared;
}

Kernel clamp_kernel(const graph::FusedClamp& clamp) {
  if (clamp.channels) {
    return [bounds = *clamp.channels](const KernelIo& io) -> Result<void> {
      const Shape& shape = io.outputs[0].shape();
      const int axis = shape.rank() - 1 - bounds.inner_axes;
      const auto num_channels = static_cast<std::int64_t>(bounds.min.size());
      if (axis < 0 || shape[axis] != num_channels) {
        return Error{ErrorCode::kInvalidInput, "a clamp with bounds for " + std::to_string(num_channels) +
                                                   " channels does not fit the output's shape " + to_string(shape)};
      }
      const std::int64_t inner = shape.num_elements(axis + 1, shape.rank());
      float* values = io.outputs[0].data<float>();
      for (std::int64_t run = 0; run < shape.num_elements(0, axis + 1); ++run, values += inner) {
        const auto channel = static_cast<std::size_t>(run % num_channels);
        kernels::clamp_in_place(values, inner, bounds.min[channel], bounds.max[channel]);
      }
      return {};
    };
  }
  return [min = clamp.min, max = clamp.max](const KernelIo& io) -> Result<void> {
    kernels::clamp_in_place(io.outputs[0].data<float>(), io.outputs[0].num_elements(), min, max);
    return {};
  };
}

Result<std::vector<Tensor>> run_with_known_operands(const OpDef& op, const NodeArgs& args, const Inferred& inferred) {
  const LowerArgs lower_args{{args.node, args.inputs, args.values}, inferred.outputs};
  Result<Prepared> prepared = prepare_float(op, lower_args);
  if (!prepared.ok()) return prepared.error();

  std::vector<ConstView> inputs;
  for (std::size_t i = 0; i < args.num_inputs(); ++i) {
    inputs.push_back(args.has(i) ? args.value(i)->view() : ConstView{});
  }
  std::vector<Tensor> results(args.node.outputs.size());
  std::vector<MutableView> outputs(args.node.outputs.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!args.wants_output(i)) continue;
    results[i] = Tensor(inferred.outputs[i]);
    outputs[i] = results[i].mutable_view();
  }
  const auto scratch_bytes = static_cast<std::int64_t>(prepared->scratch_bytes);
  const Result<MemoryReservation> reserved = MemoryReservation::of(scratch_bytes, "its buffers");
  if (!reserved.ok()) return reserved.error();
  Tensor scratch(TensorType{DType::kUint8, Shape{scratch_bytes}});
  const KernelIo io{inputs, outputs, {scratch.mutable_bytes(), prepared->scratch_bytes}};
  if (Result<void> outcome = prepared->run(io); !outcome.ok()) return outcome.error();
  if (args.node.clamp && !prepared->clamps) {
    if (Result<void> outcome = clamp_kernel(*args.node.clamp)(io); !outcome.ok()) return outcome.error();
  }
  return results;
}

Result<std::vector<Tensor>> evaluate(const graph::Node& node, const std::vector<const Tensor*>& operands) {
  const OpDef* op = find_op(node);
  if (op == nullptr) return Error{ErrorCode::kUnsupported, "operator is not supported"};
  std::vector<const TensorType*> types;
  for (const Tensor* operand : operands) types.push_back(operand == nullptr ? nullptr : &operand->type());
  const NodeArgs args{node, types, operands};
  Result<Inferred> inferred = checked_infer(*op, args);
  if (!inferred.ok()) return inferred.error();
  if (inferred->data_dependent) {
    return Error{ErrorCode::kUnsupported, "output shape can't be decided even with every operand known"};
  }
  return run_with_known_operands(*op, args, *inferred);
}

}  // namespace halfstep::ops
