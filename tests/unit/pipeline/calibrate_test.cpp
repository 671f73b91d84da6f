// Contract under test: pipeline/calibrate.hpp: watches of several askers.
#include "pipeline/calibrate.hpp"

#include <gtest/gtest.h>

namespace halfstep::pipeline {
namespace {

using calib::Watch;

TEST(WatchesOfBoth, KeepTheOrderOfTheFirstAndAddTheRest) {
  const std::vector<Watch> both =
      watches_of_both({{.value = 4}, {.value = 2}}, {{.value = 7}, {.value = 2}, {.value = 1}});
  std::vector<graph::ValueId> values;
  for (const Watch& watch : both) values.push_back(watch.value);
  EXPECT_EQ(values, (std::vector<graph::ValueId>{4, 2, 7, 1}));
  EXPECT_TRUE(watches_of_both({}, {}).empty());
}

TEST(WatchesOfBoth, ATensorIsWatchedForAllThatEitherAsks) {
  const Watch plan{.value = 3, .histogram = true, .sample_extremes = true, .row_axis = 1};
  const Watch more{.value = 3, .channel_histograms = true, .channel_extremes = true, .channel_axis = 2};
  for (const auto& [first, second] : {std::pair(plan, more), std::pair(more, plan)}) {
    const std::vector<Watch> both = watches_of_both({first}, {second});
    ASSERT_EQ(both.size(), 1U);
    EXPECT_TRUE(both[0].histogram && both[0].channel_histograms && both[0].sample_extremes && both[0].channel_extremes);
    EXPECT_EQ(both[0].row_axis, 1);
    EXPECT_EQ(both[0].channel_axis, 2);
  }
}

TEST(WatchesOfBoth, NothingIsAskedTwice) {
  const Watch one{.value = 3, .channel_axis = 1};
  const std::vector<Watch> both = watches_of_both({one}, {one});
  ASSERT_EQ(both.size(), 1U);
  EXPECT_FALSE(both[0].histogram || both[0].channel_histograms || both[0].sample_extremes || both[0].channel_extremes);
  EXPECT_FALSE(both[0].row_axis.has_value());
}

}  // namespace
}  // namespace halfstep::pipeline
