// reduce_select.cpp: ArgMax, ArgMin and TopK.
#include "ops/reduce/reduce_select.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <string>

#include "core/errors.hpp"

namespace halfstep::ops {
namespace {

/// x seen as [outer, extent, inner] around one axis.
struct AxisSplit {
  std::int64_t outer;
  std::int64_t extent;
  std::int64_t inner;
};

AxisSplit split_at(const Shape& shape, int axis) {
  return {shape.num_elements(0, axis), shape[axis], shape.num_elements(axis + 1, shape.rank())};
}

enum class Extreme { kMax, kMin };

template <Extreme kExtreme, class T>
bool beats(T a, T b) {
  return kExtreme == Extreme::kMax ? a > b : a < b;
}

template <Extreme kExtreme, bool kLast, class T>
void arg_extreme(AxisSplit split, const T* x, std::int64_t* y) {
  constexpr std::int64_t kBlock = 256;
  std::array<T, kBlock> best;
  for (std::int64_t o = 0; o < split.outer; ++o, x += split.extent * split.inner) {
    for (std::int64_t first = 0; first < split.inner; first += kBlock) {
      const auto width = static_cast<std::size_t>(std::min(kBlock, split.inner - first));
      std::copy_n(x + first, width, best.begin());
      std::fill_n(y, width, 0);
      for (std::int64_t r = 1; r < split.extent; ++r) {
        const T* row = x + r * split.inner + first;
        for (std::size_t j = 0; j < width; ++j) {
          const bool better = kLast ? !beats<kExtreme>(best[j], row[j]) : beats<kExtreme>(row[j], best[j]);
          best[j] = better ? row[j] : best[j];
          y[j] = better ? r : y[j];
        }
      }
      y += width;
    }
  }
}

template <Extreme kExtreme>
Result<Prepared> lower_arg_extreme(const LowerArgs& args) {
  const Result<int> axis = normalize_axis(args.attributes().get_int("axis", 0), args.shape(0).rank());
  if (!axis.ok()) return axis.error();
  const AxisSplit split = split_at(args.shape(0), *axis);
  const bool last = args.attributes().get_int("select_last_index", 0) != 0;
  return Prepared{.run = [split, last](const KernelIo& io) -> Result<void> {
    auto* y = io.outputs[0].data<std::int64_t>();
    visit_dtype(io.inputs[0].dtype(), [&]<class T>() {
      const T* x = io.inputs[0].data<T>();
      last ? arg_extreme<kExtreme, true, T>(split, x, y) : arg_extreme<kExtreme, false, T>(split, x, y);
    });
    return {};
  }};
}

/// Orders by value, NaN above every number, then by position.
template <class T, bool kLargest>
struct ComesFirst {
  const T* values;

