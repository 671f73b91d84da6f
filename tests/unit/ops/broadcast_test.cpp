// broadcast_test.cpp: walking operands over a common shape, against a naive index computation.
#include "ops/shared/broadcast.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <vector>

namespace halfstep::ops {
namespace {

std::int64_t naive_offset(const Shape& result, const Shape& operand, std::int64_t index) {
  std::int64_t offset = 0;
  std::int64_t stride = 1;
  for (int back = 0; back < result.rank(); ++back) {
    const std::int64_t extent = result[result.rank() - 1 - back];
    const std::int64_t at = index % extent;
    index /= extent;
    if (back >= operand.rank()) continue;
    const std::int64_t own = operand[operand.rank() - 1 - back];
    if (own != 1) offset += at * stride;
    stride *= own;
  }
  return offset;
}

void expect_walk(const Shape& a, const Shape& b) {
  const Result<Shape> result = broadcast(a, b);
  ASSERT_TRUE(result.ok());
  const BroadcastPlan plan = plan_broadcast(*result, a, b);
  std::vector<float> x(static_cast<std::size_t>(a.num_elements()));
  std::vector<float> y(static_cast<std::size_t>(b.num_elements()));
  std::iota(x.begin(), x.end(), 1.0F);
  std::iota(y.begin(), y.end(), 1.0F);
  const auto mix = [](float u, float v) { return u + 1000.0F * v; };
  std::vector<float> plain(static_cast<std::size_t>(result->num_elements()), -1.0F);
  std::vector<float> fast = plain;
  broadcast_apply(plan, x.data(), y.data(), plain.data(), mix);
  broadcast_apply_float(plan, x.data(), y.data(), fast.data(), mix);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const auto from_a = static_cast<std::size_t>(naive_offset(*result, a, static_cast<std::int64_t>(i)));
    const auto from_b = static_cast<std::size_t>(naive_offset(*result, b, static_cast<std::int64_t>(i)));
    ASSERT_EQ(plain[i], mix(x[from_a], y[from_b])) << to_string(a) << " with " << to_string(b) << " at " << i;
    ASSERT_EQ(fast[i], plain[i]) << to_string(a) << " with " << to_string(b) << " at " << i;
  }
}

TEST(Broadcast, CommonForms) {
  expect_walk({2, 3, 4, 5}, {2, 3, 4, 5});
  expect_walk({2, 3, 4, 5}, {3, 1, 1});  // A bias per channel.
  expect_walk({3, 1, 1}, {2, 3, 4, 5});
  expect_walk({4, 40}, {40});
  expect_walk({4, 40}, {});
  expect_walk({}, {4, 40});
  expect_walk({}, {});
  expect_walk({7, 1}, {1, 9});
  expect_walk({2, 1, 3, 1}, {1, 5, 1, 4});
  expect_walk({0, 3}, {3});
}

TEST(Broadcast, RandomShapes) {
  std::mt19937 rng(7);
  std::uniform_int_distribution<int> rank_of(0, 5);
  std::uniform_int_distribution<int> extent_of(1, 4);
  for (int round = 0; round < 500; ++round) {
    Shape a;
    Shape b;
    for (int i = rank_of(rng); i > 0; --i) a.push_back(extent_of(rng));
    for (int i = rank_of(rng); i > 0; --i) b.push_back(extent_of(rng));
    for (int back = 0; back < a.rank() && back < b.rank(); ++back) {
      std::int64_t& extent = b[b.rank() - 1 - back];
      const std::int64_t other = a[a.rank() - 1 - back];
      if (extent != 1 && other != 1) extent = other;
    }
    expect_walk(a, b);
  }
}

TEST(Broadcast, NeighbouringAxesMerge) {
  const BroadcastPlan same = plan_broadcast({2, 3, 4}, {2, 3, 4}, {2, 3, 4});
  EXPECT_EQ(same.inner, 24);
  EXPECT_TRUE(same.extents.empty());
  const BroadcastPlan per_channel = plan_broadcast({2, 3, 4, 5}, {2, 3, 4, 5}, {1, 3, 1, 1});
  EXPECT_EQ(per_channel.inner, 20);
  EXPECT_EQ(per_channel.extents, (std::vector<std::int64_t>{2, 3}));
}

TEST(Broadcast, HugeExtentsBesideAnEmptyOneDoNotOverflow) {
  const std::int64_t huge = std::int64_t{1} << 62;
  const Shape shape{0, huge, huge};
  EXPECT_EQ(plan_broadcast(shape, shape, shape).count, 0);
}

}  // namespace
}  // namespace halfstep::ops
