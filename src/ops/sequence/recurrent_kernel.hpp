// recurrent_kernel.hpp: one RNN, GRU or LSTM layer over known extents.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "ops/node_args.hpp"
#include "ops/sequence/recurrent_activation.hpp"

namespace halfstep::ops {

enum class Cell { kRnn, kGru, kLstm };

/// Gates a cell computes, each with weights of its own.
constexpr std::int64_t num_gates(Cell cell) { return cell == Cell::kRnn ? 1 : (cell == Cell::kGru ? 3 : 4); }

/// Activation functions of one direction.
constexpr std::size_t num_activations(Cell cell) { return cell == Cell::kRnn ? 1 : (cell == Cell::kGru ? 2 : 3); }

/// Extents and options of one recurrent node.
struct RecurrentPlan {
  Cell cell = Cell::kRnn;
  std::int64_t seq_len = 0;
  std::int64_t batch = 0;
  std::int64_t input_size = 0;
  std::int64_t hidden = 0;
  std::vector<bool> reversed;  ///< One entry a direction.
  bool batch_first = false;    ///< Attribute layout = 1.
  float clip = std::numeric_limits<float>::infinity();
  bool couples_forget = false;          ///< LSTM: f = 1 - i.
  bool linear_before_reset = false;     ///< GRU.
  std::vector<Activation> activations;  ///< num_activations(cell) a direction.

  std::int64_t num_directions() const { return static_cast<std::int64_t>(reversed.size()); }
  std::int64_t gate_width() const { return num_gates(cell) * hidden; }
};

/// Bytes of scratch run_recurrent() needs.
std::size_t recurrent_scratch_bytes(const RecurrentPlan& plan);

/// Operands and outputs in the order of the ONNX operator. Outputs behind the
/// end of a sequence are 0, and so are the final states of an empty one.
/// Errors: kInvalidInput if an entry of sequence_lens is not in [0, seq_len].
Result<void> run_recurrent(const RecurrentPlan& plan, const KernelIo& io);

}  // namespace halfstep::ops
