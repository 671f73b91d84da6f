// attention.cpp: definition of Attention, and of what stands around it in transformers.
#include <array>
#include <cmath>
#include <string>

#include "core/errors.hpp"
#include "ops/families.hpp"
#include "ops/op_def.hpp"
#include "ops/sequence/attention_extras.hpp"
#include "ops/sequence/attention_kernel.hpp"

namespace halfstep::ops {
namespace {

/// Fills the extents from Q, K and V; the cache is not looked at.
Result<AttentionPlan> plan_heads(const NodeArgs& args) {
  for (const std::size_t i : {0, 1, 2}) {
    if (!args.has(i)) return invalid("operands 'Q', 'K' and 'V' are required");
    if (args.type(i).dtype != DType::kFloat32) {
      return invalid("Q, K and V must be float32, operand " + std::to_string(i) + " is " + to_string(args.type(i)));
    }
  }
  const Shape& q = args.shape(0);
  const Shape& k = args.shape(1);
  const Shape& v = args.shape(2);
  if ((q.rank() != 3 && q.rank() != 4) || k.rank() != q.rank() || v.rank() != q.rank()) {
    return invalid("Q, K and V have ranks " + std::to_string(q.rank()) + ", " + std::to_string(k.rank()) + " and " +
                   std::to_string(v.rank()) + ", expected 3 or 4 for all");
  }
  AttentionPlan plan;
  plan.batch = q[0];
  plan.packed_heads = q.rank() == 3;
  if (plan.packed_heads) {
    plan.q_heads = args.attributes().get_int("q_num_heads", 0);
    plan.kv_heads = args.attributes().get_int("kv_num_heads", 0);
    if (plan.q_heads <= 0 || plan.kv_heads <= 0) {
      return invalid("operands of rank 3 need positive q_num_heads and kv_num_heads");
    }
    if (q[2] % plan.q_heads != 0 || k[2] % plan.kv_heads != 0 || v[2] % plan.kv_heads != 0) {
      return invalid("hidden sizes " + std::to_string(q[2]) + ", " + std::to_string(k[2]) + " and " +
                     std::to_string(v[2]) + " do not divide into the given numbers of heads");
    }
    plan.head_size = q[2] / plan.q_heads;
    plan.v_head_size = v[2] / plan.kv_heads;
    // Also keeps the numbers of heads below the sizes of tensors.
    if (plan.head_size == 0 || plan.v_head_size == 0) return invalid("the heads are empty");
    if (k[2] / plan.kv_heads != plan.head_size) return invalid("heads of Q and K differ in size");
  } else {
    plan.q_heads = q[1];
    plan.kv_heads = k[1];
    plan.head_size = q[3];
    plan.v_head_size = v[3];
    if (v[1] != k[1]) return invalid("K and V differ in number of heads");
    if (k[3] != q[3]) return invalid("heads of Q and K differ in size");
    if (plan.q_heads <= 0 || plan.kv_heads <= 0) return invalid("there are no heads");
  }
  const int length_axis = plan.packed_heads ? 1 : 2;
  plan.q_len = q[length_axis];
  plan.new_len = k[length_axis];
  if (v[length_axis] != plan.new_len) return invalid("K and V differ in length");
  if (k[0] != plan.batch || v[0] != plan.batch) return invalid("Q, K and V differ in batch size");
  if (plan.q_heads % plan.kv_heads != 0) {
    return invalid(std::to_string(plan.q_heads) + " heads of Q do not share " + std::to_string(plan.kv_heads) +
                   " heads of K evenly");
  }
  return plan;
}

Result<void> add_cache(const NodeArgs& args, AttentionPlan& plan) {
  if (args.has(4) != args.has(5)) return invalid("past_key and past_value must be given together");
  if (!args.has(4)) return {};
  const Shape& key = args.shape(4);
  const Shape& value = args.shape(5);
  if (args.type(4).dtype != DType::kFloat32 || args.type(5).dtype != DType::kFloat32 || key.rank() != 4) {
    return invalid("past_key and past_value must be float32 of rank 4");
  }
  plan.has_past = true;
  plan.past_len = key[2];
  if (key != Shape{plan.batch, plan.kv_heads, plan.past_len, plan.head_size} ||
      value != Shape{plan.batch, plan.kv_heads, plan.past_len, plan.v_head_size}) {
    return invalid("past_key " + to_string(key) + " and past_value " + to_string(value) + " do not fit K and V");
  }
  return {};
}

/// The mask may be narrower than the keys: what is missing is masked.
Result<void> check_mask(const NodeArgs& args, const AttentionPlan& plan) {
  if (!args.has(3)) return {};
  const TensorType& mask = args.type(3);
  if (mask.dtype != DType::kBool && mask.dtype != DType::kFloat32) {
    return invalid("attn_mask is " + to_string(mask) + ", expected bool or float32");
  }
  const Shape full{plan.batch, plan.q_heads, plan.q_len, plan.kv_len()};
  const int rank = mask.shape.rank();
  bool fits = rank >= 1 && rank <= 4 && mask.shape[rank - 1] <= plan.kv_len();
  for (int axis = 0; fits && axis < rank - 1; ++axis) {
    fits = mask.shape[axis] == 1 || mask.shape[axis] == full[4 - rank + axis];
  }
  if (!fits) return invalid("attn_mask " + to_string(mask.shape) + " does not broadcast to " + to_string(full));
  return {};
}

Result<AttentionPlan> plan_attention(const NodeArgs& args) {
  Result<AttentionPlan> heads = plan_heads(args);
  if (!heads.ok()) return heads.error();
  AttentionPlan plan = *heads;
  if (const Result<void> cache = add_cache(args, plan); !cache.ok()) return cache.error();
  if (const Result<void> mask = check_mask(args, plan); !mask.ok()) return mask.error();
  if (args.has(6)) {
    if (args.type(6) != TensorType{DType::kInt64, {plan.batch}}) {
      return invalid("nonpad_kv_seqlen is " + to_string(args.type(6)) + ", expected one int64 a batch entry");
    }
    if (plan.has_past) return invalid("nonpad_kv_seqlen and past_key exclude each other");
  }
  const graph::Attributes& attributes = args.attributes();
  plan.causal = attributes.get_int("is_causal", 0) != 0;
  plan.left_window = attributes.get_int("left_window_size", -1);
  plan.right_window = attributes.get_int("right_window_size", -1);
  if (plan.left_window < -1 || plan.right_window < -1) return invalid("a window size is below -1");
  const float size = static_cast<float>(plan.head_size > 0 ? plan.head_size : 1);
  plan.scale = attributes.get_float("scale", 1.0F / std::sqrt(size));
  plan.softcap = attributes.get_float("softcap", 0.0F);
  const std::int64_t shown = attributes.get_int("qk_matmul_output_mode", 0);
  if (shown < 0 || shown > 3) return invalid("qk_matmul_output_mode is " + std::to_string(shown) + ", expected 0 to 3");
  plan.shown = static_cast<ScoreStage>(shown);
  return plan;
}

Result<Inferred> infer_attention(const NodeArgs& args) {
  const Result<AttentionPlan> planned = plan_attention(args);
  if (!planned.ok()) return planned.error();
  const AttentionPlan& plan = *planned;
  Shape y{plan.batch, plan.q_heads, plan.q_len, plan.v_head_size};
  if (plan.packed_heads) y = {plan.batch, plan.q_len, plan.q_heads * plan.v_head_size};
  const Shape keys{plan.batch, plan.kv_heads, plan.kv_len(), plan.head_size};
  const Shape values{plan.batch, plan.kv_heads, plan.kv_len(), plan.v_head_size};
  const Shape scores{plan.batch, plan.q_heads, plan.q_len, plan.kv_len()};
  Inferred inferred;
  for (const Shape& shape : {y, keys, values, scores}) {
    if (const Result<void> fits = check_shape(shape, DType::kFloat32); !fits.ok()) return fits.error();
    inferred.outputs.push_back({DType::kFloat32, shape});
  }
  return inferred;
}

Result<Prepared> lower_attention(const LowerArgs& args) {
  const Result<AttentionPlan> plan = plan_attention(args);
  if (!plan.ok()) return plan.error();
  Prepared prepared;
  prepared.scratch_bytes = attention_scratch_bytes(*plan);
  prepared.run = [plan = *plan](const KernelIo& io) { return run_attention(plan, io); };
  return prepared;
}

}  // namespace

std::span<const OpDef> attention_ops() {
  static const std::array kOps = {
      OpDef{
          .type = "Attention",
          .since_opset = 23,
          .operand_count = {3, 7},
          .output_rule = OutputRule::kObserved,
          .infer = &infer_attention,
          .lower_float = &lower_attention,
      },
      OpDef{
          .type = "LinearAttention",
          .since_opset = 27,
          .operand_count = {3, 6},
          .output_rule = OutputRule::kObserved,
          .infer = &infer_linear_attention,
          .lower_float = &lower_linear_attention,
      },
      OpDef{
          .type = "RotaryEmbedding",
          .since_opset = 23,
          .operand_count = {3, 4},
          .output_rule = OutputRule::kObserved,
          .infer = &infer_rotary_embedding,
          .lower_float = &lower_rotary_embedding,
      },
      OpDef{
          .type = "SwiGLU",
          .since_opset = 27,
          .operand_count = {2, 2},
          .output_rule = OutputRule::kObserved,
          .infer = &infer_swiglu,
          .lower_float = &lower_swiglu,
      },
  };
  return kOps;
}

}  // namespace halfstep::ops
