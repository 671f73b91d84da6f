// attention_kernel.cpp: softmax(Q K^T + bias) V, one block of queries of one head at a time.
#include "ops/sequence/attention_kernel.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "kernels/gemm.hpp"
#include "ops/shared/vector_math.hpp"

namespace halfstep::ops {
namespace {

constexpr float kNegativeInfinity = -std::numeric_limits<float>::infinity();

/// Queries handled at once: bounds the score buffer, and still feeds the matrix product.
constexpr std::int64_t kQueryBlock = 128;

/// The matrix of one head: rows of `size` elements, `stride` apart.
struct HeadLayout {
  std::int64_t batch_step;
  std::int64_t head_step;
  std::int64_t stride;
};

HeadLayout layout_of(bool packed, std::int64_t heads, std::int64_t length, std::int64_t size) {
  if (packed) return {length * heads * size, size, heads * size};
  return {heads * length * size, length * size, size};
}

/// Keys or values of all heads, as the products read them.
struct Cache {
  const float* data = nullptr;
  HeadLayout layout = {};
};

/// past and fresh rows behind each other: [batch, heads, past_len + new_len, size].
void concatenate(const AttentionPlan& plan, std::int64_t size, ConstView past, ConstView fresh, float* present) {
  const HeadLayout layout = layout_of(plan.packed_heads, plan.kv_heads, plan.new_len, size);
  const float* old = plan.has_past ? past.data<float>() : nullptr;
  for (std::int64_t b = 0; b < plan.batch; ++b) {
    for (std::int64_t h = 0; h < plan.kv_heads; ++h) {
      if (old != nullptr) {
        present = std::copy_n(old, plan.past_len * size, present);
        old += plan.past_len * size;
      }
      const float* row = fresh.data<float>() + b * layout.batch_step + h * layout.head_step;
      for (std::int64_t i = 0; i < plan.new_len; ++i) present = std::copy_n(row + i * layout.stride, size, present);
    }
  }
}

/// The cache to read from; writes the present output or, failing that, `spare`.
Cache make_cache(const AttentionPlan& plan, std::int64_t size, ConstView past, ConstView fresh, MutableView present,
                 float* spare) {
  float* joined = present.present() ? present.data<float>() : spare;
  if (present.present() || plan.has_past) concatenate(plan, size, past, fresh, joined);
  if (plan.has_past) return {joined, layout_of(false, plan.kv_heads, plan.kv_len(), size)};
  return {fresh.data<float>(), layout_of(plan.packed_heads, plan.kv_heads, plan.new_len, size)};
}

/// attn_mask seen as [batch, q_heads, q_len, width]; a step of 0 repeats.
struct Mask {
  ConstView view;
  std::int64_t batch_step = 0;
  std::int64_t head_step = 0;
  std::int64_t row_step = 0;
  std::int64_t width = 0;

