// movement_test.cpp: contract under test: the movers of src/ops/movement*.cpp, against the ONNX rules.
#include <algorithm>
#include <limits>
#include <random>

#include "unit/ops/movement_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

TEST(Concat, JoinsAlongAnyAxis) {
  const Tensor a = floats({2, 1}, {1, 2});
  const Tensor b = floats({2, 2}, {3, 4, 5, 6});
  expect_same(run("Concat", {{"axis", std::int64_t{-1}}}, {a, b}), floats({2, 3}, {1, 3, 4, 2, 5, 6}));
  expect_same(run("Concat", {{"axis", std::int64_t{0}}}, {b, b}), floats({4, 2}, {3, 4, 5, 6, 3, 4, 5, 6}));
  expect_same(run("Concat", {{"axis", std::int64_t{1}}}, {floats({2, 0}, {}), a}), a);
}

TEST(Concat, RefusesWhatDoesNotJoin) {
  EXPECT_THAT(error_of("Concat", {{"axis", std::int64_t{0}}}, {counting({2, 1}), counting({2, 2})}),
              HasSubstr("float32[2, 2], which does not join float32[2, 1] along axis 0"));
  EXPECT_THAT(error_of("Concat", {{"axis", std::int64_t{2}}}, {counting({2, 1})}), HasSubstr("out of range"));
  EXPECT_NE(error_of("Concat", {}, {counting({2}), counting<std::int32_t>({2})}), "ok");
}

TEST(Split, BySizesByCountAndUnwantedOutputs) {
  const Tensor x = counting({2, 5});
  const auto parts = run_all("Split", {{"axis", std::int64_t{1}}}, {x, ints({2, 0, 3})}, 3);
  expect_same(parts[0], floats({2, 2}, {0, 1, 5, 6}));
  expect_same(parts[1], floats({2, 0}, {}));
  expect_same(parts[2], floats({2, 3}, {2, 3, 4, 7, 8, 9}));
  const auto uneven = run_all("Split", {{"axis", std::int64_t{1}}, {"num_outputs", std::int64_t{2}}}, {x}, 2);
  expect_same(uneven[1], floats({2, 2}, {3, 4, 8, 9}));
}

TEST(Split, RefusesSizesThatDoNotAddUp) {
  const Tensor x = counting({5});
  EXPECT_THAT(error_of("Split", {}, {x, ints({2, 2})}, 2), HasSubstr("do not add up to the extent 5"));
  EXPECT_NE(error_of("Split", {}, {x, ints({kMax, kMax, 7})}, 3), "ok");
  EXPECT_NE(error_of("Split", {}, {x, ints({-1, 6})}, 2), "ok");
  EXPECT_NE(error_of("Split", {}, {x, ints({5})}, 2), "ok");
  EXPECT_THAT(error_of("Split", {}, {x}, 2), HasSubstr("2 equal parts"));
  EXPECT_NE(error_of("Split", {{"num_outputs", std::int64_t{4}}}, {x}, 4), "ok");  // 2, 2, 2, -1
  EXPECT_NE(error_of("Split", {{"num_outputs", kMax}}, {x}, 2), "ok");
}

Tensor slice(const Tensor& x, Ints starts, Ints ends, Ints axes, Ints steps) {
  return run("Slice", {}, {x, ints(starts), ints(ends), ints(axes), ints(steps)});
}

TEST(Slice, ClampsAndCountsFromTheEnd) {
  const Tensor x = counting({6});
  expect_same(slice(x, {1}, {kMax}, {0}, {2}), floats({3}, {1, 3, 5}));
  expect_same(slice(x, {kMin}, {-2}, {-1}, {1}), floats({4}, {0, 1, 2, 3}));
  expect_same(slice(x, {kMax}, {kMin}, {0}, {-1}), floats({6}, {5, 4, 3, 2, 1, 0}));
  expect_same(slice(x, {-2}, {-6}, {0}, {-3}), floats({2}, {4, 1}));
  expect_same(slice(x, {4}, {2}, {0}, {1}), floats({0}, {}));
  expect_same(slice(x, {0}, {kMax}, {0}, {kMax}), floats({1}, {0}));
  expect_same(slice(x, {kMax}, {kMin}, {0}, {kMin}), floats({1}, {5}));
  expect_same(slice(floats({0}, {}), {kMax}, {kMin}, {0}, {-1}), floats({0}, {}));
}

