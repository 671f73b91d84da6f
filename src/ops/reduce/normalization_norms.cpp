// normalization_norms.cpp: LRN, LpNormalization and MeanVarianceNormalization.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/errors.hpp"
#include "ops/reduce/normalization_ops.hpp"
#include "ops/shared/node_check.hpp"

namespace halfstep::ops {
namespace {

struct LrnPlan {
  std::int64_t batch = 0;
  std::int64_t channels = 0;
  std::int64_t inner = 0;
  std::int64_t before = 0;  ///< Neighbours with a lower channel number.
  std::int64_t after = 0;
  float alpha_over_size = 0.0F;
  float beta = 0.75F;
  float bias = 1.0F;
};

void lrn_channel(const LrnPlan& plan, const float* picture, std::int64_t channel, float* squares, float* y) {
  std::fill_n(squares, plan.inner, 0.0F);
  const std::int64_t first = std::max<std::int64_t>(0, channel - plan.before);
  const std::int64_t last = std::min(plan.channels - 1, channel + plan.after);
  for (std::int64_t c = first; c <= last; ++c) {
    const float* from = picture + c * plan.inner;
    for (std::int64_t i = 0; i < plan.inner; ++i) squares[i] += from[i] * from[i];
  }
  const float* x = picture + channel * plan.inner;
  if (plan.beta == 0.75F) {  // The usual exponent: two square roots instead of a power.
    for (std::int64_t i = 0; i < plan.inner; ++i) {
      const float root = std::sqrt(plan.bias + plan.alpha_over_size * squares[i]);
      y[i] = x[i] / (root * std::sqrt(root));
    }
    return;
  }
  for (std::int64_t i = 0; i < plan.inner; ++i) {
    y[i] = x[i] / std::pow(plan.bias + plan.alpha_over_size * squares[i], plan.beta);
  }
}

/// Statistics groups of MeanVarianceNormalization: elements that agree on the
/// axes that are not reduced.
struct Groups {
  std::vector<std::int64_t> extents;        ///< Of the input, at least one.
  std::vector<std::int64_t> group_strides;  ///< 0 on reduced axes.
  std::int64_t count = 1;
  double elements = 0.0;  ///< In one group.
};

Result<Groups> groups_of(const NodeArgs& args) {
  const Shape& shape = args.shape(0);
  std::vector<bool> reduced(static_cast<std::size_t>(shape.rank()), false);
  for (const std::int64_t value : args.attributes().get_ints("axes", {0, 2, 3})) {
    const auto axis = normalize_axis(value, shape.rank());
    if (!axis.ok()) return axis.error();
    reduced[static_cast<std::size_t>(*axis)] = true;
  }
  Groups groups;
  groups.extents.assign(shape.begin(), shape.end());
  groups.group_strides.assign(reduced.size(), 0);
  std::int64_t elements = 1;
  for (std::size_t i = reduced.size(); i-- > 0;) {
    if (reduced[i]) {
      elements *= groups.extents[i];
    } else {
      groups.group_strides[i] = groups.count;
      groups.count *= groups.extents[i];
    }
  }
  groups.elements = static_cast<double>(elements);
  return groups;
}

/// Calls visit(first_element, count, group, group_step) for each run along the last axis.
template <class Visit>
void for_each_run(const Groups& groups, Visit visit) {
  const std::size_t last = groups.extents.size() - 1;
  std::vector<std::int64_t> index(last, 0);
  std::int64_t element = 0;
  std::int64_t group = 0;
  while (true) {
    visit(element, groups.extents[last], group, groups.group_strides[last]);
    element += groups.extents[last];
    std::size_t axis = last;
    while (axis > 0) {
      --axis;
      group += groups.group_strides[axis];
      if (++index[axis] < groups.extents[axis]) break;
      group -= groups.group_strides[axis] * groups.extents[axis];
      index[axis] = 0;
      if (axis == 0) return;
    }
    if (last == 0) return;
  }
}

void normalize_groups(const Groups& groups, const float* x, double* means, double* deviations, float* y) {
  std::fill_n(means, groups.count, 0.0);
  std::fill_n(deviations, groups.count, 0.0);
  for_each_run(groups, [&](std::int64_t at, std::int64_t count, std::int64_t group, std::int64_t step) {
    for (std::int64_t i = 0; i < count; ++i) means[group + i * step] += static_cast<double>(x[at + i]);
  });
  for (std::int64_t g = 0; g < groups.count; ++g) means[g] /= groups.elements;
  for_each_run(groups, [&](std::int64_t at, std::int64_t count, std::int64_t group, std::int64_t step) {
    for (std::int64_t i = 0; i < count; ++i) {
      const double distance = static_cast<double>(x[at + i]) - means[group + i * step];
      deviations[group + i * step] += distance * distance;
    }
  });
  // The guard of the ONNX function body, which keeps constant groups finite.
  constexpr double kGuard = 1e-9;
  for (std::int64_t g = 0; g < groups.count; ++g) deviations[g] = std::sqrt(deviations[g] / groups.elements) + kGuard;
  for_each_run(groups, [&](std::int64_t at, std::int64_t count, std::int64_t group, std::int64_t step) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t g = group + i * step;
      y[at + i] = static_cast<float>((static_cast<double>(x[at + i]) - means[g]) / deviations[g]);
    }
  });
}

}  // namespace

