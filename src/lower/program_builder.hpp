// program_builder.hpp: collects slots and steps, then plans the arena.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "halfstep/result.hpp"
#include "lower/arena.hpp"
#include "lower/program.hpp"

namespace halfstep::lower {

/// Assembles one Program. Slots first exist, then steps use them; finish()
/// decides storage. Sharing: a slot may be declared to live in another slot's
/// storage, when the builder agrees that nobody needs the old content any more.
/// REQUIRES: steps are added in the order in which they run; finish() is the last call. Not thread-safe.
class ProgramBuilder {
 public:
  explicit ProgramBuilder(const graph::Graph& graph);

  /// The slot of `value`, or kNoSlot if it has none yet.
  SlotId slot_of(graph::ValueId value) const { return slots_[static_cast<std::size_t>(value)]; }

  SlotId add_input(graph::ValueId value, TensorType type);
  SlotId add_constant(graph::ValueId value, Tensor tensor);
  /// A tensor that a step writes; an empty type is decided while running.
  SlotId add_variable(graph::ValueId value, std::optional<TensorType> type);
  /// The same for codes on a grid. `value` may have several slots; slot_of() gives the newest.
  SlotId add_codes(graph::ValueId value, Shape shape, std::shared_ptr<const Encoding> encoding);
  /// A tensor in `source`'s storage: the same bytes under another shape, or what
  /// the next step writes over them if nothing else reads `source` any more.
  /// Requires: both are static variables or inputs.
  SlotId add_alias(graph::ValueId value, TensorType type, SlotId source);

  /// True if a slot's storage sits in the arena (not constant, type known).
  bool is_static_variable(SlotId slot) const;

  const Slot& slot(SlotId id) const { return program_.slots[static_cast<std::size_t>(id)]; }
  Step& add_step(Step step);
  /// Nothing runs: `output` is `source`'s storage under another shape, and complete.
  void add_alias_step(std::string label, graph::NodeId n, SlotId source, SlotId output);
  /// A float step on one slot, in place.
  void add_in_place_step(std::string label, graph::NodeId n, SlotId slot, ops::Kernel kernel);
  /// Taps see `slot` from here on.
  void mark_complete(SlotId slot, std::string label, graph::NodeId n);
  void add_island(Island island) { program_.islands.push_back(std::move(island)); }
  void add_warning(std::string text) { program_.warnings.push_back(std::move(text)); }
  void set_encoding(SlotId slot, std::shared_ptr<const Encoding> encoding) {
    program_.slots[static_cast<std::size_t>(slot)].encoding = std::move(encoding);
  }

  /// Root of the alias group of `slot`.
  SlotId root(SlotId slot) const;

  /// Plans the arena. `outputs`: slots whose content must survive to the end.
  Program finish(std::vector<SlotId> inputs, std::vector<SlotId> outputs);

 private:
  /// Where the storage group of a slot lies within another one.
  struct Part {
    SlotId whole = kNoSlot;  ///< A root.
    std::size_t offset = 0;
  };

  SlotId add_slot(Slot slot);

  /// By root: operands that end with a step which joins them are written where their bytes will stand, if that is as
  /// aligned as a block of their own. `lives`, by root, become those of the wholes.
  std::vector<Part> place_parts(std::vector<Block>& lives) const;

  const graph::Graph& graph_;
  std::vector<SlotId> slots_;   // By ValueId.
  std::vector<SlotId> parent_;  // By SlotId; itself for roots.
  Program program_;
};

}  // namespace halfstep::lower
