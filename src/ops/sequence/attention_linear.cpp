// attention_linear.cpp: LinearAttention, a recurrence over tokens with a matrix-valued state.
#include <algorithm>
#include <cmath>
#include <string>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "ops/sequence/attention_extras.hpp"

namespace halfstep::ops {
namespace {

struct LinearPlan {
  std::int64_t batch = 0;
  std::int64_t length = 0;
  std::int64_t q_heads = 0;
  std::int64_t kv_heads = 0;  ///< Divides q_heads.
  std::int64_t k_size = 0;
  std::int64_t v_size = 0;
  bool decays = false;         ///< state *= exp(decay) before each token.
  bool decay_per_key = false;  ///< One decay a key feature; else one a head.
  bool corrects = false;       ///< value = beta * (value - what the state already answers).
  bool beta_per_head = false;
  float scale = 1.0F;
};

Result<void> set_rule(const NodeArgs& args, LinearPlan& plan) {
  const std::string rule = args.attributes().get_string("update_rule", "gated_delta");
  if (rule != "linear" && rule != "gated" && rule != "delta" && rule != "gated_delta") {
    return invalid("update_rule is " + quoted(rule) + ", expected linear, gated, delta or gated_delta");
  }
  plan.decays = rule == "gated" || rule == "gated_delta";
  plan.corrects = rule == "delta" || rule == "gated_delta";
  if (args.has(4) != plan.decays) return invalid("update_rule " + rule + " and operand 'decay' do not go together");
  if (args.has(5) != plan.corrects) return invalid("update_rule " + rule + " and operand 'beta' do not go together");
  if (plan.decays) {
    const Shape per_head{plan.batch, plan.length, plan.kv_heads};
    const Shape per_key{plan.batch, plan.length, plan.kv_heads * plan.k_size};
    plan.decay_per_key = args.shape(4) != per_head;
    if (plan.decay_per_key && args.shape(4) != per_key) {
      return invalid("decay is " + to_string(args.shape(4)) + ", expected " + to_string(per_head) + " or " +
                     to_string(per_key));
    }
  }
  if (plan.corrects) {
    const Shape shared{plan.batch, plan.length, 1};
    const Shape per_head{plan.batch, plan.length, plan.kv_heads};
    plan.beta_per_head = args.shape(5) == per_head;
    if (!plan.beta_per_head && args.shape(5) != shared) {
      return invalid("beta is " + to_string(args.shape(5)) + ", expected " + to_string(per_head) + " or " +
                     to_string(shared));
    }
  }
  return {};
}

Result<LinearPlan> plan_linear(const NodeArgs& args) {
  for (std::size_t i = 0; i < args.num_inputs(); ++i) {
    if (args.has(i) && args.type(i).dtype != DType::kFloat32) {
      return invalid("operand " + std::to_string(i) + " is " + to_string(args.type(i)) + ", expected float32");
    }
  }
  const Shape& q = args.shape(0);
  const Shape& k = args.shape(1);
  const Shape& v = args.shape(2);
  if (q.rank() != 3 || k.rank() != 3 || v.rank() != 3) return invalid("query, key and value must have rank 3");
  LinearPlan plan;
  plan.batch = q[0];
  plan.length = q[1];
  plan.q_heads = args.attributes().get_int("q_num_heads", 0);
  plan.kv_heads = args.attributes().get_int("kv_num_heads", 0);
  if (plan.kv_heads <= 0 || plan.q_heads <= 0 || plan.q_heads % plan.kv_heads != 0) {
    return invalid("q_num_heads is " + std::to_string(plan.q_heads) +
                   ", expected a positive multiple of kv_num_heads " + std::to_string(plan.kv_heads));
  }
  if (q[2] % plan.q_heads != 0 || v[2] % plan.kv_heads != 0) {
    return invalid("the hidden sizes do not divide into the given numbers of heads");
  }
  plan.k_size = q[2] / plan.q_heads;
  plan.v_size = v[2] / plan.kv_heads;
  // Also keeps the numbers of heads below the sizes of tensors.
  if (plan.k_size == 0 || plan.v_size == 0) return invalid("the heads are empty");
  if (k[2] % plan.kv_heads != 0 || k[2] / plan.kv_heads != plan.k_size) {
    return invalid("key has hidden size " + std::to_string(k[2]) + ", expected " + std::to_string(plan.kv_heads) +
                   " heads of " + std::to_string(plan.k_size));
  }
  if (k[0] != q[0] || v[0] != q[0] || k[1] != q[1] || v[1] != q[1]) {
    return invalid("query, key and value differ in batch size or length");
  }
  const Shape state{plan.batch, plan.kv_heads, plan.k_size, plan.v_size};
  if (const Result<void> fits = check_shape(state, DType::kFloat32); !fits.ok()) return fits.error();
  if (args.has(3) && args.shape(3) != state) {
    return invalid("past_state is " + to_string(args.shape(3)) + ", expected " + to_string(state));
  }
  if (const Result<void> rule = set_rule(args, plan); !rule.ok()) return rule.error();
  plan.scale = args.attributes().get_float("scale", 0.0F);
  if (plan.scale == 0.0F) plan.scale = 1.0F / std::sqrt(static_cast<float>(std::max<std::int64_t>(plan.k_size, 1)));
  return plan;
}

/// One token of one key/value head: decays, corrects and extends `state`
/// [k_size, v_size]. `value` is [v_size] and is changed.
void update_state(const LinearPlan& plan, const float* key, float* value, const float* decay, float beta, float* answer,
                  float* state) {
  if (plan.decays) {
    for (std::int64_t i = 0; i < plan.k_size; ++i) {
      const float factor = std::exp(decay[plan.decay_per_key ? i : 0]);
      for (std::int64_t j = 0; j < plan.v_size; ++j) state[i * plan.v_size + j] *= factor;
    }
  }
  if (plan.corrects) {
    std::fill_n(answer, plan.v_size, 0.0F);
    for (std::int64_t i = 0; i < plan.k_size; ++i) {
      for (std::int64_t j = 0; j < plan.v_size; ++j) answer[j] += state[i * plan.v_size + j] * key[i];
    }
    for (std::int64_t j = 0; j < plan.v_size; ++j) value[j] = beta * (value[j] - answer[j]);
  }
  for (std::int64_t i = 0; i < plan.k_size; ++i) {
    for (std::int64_t j = 0; j < plan.v_size; ++j) state[i * plan.v_size + j] += key[i] * value[j];
  }
}

void run_linear(const LinearPlan& plan, const KernelIo& io) {
  const auto floats = [&](std::size_t i) {
    return i < io.inputs.size() && io.inputs[i].present() ? io.inputs[i].data<float>() : nullptr;
  };
  const float* past = floats(3);
  const float* decay = floats(4);
  const float* beta = floats(5);
  float* y = io.outputs[0].present() ? io.outputs[0].data<float>() : nullptr;
  const std::int64_t state_size = plan.k_size * plan.v_size;
  const std::int64_t decay_size = plan.decay_per_key ? plan.k_size : 1;
  const std::int64_t group = plan.q_heads / plan.kv_heads;
  auto* spare = reinterpret_cast<float*>(io.scratch.data());
  float* value = spare + state_size;
  float* answer = value + plan.v_size;
  const bool keeps_state = io.outputs.size() > 1 && io.outputs[1].present();
  for (std::int64_t b = 0; b < plan.batch; ++b) {
    for (std::int64_t h = 0; h < plan.kv_heads; ++h) {
      const std::int64_t state_at = (b * plan.kv_heads + h) * state_size;
      float* state = keeps_state ? io.outputs[1].data<float>() + state_at : spare;
      if (past != nullptr) {
        std::copy_n(past + state_at, state_size, state);
      } else {
        std::fill_n(state, state_size, 0.0F);
      }
      for (std::int64_t t = 0; t < plan.length; ++t) {
        const std::int64_t row = b * plan.length + t;
        const std::int64_t head = row * plan.kv_heads + h;
        std::copy_n(floats(2) + head * plan.v_size, plan.v_size, value);
        float rate = 1.0F;
        if (plan.corrects) rate = beta[plan.beta_per_head ? head : row];
        update_state(plan, floats(1) + head * plan.k_size, value, plan.decays ? decay + head * decay_size : nullptr,
                     rate, answer, state);
        if (y == nullptr) continue;
        for (std::int64_t q_head = h * group; q_head < (h + 1) * group; ++q_head) {
          const float* query = floats(0) + (row * plan.q_heads + q_head) * plan.k_size;
          float* out = y + (row * plan.q_heads + q_head) * plan.v_size;
          std::fill_n(out, plan.v_size, 0.0F);
          for (std::int64_t i = 0; i < plan.k_size; ++i) {
            for (std::int64_t j = 0; j < plan.v_size; ++j) out[j] += query[i] * state[i * plan.v_size + j];
          }
          for (std::int64_t j = 0; j < plan.v_size; ++j) out[j] *= plan.scale;
        }
      }
    }
  }
}

}  // namespace

Result<Inferred> infer_linear_attention(const NodeArgs& args) {
  const Result<LinearPlan> plan = plan_linear(args);
  if (!plan.ok()) return plan.error();
  const Shape y{plan->batch, plan->length, plan->q_heads * plan->v_size};
  if (const Result<void> fits =
          check_shape(Shape{plan->batch, plan->length, plan->q_heads, plan->v_size}, DType::kFloat32);
      !fits.ok()) {
    return fits.error();
  }
  Inferred inferred;
  inferred.outputs = {{DType::kFloat32, y},
                      {DType::kFloat32, {plan->batch, plan->kv_heads, plan->k_size, plan->v_size}}};
  return inferred;
}

Result<Prepared> lower_linear_attention(const LowerArgs& args) {
  const Result<LinearPlan> plan = plan_linear(args);
  if (!plan.ok()) return plan.error();
  Prepared prepared;
  prepared.scratch_bytes = static_cast<std::size_t>((plan->k_size + 2) * plan->v_size) * sizeof(float);
  prepared.run = [plan = *plan](const KernelIo& io) -> Result<void> {
    run_linear(plan, io);
    return {};
  };
  return prepared;
}

}  // namespace halfstep::ops
