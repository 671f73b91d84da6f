// softmax.cpp: Softmax, LogSoftmax and Hardmax along one axis.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "ops/families.hpp"
#include "ops/op_def.hpp"
#include "ops/reduce/softmax_fixed.hpp"
#include "ops/shared/node_check.hpp"

namespace halfstep::ops {
namespace {

/// The input as [outer, extent, inner], normalized along the middle.
struct Extents {
  std::int64_t outer = 1;
  std::int64_t extent = 1;
  std::int64_t inner = 1;
};

/// exp(x) for x <= 0 or NaN, within two units in the last place; 0 below -87,
/// where it is smaller than any ratio that matters. Made of operations that
/// vectorise and that give the same bits on every machine:
/// exp(x) = 2^n * exp(r) with n = round(x / ln 2), |r| <= ln(2) / 2, where the
/// Taylor polynomial of degree 7 errs by less than r^8 / 8! < 6e-9.
inline float exp_of_nonpositive(float x) {
  constexpr float kSmallest = -87.0F;
  constexpr float kInverseLn2 = 1.44269504F;
  // Two parts of ln 2; the first has few bits, so its product with n is exact.
  constexpr float kLn2High = 0.693359375F;
  constexpr float kLn2Low = -2.12194440e-4F;
  // Adding 1.5 * 2^23 leaves the rounded n in the low bits of the sum.
  constexpr float kShift = 12582912.0F;
  const float bounded = x < kSmallest ? kSmallest : x;
  const float shifted = bounded * kInverseLn2 + kShift;
  const float n = shifted - kShift;
  const float r = (bounded - n * kLn2High) - n * kLn2Low;
  float poly = 1.0F / 5040.0F;
  poly = poly * r + 1.0F / 720.0F;
  poly = poly * r + 1.0F / 120.0F;
  poly = poly * r + 1.0F / 24.0F;
  poly = poly * r + 1.0F / 6.0F;
  poly = poly * r + 0.5F;
  poly = poly * r + 1.0F;
  poly = poly * r + 1.0F;
  const std::uint32_t exponent = std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(kShift) + 127U;
  const float power = poly * std::bit_cast<float>(exponent << 23U);
  return x < kSmallest ? 0.0F : power;
}

float largest_of(const float* x, std::int64_t count) {
  constexpr std::size_t kLanes = 8;
  std::array<float, kLanes> lanes;
  lanes.fill(x[0]);
  std::int64_t i = 0;
  for (; i + static_cast<std::int64_t>(kLanes) <= count; i += static_cast<std::int64_t>(kLanes)) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = x[i + static_cast<std::int64_t>(lane)];
      lanes[lane] = value > lanes[lane] ? value : lanes[lane];
    }
  }
  for (; i < count; ++i) lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
  return std::ranges::max(lanes);
}

struct SoftmaxRow {
  void operator()(const float* x, std::int64_t count, float* y) const {
    const float largest = largest_of(x, count);
    for (std::int64_t i = 0; i < count; ++i) y[i] = exp_of_nonpositive(x[i] - largest);
    const float inverse = static_cast<float>(1.0 / vision::sum_of(y, count));
    for (std::int64_t i = 0; i < count; ++i) y[i] *= inverse;
  }
};

struct LogSoftmaxRow {
  void operator()(const float* x, std::int64_t count, float* y) const {
    const float largest = largest_of(x, count);
    double sum = 0.0;
    for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(exp_of_nonpositive(x[i] - largest));
    const float log_sum = static_cast<float>(std::log(sum));
    for (std::int64_t i = 0; i < count; ++i) y[i] = (x[i] - largest) - log_sum;
  }
};

struct HardmaxRow {
  void operator()(const float* x, std::int64_t count, float* y) const {
    const std::int64_t largest = std::max_element(x, x + count) - x;
    std::fill_n(y, count, 0.0F);
    y[largest] = 1.0F;
  }
};

/// Columns that are gathered together when the axis is not the last.
constexpr std::int64_t kColumns = 16;

