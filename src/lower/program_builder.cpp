// program_builder.cpp: slots, alias groups and the life of each.
#include "lower/program_builder.hpp"

#include <algorithm>
#include <utility>

#include "lower/arena.hpp"

namespace halfstep::lower {

ProgramBuilder::ProgramBuilder(const graph::Graph& graph) : graph_(graph), slots_(graph.values.size(), kNoSlot) {}

SlotId ProgramBuilder::add_slot(Slot slot) {
  const auto id = static_cast<SlotId>(program_.slots.size());
  slot.name = graph_.value(slot.value).name;
  slots_[static_cast<std::size_t>(slot.value)] = id;
  program_.slots.push_back(std::move(slot));
  parent_.push_back(id);
  return id;
}

SlotId ProgramBuilder::add_input(graph::ValueId value, TensorType type) {
  Slot slot;
  slot.value = value;
  slot.type = std::move(type);
  return add_slot(std::move(slot));
}

SlotId ProgramBuilder::add_constant(graph::ValueId value, Tensor tensor) {
  Slot slot;
  slot.value = value;
  slot.type = tensor.type();
  slot.constant = std::move(tensor);
  return add_slot(std::move(slot));
}

SlotId ProgramBuilder::add_variable(graph::ValueId value, std::optional<TensorType> type) {
  Slot slot;
  slot.value = value;
  slot.type = std::move(type);
  return add_slot(std::move(slot));
}

SlotId ProgramBuilder::add_codes(graph::ValueId value, Shape shape, std::shared_ptr<const Encoding> encoding) {
  const SlotId id = add_variable(value, TensorType{storage_dtype(encoding->grid()), std::move(shape)});
  set_encoding(id, std::move(encoding));
  return id;
}

SlotId ProgramBuilder::add_alias(graph::ValueId value, TensorType type, SlotId source) {
  const SlotId id = add_variable(value, std::move(type));
  parent_[static_cast<std::size_t>(id)] = root(source);
  return id;
}

bool ProgramBuilder::is_static_variable(SlotId id) const { return !slot(id).constant && slot(id).type.has_value(); }

SlotId ProgramBuilder::root(SlotId slot) const { return parent_[static_cast<std::size_t>(slot)]; }

Step& ProgramBuilder::add_step(Step step) {
  program_.scratch_bytes = std::max(program_.scratch_bytes, step.prepared.scratch_bytes);
  program_.steps.push_back(std::move(step));
  return program_.steps.back();
}

void ProgramBuilder::add_alias_step(std::string label, graph::NodeId n, SlotId source, SlotId output) {
  Step step;
  step.label = std::move(label);
  step.node = n;
  step.kind = StepKind::kAlias;
  step.inputs = {source};
  step.outputs = {output};
  step.completes = {output};
  add_step(std::move(step));
}

void ProgramBuilder::add_in_place_step(std::string label, graph::NodeId n, SlotId slot, ops::Kernel kernel) {
  Step step;
  step.label = std::move(label);
  step.node = n;
  step.inputs = {slot};
  step.outputs = {slot};
  step.prepared.run = std::move(kernel);
  add_step(std::move(step));
}

void ProgramBuilder::mark_complete(SlotId slot, std::string label, graph::NodeId n) {
  Step step;
  step.label = std::move(label);
  step.node = n;
  step.kind = StepKind::kAlias;
  step.completes = {slot};
  add_step(std::move(step));
}

std::vector<ProgramBuilder::Part> ProgramBuilder::place_parts(std::vector<Block>& lives) const {
  std::vector<Part> part_of(program_.slots.size());
  for (int s = 0; s < static_cast<int>(program_.steps.size()); ++s) {
    const Step& step = program_.steps[static_cast<std::size_t>(s)];
    const std::vector<std::int64_t>& offsets = step.prepared.part_offsets;
    if (offsets.empty() || step.outputs[0] == kNoSlot || !is_static_variable(step.outputs[0])) continue;
    const SlotId whole = root(step.outputs[0]);
    Block& life = lives[static_cast<std::size_t>(whole)];
    if (life.first_step != s) continue;
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      const SlotId id = step.inputs[i];
      if (id == kNoSlot || !is_static_variable(id)) continue;
      const auto r = static_cast<std::size_t>(root(id));
      const auto offset = static_cast<std::size_t>(offsets[i]);
      const bool fits =
          std::cmp_equal(lives[r].size_bytes, slot(id).type->num_bytes()) && offset % kArenaAlignmentBytes == 0;
      if (!fits || lives[r].last_step != s || part_of[r].whole != kNoSlot) continue;
      part_of[r] = {whole, offset};
      life.first_step = std::min(life.first_step, lives[r].first_step);
    }
  }
  return part_of;
}

Program ProgramBuilder::finish(std::vector<SlotId> inputs, std::vector<SlotId> outputs) {
  const int last = static_cast<int>(program_.steps.size());
  std::vector<Block> lives(program_.slots.size(), Block{.size_bytes = 0, .first_step = last, .last_step = -1});
  const auto touch = [&](SlotId id, int step) {
    if (id == kNoSlot || !is_static_variable(id)) return;
    Block& life = lives[static_cast<std::size_t>(root(id))];
    life.size_bytes = std::max(life.size_bytes, static_cast<std::size_t>(slot(id).type->num_bytes()));
    life.first_step = std::min(life.first_step, step);
    life.last_step = std::max(life.last_step, step);
  };
  for (SlotId id : inputs) touch(id, -1);
  for (int s = 0; s < last; ++s) {
    const Step& step = program_.steps[static_cast<std::size_t>(s)];
    for (SlotId id : step.inputs) touch(id, s);
    for (SlotId id : step.outputs) touch(id, s);
    for (SlotId id : step.completes) touch(id, s);
  }
  for (SlotId id : outputs) touch(id, last);
  const std::vector<Part> part_of = place_parts(lives);

  std::vector<Block> blocks;
  std::vector<std::size_t> block_of(program_.slots.size(), 0);
  for (std::size_t i = 0; i < lives.size(); ++i) {
    if (lives[i].last_step < lives[i].first_step || part_of[i].whole != kNoSlot) continue;
    block_of[i] = blocks.size();
    blocks.push_back(lives[i]);
  }
  const ArenaPlan plan = plan_arena(blocks);
  for (std::size_t i = 0; i < program_.slots.size(); ++i) {
    const auto id = static_cast<SlotId>(i);
    auto r = static_cast<std::size_t>(root(id));
    if (!is_static_variable(id) || lives[r].last_step < lives[r].first_step) continue;
    std::size_t offset = 0;
    for (; part_of[r].whole != kNoSlot; r = static_cast<std::size_t>(part_of[r].whole)) offset += part_of[r].offset;
    program_.slots[i].offset = plan.offsets[block_of[r]] + offset;
  }
  program_.arena_bytes = plan.size_bytes;
  program_.inputs = std::move(inputs);
  program_.outputs = std::move(outputs);
  return std::move(program_);
}

}  // namespace halfstep::lower