  static bool is_nan(T x) {
    if constexpr (std::is_floating_point_v<T>) return x != x;
    return false;
  }
  bool operator()(std::int64_t a, std::int64_t b) const {
    const T x = values[a];
    const T y = values[b];
    if (is_nan(x) || is_nan(y)) {
      if (is_nan(x) && is_nan(y)) return a < b;
      return is_nan(x) == kLargest;
    }
    if (x == y) return a < b;
    return kLargest ? x > y : x < y;
  }
};

template <class T, bool kLargest>
void top_k(AxisSplit split, std::int64_t k, const KernelIo& io) {
  const T* x = io.inputs[0].data<T>();
  T* values = io.outputs[0].present() ? io.outputs[0].data<T>() : nullptr;
  const bool wants_positions = io.outputs.size() > 1 && io.outputs[1].present();
  auto* positions = wants_positions ? io.outputs[1].data<std::int64_t>() : nullptr;
  auto* order = reinterpret_cast<std::int64_t*>(io.scratch.data());
  auto* line = reinterpret_cast<T*>(order + split.extent);
  for (std::int64_t o = 0; o < split.outer; ++o) {
    for (std::int64_t i = 0; i < split.inner; ++i) {
      const T* source = x + o * split.extent * split.inner + i;
      for (std::int64_t r = 0; r < split.extent; ++r) line[r] = source[r * split.inner];
      std::iota(order, order + split.extent, 0);
      const ComesFirst<T, kLargest> comes_first{line};
      if (k < split.extent) std::nth_element(order, order + k, order + split.extent, comes_first);
      std::sort(order, order + k, comes_first);
      for (std::int64_t r = 0; r < k; ++r) {
        const std::int64_t at = (o * k + r) * split.inner + i;
        if (values != nullptr) values[at] = line[order[r]];
        if (positions != nullptr) positions[at] = order[r];
      }
    }
  }
}

}  // namespace

Result<Inferred> infer_arg_extreme(const NodeArgs& args) {
  const Shape& in = args.shape(0);
  const Result<int> axis = normalize_axis(args.attributes().get_int("axis", 0), in.rank());
  if (!axis.ok()) return axis.error();
  Shape out;
  for (int i = 0; i < in.rank(); ++i) {
    if (i != *axis) {
      out.push_back(in[i]);
    } else if (args.attributes().get_int("keepdims", 1) != 0) {
      out.push_back(1);
    }
  }
  if (in[*axis] == 0 && out.num_elements() != 0) {
    return invalid("axis " + std::to_string(*axis) + " of shape " + to_string(in) + " has no element to choose");
  }
  const TensorType type{DType::kInt64, std::move(out)};
  if (const Result<void> fits = check_shape(type.shape, type.dtype); !fits.ok()) return fits.error();
  return Inferred::one(type);
}

Result<Prepared> lower_arg_max(const LowerArgs& args) { return lower_arg_extreme<Extreme::kMax>(args); }
Result<Prepared> lower_arg_min(const LowerArgs& args) { return lower_arg_extreme<Extreme::kMin>(args); }

Result<Inferred> infer_top_k(const NodeArgs& args) {
  if (args.type(0).dtype == DType::kBool) return invalid("bool has no order, expected numbers");
  if (args.type(1).dtype != DType::kInt64 || args.shape(1).num_elements() != 1) {
    return invalid("K is " + to_string(args.type(1)) + ", expected one int64");
  }
  const Shape& in = args.shape(0);
  const Result<int> axis = normalize_axis(args.attributes().get_int("axis", -1), in.rank());
  if (!axis.ok()) return axis.error();
  if (args.value(1) == nullptr) return Inferred::unknown();
  const std::int64_t k = *args.value(1)->data<std::int64_t>();
  if (k < 0 || k > in[*axis]) {
    return invalid("K is " + std::to_string(k) + ", expected 0 to the extent " + std::to_string(in[*axis]) +
                   " of axis " + std::to_string(*axis));
  }
  Shape out = in;
  out[*axis] = k;
  if (const Result<void> fits = check_shape(out, DType::kInt64); !fits.ok()) return fits.error();
  Inferred inferred;
  inferred.outputs = {{args.type(0).dtype, out}, {DType::kInt64, out}};
  return inferred;
}

Result<Prepared> lower_top_k(const LowerArgs& args) {
  const Result<int> axis = normalize_axis(args.attributes().get_int("axis", -1), args.shape(0).rank());
  if (!axis.ok()) return axis.error();
  const AxisSplit split = split_at(args.shape(0), *axis);
  const std::int64_t k = args.outputs[0].shape[*axis];
  const bool largest = args.attributes().get_int("largest", 1) != 0;
  Prepared prepared;
  prepared.scratch_bytes =
      static_cast<std::size_t>(split.extent) * (sizeof(std::int64_t) + size_in_bytes(args.type(0).dtype));
  prepared.run = [split, k, largest](const KernelIo& io) -> Result<void> {
    if (k == 0) return {};
    visit_dtype(io.inputs[0].dtype(), [&]<class T>() {
      if constexpr (!std::is_same_v<T, bool>) largest ? top_k<T, true>(split, k, io) : top_k<T, false>(split, k, io);
    });
    return {};
  };
  return prepared;
}

}  // namespace halfstep::ops
