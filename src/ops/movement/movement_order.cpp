// movement_order.cpp: Trilu and ReverseSequence, parts blanked or reversed in place.
#include <algorithm>
#include <cstring>

#include "core/errors.hpp"
#include "ops/movement/movement_ops.hpp"
#include "ops/movement/movement_support.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

Result<Inferred> infer_trilu(const NodeArgs& args) {
  if (args.shape(0).rank() < 2) return invalid("input is " + to_string(args.type(0)) + ", expected rank 2 or more");
  if (args.has(1) && (args.type(1).dtype != DType::kInt64 || args.shape(1).num_elements() != 1)) {
    return invalid("k is " + to_string(args.type(1)) + ", expected one int64");
  }
  return Inferred::one(args.type(0));
}

Result<Prepared> lower_trilu(const LowerArgs& args) {
  const bool upper = args.attributes().get_int("upper", 1) != 0;
  const Shape& shape = args.shape(0);
  const std::int64_t matrices = shape.num_elements(0, shape.rank() - 2);
  const std::int64_t rows = shape[shape.rank() - 2];
  const std::int64_t columns = shape[shape.rank() - 1];
  const std::int64_t element = element_bytes(args.type(0));
  return Prepared{[=](const KernelIo& io) -> Result<void> {
    if (io.inputs[0].num_elements() == 0) return {};
    const bool given = io.inputs.size() > 1 && io.inputs[1].present();
    // Diagonals further out than the matrix blank or keep all of it alike.
    const std::int64_t k = given ? std::clamp(*io.inputs[1].data<std::int64_t>(), -rows - 1, columns + 1) : 0;
    const std::byte* source = io.inputs[0].bytes;
    std::byte* target = io.outputs[0].bytes;
    for (std::int64_t line = 0; line < matrices * rows; ++line) {
      const std::int64_t row = line % rows;
      const std::int64_t cut = std::clamp<std::int64_t>(row + k + (upper ? 0 : 1), 0, columns) * element;
      const std::int64_t row_bytes = columns * element;
      const std::int64_t keep_begin = upper ? cut : 0;
      const std::int64_t keep_end = upper ? row_bytes : cut;
      if (target != source) {
        std::memcpy(target + keep_begin, source + keep_begin, static_cast<std::size_t>(keep_end - keep_begin));
      }
      std::memset(target, 0, static_cast<std::size_t>(keep_begin));
      std::memset(target + keep_end, 0, static_cast<std::size_t>(row_bytes - keep_end));
      source += row_bytes;
      target += row_bytes;
    }
    return {};
  }};
}

Result<Inferred> infer_reverse_sequence(const NodeArgs& args) {
  if (args.shape(0).rank() < 2) return invalid("input is " + to_string(args.type(0)) + ", expected rank 2 or more");
  const std::int64_t batch_axis = args.attributes().get_int("batch_axis", 1);
  const std::int64_t time_axis = args.attributes().get_int("time_axis", 0);
  if (batch_axis < 0 || batch_axis > 1 || time_axis != 1 - batch_axis) {
    return invalid("batch_axis " + std::to_string(batch_axis) + " and time_axis " + std::to_string(time_axis) +
                   ", expected 0 and 1 or 1 and 0");
  }
  if (args.type(1) != TensorType{DType::kInt64, {args.shape(0)[static_cast<int>(batch_axis)]}}) {
    return invalid("sequence_lens is " + to_string(args.type(1)) + ", expected one int64 for each entry of axis " +
                   std::to_string(batch_axis) + " of " + to_string(args.shape(0)));
  }
  return Inferred::one(args.type(0));
}

Result<Prepared> lower_reverse_sequence(const LowerArgs& args) {
  const bool time_first = args.attributes().get_int("time_axis", 0) == 0;
  const Shape& shape = args.shape(0);
  const std::int64_t steps = shape[time_first ? 0 : 1];
  const std::int64_t batch = shape[time_first ? 1 : 0];
  const std::int64_t inner_bytes = shape.num_elements(2, shape.rank()) * element_bytes(args.type(0));
  return Prepared{[=](const KernelIo& io) -> Result<void> {
    const auto lengths = io.inputs[1].values<std::int64_t>();
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      if (lengths[i] < 0 || lengths[i] > steps) {
        return invalid("sequence length " + std::to_string(lengths[i]) + " at index " + std::to_string(i) +
                       " is out of range for a time axis of extent " + std::to_string(steps));
      }
    }
    if (inner_bytes == 0) return {};
    const auto place = [&](std::int64_t t, std::int64_t b) {
      return (time_first ? t * batch + b : b * steps + t) * inner_bytes;
    };
    for (std::int64_t b = 0; b < batch; ++b) {
      const std::int64_t length = lengths[static_cast<std::size_t>(b)];
      for (std::int64_t t = 0; t < steps; ++t) {
        std::memcpy(io.outputs[0].bytes + place(t, b), io.inputs[0].bytes + place(t < length ? length - 1 - t : t, b),
                    static_cast<std::size_t>(inner_bytes));
      }
    }
    return {};
  }};
}

}  // namespace

OpDef trilu_op() {
  return {.type = "Trilu",
          .since_opset = 14,
          .operand_count = {1, 2},
          .output_rule = OutputRule::kSameAsInput,
          .in_place = true,
          .infer = &infer_trilu,
          .lower_float = &lower_trilu};
}

OpDef reverse_sequence_op() {
  return {.type = "ReverseSequence",
          .since_opset = 10,
          .operand_count = {2, 2},
          .output_rule = OutputRule::kSameAsInput,
          .infer = &infer_reverse_sequence,
          .lower_float = &lower_reverse_sequence};
}

}  // namespace halfstep::ops
