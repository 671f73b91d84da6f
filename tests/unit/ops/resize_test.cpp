// resize_test.cpp: contract under test: Resize, by hand-computed coordinates and weights.
#include <cstdint>

#include "unit/ops/movement_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

graph::Attribute text(const char* value) { return std::string(value); }

Tensor resized(const Attrs& attrs, const Tensor& x, std::vector<float> scales) {
  const Shape count{static_cast<std::int64_t>(scales.size())};
  return run("Resize", attrs, {x, std::nullopt, floats(count, std::move(scales))});
}

Tensor sized(const Attrs& attrs, const Tensor& x, Ints sizes) {
  return run("Resize", attrs, {x, std::nullopt, std::nullopt, ints(std::move(sizes))});
}

void expect_near(const Tensor& actual, const Tensor& expected) {
  ASSERT_EQ(to_string(actual.type()), to_string(expected.type()));
  EXPECT_THAT(actual.values<float>(), Pointwise(FloatNear(1e-6F), expected.values<float>()));
}

// Half-pixel coordinates -0.25, 0.25, 0.75, 1.25.
TEST(Resize, NearestDoublesPixels) {
  expect_same(resized({}, counting({2, 2}), {2, 2}), floats({4, 4}, {0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3}));
}

// Asymmetric coordinates 0, 0.5, 1, 1.5: both odd ones are ties.
TEST(Resize, NearestModesDifferOnTies) {
  const auto with = [](const char* mode) {
    const Attrs attrs{{"coordinate_transformation_mode", text("asymmetric")}, {"nearest_mode", text(mode)}};
    return resized(attrs, counting({2}), {2});
  };
  expect_same(with("round_prefer_floor"), floats({4}, {0, 0, 1, 1}));
  expect_same(with("round_prefer_ceil"), floats({4}, {0, 1, 1, 1}));
  expect_same(with("floor"), floats({4}, {0, 0, 1, 1}));
  expect_same(with("ceil"), floats({4}, {0, 1, 1, 1}));
}

// The coordinate of output 1 is 1.5 / 0.6 - 0.5 = 2, but 1.99999990 with the
// nearest float32 to 0.6.
TEST(Resize, NearestTakesAFloat32ScaleForTheNumberItStandsFor) {
  expect_same(resized({{"nearest_mode", text("floor")}}, counting({5}), {0.6F}), floats({3}, {0, 2, 3}));
}

TEST(Resize, NearestMovesIntegersOfEveryWidth) {
  const Tensor x = Tensor::of<std::int8_t>({1, 2}, {-128, 127});
  expect_same(resized({}, x, {1, 2}), Tensor::of<std::int8_t>({1, 4}, {-128, -128, 127, 127}));
  expect_same(resized({}, ints({1, 2}, {1, 2}), {2, 1}), ints({2, 2}, {1, 2, 1, 2}));
}

// Half-pixel coordinates -0.25, 0.25, 0.75, 1.25; the outer ones are clamped.
TEST(Resize, LinearWeighsNeighbours) {
  const Attrs linear{{"mode", text("linear")}};
  expect_near(resized(linear, floats({2}, {0, 4}), {2}), floats({4}, {0, 1, 3, 4}));
  expect_near(resized(linear, floats({1, 2, 2}, {0, 4, 8, 12}), {1, 2, 1}),
              floats({1, 4, 2}, {0, 4, 2, 6, 6, 10, 8, 12}));
}

// Corners coincide: coordinates 0, 0.5, 1.
TEST(Resize, AlignCornersKeepsTheEnds) {
  const Attrs attrs{{"mode", text("linear")}, {"coordinate_transformation_mode", text("align_corners")}};
  expect_near(sized(attrs, floats({2}, {0, 4}), {3}), floats({3}, {0, 2, 4}));
}

// Coordinates 0, 0.5, 1, 1.5 give 2, 2.5, 3 and, clamped, 3.
TEST(Resize, LinearIntegersRoundHalfToEven) {
  const Tensor x = Tensor::of<std::uint8_t>({1, 2}, {2, 3});
  const Attrs attrs{{"mode", text("linear")}, {"coordinate_transformation_mode", text("asymmetric")}};
  expect_same(resized(attrs, x, {1, 2}), Tensor::of<std::uint8_t>({1, 4}, {2, 2, 3, 3}));
}

