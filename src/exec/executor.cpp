// executor.cpp: steps through a Program.
#include "exec/executor.hpp"

#include <array>
#include <cstring>
#include <unordered_set>

#include "core/memory_budget.hpp"
#include "core/spare_threads.hpp"
#include "core/text.hpp"
#include "ops/evaluate.hpp"

namespace halfstep::exec {

using lower::kNoSlot;
using lower::Program;
using lower::Slot;
using lower::SlotId;
using lower::Step;

struct Executor::State {
  std::shared_ptr<const Program> program;
  Tensor arena;                                     // uint8; tensors first, scratch behind them.
  std::vector<std::vector<ConstView>> step_inputs;  // By step; unused where a late slot takes part.
  std::vector<std::vector<MutableView>> step_outputs;
  std::vector<bool> step_is_dynamic;              // By step: touches a slot whose type is decided while running.
  std::vector<Tensor> dynamic;                    // By slot; only for late slots.
  std::vector<MemoryReservation> dynamic_memory;  // Of these.
  std::unordered_set<graph::ValueId> completed;
  std::array<Tensor, SpareThreads::kMaxParts - 1> part_scratch;
  std::array<MemoryReservation, SpareThreads::kMaxParts - 1> part_memory;
  std::array<Result<void>, SpareThreads::kMaxParts> part_outcomes;
  int num_parts_run = 1;  // Of the step that is split just now.
  // Where advance() stopped: `next_step` is not run yet, of the one before `num_told` tensors have been told.
  std::size_t next_step = 0;
  std::size_t num_told = 0;

  explicit State(std::shared_ptr<const Program> p)
      : program(std::move(p)), dynamic(program->slots.size()), dynamic_memory(program->slots.size()) {
    const auto bytes = static_cast<std::int64_t>(program->arena_bytes + program->scratch_bytes);
    arena = Tensor(TensorType{DType::kUint8, Shape{bytes}});
    for (const Step& step : program->steps) {
      bool is_dynamic = step.late;
      for (SlotId id : step.inputs) is_dynamic = is_dynamic || is_late(id);
      for (SlotId id : step.outputs) is_dynamic = is_dynamic || is_late(id);
      step_is_dynamic.push_back(is_dynamic);
      step_inputs.push_back(is_dynamic ? std::vector<ConstView>{} : input_views(step));
      step_outputs.push_back(is_dynamic ? std::vector<MutableView>{} : output_views(step));
      for (SlotId id : step.completes) completed.insert(slot(id).value);
    }
  }

  const Slot& slot(SlotId id) const { return program->slots[static_cast<std::size_t>(id)]; }
  bool is_late(SlotId id) const { return id != kNoSlot && !slot(id).type; }

  ConstView view(SlotId id) {
    if (id == kNoSlot) return {};
    const Slot& s = slot(id);
    if (s.constant) return s.constant->view();
    if (!s.type) return dynamic[static_cast<std::size_t>(id)].view();
    return {&*s.type, arena.bytes() + s.offset};
  }

  MutableView mutable_view(SlotId id) {
    if (id == kNoSlot) return {};
    const Slot& s = slot(id);
    if (!s.type) return dynamic[static_cast<std::size_t>(id)].mutable_view();
    return {&*s.type, arena.mutable_bytes() + s.offset};
  }

  std::vector<ConstView> input_views(const Step& step) {
    std::vector<ConstView> views;
    for (SlotId id : step.inputs) views.push_back(view(id));
    return views;
  }

  std::vector<MutableView> output_views(const Step& step) {
    std::vector<MutableView> views;
    for (SlotId id : step.outputs) views.push_back(mutable_view(id));
    return views;
  }

  Tapped tapped(SlotId id) {
    const Slot& s = slot(id);
    return {s.value, view(id), s.encoding.get(), s.constant || !s.type ? MutableView{} : mutable_view(id)};
  }

  std::span<std::byte> scratch() { return {arena.mutable_bytes() + program->arena_bytes, program->scratch_bytes}; }

  // Of a part of a step, another thread's but for part 0; kept from the first time it is needed.
  Result<std::span<std::byte>> scratch_of(int part) {
    if (part == 0) return scratch();
    const auto bytes = static_cast<std::int64_t>(program->scratch_bytes);
    Tensor& mine = part_scratch[static_cast<std::size_t>(part - 1)];
    if (mine.num_bytes() < bytes) {
      MemoryReservation& memory = part_memory[static_cast<std::size_t>(part - 1)];
      if (auto reserved = memory.grow_to(bytes, "buffers of this step"); !reserved.ok()) return reserved.error();
      mine = Tensor(TensorType{DType::kUint8, Shape{bytes}});
    }
    return std::span(bytes == 0 ? nullptr : mine.mutable_bytes(), program->scratch_bytes);
  }