TEST(Slice, AxesAndStepsHaveDefaults) {
  expect_same(run("Slice", {}, {counting({2, 3}), ints({1}), ints({2})}), floats({1, 3}, {3, 4, 5}));
  EXPECT_TRUE(infer_types("Slice", {}, {counting({2, 3}), ints({1}), ints({2})})->data_dependent);
}

TEST(Slice, RefusesContradictions) {
  const Tensor x = counting({2, 3});
  EXPECT_THAT(error_of("Slice", {}, {x, ints({0}), ints({1}), ints({0}), ints({0})}), HasSubstr("step 0"));
  EXPECT_THAT(error_of("Slice", {}, {x, ints({0, 0}), ints({1, 1}), ints({1, -1})}), HasSubstr("twice"));
  EXPECT_NE(error_of("Slice", {}, {x, ints({0}), ints({1, 2})}), "ok");
  EXPECT_NE(error_of("Slice", {}, {x, ints({0, 0, 0}), ints({1, 1, 1})}), "ok");
}

// Oracle: element by element, from the rules of ONNX. They differ from NumPy's where a negative step starts before
// the first element: ONNX clamps the start to it.
TEST(SliceProperty, MatchesElementByElement) {
  std::mt19937_64 rng(7);
  const auto draw = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(rng);
  };
  for (int round = 0; round < 500; ++round) {
    const Shape shape = {draw(1, 4), draw(1, 7), draw(1, 5)};
    Ints starts, ends, steps;
    std::vector<Ints> kept(3);
    for (int axis = 0; axis < 3; ++axis) {
      const std::int64_t extent = shape[axis];
      const std::int64_t step = draw(0, 1) == 0 ? draw(1, 3) : draw(-3, -1);
      starts.push_back(draw(-9, 9));
      ends.push_back(draw(-9, 9));
      steps.push_back(step);
      std::int64_t at = starts.back() < 0 ? starts.back() + extent : starts.back();
      std::int64_t end = ends.back() < 0 ? ends.back() + extent : ends.back();
      if (step > 0) {
        at = std::max<std::int64_t>(at, 0);
        end = std::min(end, extent);
      } else {
        at = std::clamp<std::int64_t>(at, 0, extent - 1);
        end = std::max<std::int64_t>(end, -1);
      }
      for (; step > 0 ? at < end : at > end; at += step) kept[static_cast<std::size_t>(axis)].push_back(at);
    }
    const Tensor x = counting<std::int16_t>(shape);
    std::vector<float> expected;
    for (auto i : kept[0]) {
      for (auto j : kept[1]) {
        for (auto k : kept[2]) expected.push_back(static_cast<float>((i * shape[1] + j) * shape[2] + k));
      }
    }
    EXPECT_EQ(to_floats(slice(x, starts, ends, {0, 1, 2}, steps).view()), expected);
  }
}

// Every element type by its size, odd extents so that tiles are cut.
template <class T>
void expect_transposed(const Shape& shape, const Ints& perm) {
  const Tensor x = counting<T>(shape);
  const Tensor y = run("Transpose", {{"perm", perm}}, {x});
  const auto strides = strides_of(shape);
  Ints at(perm.size(), 0);
  for (std::int64_t i = 0; i < y.num_elements(); ++i) {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < perm.size(); ++axis) {
      offset += at[axis] * strides[static_cast<std::size_t>(perm[axis])];
    }
    ASSERT_EQ(y.data<T>()[i], x.data<T>()[offset]) << "element " << i;
    for (std::size_t axis = perm.size(); axis-- > 0;) {
      if (++at[axis] < y.shape()[static_cast<int>(axis)]) break;
      at[axis] = 0;
    }
  }
}

