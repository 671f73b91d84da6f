// resize_kernels.cpp: nearest selection and separable weighted sums.
#include "ops/window/resize_kernels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <type_traits>
#include <utility>

#include "ops/window/resize_plan.hpp"

namespace halfstep::ops {
namespace {

/// `value` as T: rounded to nearest even for integers, and saturated.
template <class T, class Real>
T saturated(Real value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else if constexpr (std::is_same_v<T, bool>) {
    return value != Real{0};
  } else {
    constexpr auto kLowest = static_cast<Real>(std::numeric_limits<T>::lowest());
    constexpr auto kLargest = static_cast<Real>(std::numeric_limits<T>::max());
    if (!(value > kLowest)) return std::numeric_limits<T>::lowest();
    // kLargest may round up to a power of two; what is below it still fits.
    if (value >= kLargest) return std::numeric_limits<T>::max();
    return static_cast<T>(std::nearbyint(value));
  }
}

/// The last resized dimension, or -1.
int last_resized(const ResizeSpec& spec) {
  int last = static_cast<int>(spec.axes.size()) - 1;
  while (last >= 0 && !spec.axes[static_cast<std::size_t>(last)].resized) --last;
  return last;
}

struct NearestPlan {
  int last = -1;                                   ///< The innermost resized dimension.
  std::vector<std::vector<std::int64_t>> sources;  ///< By dimension before `last`: input offsets in elements.
  std::vector<std::int64_t> columns;               ///< Input positions along dimension `last`.
  std::int64_t inner = 1;                          ///< Elements behind one position of dimension `last`.
  std::vector<OutsideSlices> outside;
  std::int64_t num_elements = 0;
  float extrapolation_value = 0.0F;
};

NearestPlan nearest_plan(const ResizeSpec& spec) {
  const Shape in = input_shape_of(spec);
  const Shape out = spec.output_shape();
  const auto strides = strides_of(in);
  std::vector<ResizeTable> tables = tables_of(spec);
  NearestPlan plan;
  plan.last = last_resized(spec);
  plan.num_elements = out.num_elements();
  plan.extrapolation_value = spec.extrapolation_value;
  plan.outside = outside_of(out, tables);
  if (plan.last < 0) return plan;
  for (int axis = 0; axis < plan.last; ++axis) {
    const auto i = static_cast<std::size_t>(axis);
    std::vector<std::int64_t> source = std::move(tables[i].indices);
    if (!spec.axes[i].resized) {
      source.resize(static_cast<std::size_t>(out[axis]));
      std::iota(source.begin(), source.end(), 0);
    }
    for (std::int64_t& position : source) position *= strides[i];
    plan.sources.push_back(std::move(source));
  }
  plan.columns = std::move(tables[static_cast<std::size_t>(plan.last)].indices);
  plan.inner = in.num_elements(plan.last + 1, in.rank());
  return plan;
}

template <class T>
void copy_row(const NearestPlan& plan, const T* from, T* to) {
  const auto& columns = plan.columns;
  if (plan.inner == 1) {
    for (std::size_t o = 0; o < columns.size(); ++o) to[o] = from[columns[o]];
    return;
  }
  for (std::size_t o = 0; o < columns.size(); ++o) {
    std::copy_n(from + columns[o] * plan.inner, plan.inner, to + static_cast<std::int64_t>(o) * plan.inner);
  }
}

/// Walks the output row by row (a row: dimension `last` and what is behind it).
template <class T>
void select_nearest(const NearestPlan& plan, const T* in, T* out) {
  const std::size_t depth = plan.sources.size();
  const std::int64_t row_size = static_cast<std::int64_t>(plan.columns.size()) * plan.inner;
  std::vector<std::size_t> index(depth, 0);
  std::vector<std::int64_t> offset(depth + 1, 0);  // offset[i]: of the first i dimensions.
  std::size_t changed = 0;
  std::int64_t previous = -1;
  while (true) {
    for (std::size_t i = changed; i < depth; ++i) offset[i + 1] = offset[i] + plan.sources[i][index[i]];
    if (offset[depth] == previous) {
      std::copy_n(out - row_size, row_size, out);
    } else {
      copy_row(plan, in + offset[depth], out);
    }
    previous = offset[depth];
    out += row_size;
    std::size_t axis = depth;
    while (axis > 0 && ++index[axis - 1] == plan.sources[axis - 1].size()) index[--axis] = 0;
    if (axis == 0) return;
    changed = axis - 1;
  }
}

/// One axis of a weighted resize: [outer, in, inner] becomes [outer, out, inner].
template <class Real>
struct Pass {
  std::int64_t outer = 1;
  std::int64_t in = 1;
  std::int64_t out = 1;
  std::int64_t inner = 1;
  std::int64_t taps = 1;
  std::vector<std::int64_t> indices;
  std::vector<Real> weights;
};

template <class Real>
void run_last_axis(const Pass<Real>& pass, const Real* in, Real* out) {
  const std::int64_t* indices = pass.indices.data();
  const Real* weights = pass.weights.data();
  for (std::int64_t row = 0; row < pass.outer; ++row, in += pass.in, out += pass.out) {
    if (pass.taps == 2) {
      for (std::int64_t o = 0; o < pass.out; ++o) {
        out[o] = weights[2 * o] * in[indices[2 * o]] + weights[2 * o + 1] * in[indices[2 * o + 1]];
      }
      continue;
    }
    for (std::int64_t o = 0; o < pass.out; ++o) {
      Real sum = 0;
      for (std::int64_t t = o * pass.taps; t < (o + 1) * pass.taps; ++t) sum += weights[t] * in[indices[t]];
      out[o] = sum;
    }
  }
}

template <class Real>
void run_outer_axis(const Pass<Real>& pass, const Real* in, Real* out) {
  const std::int64_t inner = pass.inner;
  for (std::int64_t block = 0; block < pass.outer; ++block, in += pass.in * inner) {
    for (std::int64_t o = 0; o < pass.out; ++o, out += inner) {
      const std::int64_t* indices = pass.indices.data() + o * pass.taps;
      const Real* weights = pass.weights.data() + o * pass.taps;
      const Real* a = in + indices[0] * inner;
      const Real* b = in + indices[1] * inner;
      const Real wa = weights[0];
      const Real wb = weights[1];
      for (std::int64_t i = 0; i < inner; ++i) out[i] = wa * a[i] + wb * b[i];
      for (std::int64_t t = 2; t < pass.taps; ++t) {
        const Real* from = in + indices[t] * inner;
        const Real weight = weights[t];
        for (std::int64_t i = 0; i < inner; ++i) out[i] += weight * from[i];
      }
    }
  }
}

template <class Real>
struct WeightedPlan {
  std::int64_t slices = 1;  ///< Product of the dimensions before the first resized one.
  std::int64_t in_slice = 1;
  std::int64_t out_slice = 1;
  std::int64_t widest_slice = 1;  ///< Of input, output and everything between.
  std::vector<Pass<Real>> passes;
  std::vector<OutsideSlices> outside;
  float extrapolation_value = 0.0F;
};

template <class Real>
WeightedPlan<Real> weighted_plan(const ResizeSpec& spec) {
  const std::vector<ResizeTable> tables = tables_of(spec);
  Shape shape = input_shape_of(spec);
  const Shape out = spec.output_shape();
  const std::vector<int> order = pass_order(spec);
  const int first = order.empty() ? shape.rank() : std::ranges::min(order);
  WeightedPlan<Real> plan;
  plan.slices = shape.num_elements(0, first);
  plan.in_slice = plan.widest_slice = shape.num_elements(first, shape.rank());
  plan.out_slice = out.num_elements(first, out.rank());
  plan.outside = outside_of(out, tables);
  plan.extrapolation_value = spec.extrapolation_value;
  for (const int axis : order) {
    const ResizeTable& table = tables[static_cast<std::size_t>(axis)];
    Pass<Real> pass;
    pass.outer = shape.num_elements(first, axis);
    pass.in = shape[axis];
    pass.out = out[axis];
    pass.inner = shape.num_elements(axis + 1, shape.rank());
    pass.taps = table.taps;
    pass.indices = table.indices;
    for (const double weight : table.weights) pass.weights.push_back(static_cast<Real>(weight));
    plan.passes.push_back(std::move(pass));
    shape[axis] = out[axis];
    plan.widest_slice = std::max(plan.widest_slice, shape.num_elements(first, shape.rank()));
  }
  return plan;
}

/// Resizes one slice; `buffers` holds two slices of plan.widest_slice.
template <class T, class Real>
void resize_slice(const WeightedPlan<Real>& plan, const T* in, T* out, Real* buffers) {
  Real* next = buffers;
  Real* other = buffers + plan.widest_slice;
  const Real* from = nullptr;
  if constexpr (std::is_same_v<T, Real>) {
    from = in;
  } else {
    for (std::int64_t i = 0; i < plan.in_slice; ++i) next[i] = static_cast<Real>(in[i]);
    from = next;
    std::swap(next, other);
  }
  for (std::size_t p = 0; p < plan.passes.size(); ++p) {
    const Pass<Real>& pass = plan.passes[p];
    Real* to = next;
    if constexpr (std::is_same_v<T, Real>) {
      if (p + 1 == plan.passes.size()) to = out;
    }
    if (pass.inner == 1) {
      run_last_axis(pass, from, to);
    } else {
      run_outer_axis(pass, from, to);
    }
    from = to;
    std::swap(next, other);
  }
  if constexpr (!std::is_same_v<T, Real>) {
    for (std::int64_t i = 0; i < plan.out_slice; ++i) out[i] = saturated<T>(from[i]);
  } else {
    if (plan.passes.empty()) std::copy_n(in, plan.in_slice, out);
  }
}

template <class T, class Real>
Prepared weighted_of(const ResizeSpec& spec) {
  const auto plan = std::make_shared<const WeightedPlan<Real>>(weighted_plan<Real>(spec));
  const auto run = [plan](const KernelIo& io) -> Result<void> {
    const T* in = io.inputs[0].data<T>();
    T* out = io.outputs[0].data<T>();
    Real* buffers = reinterpret_cast<Real*>(io.scratch.data());
    for (std::int64_t s = 0; s < plan->slices; ++s) {
      resize_slice(*plan, in + s * plan->in_slice, out + s * plan->out_slice, buffers);
    }
    fill_outside(plan->outside, saturated<T>(static_cast<Real>(plan->extrapolation_value)), out);
    return {};
  };
  const auto scratch_bytes = static_cast<std::size_t>(2 * plan->widest_slice) * sizeof(Real);
  return {.run = run, .scratch_bytes = scratch_bytes, .clamps = false};
}

}  // namespace

Prepared prepare_resize_nearest(const ResizeSpec& spec, DType dtype) {
  const auto plan = std::make_shared<const NearestPlan>(nearest_plan(spec));
  return visit_dtype(dtype, [&]<class T>() -> Prepared {
    const auto run = [plan](const KernelIo& io) -> Result<void> {
      if (plan->num_elements == 0) return {};
      const T* in = io.inputs[0].data<T>();
      T* out = io.outputs[0].data<T>();
      if (plan->last < 0) {
        std::copy_n(in, plan->num_elements, out);
      } else {
        select_nearest(*plan, in, out);
      }
      if (!plan->outside.empty()) fill_outside(plan->outside, saturated<T>(double{plan->extrapolation_value}), out);
      return {};
    };
    return {.run = run, .scratch_bytes = 0, .clamps = false};
  });
}

Prepared prepare_resize_weighted(const ResizeSpec& spec, DType dtype) {
  switch (dtype) {
    case DType::kInt8:
      return weighted_of<std::int8_t, float>(spec);
    case DType::kUint8:
      return weighted_of<std::uint8_t, float>(spec);
    case DType::kInt16:
      return weighted_of<std::int16_t, float>(spec);
    case DType::kUint16:
      return weighted_of<std::uint16_t, float>(spec);
    case DType::kInt32:
      return weighted_of<std::int32_t, double>(spec);
    case DType::kUint32:
      return weighted_of<std::uint32_t, double>(spec);
    case DType::kInt64:
      return weighted_of<std::int64_t, double>(spec);
    case DType::kUint64:
      return weighted_of<std::uint64_t, double>(spec);
    case DType::kFloat32:
    case DType::kBool:
      break;
  }
  return weighted_of<float, float>(spec);
}

}  // namespace halfstep::ops
