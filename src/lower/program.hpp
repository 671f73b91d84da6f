// program.hpp: what runs: a flat list of prepared steps over a preplanned arena.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"
#include "ops/op_def.hpp"

namespace halfstep::lower {

/// Index into Program::slots.
using SlotId = std::int32_t;
inline constexpr SlotId kNoSlot = -1;

/// Where one tensor lives while the Program runs.
struct Slot {
  graph::ValueId value = graph::kNoValue;  ///< In the Graph the Program came from.
  std::string name;
  std::optional<TensorType> type;  ///< Empty: decided while running.
  std::optional<Tensor> constant;  ///< Set: never written.
  /// Byte offset in the arena; slots that alias each other share it. Unused
  /// for constants and for slots whose type is empty.
  std::size_t offset = 0;
};

/// One action. `kernel` reads inputs and writes outputs.
struct Step {
  std::string label;  ///< "node 'conv1' (Conv)", for messages.
  graph::NodeId node = graph::kNoNode;
  std::vector<SlotId> inputs;
  std::vector<SlotId> outputs;
  ops::Prepared prepared;
  /// Types are decided while running: infer and lower again with all operand values.
  bool late = false;
  graph::Node late_node;          ///< Only when late: what to infer and lower again.
  std::vector<SlotId> completes;  ///< Slots whose final value stands after this step (for taps).
};

struct Program {
  std::vector<Slot> slots;
  std::vector<Step> steps;
  std::vector<SlotId> inputs;   ///< In the order of Graph::inputs.
  std::vector<SlotId> outputs;  ///< In the order of Graph::outputs.
  std::size_t arena_bytes = 0;
  std::size_t scratch_bytes = 0;
};

}  // namespace halfstep::lower
