// einsum.cpp: definition and kernels of Einsum.
#include <algorithm>
#include <array>
#include <string>
#include <type_traits>
#include <vector>

#include "core/errors.hpp"
#include "kernels/gemm.hpp"
#include "ops/families.hpp"
#include "ops/linear/einsum_plan.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

/// Sums of float are carried in double, those of integers wrap.
template <class T>
using Wide = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;

/// Sum over the loops from `level` on.
template <class T>
Wide<T> sum_loops(const std::vector<GatherLoop>& loops, std::size_t level, const T* source) {
  if (level == loops.size()) return static_cast<Wide<T>>(*source);
  Wide<T> sum = 0;
  for (std::int64_t i = 0; i < loops[level].extent; ++i) {
    sum += sum_loops(loops, level + 1, source + i * loops[level].stride);
  }
  return sum;
}

/// Fills the target over the kept loops from `level` on; returns its end.
template <class T>
T* gather_loops(const Gather& gather, std::size_t level, const T* source, T* target) {
  if (level == gather.kept.size()) {
    *target = static_cast<T>(sum_loops(gather.summed, 0, source));
    return target + 1;
  }
  const GatherLoop loop = gather.kept[level];
  if (level + 1 == gather.kept.size() && gather.summed.empty()) {
    for (std::int64_t i = 0; i < loop.extent; ++i) target[i] = source[i * loop.stride];
    return target + loop.extent;
  }
  for (std::int64_t i = 0; i < loop.extent; ++i) {
    target = gather_loops(gather, level + 1, source + i * loop.stride, target);
  }
  return target;
}

/// An empty source has no element to point at, but may sum to zeros.
template <class T>
void run_gather(const Gather& gather, const T* source, T* target) {
  if (gather.num_elements == 0) return;
  gather_loops(gather, 0, source, target);
}

template <class T>
void multiply(const BatchProduct& p, const T* a, const T* b, T* c) {
  for (std::int64_t i = 0; i < p.batch; ++i, a += p.m * p.k, b += p.k * p.n, c += p.m * p.n) {
    if constexpr (std::is_same_v<T, float>) {
      kernels::gemm(
          {.m = p.m, .n = p.n, .k = p.k, .a = a, .a_stride = p.k, .b = b, .b_stride = p.n, .c = c, .c_stride = p.n});
    } else {
      for (std::int64_t m = 0; m < p.m; ++m) {
        T* row = c + m * p.n;
        std::fill_n(row, p.n, T{0});
        for (std::int64_t k = 0; k < p.k; ++k) {
          const auto factor = static_cast<std::uint64_t>(a[m * p.k + k]);
          for (std::int64_t n = 0; n < p.n; ++n) {
            row[n] = static_cast<T>(static_cast<std::uint64_t>(row[n]) +
                                    factor * static_cast<std::uint64_t>(b[k * p.n + n]));
          }
        }
      }
    }
  }
}

/// Elements of scratch: two results in turn, and both sides of a product.
struct ScratchSizes {
  std::int64_t result = 0;
  std::int64_t a = 0;
  std::int64_t b = 0;
};

ScratchSizes scratch_sizes(const EinsumPlan& plan) {
  ScratchSizes sizes;
  for (const BatchProduct& product : plan.products) {
    sizes.result = std::max(sizes.result, product.num_elements());
    if (!product.a.identity) sizes.a = std::max(sizes.a, product.a.num_elements);
    if (!product.b.identity) sizes.b = std::max(sizes.b, product.b.num_elements);
  }
  return sizes;
}

template <class T>
void run_einsum(const EinsumPlan& plan, const ScratchSizes& sizes, const KernelIo& io) {
  auto* scratch = reinterpret_cast<T*>(io.scratch.data());
  const std::array<T*, 2> results{scratch, scratch + sizes.result};
  T* gathered_a = scratch + 2 * sizes.result;
  T* gathered_b = gathered_a + sizes.a;
  T* y = io.outputs[0].data<T>();
  const T* so_far = io.inputs[0].data<T>();
  for (std::size_t i = 0; i < plan.products.size(); ++i) {
    const BatchProduct& product = plan.products[i];
    const T* a = so_far;
    const T* b = io.inputs[i + 1].data<T>();
    if (!product.a.identity) {
      run_gather(product.a, a, gathered_a);
      a = gathered_a;
    }
    if (!product.b.identity) {
      run_gather(product.b, b, gathered_b);
      b = gathered_b;
    }
    const bool into_output = i + 1 == plan.products.size() && plan.last.identity;
    T* c = into_output ? y : results[i % 2];
    multiply(product, a, b, c);
    so_far = c;
  }
  if (plan.products.empty() || !plan.last.identity) run_gather(plan.last, so_far, y);
}

Result<EinsumPlan> plan_of(const NodeArgs& args) {
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < args.num_inputs(); ++i) {
    if (args.type(i).dtype != args.type(0).dtype || args.type(i).dtype == DType::kBool) {
      return invalid("operand " + std::to_string(i) + " is " + to_string(args.type(i)) +
                     ", expected numbers of one type");
    }
    shapes.push_back(args.shape(i));
  }
  if (shapes.empty()) return invalid("there is no operand");
  return plan_einsum(args.attributes().get_string("equation", ""), shapes, args.type(0).dtype);
}

Result<Inferred> infer_einsum(const NodeArgs& args) {
  const Result<EinsumPlan> plan = plan_of(args);
  if (!plan.ok()) return plan.error();
  return Inferred::one({args.type(0).dtype, plan->output});
}

Result<Prepared> lower_einsum(const LowerArgs& args) {
  Result<EinsumPlan> plan = plan_of(args);
  if (!plan.ok()) return plan.error();
  const ScratchSizes sizes = scratch_sizes(*plan);
  Prepared prepared;
  prepared.scratch_bytes =
      static_cast<std::size_t>(2 * sizes.result + sizes.a + sizes.b) * size_in_bytes(args.type(0).dtype);
  prepared.run = [plan = std::move(plan).value(), sizes](const KernelIo& io) -> Result<void> {
    visit_dtype(io.outputs[0].dtype(), [&]<class T>() {
      if constexpr (!std::is_same_v<T, bool>) run_einsum<T>(plan, sizes, io);
    });
    return {};
  };
  return prepared;
}

}  // namespace

std::span<const OpDef> einsum_ops() {
  static const std::array kOps = {
      OpDef{
          .type = "Einsum",
          .since_opset = 12,
          .operand_count = {1, kManyOperands},
          .output_rule = OutputRule::kObserved,
          .infer = &infer_einsum,
          .lower_float = &lower_einsum,
      },
  };
  return kOps;
}

}  // namespace halfstep::ops
