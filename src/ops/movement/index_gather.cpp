// index_gather.cpp: Gather, GatherElements and GatherND.
#include "ops/movement/index_ops.hpp"
#include "ops/movement/index_support.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

Result<Inferred> infer_gather(const NodeArgs& args) {
  if (auto checked = check_index_type(args.type(1)); !checked.ok()) return checked.error();
  const Shape& data = args.shape(0);
  const Result<int> axis = normalize_axis(args.attributes().get_int("axis", 0), data.rank());
  if (!axis.ok()) return axis.error();
  Shape shape;
  for (int i = 0; i < *axis; ++i) shape.push_back(data[i]);
  for (std::int64_t extent : args.shape(1)) shape.push_back(extent);
  for (int i = *axis + 1; i < data.rank(); ++i) shape.push_back(data[i]);
  return infer_one({args.type(0).dtype, std::move(shape)});
}

Result<Prepared> lower_gather(const LowerArgs& args) {
  const Shape& data = args.shape(0);
  const int axis = *normalize_axis(args.attributes().get_int("axis", 0), data.rank());
  const std::int64_t outer = data.num_elements(0, axis);
  const std::int64_t extent = data[axis];
  const std::int64_t inner_bytes = data.num_elements(axis + 1, data.rank()) * element_bytes(args.type(0));
  const std::int64_t count = args.shape(1).num_elements();
  return Prepared{[=](const KernelIo& io) -> Result<void> {
    return visit_indices(io.inputs[1], [&](const auto* indices) -> Result<void> {
      for (std::int64_t i = 0; i < count; ++i) {
        if (wrap_index(indices[i], extent) < 0) return out_of_range(indices[i], axis, extent);
      }
      if (inner_bytes == 0) return {};
      with_unit(inner_bytes, [&](auto unit) {
        const std::byte* source = io.inputs[0].bytes;
        std::byte* target = io.outputs[0].bytes;
        for (std::int64_t block = 0; block < outer; ++block, source += extent * inner_bytes) {
          for (std::int64_t i = 0; i < count; ++i, target += inner_bytes) {
            unit(target, source + wrap_index(indices[i], extent) * inner_bytes);
          }
        }
      });
      return {};
    });
  }};
}

Result<Inferred> infer_gather_elements(const NodeArgs& args) {
  if (auto checked = check_index_type(args.type(1)); !checked.ok()) return checked.error();
  const auto addresses = ElementAddresses::make(args.shape(0), args.shape(1), args.attributes().get_int("axis", 0));
  if (!addresses.ok()) return addresses.error();
  return infer_one({args.type(0).dtype, args.shape(1)});
}

Result<Prepared> lower_gather_elements(const LowerArgs& args) {
  auto addresses = ElementAddresses::make(args.shape(0), args.shape(1), args.attributes().get_int("axis", 0));
  if (!addresses.ok()) return addresses.error();
  return Prepared{
      [addresses = *std::move(addresses), element = element_bytes(args.type(0))](const KernelIo& io) -> Result<void> {
        return visit_indices(io.inputs[1], [&](const auto* indices) {
          Result<void> result;
          with_unit(element, [&](auto unit) {
            result = addresses.for_each(indices, [&](std::int64_t position, std::int64_t offset) {
              unit(io.outputs[0].bytes + position * element, io.inputs[0].bytes + offset * element);
            });
          });
          return result;
        });
      }};
}

Result<TupleAddresses> gather_nd_addresses(const NodeArgs& args) {
  return TupleAddresses::make(args.shape(0), args.shape(1), args.attributes().get_int("batch_dims", 0));
}

Result<Inferred> infer_gather_nd(const NodeArgs& args) {
  if (auto checked = check_index_type(args.type(1)); !checked.ok()) return checked.error();
  const auto addresses = gather_nd_addresses(args);
  if (!addresses.ok()) return addresses.error();
  return infer_one({args.type(0).dtype, addresses->result_shape()});
}

Result<Prepared> lower_gather_nd(const LowerArgs& args) {
  auto addresses = gather_nd_addresses(args);
  if (!addresses.ok()) return addresses.error();
  const std::int64_t element = element_bytes(args.type(0));
  return Prepared{[addresses = *std::move(addresses), element](const KernelIo& io) -> Result<void> {
    const std::int64_t slice_bytes = addresses.slice_elements() * element;
    return visit_indices(io.inputs[1], [&](const auto* indices) {
      Result<void> result;
      with_unit(slice_bytes, [&](auto unit) {
        result = addresses.for_each(indices, [&](std::int64_t tuple, std::int64_t offset) {
          if (slice_bytes > 0) unit(io.outputs[0].bytes + tuple * slice_bytes, io.inputs[0].bytes + offset * element);
        });
      });
      return result;
    });
  }};
}

}  // namespace

OpDef gather_op() {
  return {.type = "Gather",
          .since_opset = 1,
          .operand_count = {2, 2},
          .output_rule = OutputRule::kSameAsInput,
          .has_integer_form = true,
          .infer = &infer_gather,
          .lower_float = &lower_gather};
}

OpDef gather_elements_op() {
  return {.type = "GatherElements",
          .since_opset = 11,
          .operand_count = {2, 2},
          .output_rule = OutputRule::kSameAsInput,
          .infer = &infer_gather_elements,
          .lower_float = &lower_gather_elements};
}

OpDef gather_nd_op() {
  return {.type = "GatherND",
          .since_opset = 11,
          .operand_count = {2, 2},
          .output_rule = OutputRule::kSameAsInput,
          .infer = &infer_gather_nd,
          .lower_float = &lower_gather_nd};
}

}  // namespace halfstep::ops
