// scan.cpp: running sums and products along one axis.
#include <algorithm>
#include <array>
#include <string>
#include <type_traits>

#include "core/errors.hpp"
#include "ops/families.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

enum class Scan { kSum, kProduct };

Result<int> axis_from(std::int64_t value, const Shape& shape) { return normalize_axis(value, shape.rank()); }

std::int64_t scalar_of(ConstView axis) {
  return axis.dtype() == DType::kInt32 ? *axis.data<std::int32_t>() : *axis.data<std::int64_t>();
}

Result<Inferred> infer_scan(const NodeArgs& args) {
  if (args.type(0).dtype == DType::kBool) return invalid("x is bool, expected numbers");
  const TensorType& axis = args.type(1);
  if ((axis.dtype != DType::kInt32 && axis.dtype != DType::kInt64) || axis.shape.num_elements() != 1) {
    return invalid("axis is " + to_string(axis) + ", expected one int32 or int64");
  }
  if (args.value(1) != nullptr) {
    const Result<int> known = axis_from(scalar_of(args.value(1)->view()), args.shape(0));
    if (!known.ok()) return known.error();
  }
  return Inferred::one(args.type(0));
}

/// Integers wrap: unsigned arithmetic, narrowed again.
template <Scan kScan, class T>
T combine(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return kScan == Scan::kSum ? a + b : a * b;
  } else {
    const auto wide_a = static_cast<std::uint64_t>(a);
    const auto wide_b = static_cast<std::uint64_t>(b);
    return static_cast<T>(kScan == Scan::kSum ? wide_a + wide_b : wide_a * wide_b);
  }
}

struct ScanOptions {
  bool exclusive;
  bool reverse;
};

template <Scan kScan, class T>
void scan_axis(ScanOptions options, const Shape& shape, int axis, const T* x, T* y) {
  const std::int64_t extent = shape[axis];
  const std::int64_t inner = shape.num_elements(axis + 1, shape.rank());
  const std::int64_t outer = shape.num_elements(0, axis);
  if (outer * extent * inner == 0) return;
  for (std::int64_t o = 0; o < outer; ++o, x += extent * inner, y += extent * inner) {
    const std::int64_t first = options.reverse ? (extent - 1) * inner : 0;
    const std::int64_t step = options.reverse ? -inner : inner;
    if (options.exclusive) {
      std::fill_n(y + first, inner, kScan == Scan::kSum ? T{0} : T{1});
    } else {
      std::copy_n(x + first, inner, y + first);
    }
    for (std::int64_t r = 1; r < extent; ++r) {
      const T* before = y + first + (r - 1) * step;
      const T* term = x + first + (options.exclusive ? r - 1 : r) * step;
      T* now = y + first + r * step;
      for (std::int64_t i = 0; i < inner; ++i) now[i] = combine<kScan, T>(before[i], term[i]);
    }
  }
}

template <Scan kScan>
Result<Prepared> lower_scan(const LowerArgs& args) {
  const ScanOptions options{.exclusive = args.attributes().get_int("exclusive", 0) != 0,
                            .reverse = args.attributes().get_int("reverse", 0) != 0};
  return Prepared{.run = [options](const KernelIo& io) -> Result<void> {
    const ConstView& x = io.inputs[0];
    const Result<int> axis = axis_from(scalar_of(io.inputs[1]), x.shape());
    if (!axis.ok()) return axis.error();
    visit_dtype(x.dtype(), [&]<class T>() {
      if constexpr (!std::is_same_v<T, bool>) {
        scan_axis<kScan, T>(options, x.shape(), *axis, x.data<T>(), io.outputs[0].data<T>());
      }
    });
    return {};
  }};
}

}  // namespace

std::span<const OpDef> scan_ops() {
  static const std::array kOps = {
      OpDef{
          .type = "CumProd",
          .since_opset = 26,
          .operand_count = {2, 2},
          .output_rule = OutputRule::kObserved,
          .infer = &infer_scan,
          .lower_float = &lower_scan<Scan::kProduct>,
      },
      OpDef{
          .type = "CumSum",
          .since_opset = 11,
          .operand_count = {2, 2},
          .output_rule = OutputRule::kObserved,
          .infer = &infer_scan,
          .lower_float = &lower_scan<Scan::kSum>,
      },
  };
  return kOps;
}

}  // namespace halfstep::ops
