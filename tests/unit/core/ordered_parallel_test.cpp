// Contract under test: core/ordered_parallel.hpp.
#include "core/ordered_parallel.hpp"

#include <gtest/gtest.h>

#include <new>
#include <string>
#include <thread>
#include <vector>

namespace halfstep {
namespace {

TEST(OrderedParallelFor, ConsumesInOrderWhateverFinishesFirst) {
  for (int num_threads : {1, 2, 5}) {
    std::vector<std::int64_t> consumed;
    const auto produce = [](std::int64_t i, int) -> Result<void> {
      // Later jobs are quicker than earlier ones.
      std::this_thread::sleep_for(std::chrono::microseconds(i % 4 == 0 ? 500 : 10));
      return {};
    };
    const auto consume = [&](std::int64_t i, int) -> Result<void> {
      consumed.push_back(i);
      return {};
    };
    ASSERT_TRUE(ordered_parallel_for(40, num_threads, produce, consume).ok());
    ASSERT_EQ(consumed.size(), 40U);
    for (std::size_t i = 0; i < consumed.size(); ++i) EXPECT_EQ(consumed[i], static_cast<std::int64_t>(i));
  }
}

TEST(OrderedParallelFor, ReportsTheLowestFailure) {
  const auto produce = [](std::int64_t i, int) -> Result<void> {
    if (i == 3) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (i >= 3) return Error{ErrorCode::kInvalidInput, std::to_string(i)};
    return {};
  };
  const auto consume = [](std::int64_t, int) -> Result<void> { return {}; };
  for (int num_threads : {1, 4}) {
    const Result<void> outcome = ordered_parallel_for(100, num_threads, produce, consume);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.error().message, "3");
  }
}

TEST(OrderedParallelFor, RunningOutOfMemoryIsAnError) {
  const auto produce = [](std::int64_t, int) -> Result<void> { throw std::bad_alloc(); };
  const auto consume = [](std::int64_t, int) -> Result<void> { return {}; };
  const Result<void> outcome = ordered_parallel_for(4, 2, produce, consume);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code, ErrorCode::kUnsupported);
}

TEST(OrderedParallelFor, NothingToDoIsSuccess) {
  const auto never = [](std::int64_t, int) -> Result<void> { return Error{ErrorCode::kUsage, "called"}; };
  EXPECT_TRUE(ordered_parallel_for(0, 3, never, never).ok());
}

}  // namespace
}  // namespace halfstep
