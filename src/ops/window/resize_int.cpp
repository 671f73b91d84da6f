// resize_int.cpp: weighted sums of codes along one axis after the other, and one rounding.
#include "ops/window/resize_int.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <type_traits>
#include <utility>

#include "core/code_types.hpp"
#include "kernels/requantize.hpp"
#include "ops/shared/rounded_shift.hpp"

namespace halfstep::ops {
namespace {

template <class To, class From>
void run_pass(const IntPass& pass, const From* in, To* out) {
  for (std::int64_t block = 0; block < pass.outer; ++block, in += pass.in * pass.inner) {
    const std::int64_t* indices = pass.indices.data();
    const std::int32_t* weights = pass.weights.data();
    if (pass.inner == 1) {
      for (std::int64_t o = 0; o < pass.out; ++o) {
        out[o] = To{weights[2 * o]} * in[indices[2 * o]] + To{weights[2 * o + 1]} * in[indices[2 * o + 1]];
      }
      out += pass.out;
      continue;
    }
    for (std::int64_t o = 0; o < pass.out; ++o, indices += 2, weights += 2) {
      const From* a = in + indices[0] * pass.inner;
      const From* b = in + indices[1] * pass.inner;
      const To wa = weights[0];
      const To wb = weights[1];
      for (std::int64_t i = 0; i < pass.inner; ++i) out[i] = wa * To{a[i]} + wb * To{b[i]};
      out += pass.inner;
    }
  }
}

/// A factor that is a power of two: the product with the multiplier is a shift, which needs no 128 bits.
template <numerics::Rounding kRounding, class Acc, class Y>
void finish_by_shift(const Acc* acc, std::int64_t count, std::int64_t zero, const numerics::Requantizer& r, int shift,
                     Y* y) {
  const numerics::Requantizer local = r;  // Not changed by what is stored to y.
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t steps = rounded_shift<kRounding>(std::int64_t{acc[i]} - zero, shift);
    y[i] = static_cast<Y>(std::clamp<std::int64_t>(steps + local.zero_point, local.q_min, local.q_max));
  }
}

/// `zero` is what z_x adds to every sum.
template <class Acc, class Y>
void finish_slice(const Acc* acc, std::int64_t count, std::int64_t zero, const numerics::Requantizer& r, DType dtype,
                  Y* y) {
  const int shift = 1 + r.factor.right_shift;
  // Sums are below 2^61; with half of 2^shift they stay below 2^62.
  if (r.factor.multiplier_q31 == std::int32_t{1} << 30 && shift > 0 && shift <= 61) {
    visit_rounding(r.rounding,
                   [&]<numerics::Rounding kRounding>() { finish_by_shift<kRounding>(acc, count, zero, r, shift, y); });
  } else if constexpr (std::is_same_v<Acc, std::int64_t>) {
    kernels::requantize_row_wide(acc, count, -zero, r, dtype, y);
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      y[i] = static_cast<Y>(numerics::requantize_wide(std::int64_t{acc[i]} - zero, r));
    }
  }
}

/// One slice; `buffers` holds two slices of plan.widest_slice.
template <class T, class Y>
void resize_slice(const IntLinearPlan& plan, const T* in, Y* out, std::int64_t* buffers) {
  const std::int64_t zero =
      std::int64_t{plan.x_zero_point} * (std::int64_t{1} << (kResizeWeightBits * static_cast<int>(plan.passes.size())));
  if (plan.passes.empty()) return finish_slice(in, plan.out_slice, zero, plan.requantizer, plan.y_dtype, out);
  auto* first = reinterpret_cast<std::int32_t*>(buffers + plan.widest_slice);
  run_pass(plan.passes[0], in, first);
  if (plan.passes.size() == 1) return finish_slice(first, plan.out_slice, zero, plan.requantizer, plan.y_dtype, out);
  std::int64_t* sums = buffers;
  run_pass(plan.passes[1], first, sums);
  if (plan.passes.size() == 3) {
    run_pass(plan.passes[2], sums, buffers + plan.widest_slice);
    sums = buffers + plan.widest_slice;
  }
  finish_slice(sums, plan.out_slice, zero, plan.requantizer, plan.y_dtype, out);
}

}  // namespace

Prepared prepare_int_linear(IntLinearPlan plan) {
  const auto scratch_bytes = static_cast<std::size_t>(2 * plan.widest_slice) * sizeof(std::int64_t);
  const auto shared = std::make_shared<const IntLinearPlan>(std::move(plan));
  const auto run = [shared](const KernelIo& io) -> Result<void> {
    if (io.outputs[0].num_elements() == 0) return {};
    visit_code_type(shared->x_dtype, [&]<class T>() {
      visit_code_type(shared->y_dtype, [&]<class Y>() {
        const T* in = io.inputs[0].data<T>();
        Y* out = io.outputs[0].data<Y>();
        auto* buffers = reinterpret_cast<std::int64_t*>(io.scratch.data());
        for (std::int64_t s = 0; s < shared->slices; ++s) {
          resize_slice(*shared, in + s * shared->in_slice, out + s * shared->out_slice, buffers);
        }
        fill_outside(shared->outside, static_cast<Y>(shared->outside_code), out);
      });
    });
    return {};
  };
  return {.run = run, .scratch_bytes = scratch_bytes, .clamps = true};
}

Prepared prepare_requantized(TensorType x, TensorType y, const RequantizeCodes& change, Prepared select) {
  struct Plan {
    TensorType x;
    TensorType y;
    RequantizeCodes change;
    Prepared select;
    std::size_t changed_bytes;
  };
  // Whole cache lines, so that the selection's own scratch stays aligned.
  const auto changed_bytes = (static_cast<std::size_t>(y.num_bytes()) + 63) / 64 * 64;
  const std::size_t scratch_bytes = changed_bytes + select.scratch_bytes;
  const auto shared =
      std::make_shared<const Plan>(Plan{std::move(x), std::move(y), change, std::move(select), changed_bytes});
  const auto run = [shared](const KernelIo& io) -> Result<void> {
    const std::int64_t count = shared->x.shape.num_elements();
    visit_code_type(shared->x.dtype, [&]<class T>() {
      visit_code_type(shared->y.dtype, [&]<class Y>() {
        const T* from = io.inputs[0].data<T>();
        Y* to = reinterpret_cast<Y*>(io.scratch.data());
        const RequantizeCodes& c = shared->change;
        for (std::int64_t i = 0; i < count; ++i) {
          to[i] = static_cast<Y>(numerics::requantize(from[i] - c.x_zero_point, c.requantizer));
        }
      });
    });
    const std::array<ConstView, 1> inputs = {ConstView{&shared->y, io.scratch.data()}};
    return shared->select.run(KernelIo{inputs, io.outputs, io.scratch.subspan(shared->changed_bytes)});
  };
  return {.run = run, .scratch_bytes = scratch_bytes, .clamps = true};
}

}  // namespace halfstep::ops
