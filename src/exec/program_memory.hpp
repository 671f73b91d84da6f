// program_memory.hpp: what running a Program takes, before it is taken.
#pragma once

#include "core/memory_budget.hpp"
#include "halfstep/result.hpp"
#include "lower/program.hpp"

namespace halfstep::exec {

/// Makes `held` large enough for one Executor of `program` for each of `num_workers`. Tensors whose type is decided
/// while running, and scratch of lent threads, are reserved when they come.
/// Errors: kUnsupported with the sizes, and the largest tensor and its node.
Result<void> reserve_executors(const lower::Program& program, int num_workers, MemoryReservation& held);

}  // namespace halfstep::exec
