// Contract under test: core/spare_threads.hpp, and how ordered_parallel_for() lends its threads.
#include "core/spare_threads.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <set>
#include <thread>
#include <vector>

#include "core/ordered_parallel.hpp"

namespace halfstep {
namespace {

TEST(SpareThreads, SplitWithoutHelpersRunsEverythingHere) {
  SpareThreads spare(4);
  int calls = 0;
  spare.split([&](int part, int num_parts) {
    EXPECT_EQ(part, 0);
    EXPECT_EQ(num_parts, 1);
    ++calls;
  });
  EXPECT_EQ(calls, 1);
}

TEST(SpareThreads, LentThreadsRunEachPartOnce) {
  SpareThreads spare(3);
  std::vector<std::thread> lenders;
  for (int i = 1; i < 3; ++i) lenders.emplace_back([&spare, i] { spare.lend(i); });
  std::set<int> seen_counts;
  for (int round = 0; round < 5000; ++round) {
    std::atomic<int> done[3] = {0, 0, 0};
    std::atomic<int> count = 0;
    spare.split([&](int part, int num_parts) {
      ++done[part];
      count = num_parts;
    });
    seen_counts.insert(count.load());
    for (int part = 0; part < 3; ++part) ASSERT_EQ(done[part], part < count ? 1 : 0);
    if (round % 1000 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(3));  // Lenders fall asleep.
  }
  EXPECT_TRUE(seen_counts.contains(3));
  spare.close();
  for (std::thread& lender : lenders) lender.join();
}

TEST(SpareThreads, NobodyIsLentAfterClose) {
  SpareThreads spare(2);
  spare.close();
  spare.lend(1);  // Returns.
  spare.split([](int, int num_parts) { EXPECT_EQ(num_parts, 1); });
}

TEST(SpareThreads, WorkersOfOrderedParallelForHelpTheLastOne) {
  EXPECT_EQ(spare_threads(), nullptr);
  std::atomic<int> most_parts = 0;
  const auto produce = [&](std::int64_t, int worker) -> Result<void> {
    EXPECT_EQ(worker, 0);  // One job: one worker, whatever the number of threads.
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (most_parts < 3 && std::chrono::steady_clock::now() < until) {
      spare_threads()->split([&](int part, int num_parts) {
        if (part == 0) most_parts = num_parts;
      });
    }
    return {};
  };
  ASSERT_TRUE(ordered_parallel_for(1, 3, produce, [](std::int64_t, int) -> Result<void> { return {}; }).ok());
  EXPECT_EQ(most_parts, 3);
  EXPECT_EQ(spare_threads(), nullptr);
}

TEST(SpareThreads, OneThreadHasNoneToSpare) {
  const auto produce = [](std::int64_t, int) -> Result<void> {
    EXPECT_EQ(spare_threads(), nullptr);
    return {};
  };
  ASSERT_TRUE(ordered_parallel_for(2, 1, produce, [](std::int64_t, int) -> Result<void> { return {}; }).ok());
}

}  // namespace
}  // namespace halfstep
