// resize_int.cpp: weighted sums of codes along one axis after the other, and one rounding.
#include "ops/window/resize_int.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <type_traits>
#include <utility>

#include "core/code_types.hpp"
#include "kernels/exact_rows.hpp"
#include "kernels/requantize.hpp"
#include "ops/shared/rounded_shift.hpp"

namespace halfstep::ops {
namespace {

/// kRows rows along the last axis, one behind the other: they share the loads of indices and weights. Weights add up to
/// 2^15, which leaves one product.
template <int kRows, class To, class From>
void run_last_axis(const IntPass& pass, const From* in, To* out) {
  const std::int64_t* indices = pass.indices.data();
  const std::int32_t* weights = pass.weights.data();
  for (std::int64_t o = 0; o < pass.out; ++o) {
    const From* a = in + indices[2 * o];
    const From* b = in + indices[2 * o + 1];
    const To weight_b = weights[2 * o + 1];
    for (int r = 0; r < kRows; ++r) {
      const To first = a[r * pass.in];
      out[r * pass.out + o] = first * (To{1} << kResizeWeightBits) + weight_b * (To{b[r * pass.in]} - first);
    }
  }
}

template <class To, class From>
void run_outer_axis(const IntPass& pass, const From* in, To* out) {
  const std::int64_t* indices = pass.indices.data();
  const std::int32_t* weights = pass.weights.data();
  for (std::int64_t o = 0; o < pass.out; ++o, indices += 2, weights += 2, out += pass.inner) {
    const From* a = in + indices[0] * pass.inner;
    const From* b = in + indices[1] * pass.inner;
    const To wa = weights[0];
    const To wb = weights[1];
    for (std::int64_t i = 0; i < pass.inner; ++i) out[i] = wa * To{a[i]} + wb * To{b[i]};
  }
}

template <class To, class From>
void run_pass(const IntPass& pass, const From* in, To* out) {
  constexpr int kRows = 4;
  std::int64_t block = 0;
  if (pass.inner == 1) {
    for (; block + kRows <= pass.outer; block += kRows) {
      run_last_axis<kRows>(pass, in + block * pass.in, out + block * pass.out);
    }
  }
  for (; block < pass.outer; ++block) {
    const From* from = in + block * pass.in * pass.inner;
    To* to = out + block * pass.out * pass.inner;
    if (pass.inner == 1) {
      run_last_axis<1>(pass, from, to);
    } else {
      run_outer_axis(pass, from, to);
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

/// The last pass, rounded as it goes: its sums are not stored.
template <class Y>
void blend_slice(const IntLinearPlan& plan, const std::int32_t* in, std::int64_t zero, Y* out) {
  const IntPass& pass = plan.passes.back();
  const numerics::Requantizer& r = plan.requantizer;
  const kernels::CodeTarget target = {r.zero_point, r.q_min, r.q_max, r.rounding, plan.y_dtype};
  for (std::int64_t block = 0; block < pass.outer; ++block, in += pass.in * pass.inner) {
    std::int64_t first = 0;
    while (first < pass.out) {
      const std::int64_t* indices = pass.indices.data() + 2 * first;
      std::int64_t rows = 1;  // With the same neighbours.
      while (first + rows < pass.out && std::equal(indices, indices + 2, indices + 2 * rows)) ++rows;
      const kernels::Blend blend = {in + indices[0] * pass.inner,
                                    in + indices[1] * pass.inner,
                                    pass.weights.data() + 2 * first,
                                    rows,
                                    -zero,
                                    r.factor};
      kernels::blend_rows(blend, pass.inner, target, out);
      out += rows * pass.inner;
      first += rows;
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
  // float_half_even rounds twice, which is no number to estimate.
  if (plan.passes.size() == 2 && plan.passes[1].inner > 1 &&
      plan.requantizer.rounding != numerics::Rounding::kFloatEven) {
    return blend_slice(plan, first, zero, out);
  }
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
  // Positions outside are written when all others have been.
  const bool splits = plan.outside.empty();
  const auto shared = std::make_shared<const IntLinearPlan>(std::move(plan));
  const auto run = [shared](const KernelIo& io) -> Result<void> {
    if (io.outputs[0].num_elements() == 0) return {};
    visit_code_type(shared->x_dtype, [&]<class T>() {
      visit_code_type(shared->y_dtype, [&]<class Y>() {
        const T* in = io.inputs[0].data<T>();
        Y* out = io.outputs[0].data<Y>();
        auto* buffers = reinterpret_cast<std::int64_t*>(io.scratch.data());
        const Share share = share_of(io, shared->slices);
        for (std::int64_t s = share.begin; s < share.end; ++s) {
          resize_slice(*shared, in + s * shared->in_slice, out + s * shared->out_slice, buffers);
        }
        fill_outside(shared->outside, static_cast<Y>(shared->outside_code), out);
      });
    });
    return {};
  };
  return {.run = run, .scratch_bytes = scratch_bytes, .clamps = true, .splits = splits};
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
