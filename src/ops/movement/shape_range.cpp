// shape_range.cpp: Range.
#include <cmath>
#include <limits>

#include "core/errors.hpp"
#include "ops/movement/movement_support.hpp"
#include "ops/movement/shape_ops.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

// Number of elements of [start, limit) taken delta apart; -1: unreasonably many.
std::int64_t count_of(float start, float limit, float delta) {
  const double count = std::ceil((static_cast<double>(limit) - start) / delta);
  if (!(count > 0.0)) return 0;
  return count < static_cast<double>(kMaxTensorBytes) ? static_cast<std::int64_t>(count) : -1;
}

// Differences are taken in uint64_t, where they cannot overflow.
std::int64_t count_of(std::int64_t start, std::int64_t limit, std::int64_t delta) {
  const bool up = delta > 0;
  if (up ? start >= limit : start <= limit) return 0;
  const auto from = static_cast<std::uint64_t>(up ? start : limit);
  const auto to = static_cast<std::uint64_t>(up ? limit : start);
  const std::uint64_t step = up ? static_cast<std::uint64_t>(delta) : 0 - static_cast<std::uint64_t>(delta);
  const std::uint64_t count = (to - from - 1) / step + 1;
  return count < static_cast<std::uint64_t>(kMaxTensorBytes) ? static_cast<std::int64_t>(count) : -1;
}

Result<Inferred> infer_range(const NodeArgs& args) {
  const DType dtype = args.type(0).dtype;
  for (std::size_t i = 0; i < 3; ++i) {
    if (args.type(i).dtype != dtype || args.shape(i).num_elements() != 1) {
      return invalid("start, limit and delta are " + to_string(args.type(0)) + ", " + to_string(args.type(1)) +
                     " and " + to_string(args.type(2)) + ", expected scalars of one type");
    }
  }
  if (args.value(0) == nullptr || args.value(1) == nullptr || args.value(2) == nullptr) return Inferred::unknown();
  std::int64_t count = 0;
  if (dtype == DType::kFloat32) {
    const float start = *args.value(0)->data<float>();
    const float limit = *args.value(1)->data<float>();
    const float delta = *args.value(2)->data<float>();
    if (!std::isfinite(start) || !std::isfinite(limit) || !std::isfinite(delta)) {
      return invalid("start, limit and delta are not all finite");
    }
    if (delta == 0.0F) return invalid("delta is 0");
    count = count_of(start, limit, delta);
  } else if (dtype == DType::kInt16 || is_index_type(dtype)) {
    const std::int64_t delta = to_int64s(*args.value(2)).front();
    if (delta == 0) return invalid("delta is 0");
    count = count_of(to_int64s(*args.value(0)).front(), to_int64s(*args.value(1)).front(), delta);
  } else {
    return invalid("cannot count in " + std::string(name_of(dtype)) + ", expected float32, int16, int32 or int64");
  }
  if (count < 0) return invalid("the range has more elements than a tensor may hold");
  return infer_one({dtype, {count}});
}

template <class T>
void fill_range(const KernelIo& io) {
  const T start = *io.inputs[0].data<T>();
  const T delta = *io.inputs[2].data<T>();
  T* const target = io.outputs[0].data<T>();
  for (std::int64_t i = 0; i < io.outputs[0].num_elements(); ++i) {
    if constexpr (std::is_same_v<T, float>) {
      target[i] = start + static_cast<float>(i) * delta;
    } else {
      // Every element lies between start and limit; only intermediate products wrap.
      target[i] = static_cast<T>(static_cast<std::uint64_t>(start) +
                                 static_cast<std::uint64_t>(i) * static_cast<std::uint64_t>(delta));
    }
  }
}

Result<Prepared> lower_range(const LowerArgs& args) {
  switch (args.type(0).dtype) {
    case DType::kInt16:
      return Prepared{[](const KernelIo& io) -> Result<void> { return fill_range<std::int16_t>(io), Result<void>{}; }};
    case DType::kInt32:
      return Prepared{[](const KernelIo& io) -> Result<void> { return fill_range<std::int32_t>(io), Result<void>{}; }};
    case DType::kInt64:
      return Prepared{[](const KernelIo& io) -> Result<void> { return fill_range<std::int64_t>(io), Result<void>{}; }};
    default:
      return Prepared{[](const KernelIo& io) -> Result<void> { return fill_range<float>(io), Result<void>{}; }};
  }
}

}  // namespace

OpDef range_op() {
  return {
      .type = "Range", .since_opset = 11, .operand_count = {3, 3}, .infer = &infer_range, .lower_float = &lower_range};
}

}  // namespace halfstep::ops