  Result<void> run_late(const Step& step) {
    std::vector<Tensor> held;
    held.reserve(step.inputs.size());
    std::vector<const Tensor*> operands;
    for (SlotId id : step.inputs) {
      if (id == kNoSlot) {
        operands.push_back(nullptr);
        continue;
      }
      const ConstView v = view(id);
      held.emplace_back(*v.type, v.bytes, nullptr);
      operands.push_back(&held.back());
    }
    Result<std::vector<Tensor>> outputs = ops::evaluate(step.late_node, operands);
    if (!outputs.ok()) return outputs.error();
    for (std::size_t i = 0; i < step.outputs.size(); ++i) {
      const SlotId id = step.outputs[i];
      if (id == kNoSlot) continue;
      if (is_late(id)) {
        const auto place = static_cast<std::size_t>(id);
        MemoryReservation& memory = dynamic_memory[place];
        const std::int64_t bytes = (*outputs)[i].num_bytes();
        if (auto reserved = memory.grow_to(bytes, "its outputs"); !reserved.ok()) return reserved;
        dynamic[place] = std::move((*outputs)[i]);
      } else {
        std::memcpy(mutable_view(id).bytes, (*outputs)[i].bytes(), static_cast<std::size_t>((*outputs)[i].num_bytes()));
      }
    }
    return {};
  }

  Result<void> run_part(std::size_t s, int part, int num_parts) {
    // An exception must not leave a lent thread.
    return unless_out_of_memory([&]() -> Result<void> {
      const Result<std::span<std::byte>> mine = scratch_of(part);
      if (!mine.ok()) return mine.error();
      return program->steps[s].prepared.run({step_inputs[s], step_outputs[s], *mine, part, num_parts});
    });
  }

  Result<void> run_parts(std::size_t s, SpareThreads& spare) {
    spare.split([this, s](int part, int num_parts) {
      if (part == 0) num_parts_run = num_parts;
      part_outcomes[static_cast<std::size_t>(part)] = run_part(s, part, num_parts);
    });
    for (int part = 0; part < num_parts_run; ++part) {
      const Result<void>& outcome = part_outcomes[static_cast<std::size_t>(part)];
      if (!outcome.ok()) return outcome;
    }
    return {};
  }

  Result<void> run_step(std::size_t s) {
    const Step& step = program->steps[s];
    if (step.late) return run_late(step);
    if (!step.prepared.run) return {};
    if (!step_is_dynamic[s]) {
      SpareThreads* spare = step.prepared.splits ? spare_threads() : nullptr;
      if (spare == nullptr) return step.prepared.run({step_inputs[s], step_outputs[s], scratch()});
      return run_parts(s, *spare);
    }
    const std::vector<ConstView> inputs = input_views(step);
    const std::vector<MutableView> outputs = output_views(step);
    return step.prepared.run({inputs, outputs, scratch()});
  }

  Result<void> load_inputs(std::span<const Tensor> inputs) {
    if (inputs.size() != program->inputs.size()) {
      return Error{ErrorCode::kInvalidInput, "got " + std::to_string(inputs.size()) + " input tensors, the model has " +
                                                 std::to_string(program->inputs.size())};
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const SlotId id = program->inputs[i];
      if (inputs[i].type() != *slot(id).type) {
        return Error{ErrorCode::kInvalidInput, "input " + quoted(slot(id).name) + " is " + to_string(inputs[i].type()) +
                                                   ", expected " + to_string(*slot(id).type)};
      }
      if (inputs[i].num_bytes() > 0) {
        std::memcpy(mutable_view(id).bytes, inputs[i].bytes(), static_cast<std::size_t>(inputs[i].num_bytes()));
      }
    }
    return {};
  }
};

Executor::Executor(std::shared_ptr<const Program> program) : state_(std::make_unique<State>(std::move(program))) {}
Executor::~Executor() = default;
Executor::Executor(Executor&&) noexcept = default;
Executor& Executor::operator=(Executor&&) noexcept = default;

Result<void> Executor::run(std::span<const Tensor> inputs, const Tap& tap) {
  if (Result<void> loaded = state_->load_inputs(inputs); !loaded.ok()) return loaded;
  const Program& program = *state_->program;
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    const Step& step = program.steps[s];
    if (Result<void> outcome = state_->run_step(s); !outcome.ok()) return outcome.error().at(step.label);
    if (!tap) continue;
    for (SlotId id : step.completes) {
      if (Result<void> seen = tap(state_->tapped(id)); !seen.ok()) return seen;
    }
  }
  return {};
}

Result<void> Executor::start(std::span<const Tensor> inputs) {
  state_->next_step = 0;
  state_->num_told = 0;
  return state_->load_inputs(inputs);
}

Result<std::optional<Tapped>> Executor::advance() {
  State& state = *state_;
  const std::vector<Step>& steps = state.program->steps;
  for (;;) {
    if (state.next_step > 0) {
      const std::vector<SlotId>& completed = steps[state.next_step - 1].completes;
      if (state.num_told < completed.size()) return std::optional(state.tapped(completed[state.num_told++]));
    }
    if (state.next_step == steps.size()) return std::optional<Tapped>();
    const std::size_t s = state.next_step++;
    state.num_told = 0;
    if (Result<void> outcome = state.run_step(s); !outcome.ok()) return outcome.error().at(steps[s].label);
  }
}

bool Executor::completes(graph::ValueId value) const { return state_->completed.contains(value); }

bool Executor::output_is_static(std::size_t index) const {
  return state_->slot(state_->program->outputs[index]).type.has_value();
}

ConstView Executor::output(std::size_t index) const { return state_->view(state_->program->outputs[index]); }

}  // namespace halfstep::exec