Result<Inferred> infer_lrn(const NodeArgs& args) {
  if (auto is_float = vision::require_float(args, 0, "input"); !is_float.ok()) return is_float.error();
  if (auto ranked = vision::require_min_rank(args, 0, 2, "input"); !ranked.ok()) return ranked.error();
  const std::int64_t size = args.attributes().get_int("size", 0);
  if (size < 1) return invalid("size is " + std::to_string(size) + ", expected at least 1");
  return vision::one_output(args.type(0));
}

Result<Prepared> lower_lrn(const LowerArgs& args) {
  const graph::Attributes& attributes = args.attributes();
  const Shape& shape = args.shape(0);
  const std::int64_t size = attributes.get_int("size", 1);
  LrnPlan plan;
  plan.batch = shape[0];
  plan.channels = shape[1];
  plan.inner = shape.num_elements(2, shape.rank());
  plan.before = std::min((size - 1) / 2, plan.channels);
  plan.after = std::min(size - 1 - (size - 1) / 2, plan.channels);
  plan.alpha_over_size = attributes.get_float("alpha", 1e-4F) / static_cast<float>(size);
  plan.beta = attributes.get_float("beta", 0.75F);
  plan.bias = attributes.get_float("bias", 1.0F);
  const auto run = [plan](const KernelIo& io) -> Result<void> {
    float* squares = reinterpret_cast<float*>(io.scratch.data());
    for (std::int64_t n = 0; n < plan.batch; ++n) {
      const std::int64_t at = n * plan.channels * plan.inner;
      for (std::int64_t c = 0; c < plan.channels; ++c) {
        lrn_channel(plan, io.inputs[0].data<float>() + at, c, squares,
                    io.outputs[0].data<float>() + at + c * plan.inner);
      }
    }
    return {};
  };
  return Prepared{.run = run, .scratch_bytes = static_cast<std::size_t>(plan.inner) * sizeof(float), .clamps = false};
}

Result<Inferred> infer_lp_normalization(const NodeArgs& args) {
  if (auto is_float = vision::require_float(args, 0, "input"); !is_float.ok()) return is_float.error();
  const auto axis = normalize_axis(args.attributes().get_int("axis", -1), args.shape(0).rank());
  if (!axis.ok()) return axis.error();
  const std::int64_t p = args.attributes().get_int("p", 2);
  if (p != 1 && p != 2) return invalid("p is " + std::to_string(p) + ", expected 1 or 2");
  return vision::one_output(args.type(0));
}

Result<Prepared> lower_lp_normalization(const LowerArgs& args) {
  const Shape& shape = args.shape(0);
  const auto axis = normalize_axis(args.attributes().get_int("axis", -1), shape.rank());
  if (!axis.ok()) return axis.error();
  const std::int64_t outer = shape.num_elements(0, *axis);
  const std::int64_t extent = shape[*axis];
  const std::int64_t inner = shape.num_elements(*axis + 1, shape.rank());
  const bool squares = args.attributes().get_int("p", 2) == 2;
  const auto run = [outer, extent, inner, squares](const KernelIo& io) -> Result<void> {
    for (std::int64_t column = 0; column < outer * inner; ++column) {
      const std::int64_t at = column / inner * extent * inner + column % inner;
      const float* x = io.inputs[0].data<float>() + at;
      float* y = io.outputs[0].data<float>() + at;
      double norm = 0.0;
      for (std::int64_t i = 0; i < extent; ++i) {
        const double value = static_cast<double>(x[i * inner]);
        norm += squares ? value * value : std::fabs(value);
      }
      if (squares) norm = std::sqrt(norm);
      for (std::int64_t i = 0; i < extent; ++i) {
        y[i * inner] = norm == 0.0 ? 0.0F : static_cast<float>(static_cast<double>(x[i * inner]) / norm);
      }
    }
    return {};
  };
  return Prepared{.run = run, .scratch_bytes = 0, .clamps = false};
}

Result<Inferred> infer_mean_variance_normalization(const NodeArgs& args) {
  if (auto is_float = vision::require_float(args, 0, "input"); !is_float.ok()) return is_float.error();
  if (auto ranked = vision::require_min_rank(args, 0, 1, "input"); !ranked.ok()) return ranked.error();
  if (auto fits = check_shape(args.shape(0), DType::kFloat32); !fits.ok()) return fits.error();
  if (const auto groups = groups_of(args); !groups.ok()) return groups.error();
  return vision::one_output(args.type(0));
}

Result<Prepared> lower_mean_variance_normalization(const LowerArgs& args) {
  const auto groups = groups_of(args);
  if (!groups.ok()) return groups.error();
  const auto run = [groups = *groups](const KernelIo& io) -> Result<void> {
    if (io.inputs[0].num_elements() == 0) return {};
    double* means = reinterpret_cast<double*>(io.scratch.data());
    normalize_groups(groups, io.inputs[0].data<float>(), means, means + groups.count, io.outputs[0].data<float>());
    return {};
  };
  const auto scratch_bytes = static_cast<std::size_t>(2 * groups->count) * sizeof(double);
  return Prepared{.run = run, .scratch_bytes = scratch_bytes, .clamps = false};
}

}  // namespace halfstep::ops