  static Mask of(ConstView view) {
    Mask mask{.view = view};
    if (!view.present()) return mask;
    const Shape& shape = view.shape();
    const auto step_at = [&](int from_end) {
      const int axis = shape.rank() - from_end;
      return axis < 0 || shape[axis] == 1 ? std::int64_t{0} : shape.num_elements(axis + 1, shape.rank());
    };
    mask.row_step = step_at(2);
    mask.head_step = step_at(3);
    mask.batch_step = step_at(4);
    mask.width = shape[shape.rank() - 1];
    return mask;
  }
};

/// What the score of each key is raised by for one query: 0, the float mask, or -infinity.
void fill_bias(const AttentionPlan& plan, const Mask& mask, std::int64_t mask_row, std::int64_t position,
               std::int64_t num_valid, float* bias) {
  const std::int64_t kv_len = plan.kv_len();
  if (!mask.view.present()) {
    std::fill_n(bias, kv_len, 0.0F);
  } else {
    if (mask.view.dtype() == DType::kBool) {
      const bool* allowed = mask.view.data<bool>() + mask_row;
      for (std::int64_t j = 0; j < mask.width; ++j) bias[j] = allowed[j] ? 0.0F : kNegativeInfinity;
    } else {
      std::copy_n(mask.view.data<float>() + mask_row, mask.width, bias);
    }
    std::fill(bias + mask.width, bias + kv_len, kNegativeInfinity);
  }
  for (std::int64_t j = 0; j < kv_len; ++j) {
    const std::int64_t ahead = j - position;
    const bool hidden = (plan.causal && ahead > 0) || (plan.left_window >= 0 && -ahead > plan.left_window) ||
                        (plan.right_window >= 0 && ahead > plan.right_window) || j >= num_valid;
    if (hidden) bias[j] += kNegativeInfinity;
  }
}

/// Softmax in place; a row without any key to attend to becomes 0.
void softmax_row(float* row, std::int64_t length, bool fully_masked) {
  float top = kNegativeInfinity;
  for (std::int64_t j = 0; j < length; ++j) top = row[j] > top || row[j] != row[j] ? row[j] : top;
  if (fully_masked || top == kNegativeInfinity) {
    std::fill_n(row, length, 0.0F);
    return;
  }
  for (std::int64_t j = 0; j < length; ++j) row[j] -= top;
  vector_math::exp(row, row, length);
  double sum = 0.0;
  for (std::int64_t j = 0; j < length; ++j) sum += static_cast<double>(row[j]);
  const float factor = static_cast<float>(1.0 / sum);
  for (std::int64_t j = 0; j < length; ++j) row[j] *= factor;
}

}  // namespace

std::size_t attention_scratch_bytes(const AttentionPlan& plan) {
  std::int64_t floats = (std::min(plan.q_len, kQueryBlock) + 1) * plan.kv_len();
  if (plan.has_past) floats += plan.batch * plan.kv_heads * plan.kv_len() * (plan.head_size + plan.v_head_size);
  return static_cast<std::size_t>(floats) * sizeof(float);
}

Result<void> run_attention(const AttentionPlan& plan, const KernelIo& io) {
  const auto operand = [&](std::size_t i) { return i < io.inputs.size() ? io.inputs[i] : ConstView{}; };
  const auto output = [&](std::size_t i) { return i < io.outputs.size() ? io.outputs[i] : MutableView{}; };
  const std::int64_t kv_len = plan.kv_len();
  const ConstView valid_counts = operand(6);
  if (valid_counts.present()) {
    for (const std::int64_t count : valid_counts.values<std::int64_t>()) {
      if (count < 0 || count > kv_len) {
        return Error{ErrorCode::kInvalidInput, "nonpad_kv_seqlen holds " + std::to_string(count) +
                                                   ", expected 0 to the number of keys, " + std::to_string(kv_len)};
      }
    }
  }

  auto* scores = reinterpret_cast<float*>(io.scratch.data());
  float* bias = scores + std::min(plan.q_len, kQueryBlock) * kv_len;
  float* spare_keys = bias + kv_len;
  float* spare_values = spare_keys + (plan.has_past ? plan.batch * plan.kv_heads * kv_len * plan.head_size : 0);
  const Cache keys = make_cache(plan, plan.head_size, operand(4), io.inputs[1], output(1), spare_keys);
  const Cache values = make_cache(plan, plan.v_head_size, operand(5), io.inputs[2], output(2), spare_values);
  const Mask mask = Mask::of(operand(3));
  const HeadLayout q_layout = layout_of(plan.packed_heads, plan.q_heads, plan.q_len, plan.head_size);
  const HeadLayout y_layout = layout_of(plan.packed_heads, plan.q_heads, plan.q_len, plan.v_head_size);
  float* y = output(0).present() ? output(0).data<float>() : nullptr;
  float* shown = output(3).present() ? output(3).data<float>() : nullptr;

  for (std::int64_t b = 0; b < plan.batch; ++b) {
    const std::int64_t num_valid = valid_counts.present() ? valid_counts.data<std::int64_t>()[b] : kv_len;
    const std::int64_t offset =
        plan.has_past ? plan.past_len : (valid_counts.present() ? num_valid - plan.q_len : std::int64_t{0});
    for (std::int64_t h = 0; h < plan.q_heads; ++h) {
      const std::int64_t kv_head = h / (plan.q_heads / plan.kv_heads);
      const float* head_keys = keys.data + b * keys.layout.batch_step + kv_head * keys.layout.head_step;
      const float* head_values = values.data + b * values.layout.batch_step + kv_head * values.layout.head_step;
      for (std::int64_t first = 0; first < plan.q_len; first += kQueryBlock) {
        const std::int64_t num_rows = std::min(kQueryBlock, plan.q_len - first);
        kernels::gemm({.m = num_rows,
                       .n = kv_len,
                       .k = plan.head_size,
                       .a = io.inputs[0].data<float>() + b * q_layout.batch_step + h * q_layout.head_step +
                            first * q_layout.stride,
                       .a_stride = q_layout.stride,
                       .b = head_keys,
                       .b_stride = keys.layout.stride,
                       .b_order = kernels::Order::kColumns,
                       .c = scores,
                       .c_stride = kv_len,
                       .alpha = plan.scale});
        const auto show = [&](ScoreStage stage) {
          if (shown == nullptr || plan.shown != stage) return;
          std::copy_n(scores, num_rows * kv_len, shown + ((b * plan.q_heads + h) * plan.q_len + first) * kv_len);
        };
        show(ScoreStage::kProduct);
        if (plan.softcap > 0.0F) {
          const std::int64_t count = num_rows * kv_len;
          for (std::int64_t i = 0; i < count; ++i) scores[i] /= plan.softcap;
          vector_math::tanh(scores, scores, count);
          for (std::int64_t i = 0; i < count; ++i) scores[i] *= plan.softcap;
        }
        show(ScoreStage::kCapped);
        std::array<bool, kQueryBlock> fully_masked;
        for (std::int64_t i = 0; i < num_rows; ++i) {
          const std::int64_t query = first + i;
          const std::int64_t mask_row = b * mask.batch_step + h * mask.head_step + query * mask.row_step;
          fill_bias(plan, mask, mask_row, query + offset, num_valid, bias);
          float* row = scores + i * kv_len;
          for (std::int64_t j = 0; j < kv_len; ++j) row[j] += bias[j];
          fully_masked[static_cast<std::size_t>(i)] =
              std::all_of(bias, bias + kv_len, [](float value) { return value == kNegativeInfinity; });
        }
        show(ScoreStage::kBiased);
        for (std::int64_t i = 0; i < num_rows; ++i) {
          softmax_row(scores + i * kv_len, kv_len, fully_masked[static_cast<std::size_t>(i)]);
        }
        show(ScoreStage::kProbability);
        if (y == nullptr) continue;
        kernels::gemm({.m = num_rows,
                       .n = plan.v_head_size,
                       .k = kv_len,
                       .a = scores,
                       .a_stride = kv_len,
                       .b = head_values,
                       .b_stride = values.layout.stride,
                       .c = y + b * y_layout.batch_step + h * y_layout.head_step + first * y_layout.stride,
                       .c_stride = y_layout.stride});
      }
    }
  }
  return {};
}

}  // namespace halfstep::ops
