// fixed_tensors.hpp: in which forms each tensor of a fixed-point Program exists, and the borders between them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "halfstep/arithmetic.hpp"
#include "lower/float_steps.hpp"
#include "lower/program_builder.hpp"

namespace halfstep::lower {

using SharedEncoding = std::shared_ptr<const Encoding>;

/// Hands out slots for a tensor as real numbers, as codes on its own grid, or as
/// codes on another one, and adds a quantize, dequantize or requantize step the
/// first time a form is asked for.
///
/// Invariant: a form that has a slot is written by a step that stands before whatever asks next. So tensors are
/// completed in the graph's order, and a border stands directly in front of its first reader: with c complete as codes,
/// a float reader and then another get
///   Conv -> c (codes);  dequantize c;  reader 1;  reader 2      one border, before reader 1
/// REQUIRES: complete() or complete_real() once for each tensor that is no constant, before any form of it is asked
/// for. Not thread-safe: one lowering, one thread.
class FixedTensors {
 public:
  FixedTensors(const graph::Graph& graph, ops::Facts facts, const EncodingSet& encodings, Arithmetic arithmetic);

  FloatSteps& steps() { return steps_; }
  ProgramBuilder& builder() { return builder_; }

  /// True if the value is the same for every sample.
  bool is_known(graph::ValueId id) const { return steps_.fact(id).value.has_value(); }
  /// The known value as it is in the graph, not put onto its grid. Requires: is_known(id).
  const Tensor& known_real(graph::ValueId id) const { return *real_constants_[static_cast<std::size_t>(id)].value; }
  /// The stored integers of a known tensor, computed once. Requires: own_encoding(id).
  Result<Tensor> codes_of_known(graph::ValueId id);

  /// The grid the encodings give `id`, shared by all slots that lie on it; nullptr if it has none,
  /// is no float32 tensor, has a type that is decided while running or a grid for each block, on which nothing
  /// computes.
  SharedEncoding own_encoding(graph::ValueId id);
  /// The grid on which codes of `id` exist or can be had; nullptr if there is none.
  SharedEncoding grid_of(graph::ValueId id);

  /// `real` holds the real value of `id`: codes are made of it if it has a grid.
  Result<void> complete_real(graph::ValueId id, SlotId real, const std::string& label, graph::NodeId n);
  /// `slot` holds the final value of `id`: codes on `grid`, or real numbers if that is nullptr.
  void complete(graph::ValueId id, SlotId slot, const SharedEncoding& grid);

  /// A slot with the real numbers (or plain integers) of `id`; kNoSlot for an absent operand.
  Result<SlotId> real_slot(graph::ValueId id);
  /// Codes of `id` on grid_of(id). Requires: that is not nullptr.
  Result<SlotId> code_slot(graph::ValueId id);
  /// Codes of `id` on `grid`, requantized if its own grid is another.
  Result<SlotId> code_slot_on(graph::ValueId id, const SharedEncoding& grid, const std::string& label, graph::NodeId n);

  void add_step(StepKind kind, const std::string& label, graph::NodeId n, std::vector<SlotId> inputs,
                std::vector<SlotId> outputs, ops::FixedForm form);

 private:
  /// The forms in which one tensor exists so far.
  struct Forms {
    SlotId real = kNoSlot;       ///< As real numbers, or as the plain integers it is.
    SlotId codes = kNoSlot;      ///< On its own grid, or the grid it was moved on.
    SharedEncoding encoding;     ///< Of `codes`.
    std::vector<SlotId> others;  ///< Codes on grids that readers asked for.
  };
  Forms& forms(graph::ValueId id) { return tensors_[static_cast<std::size_t>(id)]; }
  const std::string& name_of(graph::ValueId id) const { return graph_.value(id).name; }

  const graph::Graph& graph_;
  Arithmetic arithmetic_;
  ops::Facts real_constants_;  // Known values as they are in the graph: steps_ puts its own onto their grids.
  FloatSteps steps_;
  ProgramBuilder builder_;
  std::vector<Forms> tensors_;  // By ValueId.
  std::map<graph::ValueId, SharedEncoding> shared_encodings_;
  std::map<graph::ValueId, Tensor> known_codes_;
};

}  // namespace halfstep::lower
