// program.hpp: what runs: a flat list of prepared steps over a preplanned arena.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "ops/fixed_form.hpp"
#include "ops/infer_graph.hpp"

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
  /// Set in a fixed-point Program: the slot holds codes on this grid.
  std::shared_ptr<const Encoding> encoding;
  /// Byte offset in the arena; slots that alias each other share it. Unused
  /// for constants and for slots whose type is empty.
  std::size_t offset = 0;
};

/// What a step computes with; for printing.
enum class StepKind {
  kFloat,       ///< Real numbers, or plain integers such as shapes.
  kInteger,     ///< Codes, by an integer form.
  kMove,        ///< Codes, moved or selected as they are.
  kQuantize,    ///< Border: real numbers to codes.
  kDequantize,  ///< Border: codes to real numbers.
  kRequantize,  ///< Border: codes on one grid to codes on another.
  kAlias,       ///< Nothing runs: the same storage under another shape, or a tensor made complete.
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
  StepKind kind = StepKind::kFloat;
  ops::FixedFacts facts;  ///< Of kInteger and border steps.
};

/// A node that works on real numbers but runs in float, between dequantize and quantize steps.
struct Island {
  graph::NodeId node = graph::kNoNode;
  std::string label;
  std::string reason;
};

struct Program {
  std::vector<Slot> slots;
  std::vector<Step> steps;
  std::vector<SlotId> inputs;   ///< In the order of Graph::inputs.
  std::vector<SlotId> outputs;  ///< In the order of Graph::outputs.
  std::vector<Island> islands;  ///< Fixed-point Programs only, in node order.
  std::vector<std::string> warnings;
  std::size_t arena_bytes = 0;
  std::size_t scratch_bytes = 0;
};

}  // namespace halfstep::lower
