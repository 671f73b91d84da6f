// arena.hpp: where each tensor of a Program lives, so that tensors which are
// never alive together share memory.
#pragma once

#include <cstddef>
#include <vector>

namespace halfstep::lower {

/// A block of memory needed during steps [first_step, last_step].
struct Block {
  std::size_t size_bytes = 0;
  int first_step = 0;
  int last_step = 0;
};

/// Result of plan_arena().
struct ArenaPlan {
  std::vector<std::size_t> offsets;  ///< By block; multiples of kArenaAlignmentBytes.
  std::size_t size_bytes = 0;
};

inline constexpr std::size_t kArenaAlignmentBytes = 64;

/// Offsets such that blocks alive in a common step do not overlap. Greedy:
/// largest block first, each at the lowest offset that is free for its whole life.
ArenaPlan plan_arena(const std::vector<Block>& blocks);

}  // namespace halfstep::lower
