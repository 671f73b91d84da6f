// attention_rotary.cpp: RotaryEmbedding and SwiGLU.
#include <algorithm>
#include <string>

#include "core/errors.hpp"
#include "ops/sequence/attention_extras.hpp"
#include "ops/shared/vector_math.hpp"

namespace halfstep::ops {
namespace {

struct RotaryPlan {
  std::int64_t batch = 0;
  std::int64_t length = 0;
  std::int64_t heads = 0;
  std::int64_t head_size = 0;
  std::int64_t half = 0;           ///< Pairs of features that rotate.
  std::int64_t num_positions = 0;  ///< Rows of the caches when they are indexed.
  bool packed_heads = false;       ///< [batch, length, heads * size]; else [batch, heads, length, size].
  bool indexed = false;            ///< Caches [positions, half] and position_ids; else caches [batch, length, half].
  bool interleaved = false;
};

Result<RotaryPlan> plan_rotary(const NodeArgs& args) {
  for (const std::size_t i : {0, 1, 2}) {
    if (!args.has(i)) return invalid("operands 'X', 'cos_cache' and 'sin_cache' are required");
    if (args.type(i).dtype != DType::kFloat32) return invalid("X and the caches must be float32");
  }
  const Shape& x = args.shape(0);
  const graph::Attributes& attributes = args.attributes();
  RotaryPlan plan;
  if (x.rank() == 3) {
    plan.packed_heads = true;
    plan.heads = attributes.get_int("num_heads", 0);
    if (plan.heads <= 0 || x[2] % plan.heads != 0) {
      return invalid("num_heads is " + std::to_string(plan.heads) + ", expected a divisor of the hidden size " +
                     std::to_string(x[2]));
    }
    plan.length = x[1];
    plan.head_size = x[2] / plan.heads;
  } else if (x.rank() == 4) {
    plan.heads = x[1];
    plan.length = x[2];
    plan.head_size = x[3];
  } else {
    return invalid("X has rank " + std::to_string(x.rank()) + ", expected 3 or 4");
  }
  // Also keeps the number of heads below the size of X.
  if (plan.head_size == 0) return invalid("the heads are empty");
  plan.batch = x[0];
  std::int64_t rotary_size = attributes.get_int("rotary_embedding_dim", 0);
  if (rotary_size == 0) rotary_size = plan.head_size;
  if (rotary_size < 0 || rotary_size > plan.head_size || rotary_size % 2 != 0) {
    return invalid("rotary_embedding_dim is " + std::to_string(rotary_size) + ", expected an even number up to " +
                   std::to_string(plan.head_size));
  }
  plan.half = rotary_size / 2;
  plan.interleaved = attributes.get_int("interleaved", 0) != 0;
  plan.indexed = args.has(3);
  const Shape& cache = args.shape(1);
  if (args.shape(2) != cache) return invalid("cos_cache and sin_cache differ in shape");
  if (plan.indexed) {
    if (args.type(3) != TensorType{DType::kInt64, {plan.batch, plan.length}}) {
      return invalid("position_ids are " + to_string(args.type(3)) + ", expected int64" +
                     to_string(Shape{plan.batch, plan.length}));
    }
    if (cache.rank() != 2 || cache[1] != plan.half) {
      return invalid("cos_cache is " + to_string(cache) + ", expected " + std::to_string(plan.half) + " columns");
    }
    plan.num_positions = cache[0];
  } else if (cache != Shape{plan.batch, plan.length, plan.half}) {
    return invalid("cos_cache is " + to_string(cache) + ", expected " +
                   to_string(Shape{plan.batch, plan.length, plan.half}));
  }
  return plan;
}

/// Rotates one head at one position: pairs (x1, x2) by the angle of (cos, sin).
void rotate(const RotaryPlan& plan, const float* x, const float* cosines, const float* sines, float* y) {
  const std::int64_t step = plan.interleaved ? 2 : 1;
  const std::int64_t partner = plan.interleaved ? 1 : plan.half;
  for (std::int64_t i = 0; i < plan.half; ++i) {
    const float x1 = x[i * step];
    const float x2 = x[i * step + partner];
    y[i * step] = cosines[i] * x1 - sines[i] * x2;
    y[i * step + partner] = sines[i] * x1 + cosines[i] * x2;
  }
  std::copy(x + 2 * plan.half, x + plan.head_size, y + 2 * plan.half);
}

Result<void> run_rotary(const RotaryPlan& plan, const KernelIo& io) {
  const auto* x = io.inputs[0].data<float>();
  const auto* cosines = io.inputs[1].data<float>();
  const auto* sines = io.inputs[2].data<float>();
  auto* y = io.outputs[0].data<float>();
  const std::int64_t head_step = plan.packed_heads ? plan.head_size : plan.length * plan.head_size;
  const std::int64_t row_step = plan.packed_heads ? plan.heads * plan.head_size : plan.head_size;
  for (std::int64_t b = 0; b < plan.batch; ++b) {
    for (std::int64_t t = 0; t < plan.length; ++t) {
      std::int64_t row = b * plan.length + t;
      if (plan.indexed) {
        row = io.inputs[3].data<std::int64_t>()[row];
        if (row < 0 || row >= plan.num_positions) {
          return invalid("position_ids hold " + std::to_string(row) + ", the caches have " +
                         std::to_string(plan.num_positions) + " rows");
        }
      }
      for (std::int64_t h = 0; h < plan.heads; ++h) {
        const std::int64_t at = b * plan.heads * plan.length * plan.head_size + h * head_step + t * row_step;
        rotate(plan, x + at, cosines + row * plan.half, sines + row * plan.half, y + at);
      }
    }
  }
  return {};
}

}  // namespace

Result<Inferred> infer_rotary_embedding(const NodeArgs& args) {
  const Result<RotaryPlan> plan = plan_rotary(args);
  if (!plan.ok()) return plan.error();
  return Inferred::one(args.type(0));
}

Result<Prepared> lower_rotary_embedding(const LowerArgs& args) {
  const Result<RotaryPlan> plan = plan_rotary(args);
  if (!plan.ok()) return plan.error();
  return Prepared{.run = [plan = *plan](const KernelIo& io) { return run_rotary(plan, io); }};
}

Result<Inferred> infer_swiglu(const NodeArgs& args) {
  if (args.type(0).dtype != DType::kFloat32 || args.type(1) != args.type(0)) {
    return invalid("A is " + to_string(args.type(0)) + ", B is " + to_string(args.type(1)) +
                   ", expected float32 of one shape");
  }
  return Inferred::one(args.type(0));
}

Result<Prepared> lower_swiglu(const LowerArgs& args) {
  const float alpha = args.attributes().get_float("alpha", 1.0F);
  return Prepared{.run = [alpha](const KernelIo& io) -> Result<void> {
    using vector_math::Stream;
    vector_math::apply2(Stream{io.inputs[0].data<float>()}, Stream{io.inputs[1].data<float>()},
                        io.outputs[0].data<float>(), io.outputs[0].num_elements(),
                        [alpha](float a, float b) { return a * vector_math::sigmoid(alpha * a) * b; });
    return {};
  }};
}

}  // namespace halfstep::ops
