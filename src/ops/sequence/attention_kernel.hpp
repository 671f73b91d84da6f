// attention_kernel.hpp: scaled dot-product attention over known extents.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/node_args.hpp"

namespace halfstep::ops {

/// What the optional output qk_matmul_output shows.
enum class ScoreStage { kProduct = 0, kCapped = 1, kBiased = 2, kProbability = 3 };

/// Extents and options of one Attention node.
struct AttentionPlan {
  std::int64_t batch = 0;
  std::int64_t q_heads = 0;
  std::int64_t kv_heads = 0;  ///< Divides q_heads.
  std::int64_t q_len = 0;
  std::int64_t past_len = 0;  ///< Keys in the cache; 0 without one.
  std::int64_t new_len = 0;   ///< Keys in operand K.
  std::int64_t head_size = 0;
  std::int64_t v_head_size = 0;
  bool packed_heads = false;  ///< Rank 3: [batch, len, heads * size]; else [batch, heads, len, size].
  bool has_past = false;
  bool causal = false;
  std::int64_t left_window = -1;   ///< -1: no bound.
  std::int64_t right_window = -1;  ///< -1: no bound.
  float scale = 1.0F;
  float softcap = 0.0F;  ///< 0: none.
  ScoreStage shown = ScoreStage::kProduct;

  std::int64_t kv_len() const { return past_len + new_len; }
};

/// Bytes of scratch run_attention() needs; bounded by what infer() checked.
std::size_t attention_scratch_bytes(const AttentionPlan& plan);

/// Operands Q, K, V, attn_mask, past_key, past_value, nonpad_kv_seqlen; outputs
/// Y, present_key, present_value, qk_matmul_output.
/// Errors: kInvalidInput if a count in nonpad_kv_seqlen is not in [0, kv_len].
Result<void> run_attention(const AttentionPlan& plan, const KernelIo& io);

}  // namespace halfstep::ops
