// shape_identity.cpp: Identity, Dropout at inference and BitCast, the same bytes again.
#include <algorithm>
#include <cstring>

#include "core/errors.hpp"
#include "ops/movement/movement_support.hpp"
#include "ops/movement/shape_ops.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

Result<Inferred> infer_identity(const NodeArgs& args) { return Inferred::one(args.type(0)); }

Result<Prepared> lower_identity(const LowerArgs&) { return Prepared{copy_kernel()}; }

Result<Inferred> infer_dropout(const NodeArgs& args) {
  if (args.has(2)) {
    const Tensor* training = args.value(2);
    if (training == nullptr) return Inferred::unknown();
    if (training->dtype() != DType::kBool || training->num_elements() != 1) {
      return invalid("training_mode is " + to_string(training->type()) + ", expected one bool");
    }
    if (*training->bytes() != std::byte{0}) {
      const Tensor* ratio = args.value(1);
      if (args.has(1) && ratio == nullptr) return Inferred::unknown();
      const bool drops = ratio == nullptr || ratio->dtype() != DType::kFloat32 || ratio->num_elements() != 1 ||
                         *ratio->data<float>() != 0.0F;
      if (drops) {
        return Error{ErrorCode::kUnsupported,
                     "dropout in training mode is random, export the model for inference (training_mode false)"};
      }
    }
  }
  Inferred inferred;
  inferred.outputs = {args.type(0), {DType::kBool, args.shape(0)}};
  return inferred;
}

Result<Prepared> lower_dropout(const LowerArgs&) {
  return Prepared{[copy = copy_kernel()](const KernelIo& io) -> Result<void> {
    if (io.outputs.size() > 1 && io.outputs[1].present() && io.outputs[1].num_elements() > 0) {
      std::memset(io.outputs[1].bytes, 1, static_cast<std::size_t>(io.outputs[1].num_elements()));
    }
    return copy(io);
  }};
}

Result<Inferred> infer_bit_cast(const NodeArgs& args) {
  const std::int64_t to = args.attributes().get_int("to", 0);
  const std::optional<DType> dtype = dtype_of_onnx(to);
  if (!dtype) return Error{ErrorCode::kUnsupported, "cannot reinterpret as element type " + std::to_string(to)};
  if (size_in_bytes(*dtype) != size_in_bytes(args.type(0).dtype)) {
    return invalid("cannot reinterpret " + to_string(args.type(0)) + " as " + std::string(name_of(*dtype)) +
                   ", their sizes differ");
  }
  return Inferred::one({*dtype, args.shape(0)});
}

Result<Prepared> lower_bit_cast(const LowerArgs& args) {
  if (args.outputs[0].dtype != DType::kBool) return Prepared{copy_kernel()};
  // Our bools are 0 or 1.
  return Prepared{[](const KernelIo& io) -> Result<void> {
    std::transform(io.inputs[0].bytes, io.inputs[0].bytes + io.inputs[0].num_elements(), io.outputs[0].bytes,
                   [](std::byte b) { return b == std::byte{0} ? std::byte{0} : std::byte{1}; });
    return {};
  }};
}

}  // namespace

OpDef identity_op() {
  return {.type = "Identity",
          .since_opset = 1,
          .output_rule = OutputRule::kSameAsInput,
          .has_integer_form = true,
          .aliases_input = true,
          .keeps_channels_apart = true,
          .infer = &infer_identity,
          .lower_float = &lower_identity};
}

OpDef dropout_op() {
  return {.type = "Dropout",
          .since_opset = 12,
          .operand_count = {1, 3},
          .output_rule = OutputRule::kSameAsInput,
          .has_integer_form = true,
          .aliases_input = true,
          .keeps_channels_apart = true,
          .infer = &infer_dropout,
          .lower_float = &lower_dropout};
}

OpDef bit_cast_op() {
  return {.type = "BitCast",
          .since_opset = 26,
          .output_rule = OutputRule::kNone,
          .infer = &infer_bit_cast,
          .lower_float = &lower_bit_cast};
}

}  // namespace halfstep::ops
