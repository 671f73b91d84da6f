// vision_test.cpp: contract under test: the vision operators, by hand-computed values.
#include <cstdint>
#include <limits>

#include "unit/ops/movement_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

graph::Attribute number(std::int64_t value) { return value; }
graph::Attribute text(const char* value) { return std::string(value); }

void expect_near(const Tensor& actual, const Tensor& expected) {
  ASSERT_EQ(to_string(actual.type()), to_string(expected.type()));
  EXPECT_THAT(actual.values<float>(), Pointwise(FloatNear(1e-5F), expected.values<float>()));
}

TEST(DepthToSpace, OrdersDepthFirstOrLast) {
  const Tensor x = counting<std::int8_t>({1, 8, 1, 1});
  Attrs attrs{{"blocksize", number(2)}, {"mode", text("DCR")}};
  expect_same(run("DepthToSpace", attrs, {x}), Tensor::of<std::int8_t>({1, 2, 2, 2}, {0, 2, 4, 6, 1, 3, 5, 7}));
  attrs.back().second = text("CRD");
  expect_same(run("DepthToSpace", attrs, {x}), counting<std::int8_t>({1, 2, 2, 2}));
  EXPECT_THAT(error_of("DepthToSpace", {{"blocksize", number(3)}}, {x}), HasSubstr("do not divide"));
  EXPECT_THAT(error_of("DepthToSpace", {}, {x}), HasSubstr("blocksize is 0"));
}

TEST(SpaceToDepth, UndoesDepthToSpace) {
  for (const char* mode : {"DCR", "CRD"}) {
    const Attrs attrs{{"blocksize", number(2)}, {"mode", text(mode)}};
    const Tensor x = counting({2, 8, 3, 2});
    expect_same(run("SpaceToDepth", attrs, {run("DepthToSpace", attrs, {x})}), x);
  }
}

// Pixel centres of a row of two lie at -0.5 and 0.5; 0 is halfway, 5 far outside.
TEST(GridSample, PadsWhatLiesOutside) {
  const Tensor x = floats({1, 1, 1, 2}, {2, 4});
  const Tensor grid = floats({1, 1, 3, 2}, {-0.5F, 0, 0, 0, 5, 0});
  const auto with = [&](const char* padding) {
    return run("GridSample", {{"padding_mode", text(padding)}}, {x, grid});
  };
  expect_near(with("zeros"), floats({1, 1, 1, 3}, {2, 3, 0}));
  expect_near(with("border"), floats({1, 1, 1, 3}, {2, 3, 4}));
  // 5 is coordinate 5.5, two laps of 2 beyond the border at 1.5, and so on that border again.
  expect_near(with("reflection"), floats({1, 1, 1, 3}, {2, 3, 4}));
}

TEST(GridSample, SurvivesWhatIsNoPlace) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Tensor grid = floats({1, 1, 3, 2}, {kNan, 0, kInfinity, 0, -1e38F, 1e38F});
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (const char* padding : {"zeros", "border", "reflection"}) {
      const Attrs attrs{{"mode", text(mode)}, {"padding_mode", text(padding)}};
      EXPECT_EQ(error_of("GridSample", attrs, {counting({1, 1, 2, 2}), grid}), "ok");
    }
  }
}

// Whole picture, one bin, one sample: halfway between all four pixels.
TEST(RoiAlign, InterpolatesInsideBins) {
  const Tensor x = floats({1, 1, 2, 2}, {0, 4, 8, 12});
  const Attrs attrs{{"sampling_ratio", number(1)}};
  expect_near(run("RoiAlign", attrs, {x, floats({1, 4}, {0, 0, 2, 2}), ints({0})}), floats({1, 1, 1, 1}, {6}));
  EXPECT_THAT(error_of("RoiAlign", attrs, {x, floats({1, 4}, {0, 0, 2, 2}), ints({1})}), HasSubstr("batch index 1"));
  EXPECT_THAT(error_of("RoiAlign", {}, {x, floats({1, 4}, {0, 0, 2, 1e30F}), ints({0})}), HasSubstr("too large"));
  EXPECT_EQ(error_of("RoiAlign", {}, {x, floats({1, 4}, {9, 9, -1e38F, -1e38F}), ints({0})}), "ok");
  // With the number of samples given, nothing else looks at the end of the region.
  for (const float end : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    EXPECT_THAT(error_of("RoiAlign", attrs, {x, floats({1, 4}, {0, 0, 2, end}), ints({0})}), HasSubstr("too large"));
  }
}

// Boxes 0 and 1 overlap by 1 / 3; box 2 is elsewhere; box 3 scores below the threshold.
TEST(NonMaxSuppression, KeepsTheBestOfOverlappingBoxes) {
  const Tensor boxes = floats({1, 4, 4}, {0, 0, 2, 2, 0, 1, 2, 3, 5, 5, 7, 7, 9, 9, 10, 10});
  const Tensor scores = floats({1, 1, 4}, {0.8F, 0.9F, 0.7F, 0.1F});
  const Operands strict{boxes, scores, ints({10}), floats({1}, {0.3F}), floats({1}, {0.5F})};
  expect_same(run("NonMaxSuppression", {}, strict), ints({2, 3}, {0, 0, 1, 0, 0, 2}));
  const Operands loose{boxes, scores, ints({10}), floats({1}, {0.4F}), floats({1}, {0.5F})};
  expect_same(run("NonMaxSuppression", {}, loose), ints({3, 3}, {0, 0, 1, 0, 0, 0, 0, 0, 2}));
  expect_same(run("NonMaxSuppression", {}, {boxes, scores}), ints({0, 3}, {}));
}

TEST(CenterCropPad, CropsAndPadsAroundTheCentre) {
  expect_same(run("CenterCropPad", {}, {floats({2, 3}, {1, 2, 3, 4, 5, 6}), ints({3, 2})}),
              floats({3, 2}, {1, 2, 4, 5, 0, 0}));
}

// Two windows of two overlap in the middle, where their values add up.
TEST(Col2Im, AddsOverlappingWindows) {
  const Tensor columns = floats({1, 2, 2}, {1, 2, 3, 4});
  expect_same(run("Col2Im", {}, {columns, ints({3}), ints({2})}), floats({1, 1, 3}, {1, 5, 4}));
  EXPECT_THAT(error_of("Col2Im", {}, {columns, ints({4}), ints({2})}), HasSubstr("expected [N, C * 2, 3]"));
}

// The identity gives pixel centres, x before y.
TEST(AffineGrid, IdentityGivesPixelCentres) {
  const Tensor theta = floats({1, 2, 3}, {1, 0, 0, 0, 1, 0});
  expect_near(run("AffineGrid", {}, {theta, ints({1, 1, 1, 2})}), floats({1, 1, 2, 2}, {-0.5F, 0, 0.5F, 0}));
}

}  // namespace
}  // namespace halfstep::ops
