// recurrent_kernel.cpp: steps through time; the products with the input are done for all steps at once.
#include "ops/sequence/recurrent_kernel.hpp"

#include <algorithm>
#include <string>

#include "kernels/gemm.hpp"

namespace halfstep::ops {
namespace {

using kernels::gemm;
using kernels::Order;
using kernels::Start;

constexpr float kNoClip = std::numeric_limits<float>::infinity();

/// One direction of one run: operands, options and scratch.
struct Direction {
  const RecurrentPlan& plan;
  const Activation* activations;
  const float* recurrence;   ///< [gates * hidden, hidden]
  const float* hidden_bias;  ///< GRU, linear_before_reset: [hidden], else nullptr.
  const float* peepholes;    ///< LSTM: [3 * hidden], or nullptr.
  float* gates;              ///< [batch, gates * hidden]
  float* state;              ///< [batch, hidden]
  float* cell_state;         ///< LSTM: [batch, hidden].
  float* spare;              ///< [batch, hidden]

  void act(std::size_t i, float* x, std::int64_t count) const { activate(activations[i], plan.clip, x, count); }

  /// target[batch, width] += source[batch, hidden] * rows of the recurrence from first_row on, transposed.
  void add_product(const float* source, std::int64_t first_row, std::int64_t width, float* target) const {
    gemm({.m = plan.batch,
          .n = width,
          .k = plan.hidden,
          .a = source,
          .a_stride = plan.hidden,
          .b = recurrence + first_row * plan.hidden,
          .b_stride = plan.hidden,
          .b_order = Order::kColumns,
          .c = target,
          .c_stride = plan.gate_width(),
          .start = Start::kKeep});
  }
};

void step_rnn(const Direction& d, const std::vector<bool>& active) {
  const std::int64_t hidden = d.plan.hidden;
  d.add_product(d.state, 0, hidden, d.gates);
  for (std::int64_t b = 0; b < d.plan.batch; ++b) {
    if (!active[static_cast<std::size_t>(b)]) continue;
    float* gate = d.gates + b * hidden;
    d.act(0, gate, hidden);
    std::copy_n(gate, hidden, d.state + b * hidden);
  }
}

/// Gates in the order update, reset, hidden.
void step_gru(const Direction& d, const std::vector<bool>& active) {
  const RecurrentPlan& plan = d.plan;
  const std::int64_t hidden = plan.hidden;
  const std::int64_t width = plan.gate_width();
  d.add_product(d.state, 0, 2 * hidden, d.gates);
  if (plan.linear_before_reset) {
    gemm({.m = plan.batch,
          .n = hidden,
          .k = hidden,
          .a = d.state,
          .a_stride = hidden,
          .b = d.recurrence + 2 * hidden * hidden,
          .b_stride = hidden,
          .b_order = Order::kColumns,
          .c = d.spare,
          .c_stride = hidden,
          .column_bias = d.hidden_bias});
  }
  for (std::int64_t b = 0; b < plan.batch; ++b) {
    float* update = d.gates + b * width;
    const float* reset = update + hidden;
    float* candidate = update + 2 * hidden;
    const float* state = d.state + b * hidden;
    float* spare = d.spare + b * hidden;
    d.act(0, update, 2 * hidden);
    if (plan.linear_before_reset) {
      for (std::int64_t i = 0; i < hidden; ++i) candidate[i] += reset[i] * spare[i];
    } else {
      for (std::int64_t i = 0; i < hidden; ++i) spare[i] = reset[i] * state[i];
    }
  }
  if (!plan.linear_before_reset) d.add_product(d.spare, 2 * hidden, hidden, d.gates + 2 * hidden);
  for (std::int64_t b = 0; b < plan.batch; ++b) {
    if (!active[static_cast<std::size_t>(b)]) continue;
    const float* update = d.gates + b * width;
    float* candidate = d.gates + b * width + 2 * hidden;
    float* state = d.state + b * hidden;
    d.act(1, candidate, hidden);
    for (std::int64_t i = 0; i < hidden; ++i) state[i] = (1.0F - update[i]) * candidate[i] + update[i] * state[i];
  }
}

/// Gates in the order input, output, forget, cell; peepholes input, output, forget.
void step_lstm(const Direction& d, const std::vector<bool>& active) {
  const RecurrentPlan& plan = d.plan;
  const std::int64_t hidden = plan.hidden;
  const std::int64_t width = plan.gate_width();
  d.add_product(d.state, 0, width, d.gates);
  for (std::int64_t b = 0; b < plan.batch; ++b) {
    if (!active[static_cast<std::size_t>(b)]) continue;
    float* input = d.gates + b * width;
    float* output = input + hidden;
    float* forget = input + 2 * hidden;
    float* candidate = input + 3 * hidden;
    float* state = d.state + b * hidden;
    float* cell = d.cell_state + b * hidden;
    if (d.peepholes != nullptr) {
      for (std::int64_t i = 0; i < hidden; ++i) input[i] += d.peepholes[i] * cell[i];
      for (std::int64_t i = 0; i < hidden; ++i) forget[i] += d.peepholes[2 * hidden + i] * cell[i];
    }
    d.act(0, input, hidden);
    if (plan.couples_forget) {
      for (std::int64_t i = 0; i < hidden; ++i) forget[i] = 1.0F - input[i];
    } else {
      d.act(0, forget, hidden);
    }
    d.act(1, candidate, hidden);
    for (std::int64_t i = 0; i < hidden; ++i) cell[i] = forget[i] * cell[i] + input[i] * candidate[i];
    if (d.peepholes != nullptr) {
      for (std::int64_t i = 0; i < hidden; ++i) output[i] += d.peepholes[hidden + i] * cell[i];
    }
    d.act(0, output, hidden);
    std::copy_n(cell, hidden, state);
    activate(d.activations[2], kNoClip, state, hidden);  // The clip is for gates only, as in ONNX Runtime.
    for (std::int64_t i = 0; i < hidden; ++i) state[i] *= output[i];
  }
}

const float* floats(const KernelIo& io, std::size_t i) {
  return i < io.inputs.size() && io.inputs[i].present() ? io.inputs[i].data<float>() : nullptr;
}

/// Position of one direction's [hidden] row in initial and final states.
std::int64_t state_at(const RecurrentPlan& plan, std::int64_t direction, std::int64_t b) {
  return (plan.batch_first ? b * plan.num_directions() + direction : direction * plan.batch + b) * plan.hidden;
}

void load_state(const RecurrentPlan& plan, std::int64_t direction, const float* initial, float* state) {
  for (std::int64_t b = 0; b < plan.batch; ++b) {
    if (initial == nullptr) {
      std::fill_n(state + b * plan.hidden, plan.hidden, 0.0F);
    } else {
      std::copy_n(initial + state_at(plan, direction, b), plan.hidden, state + b * plan.hidden);
    }
  }
}

void store_state(const RecurrentPlan& plan, std::int64_t direction, const float* state, const KernelIo& io,
                 std::size_t output) {
  if (output >= io.outputs.size() || !io.outputs[output].present()) return;
  float* target = io.outputs[output].data<float>();
  for (std::int64_t b = 0; b < plan.batch; ++b) {
    std::copy_n(state + b * plan.hidden, plan.hidden, target + state_at(plan, direction, b));
  }
}

/// What is added to every gate before the first product: Wb + Rb, but for the
/// hidden gate of a GRU that applies its Rb behind the reset.
void add_biases(const RecurrentPlan& plan, const float* bias, float* sum) {
  const std::int64_t width = plan.gate_width();
  if (bias == nullptr) {
    std::fill_n(sum, width, 0.0F);
    return;
  }
  const bool apart = plan.cell == Cell::kGru && plan.linear_before_reset;
  for (std::int64_t i = 0; i < width; ++i) sum[i] = apart && i >= 2 * plan.hidden ? bias[i] : bias[i] + bias[width + i];
}

/// Runs one direction; `projected` [rows, gates * hidden] already holds X W^T
/// plus biases, a row for each (time, batch) in the order of X.
void run_direction(const Direction& d, std::int64_t index, const std::int32_t* lengths, const float* projected,
                   float* y) {
  const RecurrentPlan& plan = d.plan;
  const std::int64_t width = plan.gate_width();
  const std::int64_t directions = plan.num_directions();
  std::vector<bool> active(static_cast<std::size_t>(plan.batch));
  for (std::int64_t step = 0; step < plan.seq_len; ++step) {
    const auto time_of = [&](std::int64_t b) {
      const std::int64_t length = lengths != nullptr ? lengths[b] : plan.seq_len;
      if (step >= length) return step;  // Past the end: the outputs there are 0.
      return plan.reversed[static_cast<std::size_t>(index)] ? length - 1 - step : step;
    };
    for (std::int64_t b = 0; b < plan.batch; ++b) {
      active[static_cast<std::size_t>(b)] = lengths == nullptr || step < lengths[b];
      const std::int64_t row = plan.batch_first ? b * plan.seq_len + time_of(b) : time_of(b) * plan.batch + b;
      std::copy_n(projected + row * width, width, d.gates + b * width);
    }
    switch (plan.cell) {
      case Cell::kRnn:
        step_rnn(d, active);
        break;
      case Cell::kGru:
        step_gru(d, active);
        break;
      case Cell::kLstm:
        step_lstm(d, active);
        break;
    }
    if (y == nullptr) continue;
    for (std::int64_t b = 0; b < plan.batch; ++b) {
      const std::int64_t t = time_of(b);
      float* out = y + plan.hidden * (plan.batch_first ? (b * plan.seq_len + t) * directions + index
                                                       : (t * directions + index) * plan.batch + b);
      if (active[static_cast<std::size_t>(b)]) {
        std::copy_n(d.state + b * plan.hidden, plan.hidden, out);
      } else {
        std::fill_n(out, plan.hidden, 0.0F);
      }
    }
  }
}

}  // namespace

std::size_t recurrent_scratch_bytes(const RecurrentPlan& plan) {
  const std::int64_t rows = plan.seq_len * plan.batch + plan.batch + 1;
  return static_cast<std::size_t>(rows * plan.gate_width() + 3 * plan.batch * plan.hidden) * sizeof(float);
}

Result<void> run_recurrent(const RecurrentPlan& plan, const KernelIo& io) {
  const std::int32_t* lengths = nullptr;
  if (io.inputs.size() > 4 && io.inputs[4].present()) {
    lengths = io.inputs[4].data<std::int32_t>();
    for (std::int64_t b = 0; b < plan.batch; ++b) {
      if (lengths[b] < 0 || lengths[b] > plan.seq_len) {
        return Error{ErrorCode::kInvalidInput, "sequence_lens holds " + std::to_string(lengths[b]) +
                                                   ", expected 0 to " + std::to_string(plan.seq_len)};
      }
    }
  }
  const std::int64_t width = plan.gate_width();
  const std::int64_t rows = plan.seq_len * plan.batch;
  const std::int64_t states = plan.batch * plan.hidden;
  auto* projected = reinterpret_cast<float*>(io.scratch.data());
  float* gates = projected + rows * width;
  float* bias_sum = gates + plan.batch * width;
  float* state = bias_sum + width;
  for (std::int64_t index = 0; index < plan.num_directions(); ++index) {
    const float* bias = floats(io, 3) == nullptr ? nullptr : floats(io, 3) + index * 2 * width;
    add_biases(plan, bias, bias_sum);
    gemm({.m = rows,
          .n = width,
          .k = plan.input_size,
          .a = io.inputs[0].data<float>(),
          .a_stride = plan.input_size,
          .b = io.inputs[1].data<float>() + index * width * plan.input_size,
          .b_stride = plan.input_size,
          .b_order = Order::kColumns,
          .c = projected,
          .c_stride = width,
          .column_bias = bias_sum});
    const float* peepholes = plan.cell == Cell::kLstm ? floats(io, 7) : nullptr;
    const Direction direction{
        .plan = plan,
        .activations = plan.activations.data() + static_cast<std::size_t>(index) * num_activations(plan.cell),
        .recurrence = io.inputs[2].data<float>() + index * width * plan.hidden,
        .hidden_bias = bias == nullptr ? nullptr : bias + width + 2 * plan.hidden,
        .peepholes = peepholes == nullptr ? nullptr : peepholes + index * 3 * plan.hidden,
        .gates = gates,
        .state = state,
        .cell_state = state + states,
        .spare = state + 2 * states,
    };
    load_state(plan, index, floats(io, 5), direction.state);
    load_state(plan, index, plan.cell == Cell::kLstm ? floats(io, 6) : nullptr, direction.cell_state);
    float* y = io.outputs[0].present() ? io.outputs[0].data<float>() : nullptr;
    run_direction(direction, index, lengths, projected, y);
    for (std::int64_t b = 0; lengths != nullptr && b < plan.batch; ++b) {
      if (lengths[b] > 0) continue;
      std::fill_n(direction.state + b * plan.hidden, plan.hidden, 0.0F);
      std::fill_n(direction.cell_state + b * plan.hidden, plan.hidden, 0.0F);
    }
    store_state(plan, index, direction.state, io, 1);
    if (plan.cell == Cell::kLstm) store_state(plan, index, direction.cell_state, io, 2);
  }
  return {};
}

}  // namespace halfstep::ops
