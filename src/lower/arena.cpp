// arena.cpp: greedy packing of blocks by size.
#include "lower/arena.hpp"

#include <algorithm>
#include <numeric>

namespace halfstep::lower {
namespace {

std::size_t aligned(std::size_t size_bytes) {
  return (size_bytes + kArenaAlignmentBytes - 1) / kArenaAlignmentBytes * kArenaAlignmentBytes;
}

bool alive_together(const Block& a, const Block& b) {
  return a.first_step <= b.last_step && b.first_step <= a.last_step;
}

}  // namespace

ArenaPlan plan_arena(const std::vector<Block>& blocks) {
  std::vector<std::size_t> by_size(blocks.size());
  std::iota(by_size.begin(), by_size.end(), std::size_t{0});
  std::ranges::stable_sort(by_size,
                           [&](std::size_t a, std::size_t b) { return blocks[a].size_bytes > blocks[b].size_bytes; });

  ArenaPlan plan;
  plan.offsets.assign(blocks.size(), 0);
  std::vector<std::size_t> placed;  // By increasing offset.
  for (std::size_t block : by_size) {
    const std::size_t size = aligned(blocks[block].size_bytes);
    std::size_t offset = 0;
    for (std::size_t other : placed) {
      if (!alive_together(blocks[block], blocks[other])) continue;
      if (plan.offsets[other] >= offset + size) break;
      offset = std::max(offset, plan.offsets[other] + aligned(blocks[other].size_bytes));
    }
    plan.offsets[block] = offset;
    plan.size_bytes = std::max(plan.size_bytes, offset + size);
    const auto at = std::ranges::upper_bound(placed, offset, {}, [&](std::size_t i) { return plan.offsets[i]; });
    placed.insert(at, block);
  }
  return plan;
}

}  // namespace halfstep::lower
