// pool_test.cpp: contract under test: pooling windows, by hand-computed values.
#include <cstdint>

#include "ops/shared/pool_window.hpp"
#include "unit/ops/movement_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::HasSubstr;

graph::Attribute number(std::int64_t value) { return value; }
graph::Attribute text(const char* value) { return std::string(value); }

// 5 inputs, windows of 2 two apart: 2 windows fit, the third would hang over
// the end and counts only under ceil_mode.
TEST(Pool, CeilModeAddsTheOverhangingWindow) {
  const Tensor x = floats({1, 1, 5}, {1, 5, 2, 4, 3});
  const Attrs attrs{{"kernel_shape", Ints{2}}, {"strides", Ints{2}}};
  Attrs ceil = attrs;
  ceil.emplace_back("ceil_mode", number(1));
  expect_same(run("MaxPool", attrs, {x}), floats({1, 1, 2}, {5, 4}));
  expect_same(run("MaxPool", ceil, {x}), floats({1, 1, 3}, {5, 4, 3}));
  expect_same(run("AveragePool", ceil, {x}), floats({1, 1, 3}, {3, 3, 3}));
}

// 3 inputs and two pads behind, windows three apart: the second would start at position 3, which is padding.
TEST(Pool, NoWindowStartsInThePaddingBehind) {
  const Attrs attrs{{"kernel_shape", Ints{2}}, {"strides", Ints{3}}, {"pads", Ints{0, 2}}, {"ceil_mode", number(1)}};
  expect_same(run("MaxPool", attrs, {floats({1, 1, 3}, {1, 2, 3})}), floats({1, 1, 1}, {2}));
}

// Stride 2 over 3 inputs gives 2 windows, which need one pad: behind or in front.
TEST(Pool, AutoPadPutsTheOddPadWhereItSays) {
  const Tensor x = floats({1, 1, 3}, {1, 2, 3});
  Attrs attrs{{"kernel_shape", Ints{2}}, {"strides", Ints{2}}, {"auto_pad", text("SAME_UPPER")}};
  expect_same(run("MaxPool", attrs, {x}), floats({1, 1, 2}, {2, 3}));
  attrs.back().second = text("SAME_LOWER");
  expect_same(run("MaxPool", attrs, {x}), floats({1, 1, 2}, {1, 3}));
  attrs.back().second = text("VALID");
  expect_same(run("MaxPool", attrs, {x}), floats({1, 1, 1}, {2}));
}

TEST(Pool, DilatedTapsLeaveOutWhatLiesBetween) {
  const Attrs attrs{{"kernel_shape", Ints{2}}, {"dilations", Ints{2}}};
  expect_same(run("MaxPool", attrs, {floats({1, 1, 4}, {1, 9, 3, 2})}), floats({1, 1, 2}, {3, 9}));
}

// Every pixel of a 2 by 3 plane under a 2 by 2 window; 5 stands at row 0, column 1.
TEST(Pool, IndicesCountOverTheWholeInputInEitherOrder) {
  const Tensor x = floats({1, 2, 2, 3}, {1, 5, 2, 3, 0, 4, 1, 5, 2, 3, 0, 4});
  Attrs attrs{{"kernel_shape", Ints{2, 2}}, {"storage_order", number(0)}};
  expect_same(run_all("MaxPool", attrs, {x}, 2)[1], ints({1, 2, 1, 2}, {1, 1, 7, 7}));
  attrs.back().second = number(1);
  expect_same(run_all("MaxPool", attrs, {x}, 2)[1], ints({1, 2, 1, 2}, {2, 2, 8, 8}));
}

TEST(Pool, IntegersKeepTheirType) {
  const Tensor bytes = Tensor::of<std::int8_t>({1, 1, 3}, {-128, -5, -7});
  expect_same(run("MaxPool", {{"kernel_shape", Ints{2}}}, {bytes}), Tensor::of<std::int8_t>({1, 1, 2}, {-5, -5}));
  const Tensor unsigned_bytes = Tensor::of<std::uint8_t>({1, 1, 3}, {0, 200, 100});
  expect_same(run("GlobalMaxPool", {}, {unsigned_bytes}), Tensor::of<std::uint8_t>({1, 1, 1}, {200}));
}

// One pad on either side: the windows hold {2, 4}, {2, 4, 6}, {4, 6}.
TEST(Pool, AveragesCountPadsOnlyWhenAsked) {
  const Tensor x = floats({1, 1, 3}, {2, 4, 6});
  Attrs attrs{{"kernel_shape", Ints{3}}, {"pads", Ints{1, 1}}, {"count_include_pad", number(0)}};
  expect_same(run("AveragePool", attrs, {x}), floats({1, 1, 3}, {3, 4, 5}));
  attrs.back().second = number(1);
  expect_same(run("AveragePool", attrs, {x}), floats({1, 1, 3}, {2, 4, 10.0F / 3.0F}));
}