/// Applies `row` along the axis; other axes than the last go through scratch,
/// kColumns columns at a time, turned so that each lies in a row.
template <class Row>
void run_along(const Extents& e, const Row& row, const float* x, float* scratch, float* y) {
  if (e.inner == 1) {
    for (std::int64_t o = 0; o < e.outer; ++o) row(x + o * e.extent, e.extent, y + o * e.extent);
    return;
  }
  for (std::int64_t o = 0; o < e.outer; ++o, x += e.extent * e.inner, y += e.extent * e.inner) {
    for (std::int64_t first = 0; first < e.inner; first += kColumns) {
      const std::int64_t columns = std::min(kColumns, e.inner - first);
      for (std::int64_t i = 0; i < e.extent; ++i) {
        for (std::int64_t c = 0; c < columns; ++c) scratch[c * e.extent + i] = x[i * e.inner + first + c];
      }
      for (std::int64_t c = 0; c < columns; ++c) row(scratch + c * e.extent, e.extent, scratch + c * e.extent);
      for (std::int64_t i = 0; i < e.extent; ++i) {
        for (std::int64_t c = 0; c < columns; ++c) y[i * e.inner + first + c] = scratch[c * e.extent + i];
      }
    }
  }
}

Result<Inferred> infer_along_axis(const NodeArgs& args) {
  if (auto is_float = vision::require_float(args, 0, "input"); !is_float.ok()) return is_float.error();
  const auto axis = normalize_axis(args.attributes().get_int("axis", -1), args.shape(0).rank());
  if (!axis.ok()) return axis.error();
  return vision::one_output(args.type(0));
}

template <class Row>
Result<Prepared> lower_along_axis(const LowerArgs& args) {
  const Shape& shape = args.shape(0);
  const auto axis = normalize_axis(args.attributes().get_int("axis", -1), shape.rank());
  if (!axis.ok()) return axis.error();
  const Extents e{shape.num_elements(0, *axis), shape[*axis], shape.num_elements(*axis + 1, shape.rank())};
  const auto run = [e](const KernelIo& io) -> Result<void> {
    if (io.inputs[0].num_elements() == 0) return {};
    run_along(e, Row{}, io.inputs[0].data<float>(), reinterpret_cast<float*>(io.scratch.data()),
              io.outputs[0].data<float>());
    return {};
  };
  const std::int64_t columns = e.inner == 1 ? 0 : std::min(kColumns, e.inner);
  return Prepared{
      .run = run, .scratch_bytes = static_cast<std::size_t>(columns * e.extent) * sizeof(float), .clamps = false};
}

int row_axis(const graph::Node& node, int rank) {
  const auto axis = static_cast<int>(node.attributes.get_int("axis", -1));
  return axis < 0 ? axis + rank : axis;
}

}  // namespace

std::span<const OpDef> softmax_ops() {
  static const std::array kOps = {
      OpDef{.type = "Softmax",
            .since_opset = 13,
            .output_rule = OutputRule::kFixed,
            .fixed_min = 0.0F,
            .fixed_max = 1.0F,
            .has_integer_form = true,
            .in_place = true,
            .row_axis = &row_axis,
            .infer = &infer_along_axis,
            .lower_float = &lower_along_axis<SoftmaxRow>,
            .lower_fixed = &lower_softmax_fixed},
      OpDef{.type = "LogSoftmax",
            .since_opset = 13,
            .output_rule = OutputRule::kObserved,
            .has_integer_form = true,
            .in_place = true,
            .infer = &infer_along_axis,
            .lower_float = &lower_along_axis<LogSoftmaxRow>,
            .lower_fixed = &lower_log_softmax_fixed},
      OpDef{.type = "Hardmax",
            .since_opset = 13,
            .output_rule = OutputRule::kFixed,
            .fixed_min = 0.0F,
            .fixed_max = 1.0F,
            .in_place = true,
            .infer = &infer_along_axis,
            .lower_float = &lower_along_axis<HardmaxRow>},
  };
  return kOps;
}

}  // namespace halfstep::ops
