// reduce.cpp: definitions of the Reduce operators, ArgMax, ArgMin and TopK.
#include <array>
#include <string>
#include <vector>

#include "core/errors.hpp"
#include "ops/families.hpp"
#include "ops/op_def.hpp"
#include "ops/reduce/reduce_fixed.hpp"
#include "ops/reduce/reduce_kernels.hpp"
#include "ops/reduce/reduce_select.hpp"

namespace halfstep::ops {
namespace {

template <Reduction kReduction>
Result<Inferred> infer_reduce(const NodeArgs& args) {
  const TensorType& in = args.type(0);
  if (in.dtype == DType::kBool && kReduction != Reduction::kMax && kReduction != Reduction::kMin) {
    return invalid("data is bool, expected numbers");
  }
  const Result<std::optional<std::vector<bool>>> reduced = reduced_axes(args);
  if (!reduced.ok()) return reduced.error();
  if (!reduced->has_value()) return Inferred::unknown();
  const bool keep = args.attributes().get_int("keepdims", 1) != 0;
  TensorType out{in.dtype, {}};
  for (int axis = 0; axis < in.shape.rank(); ++axis) {
    const bool is_reduced = (**reduced)[static_cast<std::size_t>(axis)];
    if (!is_reduced || keep) out.shape.push_back(is_reduced ? 1 : in.shape[axis]);
  }
  // An empty input may have large extents elsewhere, which alone make the output.
  if (const Result<void> fits = check_shape(out.shape, out.dtype); !fits.ok()) return fits.error();
  return Inferred::one(std::move(out));
}

template <Reduction kReduction>
Result<Prepared> lower_reduce(const LowerArgs& args) {
  const Result<std::optional<std::vector<bool>>> reduced = reduced_axes(args);
  if (!reduced.ok()) return reduced.error();
  if (!reduced->has_value()) return invalid("axes are not known");
  return Prepared{.run = [plan = plan_reduction(args.shape(0), **reduced)](const KernelIo& io) -> Result<void> {
    const ConstView& x = io.inputs[0];
    if (x.dtype() == DType::kFloat32) {
      reduce_float(kReduction, plan, x.data<float>(), io.outputs[0].data<float>());
    } else {
      reduce_integer(kReduction, plan, x, io.outputs[0]);
    }
    return {};
  }};
}

/// The axes operand dates from opset 18, in ReduceSum from 13.
template <Reduction kReduction>
constexpr OpDef reduce_op(std::string_view type, OutputRule rule, bool has_integer_form,
                          Result<FixedForm> (*lower_fixed)(const FixedArgs&) = nullptr) {
  return {
      .type = type,
      .since_opset = kReduction == Reduction::kSum ? 13 : 18,
      .operand_count = {1, 2},
      .output_rule = rule,
      .has_integer_form = has_integer_form,
      .infer = &infer_reduce<kReduction>,
      .lower_float = &lower_reduce<kReduction>,
      .lower_fixed = lower_fixed,
  };
}

}  // namespace

Result<std::optional<std::vector<bool>>> reduced_axes(const NodeArgs& args) {
  const int rank = args.shape(0).rank();
  std::vector<bool> reduced(static_cast<std::size_t>(rank), false);
  if (args.has(1)) {
    const TensorType& type = args.type(1);
    if (type.dtype != DType::kInt64 || type.shape.rank() > 1) {
      return invalid("axes are " + to_string(type) + ", expected a list of int64");
    }
  }
  if (!args.has(1) || args.shape(1).num_elements() == 0) {
    if (args.attributes().get_int("noop_with_empty_axes", 0) == 0) reduced.assign(reduced.size(), true);
    return std::optional(std::move(reduced));
  }
  if (args.value(1) == nullptr) return std::optional<std::vector<bool>>();
  for (const std::int64_t value : args.value(1)->values<std::int64_t>()) {
    const Result<int> axis = normalize_axis(value, rank);
    if (!axis.ok()) return axis.error();
    reduced[static_cast<std::size_t>(*axis)] = true;
  }
  return std::optional(std::move(reduced));
}

std::span<const OpDef> reduce_ops() {
  static const std::array kOps = {
      OpDef{
          .type = "ArgMax",
          .since_opset = 12,
          .output_rule = OutputRule::kNone,
          .compares_values = true,
          .infer = &infer_arg_extreme,
          .lower_float = &lower_arg_max,
      },
      OpDef{
          .type = "ArgMin",
          .since_opset = 12,
          .output_rule = OutputRule::kNone,
          .compares_values = true,
          .infer = &infer_arg_extreme,
          .lower_float = &lower_arg_min,
      },
      reduce_op<Reduction::kL1>("ReduceL1", OutputRule::kObserved, false),
      reduce_op<Reduction::kL2>("ReduceL2", OutputRule::kObserved, false),
      reduce_op<Reduction::kLogSum>("ReduceLogSum", OutputRule::kObserved, false),
      reduce_op<Reduction::kLogSumExp>("ReduceLogSumExp", OutputRule::kObserved, false),
      reduce_op<Reduction::kMax>("ReduceMax", OutputRule::kSameAsInput, true),
      reduce_op<Reduction::kMean>("ReduceMean", OutputRule::kObserved, true, &lower_reduce_mean_fixed),
      reduce_op<Reduction::kMin>("ReduceMin", OutputRule::kSameAsInput, true),
      reduce_op<Reduction::kProd>("ReduceProd", OutputRule::kObserved, false),
      reduce_op<Reduction::kSum>("ReduceSum", OutputRule::kObserved, true, &lower_reduce_sum_fixed),
      reduce_op<Reduction::kSumSquare>("ReduceSumSquare", OutputRule::kObserved, false),
      OpDef{
          .type = "TopK",
          .since_opset = 11,
          .operand_count = {2, 2},
          .output_rule = OutputRule::kSameAsInput,
          .has_integer_form = true,
          .infer = &infer_top_k,
          .lower_float = &lower_top_k,
      },
  };
  return kOps;
}

}  // namespace halfstep::ops