TEST(Transpose, EveryPermutationOfFourAxesInEveryElementSize) {
  Ints perm = {0, 1, 2, 3};
  do {
    expect_transposed<float>({3, 5, 2, 37}, perm);
    expect_transposed<std::uint8_t>({2, 35, 1, 41}, perm);
    expect_transposed<std::int16_t>({1, 3, 33, 7}, perm);
    expect_transposed<std::int64_t>({3, 2, 5, 2}, perm);
  } while (std::ranges::next_permutation(perm).found);
}

TEST(Transpose, DefaultsToReversalAndChecksPerm) {
  expect_same(run("Transpose", {}, {counting({2, 3})}), floats({3, 2}, {0, 3, 1, 4, 2, 5}));
  expect_same(run("Transpose", {}, {floats({}, {4})}), floats({}, {4}));
  expect_same(run("Transpose", {}, {floats({0, 3}, {})}), floats({3, 0}, {}));
  EXPECT_NE(error_of("Transpose", {{"perm", Ints{0, 0}}}, {counting({2, 3})}), "ok");
  EXPECT_NE(error_of("Transpose", {{"perm", Ints{0}}}, {counting({2, 3})}), "ok");
  EXPECT_NE(error_of("Transpose", {{"perm", Ints{0, 2}}}, {counting({2, 3})}), "ok");
}

TEST(Expand, BroadcastsBothWays) {
  expect_same(run("Expand", {}, {floats({2, 1}, {1, 2}), ints({3, 1, 2})}),
              floats({3, 2, 2}, {1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2}));
  expect_same(run("Expand", {}, {floats({}, {7}), ints({2})}), floats({2}, {7, 7}));
  expect_same(run("Expand", {}, {floats({2}, {7, 8}), ints({1})}), floats({2}, {7, 8}));
  EXPECT_NE(error_of("Expand", {}, {counting({2}), ints({3})}), "ok");
  EXPECT_NE(error_of("Expand", {}, {counting({1}), ints({kMax, kMax})}), "ok");
  EXPECT_NE(error_of("Expand", {}, {counting({1}), ints({-1})}), "ok");
}

TEST(Tile, RepeatsEveryAxis) {
  expect_same(run("Tile", {}, {floats({1, 2}, {1, 2}), ints({2, 2})}), floats({2, 4}, {1, 2, 1, 2, 1, 2, 1, 2}));
  expect_same(run("Tile", {}, {counting({2}), ints({0})}), floats({0}, {}));
  EXPECT_NE(error_of("Tile", {}, {counting({2}), ints({kMax})}), "ok");
  EXPECT_NE(error_of("Tile", {}, {counting({2}), ints({-1})}), "ok");
  EXPECT_NE(error_of("Tile", {}, {counting({2}), ints({1, 1})}), "ok");
}

Tensor pad(const Tensor& x, const std::string& mode, Ints pads) {
  return run("Pad", {{"mode", mode}}, {x, ints(pads)});
}

TEST(Pad, Modes) {
  const Tensor x = floats({3}, {1, 2, 3});
  expect_same(pad(x, "constant", {1, 2}), floats({6}, {0, 1, 2, 3, 0, 0}));
  expect_same(pad(x, "edge", {1, 2}), floats({6}, {1, 1, 2, 3, 3, 3}));
  expect_same(pad(x, "reflect", {2, 3}), floats({8}, {3, 2, 1, 2, 3, 2, 1, 2}));
  expect_same(pad(x, "wrap", {2, 4}), floats({9}, {2, 3, 1, 2, 3, 1, 2, 3, 1}));
  expect_same(pad(floats({1}, {5}), "reflect", {1, 1}), floats({3}, {5, 5, 5}));
}