TEST(Pool, LpPoolTakesTheNorm) {
  const Tensor x = floats({1, 1, 2}, {3, -4});
  Attrs attrs{{"kernel_shape", Ints{2}}, {"p", number(2)}};
  expect_same(run("LpPool", attrs, {x}), floats({1, 1, 1}, {5}));
  attrs.back().second = number(1);
  expect_same(run("LpPool", attrs, {x}), floats({1, 1, 1}, {7}));
}

TEST(Pool, GlobalFormsReduceAllSpatialAxes) {
  const Tensor x = floats({1, 2, 2, 2}, {1, 2, 3, 6, -3, 4, 0, 0});
  expect_same(run("GlobalAveragePool", {}, {x}), floats({1, 2, 1, 1}, {3, 0.25F}));
  expect_same(run("GlobalMaxPool", {}, {x}), floats({1, 2, 1, 1}, {6, 4}));
  expect_same(run("GlobalLpPool", {{"p", number(2)}}, {floats({1, 1, 2}, {3, 4})}), floats({1, 1, 1}, {5}));
}

// The window lies over one plane of depth 2: all 8 values.
TEST(Pool, ThreeDimensions) {
  const Attrs attrs{{"kernel_shape", Ints{2, 2, 2}}};
  expect_same(run("MaxPool", attrs, {counting({1, 1, 2, 2, 3})}), floats({1, 1, 1, 1, 2}, {10, 11}));
  expect_same(run("AveragePool", attrs, {counting({1, 1, 2, 2, 3})}), floats({1, 1, 1, 1, 2}, {5, 6}));
}

TEST(Pool, UnpoolPutsValuesBack) {
  const Attrs attrs{{"kernel_shape", Ints{2}}, {"strides", Ints{2}}};
  const Tensor x = floats({1, 1, 2}, {5, 7});
  expect_same(run("MaxUnpool", attrs, {x, ints({1, 1, 2}, {1, 2})}), floats({1, 1, 4}, {0, 5, 7, 0}));
  EXPECT_THAT(error_of("MaxUnpool", attrs, {x, ints({1, 1, 2}, {1, 4})}), HasSubstr("index 4 is outside"));
}

TEST(Pool, RefusesWhatDoesNotFit) {
  const Tensor x = counting({1, 1, 4});
  EXPECT_THAT(error_of("MaxPool", {}, {x}), HasSubstr("kernel_shape is missing"));
  EXPECT_THAT(error_of("MaxPool", {{"kernel_shape", Ints{2, 2}}}, {x}), HasSubstr("the window has 2 dimensions"));
  EXPECT_THAT(error_of("MaxPool", {{"kernel_shape", Ints{5}}}, {x}), HasSubstr("does not fit"));
  EXPECT_THAT(error_of("MaxPool", {{"kernel_shape", Ints{0}}}, {x}), HasSubstr("has the extent 0"));
  EXPECT_THAT(error_of("MaxPool", {{"kernel_shape", Ints{2}}, {"strides", Ints{0}}}, {x}), HasSubstr("strides"));
  EXPECT_THAT(error_of("MaxPool", {{"kernel_shape", Ints{2}}, {"pads", Ints{-1, 0}}}, {x}), HasSubstr("pads"));
  EXPECT_THAT(error_of("AveragePool", {{"kernel_shape", Ints{1}}}, {ints({1, 1, 1}, {1})}), HasSubstr("float32"));
  EXPECT_THAT(error_of("MaxPool", {{"kernel_shape", Ints{1}}}, {counting({1, 1, 1, 1, 1, 1})}), HasSubstr("at most 3"));
}

TEST(PoolWindow, TapsBetweenBounds) {
  WindowAxis axis;
  axis.in = 4;
  axis.kernel = 3;
  axis.dilation = 2;
  axis.pad_begin = 2;
  EXPECT_EQ(taps_between(axis, 0, 0, 4).first, 1);  // Taps at -2, 0, 2.
  EXPECT_EQ(taps_between(axis, 0, 0, 4).last, 3);
  EXPECT_EQ(taps_between(axis, 1, 0, 4).count(), 2);  // Taps at -1, 1, 3.
  EXPECT_EQ(taps_between(axis, 6, 0, 4).count(), 0);  // Taps at 4, 6, 8.
}

}  // namespace
}  // namespace halfstep::ops
