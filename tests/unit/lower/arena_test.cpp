// Contract under test: lower/arena.hpp.
#include "lower/arena.hpp"

#include <gtest/gtest.h>

#include <random>

namespace halfstep::lower {
namespace {

TEST(PlanArena, BlocksThatNeverMeetShareMemory) {
  const ArenaPlan plan = plan_arena({{.size_bytes = 1000, .first_step = 0, .last_step = 1},
                                     {.size_bytes = 1000, .first_step = 1, .last_step = 2},
                                     {.size_bytes = 1000, .first_step = 2, .last_step = 3}});
  EXPECT_EQ(plan.size_bytes, 2 * 1024U);
  EXPECT_EQ(plan.offsets[0], plan.offsets[2]);
}

// Any two blocks alive in a common step are disjoint; all are aligned and inside.
TEST(PlanArenaProperty, LiveBlocksNeverOverlap) {
  std::mt19937 rng(20261121);
  for (int round = 0; round < 200; ++round) {
    std::vector<Block> blocks(1 + rng() % 40);
    for (Block& block : blocks) {
      block.size_bytes = rng() % 5000;
      block.first_step = static_cast<int>(rng() % 30) - 1;
      block.last_step = block.first_step + static_cast<int>(rng() % 6);
    }
    const ArenaPlan plan = plan_arena(blocks);
    for (std::size_t a = 0; a < blocks.size(); ++a) {
      EXPECT_EQ(plan.offsets[a] % kArenaAlignmentBytes, 0U);
      EXPECT_LE(plan.offsets[a] + blocks[a].size_bytes, plan.size_bytes);
      for (std::size_t b = 0; b < a; ++b) {
        const bool meet = blocks[a].first_step <= blocks[b].last_step && blocks[b].first_step <= blocks[a].last_step;
        const bool apart = plan.offsets[a] + blocks[a].size_bytes <= plan.offsets[b] ||
                           plan.offsets[b] + blocks[b].size_bytes <= plan.offsets[a];
        ASSERT_TRUE(!meet || apart) << "round " << round << ", blocks " << a << " and " << b;
      }
    }
  }
}

}  // namespace
}  // namespace halfstep::lower