TEST(Pad, NegativePadsCutFirst) {
  const Tensor x = floats({4}, {1, 2, 3, 4});
  expect_same(pad(x, "constant", {-1, 2}), floats({5}, {2, 3, 4, 0, 0}));
  expect_same(pad(x, "reflect", {-1, 2}), floats({5}, {2, 3, 4, 3, 2}));
  expect_same(pad(x, "constant", {-5, 3}), floats({2}, {0, 0}));
  expect_same(pad(x, "constant", {3, -6}), floats({1}, {0}));
  EXPECT_NE(error_of("Pad", {}, {x, ints({-5, 0})}), "ok");
  EXPECT_NE(error_of("Pad", {{"mode", std::string("edge")}}, {x, ints({-5, 3})}), "ok");
}

TEST(Pad, SeveralAxesWithAConstantAndAxes) {
  const Tensor x = counting<std::int32_t>({1, 2, 1, 2});
  const Tensor y = run("Pad", {}, {x, ints({1, 0, 0, 1}), Tensor::of<std::int32_t>({}, {9}), ints({-3, 2})});
  expect_same(y, Tensor::of<std::int32_t>({1, 3, 2, 2}, {9, 9, 9, 9, 0, 1, 9, 9, 2, 3, 9, 9}));
  const Tensor z = run("Pad", {{"mode", std::string("edge")}}, {x, ints({0, 1, 0, 0, 0, 0, 1, 1})});
  expect_same(z, Tensor::of<std::int32_t>({1, 3, 2, 3}, {0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 2, 3, 3, 2, 3, 3}));
}

TEST(Pad, RefusesNonsense) {
  const Tensor x = counting({2});
  EXPECT_NE(error_of("Pad", {}, {x, ints({kMin, kMax})}), "ok");
  EXPECT_NE(error_of("Pad", {}, {x, ints({kMax, kMax})}), "ok");
  EXPECT_NE(error_of("Pad", {}, {x, ints({1})}), "ok");
  EXPECT_NE(error_of("Pad", {{"mode", std::string("mirror")}}, {x, ints({1, 1})}), "ok");
  EXPECT_NE(error_of("Pad", {}, {x, ints({1, 1}), ints({3})}), "ok");
  EXPECT_NE(error_of("Pad", {{"mode", std::string("wrap")}}, {floats({0}, {}), ints({1, 1})}), "ok");
  expect_same(pad(floats({0}, {}), "constant", {1, 1}), floats({2}, {0, 0}));
}

TEST(Trilu, KeepsOneSideOfTheDiagonal) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  expect_same(run("Trilu", {}, {x}), floats({2, 3}, {1, 2, 3, 0, 5, 6}));
  expect_same(run("Trilu", {{"upper", std::int64_t{0}}}, {x}), floats({2, 3}, {1, 0, 0, 4, 5, 0}));
  expect_same(run("Trilu", {}, {x, ints({}, {1})}), floats({2, 3}, {0, 2, 3, 0, 0, 6}));
  expect_same(run("Trilu", {}, {x, ints({}, {kMax})}), floats({2, 3}, {0, 0, 0, 0, 0, 0}));
  expect_same(run("Trilu", {{"upper", std::int64_t{0}}}, {x, ints({}, {kMax})}), x);
  expect_same(run("Trilu", {}, {x, ints({}, {kMin})}), x);
  EXPECT_NE(error_of("Trilu", {}, {counting({3})}), "ok");
}

TEST(ReverseSequence, ReversesEachLength) {
  const Tensor x = counting({3, 2});
  expect_same(run("ReverseSequence", {}, {x, ints({3, 2})}), floats({3, 2}, {4, 3, 2, 1, 0, 5}));
  expect_same(
      run("ReverseSequence", {{"batch_axis", std::int64_t{0}}, {"time_axis", std::int64_t{1}}}, {x, ints({0, 1, 2})}),
      floats({3, 2}, {0, 1, 2, 3, 5, 4}));
  EXPECT_THAT(error_of("ReverseSequence", {}, {x, ints({3, 4})}), HasSubstr("sequence length 4 at index 1"));
  EXPECT_NE(error_of("ReverseSequence", {{"time_axis", std::int64_t{1}}}, {x, ints({3, 2})}), "ok");
}

}  // namespace
}  // namespace halfstep::ops