// At distance 1/2 the cubic kernel with a = -0.75 weighs -3/32, 19/32, 19/32, -3/32.
TEST(Resize, CubicWeighsFourNeighbours) {
  const Attrs attrs{{"mode", text("cubic")}, {"coordinate_transformation_mode", text("asymmetric")}};
  const Tensor y = resized(attrs, floats({4}, {0, 32, 64, 0}), {2});
  EXPECT_NEAR(y.values<float>()[3], (19.0F * 32 + 19.0F * 64) / 32.0F, 1e-4F);
  EXPECT_NEAR(y.values<float>()[4], 64.0F, 1e-4F);
}

// The filter reaches two pixels to each side of coordinate 0.5: weights 1/8,
// 3/8, 3/8, 1/8, where a pixel outside reads the border's value.
TEST(Resize, AntialiasWidensTheFilterWhenShrinking) {
  const Attrs attrs{{"mode", text("linear")}, {"antialias", graph::Attribute(std::int64_t{1})}};
  expect_near(sized(attrs, floats({4}, {0, 8, 16, 24}), {2}), floats({2}, {5, 19}));
}

// Crop of [0, 3]: coordinates 0, 1.5, 3, of which the last two lie beyond 1.
TEST(Resize, CropFillsWhatLiesOutside) {
  const Attrs attrs{{"mode", text("linear")},
                    {"coordinate_transformation_mode", text("tf_crop_and_resize")},
                    {"extrapolation_value", graph::Attribute(9.0F)}};
  const Tensor y = run("Resize", attrs, {floats({2}, {3, 5}), floats({2}, {0, 3}), std::nullopt, ints({3})});
  expect_near(y, floats({3}, {3, 9, 9}));
}

TEST(Resize, KeepsTheAspectRatio) {
  const auto shape_with = [](const char* policy) {
    return sized({{"keep_aspect_ratio_policy", text(policy)}, {"axes", Ints{1, 2}}}, counting({1, 2, 4}), {7, 8})
        .shape();
  };
  EXPECT_EQ(shape_with("not_larger"), (Shape{1, 4, 8}));
  EXPECT_EQ(shape_with("not_smaller"), (Shape{1, 7, 14}));
}

TEST(Resize, SizesDecideTheTypeAtRunTime) {
  const auto inferred = infer_types("Resize", {}, {counting({2}), std::nullopt, std::nullopt, ints({3})});
  ASSERT_TRUE(inferred.ok());
  EXPECT_TRUE(inferred->data_dependent);
}

TEST(Resize, RefusesWhatContradicts) {
  const Tensor x = counting({2, 2});
  EXPECT_THAT(error_of("Resize", {}, {x}), HasSubstr("neither scales nor sizes"));
  EXPECT_THAT(error_of("Resize", {}, {x, std::nullopt, floats({2}, {1, 2}), ints({2, 4})}), HasSubstr("both given"));
  EXPECT_THAT(error_of("Resize", {}, {x, std::nullopt, floats({2}, {1, 0})}), HasSubstr("positive"));
  EXPECT_THAT(error_of("Resize", {}, {x, std::nullopt, floats({1}, {2})}), HasSubstr("expected float32[2]"));
  EXPECT_THAT(error_of("Resize", {}, {x, std::nullopt, floats({2}, {1, 1e30F})}), HasSubstr("longer than"));
  EXPECT_THAT(error_of("Resize", {{"mode", text("bilinear")}}, {x, std::nullopt, floats({2}, {1, 2})}),
              HasSubstr("mode is 'bilinear'"));
  EXPECT_THAT(error_of("Resize", {{"axes", Ints{0, -2}}}, {x, std::nullopt, floats({2}, {1, 2})}), HasSubstr("twice"));
  EXPECT_THAT(error_of("Resize", {}, {counting({2, 0}), std::nullopt, std::nullopt, ints({2, 3})}),
              HasSubstr("extent 0"));
}

}  // namespace
}  // namespace halfstep::ops
