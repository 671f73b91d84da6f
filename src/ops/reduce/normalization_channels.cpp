// normalization_channels.cpp: BatchNormalization, InstanceNormalization and GroupNormalization.
#include <cmath>
#include <string>

#include "core/errors.hpp"
#include "ops/reduce/normalization_ops.hpp"
#include "ops/shared/node_check.hpp"

namespace halfstep::ops {
namespace {

/// The input as [batch, channels, inner].
struct Extents {
  std::int64_t batch = 0;
  std::int64_t channels = 1;
  std::int64_t inner = 1;
};

Extents extents_of(const Shape& shape) {
  if (shape.rank() == 1) return {shape[0], 1, 1};
  return {shape[0], shape[1], shape.num_elements(2, shape.rank())};
}

/// y = (x - mean) * factor + shift.
void scale_and_shift(const float* x, std::int64_t count, float mean, float factor, float shift, float* y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = (x[i] - mean) * factor + shift;
}

struct Moments {
  double mean = 0.0;
  double variance = 0.0;  ///< Of the population.
};

float inverse_deviation(double variance, float epsilon) {
  return static_cast<float>(1.0 / std::sqrt(variance + static_cast<double>(epsilon)));
}

/// Over the batch, of one channel.
Moments channel_moments(const Extents& e, const float* x, std::int64_t channel) {
  const double count = static_cast<double>(e.batch * e.inner);
  double sum = 0.0;
  for (std::int64_t n = 0; n < e.batch; ++n) sum += vision::sum_of(x + (n * e.channels + channel) * e.inner, e.inner);
  Moments moments{sum / count, 0.0};
  sum = 0.0;
  for (std::int64_t n = 0; n < e.batch; ++n) {
    sum += vision::sum_of_squares(x + (n * e.channels + channel) * e.inner, e.inner, moments.mean);
  }
  moments.variance = sum / count;
  return moments;
}

void normalize_channel(const Extents& e, const KernelIo& io, std::int64_t channel, const Moments& moments,
                       float epsilon) {
  const float factor = io.inputs[1].data<float>()[channel] * inverse_deviation(moments.variance, epsilon);
  const float shift = io.inputs[2].data<float>()[channel];
  for (std::int64_t n = 0; n < e.batch; ++n) {
    const std::int64_t at = (n * e.channels + channel) * e.inner;
    scale_and_shift(io.inputs[0].data<float>() + at, e.inner, static_cast<float>(moments.mean), factor, shift,
                    io.outputs[0].data<float>() + at);
  }
}

Result<Inferred> infer_grouped(const NodeArgs& args) {
  if (auto is_float = vision::require_float(args, 0, "input"); !is_float.ok()) return is_float.error();
  if (auto ranked = vision::require_min_rank(args, 0, 2, "input"); !ranked.ok()) return ranked.error();
  const std::int64_t channels = args.shape(0)[1];
  if (auto fits = vision::require_float_vector(args, 1, channels, "scale"); !fits.ok()) return fits.error();
  if (auto fits = vision::require_float_vector(args, 2, channels, "bias"); !fits.ok()) return fits.error();
  return vision::one_output(args.type(0));
}

/// Normalizes runs of channels / groups channels together.
Prepared prepare_grouped(const LowerArgs& args, std::int64_t groups) {
  const Extents e = extents_of(args.shape(0));
  const float epsilon = args.attributes().get_float("epsilon", 1e-5F);
  const auto run = [e, epsilon, groups](const KernelIo& io) -> Result<void> {
    const std::int64_t together = groups == 0 ? 0 : e.channels / groups;
    const std::int64_t count = together * e.inner;
    if (count == 0) return {};
    const float* x = io.inputs[0].data<float>();
    const float* scale = io.inputs[1].data<float>();
    const float* bias = io.inputs[2].data<float>();
    float* y = io.outputs[0].data<float>();
    for (std::int64_t g = 0; g < e.batch * groups; ++g, x += count, y += count) {
      const double mean = vision::sum_of(x, count) / static_cast<double>(count);
      const double variance = vision::sum_of_squares(x, count, mean) / static_cast<double>(count);
      const float inverse = inverse_deviation(variance, epsilon);
      for (std::int64_t i = 0; i < together; ++i) {
        const std::int64_t c = g % groups * together + i;
        scale_and_shift(x + i * e.inner, e.inner, static_cast<float>(mean), scale[c] * inverse, bias[c],
                        y + i * e.inner);
      }
    }
    return {};
  };
  return {.run = run, .scratch_bytes = 0, .clamps = false};
}

}  // namespace

Result<Inferred> infer_batch_normalization(const NodeArgs& args) {
  if (auto is_float = vision::require_float(args, 0, "input"); !is_float.ok()) return is_float.error();
  if (auto ranked = vision::require_min_rank(args, 0, 1, "input"); !ranked.ok()) return ranked.error();
  const std::int64_t channels = extents_of(args.shape(0)).channels;
  constexpr const char* kNames[] = {"scale", "bias", "mean", "variance"};
  for (std::size_t i = 0; i < 4; ++i) {
    if (auto fits = vision::require_float_vector(args, i + 1, channels, kNames[i]); !fits.ok()) return fits.error();
  }
  auto inferred = vision::one_output(args.type(0));
  if (!inferred.ok()) return inferred;
  const bool training = args.attributes().get_int("training_mode", 0) != 0;
  if (training && args.shape(0).num_elements() == 0) return invalid("input is empty, training needs its statistics");
  if (!training && (args.wants_output(1) || args.wants_output(2))) {
    return invalid("running statistics are wanted, which need training_mode 1");
  }
  inferred->outputs.push_back({DType::kFloat32, {channels}});
  inferred->outputs.push_back({DType::kFloat32, {channels}});
  return inferred;
}

Result<Prepared> lower_batch_normalization(const LowerArgs& args) {
  const Extents e = extents_of(args.shape(0));
  const float epsilon = args.attributes().get_float("epsilon", 1e-5F);
  const double momentum = static_cast<double>(args.attributes().get_float("momentum", 0.9F));
  const bool training = args.attributes().get_int("training_mode", 0) != 0;
  const auto run = [e, epsilon, momentum, training](const KernelIo& io) -> Result<void> {
    const auto blend = [&](std::size_t operand, std::int64_t c, double now) {
      const double before = static_cast<double>(io.inputs[operand + 2].data<float>()[c]);
      if (vision::wanted(io, operand)) {
        io.outputs[operand].data<float>()[c] = static_cast<float>(before * momentum + now * (1.0 - momentum));
      }
    };
    for (std::int64_t c = 0; c < e.channels; ++c) {
      Moments moments{static_cast<double>(io.inputs[3].data<float>()[c]),
                      static_cast<double>(io.inputs[4].data<float>()[c])};
      if (training) {
        moments = channel_moments(e, io.inputs[0].data<float>(), c);
        blend(1, c, moments.mean);
        blend(2, c, moments.variance);
      }
      if (vision::wanted(io, 0)) normalize_channel(e, io, c, moments, epsilon);
    }
    return {};
  };
  return Prepared{.run = run, .scratch_bytes = 0, .clamps = false};
}

Result<Inferred> infer_instance_normalization(const NodeArgs& args) { return infer_grouped(args); }

Result<Prepared> lower_instance_normalization(const LowerArgs& args) { return prepare_grouped(args, args.shape(0)[1]); }

Result<Inferred> infer_group_normalization(const NodeArgs& args) {
  auto inferred = infer_grouped(args);
  if (!inferred.ok()) return inferred;
  const std::int64_t groups = args.attributes().get_int("num_groups", 0);
  const std::int64_t channels = args.shape(0)[1];
  if (groups < 1 || channels % groups != 0) {
    return invalid("num_groups is " + std::to_string(groups) + ", which does not divide " + std::to_string(channels) +
                   " channels");
  }
  return inferred;
}

Result<Prepared> lower_group_normalization(const LowerArgs& args) {
  return prepare_grouped(args, args.attributes().get_int("num_groups", 1));
}

}  // namespace halfstep::ops
