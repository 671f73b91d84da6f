// program_memory.cpp: arenas of all workers, and who is to blame for their size.
#include "exec/program_memory.hpp"

#include <limits>
#include <string>

#include "core/text.hpp"

namespace halfstep::exec {
namespace {

/// "; the largest tensor is 'x', float32[...] of node 'n' (Tile), 1.5 GiB", or "".
std::string largest_tensor(const lower::Program& program) {
  const lower::Slot* largest = nullptr;
  lower::SlotId id = lower::kNoSlot;
  for (std::size_t i = 0; i < program.slots.size(); ++i) {
    const lower::Slot& slot = program.slots[i];
    if (slot.constant || !slot.type || (largest != nullptr && slot.type->num_bytes() <= largest->type->num_bytes())) {
      continue;
    }
    largest = &slot;
    id = static_cast<lower::SlotId>(i);
  }
  if (largest == nullptr) return "";
  std::string text = "; the largest tensor is " + quoted(largest->name) + ", " + to_string(*largest->type) + ", " +
                     bytes_text(largest->type->num_bytes());
  for (const lower::Step& step : program.steps) {
    for (const lower::SlotId output : step.outputs) {
      if (output == id) return text + ", of " + step.label;
    }
  }
  return text;
}

}  // namespace

Result<void> reserve_executors(const lower::Program& program, int num_workers, MemoryReservation& held) {
  const std::size_t each = program.arena_bytes + program.scratch_bytes;
  const auto most = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
  const std::size_t all = each > most / static_cast<std::size_t>(num_workers) ? most : each * num_workers;
  Result<void> reserved =
      held.grow_to(static_cast<std::int64_t>(all), "the model's tensors on " + std::to_string(num_workers) +
                                                       (num_workers == 1 ? " thread" : " threads"));
  if (reserved.ok()) return reserved;
  const Error& error = reserved.error();
  return Error{error.code, error.message + (num_workers > 1 ? ", or --threads 1" : "") + largest_tensor(program)};
}

}  // namespace halfstep::exec
