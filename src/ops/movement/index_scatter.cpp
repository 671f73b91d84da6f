// index_scatter.cpp: ScatterElements and ScatterND, with their reductions.
#include <optional>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "ops/movement/index_ops.hpp"
#include "ops/movement/index_support.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

enum class Reduction { kNone, kAdd, kMul, kMin, kMax };

Result<Reduction> reduction_of(const NodeArgs& args) {
  const std::string name = args.attributes().get_string("reduction", "none");
  if (name == "none") return Reduction::kNone;
  if (name == "add") return Reduction::kAdd;
  if (name == "mul") return Reduction::kMul;
  if (name == "min") return Reduction::kMin;
  if (name == "max") return Reduction::kMax;
  return invalid("reduction is " + quoted(name) + ", expected none, add, mul, min or max");
}

// Integers wrap as they do in the file format's reference: computed in
// uint64_t, whose low bits are those of every narrower product and sum.
template <Reduction kReduction, class T>
void reduce_into(T& old, T update) {
  if constexpr (kReduction == Reduction::kNone) {
    old = update;
  } else if constexpr (kReduction == Reduction::kMin) {
    if (update < old || update != update) old = update;
  } else if constexpr (kReduction == Reduction::kMax) {
    if (update > old || update != update) old = update;
  } else if constexpr (std::is_same_v<T, bool>) {
    old = kReduction == Reduction::kAdd ? old || update : old && update;
  } else if constexpr (std::is_same_v<T, float>) {
    old = kReduction == Reduction::kAdd ? old + update : old * update;
  } else if constexpr (kReduction == Reduction::kAdd) {
    old = static_cast<T>(static_cast<std::uint64_t>(old) + static_cast<std::uint64_t>(update));
  } else {
    old = static_cast<T>(static_cast<std::uint64_t>(old) * static_cast<std::uint64_t>(update));
  }
}

// Calls f.operator()<T, kReduction>() with the element type and the reduction.
template <class F>
Result<void> visit_reduction(DType dtype, Reduction reduction, F&& f) {
  return visit_dtype(dtype, [&]<class T>() -> Result<void> {
    switch (reduction) {
      case Reduction::kAdd:
        return f.template operator()<T, Reduction::kAdd>();
      case Reduction::kMul:
        return f.template operator()<T, Reduction::kMul>();
      case Reduction::kMin:
        return f.template operator()<T, Reduction::kMin>();
      case Reduction::kMax:
        return f.template operator()<T, Reduction::kMax>();
      case Reduction::kNone:
        break;
    }
    return f.template operator()<T, Reduction::kNone>();
  });
}

// What both operators require of their operands but for the shapes.
Result<void> check_scatter(const NodeArgs& args) {
  if (auto checked = check_index_type(args.type(1)); !checked.ok()) return checked;
  if (const auto reduction = reduction_of(args); !reduction.ok()) return reduction.error();
  if (args.type(2).dtype != args.type(0).dtype) {
    return invalid("updates are " + to_string(args.type(2)) + ", the data is " + to_string(args.type(0)));
  }
  return {};
}

Result<Inferred> infer_scatter_elements(const NodeArgs& args) {
  if (auto checked = check_scatter(args); !checked.ok()) return checked.error();
  if (args.shape(1) != args.shape(2)) {
    return invalid("indices and updates have shapes " + to_string(args.shape(1)) + " and " + to_string(args.shape(2)) +
                   ", expected the same");
  }
  const auto addresses = ElementAddresses::make(args.shape(0), args.shape(1), args.attributes().get_int("axis", 0));
  if (!addresses.ok()) return addresses.error();
  return Inferred::one(args.type(0));
}

Result<Prepared> lower_scatter_elements(const LowerArgs& args) {
  auto made = ElementAddresses::make(args.shape(0), args.shape(1), args.attributes().get_int("axis", 0));
  if (!made.ok()) return made.error();
  return Prepared{[addresses = *std::move(made), reduction = *reduction_of(args),
                   copy = copy_kernel()](const KernelIo& io) -> Result<void> {
    if (auto copied = copy(io); !copied.ok()) return copied;
    return visit_reduction(io.outputs[0].dtype(), reduction, [&]<class T, Reduction kReduction>() -> Result<void> {
      T* const target = io.outputs[0].data<T>();
      const T* const updates = io.inputs[2].data<T>();
      return visit_indices(io.inputs[1], [&](const auto* indices) {
        return addresses.for_each(indices, [&](std::int64_t position, std::int64_t offset) {
          reduce_into<kReduction>(target[offset], updates[position]);
        });
      });
    });
  }};
}

Result<Inferred> infer_scatter_nd(const NodeArgs& args) {
  if (auto checked = check_scatter(args); !checked.ok()) return checked.error();
  const auto addresses = TupleAddresses::make(args.shape(0), args.shape(1), 0);
  if (!addresses.ok()) return addresses.error();
  if (args.shape(2) != addresses->result_shape()) {
    return invalid("updates have shape " + to_string(args.shape(2)) + ", expected " +
                   to_string(addresses->result_shape()));
  }
  return Inferred::one(args.type(0));
}

Result<Prepared> lower_scatter_nd(const LowerArgs& args) {
  auto made = TupleAddresses::make(args.shape(0), args.shape(1), 0);
  if (!made.ok()) return made.error();
  return Prepared{[addresses = *std::move(made), reduction = *reduction_of(args),
                   copy = copy_kernel()](const KernelIo& io) -> Result<void> {
    if (auto copied = copy(io); !copied.ok()) return copied;
    const std::int64_t slice = addresses.slice_elements();
    return visit_reduction(io.outputs[0].dtype(), reduction, [&]<class T, Reduction kReduction>() -> Result<void> {
      T* const target = io.outputs[0].data<T>();
      const T* const updates = io.inputs[2].data<T>();
      return visit_indices(io.inputs[1], [&](const auto* indices) {
        return addresses.for_each(indices, [&](std::int64_t tuple, std::int64_t offset) {
          for (std::int64_t i = 0; i < slice; ++i) {
            reduce_into<kReduction>(target[offset + i], updates[tuple * slice + i]);
          }
        });
      });
    });
  }};
}

OpDef scatter_op(std::string_view type, Result<Inferred> (*infer)(const NodeArgs&),
                 Result<Prepared> (*lower)(const LowerArgs&)) {
  return {.type = type,
          .since_opset = 11,
          .operand_count = {3, 3},
          .output_rule = OutputRule::kObserved,
          .in_place = true,
          .infer = infer,
          .lower_float = lower};
}

}  // namespace

OpDef scatter_elements_op() { return scatter_op("ScatterElements", &infer_scatter_elements, &lower_scatter_elements); }
OpDef scatter_nd_op() { return scatter_op("ScatterND", &infer_scatter_nd, &lower_scatter_nd); }

}  // namespace halfstep::ops
