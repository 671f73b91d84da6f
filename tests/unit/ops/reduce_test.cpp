// reduce_test.cpp: contract under test: the Reduce operators, ArgMax, ArgMin and TopK, against the ONNX rules.
#include <cmath>
#include <limits>
#include <random>

#include "unit/ops/movement_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

graph::Attribute flag(std::int64_t value) { return value; }

template <class T>
Tensor of(Shape shape, std::initializer_list<T> values) {
  return Tensor::of<T>(std::move(shape), values);
}

TEST(Reduce, EachOperationOverOneAxis) {
  const Tensor x = floats({2, 3}, {1, 2, 3, -4, 5, 6});
  const auto over_rows = [&](const std::string& type) { return run(type, {{"keepdims", flag(0)}}, {x, ints({1})}); };
  expect_same(over_rows("ReduceSum"), floats({2}, {6, 7}));
  expect_same(over_rows("ReduceMean"), floats({2}, {2, 7.0F / 3.0F}));
  expect_same(over_rows("ReduceMax"), floats({2}, {3, 6}));
  expect_same(over_rows("ReduceMin"), floats({2}, {1, -4}));
  expect_same(over_rows("ReduceProd"), floats({2}, {6, -120}));
  expect_same(over_rows("ReduceL1"), floats({2}, {6, 15}));
  expect_same(over_rows("ReduceL2"), floats({2}, {std::sqrt(14.0F), std::sqrt(77.0F)}));
  expect_same(over_rows("ReduceSumSquare"), floats({2}, {14, 77}));
  expect_same(over_rows("ReduceLogSum"), floats({2}, {std::log(6.0F), std::log(7.0F)}));
}

TEST(Reduce, LogSumExpNeitherOverflowsNorLosesInfinities) {
  const Tensor x = floats({4, 2}, {1000, 1000, -kInfinity, -kInfinity, kInfinity, 0, -1000, -1000});
  const Tensor y = run("ReduceLogSumExp", {{"keepdims", flag(0)}}, {x, ints({1})});
  EXPECT_FLOAT_EQ(y.data<float>()[0], 1000.0F + std::log(2.0F));
  EXPECT_EQ(y.data<float>()[1], -kInfinity);
  EXPECT_EQ(y.data<float>()[2], kInfinity);
  EXPECT_FLOAT_EQ(y.data<float>()[3], -1000.0F + std::log(2.0F));
}

TEST(Reduce, AxesAbsentEmptyNegativeAndKept) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  expect_same(run("ReduceSum", {}, {x}), floats({1, 1}, {21}));
  expect_same(run("ReduceSum", {{"keepdims", flag(0)}}, {x, ints(Ints{})}), floats({}, {21}));
  expect_same(run("ReduceSum", {{"noop_with_empty_axes", flag(1)}}, {x}), x);
  expect_same(run("ReduceSumSquare", {{"noop_with_empty_axes", flag(1)}}, {x}), floats({2, 3}, {1, 4, 9, 16, 25, 36}));
  expect_same(run("ReduceSum", {}, {x, ints({-2})}), floats({1, 3}, {5, 7, 9}));
  expect_same(run("ReduceMax", {}, {floats({}, {3})}), floats({}, {3}));
}

TEST(Reduce, NothingReducesToTheIdentity) {
  const Tensor x = floats({2, 0, 4}, {});
  const auto value = [&](const std::string& type) {
    const Tensor y = run(type, {}, {x, ints({1})});
    EXPECT_EQ(y.shape(), (Shape{2, 1, 4}));
    return y.data<float>()[7];
  };
  EXPECT_EQ(value("ReduceSum"), 0.0F);
  EXPECT_EQ(value("ReduceProd"), 1.0F);
  EXPECT_EQ(value("ReduceMax"), -kInfinity);
  EXPECT_EQ(value("ReduceMin"), kInfinity);
  EXPECT_EQ(value("ReduceLogSum"), -kInfinity);
  EXPECT_EQ(value("ReduceLogSumExp"), -kInfinity);
  EXPECT_EQ(value("ReduceL2"), 0.0F);
  EXPECT_TRUE(std::isnan(value("ReduceMean")));
  expect_same(run("ReduceMax", {}, {of<std::int32_t>({0}, {})}),
              of<std::int32_t>({1}, {std::numeric_limits<std::int32_t>::min()}));
  expect_same(run("ReduceMean", {}, {of<std::int32_t>({0}, {})}), of<std::int32_t>({1}, {0}));
  expect_same(run("ReduceMin", {}, {Tensor(TensorType{DType::kBool, {0}})}), bools({1}));
  expect_same(run("ReduceSum", {}, {x, ints({0})}), floats({1, 0, 4}, {}));
}

TEST(Reduce, IntegersWrapAndMeansTruncate) {
  expect_same(run("ReduceSum", {}, {of<std::int8_t>({3}, {100, 100, -1})}), of<std::int8_t>({1}, {-57}));
  expect_same(run("ReduceMean", {}, {of<std::int32_t>({2}, {-3, 0})}), of<std::int32_t>({1}, {-1}));
  expect_same(run("ReduceL1", {}, {of<std::int32_t>({2}, {-3, 2})}), of<std::int32_t>({1}, {5}));
  expect_same(run("ReduceL2", {}, {of<std::int64_t>({2}, {-3, 4})}), of<std::int64_t>({1}, {5}));
  expect_same(run("ReduceMax", {}, {bools({0, 1, 0})}), bools({1}));
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  expect_same(run("ReduceSum", {}, {of<std::int64_t>({2}, {kMax, 1})}),
              of<std::int64_t>({1}, {std::numeric_limits<std::int64_t>::min()}));
  expect_same(run("ReduceLogSum", {}, {of<std::int32_t>({1}, {0})}),
              of<std::int32_t>({1}, {std::numeric_limits<std::int32_t>::min()}));
}

TEST(Reduce, NaNWins) {
  EXPECT_TRUE(std::isnan(*run("ReduceMax", {}, {floats({3}, {1, kNaN, 2})}).data<float>()));
  EXPECT_TRUE(std::isnan(*run("ReduceMin", {}, {floats({3}, {1, kNaN, 2})}).data<float>()));
}

TEST(Reduce, LongSumsKeepSmallTerms) {
  // In float, adding 1 to 2^24 changes nothing.
  std::vector<float> values(1001, 1.0F);
  values[0] = 16777216.0F;
  EXPECT_EQ(*run("ReduceSum", {}, {floats({1001}, values)}).data<float>(), 16778216.0F);
  EXPECT_EQ(*run("ReduceSum", {}, {floats({1001, 1}, values), ints({0})}).data<float>(), 16778216.0F);
}

TEST(Reduce, RefusesWrongOperands) {
  EXPECT_THAT(error_of("ReduceSum", {}, {counting({2}), ints({1})}), HasSubstr("axis 1 is out of range"));
  EXPECT_THAT(error_of("ReduceSum", {}, {bools({1})}), HasSubstr("bool"));
  EXPECT_THAT(error_of("ReduceSum", {}, {counting({2}), counting({1})}), HasSubstr("axes are float32[1]"));
  EXPECT_TRUE(infer_types("ReduceSum", {}, {counting({2}), ints({0})})->data_dependent);
}

// Oracle: one pass over all elements, each added to the output it belongs to.
TEST(ReduceProperty, EveryChoiceOfAxesMatchesTheNaiveSum) {
  std::mt19937 rng(20240601);
  std::uniform_int_distribution<int> any_extent(1, 5);
  for (int round = 0; round < 200; ++round) {
    const int rank = 1 + round % 5;
    Shape shape;
    for (int i = 0; i < rank; ++i) shape.push_back(round % 17 == 0 && i == 0 ? 300 : any_extent(rng));
    Tensor x(TensorType{DType::kInt32, shape});
    for (std::int64_t i = 0; i < x.num_elements(); ++i) {
      x.mutable_data<std::int32_t>()[i] = static_cast<std::int32_t>(rng() % 100);
    }
    Ints axes;
    for (int i = 0; i < rank; ++i) {
      if (rng() % 2 == 0) axes.push_back(i);
    }
    Shape kept = shape;
    for (const std::int64_t axis : axes) kept[static_cast<int>(axis)] = 1;
    if (axes.empty()) continue;
    Tensor expected(TensorType{DType::kInt32, kept});
    const auto strides = strides_of(kept);
    for (std::int64_t i = 0; i < x.num_elements(); ++i) {
      std::int64_t rest = i;
      std::int64_t at = 0;
      for (int axis = rank - 1; axis >= 0; --axis) {
        if (kept[axis] != 1) at += rest % shape[axis] * strides[static_cast<std::size_t>(axis)];
        rest /= shape[axis];
      }
      expected.mutable_data<std::int32_t>()[at] += x.data<std::int32_t>()[i];
    }
    expect_same(run("ReduceSum", {}, {x, ints(axes)}), expected);
  }
}

TEST(ArgMax, FirstOrLastOfEquals) {
  const Tensor x = floats({2, 3}, {2, 2, 1, 0, 3, 3});
  expect_same(run("ArgMax", {{"axis", flag(1)}}, {x}), ints({2, 1}, {0, 1}));
  expect_same(run("ArgMax", {{"axis", flag(-1)}, {"select_last_index", flag(1)}, {"keepdims", flag(0)}}, {x}),
              ints({2}, {1, 2}));
  expect_same(run("ArgMin", {{"keepdims", flag(0)}}, {x}), ints({3}, {1, 0, 0}));
  EXPECT_THAT(error_of("ArgMax", {}, {floats({0, 2}, {})}), HasSubstr("no element"));
}

TEST(TopK, TiesGoToTheLowerIndexOnEitherSide) {
  const Tensor x = floats({2, 4}, {3, 1, 3, 2, 0, 0, -1, 5});
  const auto largest = run_all("TopK", {}, {x, ints({3})}, 2);
  expect_same(largest[0], floats({2, 3}, {3, 3, 2, 5, 0, 0}));
  expect_same(largest[1], ints({2, 3}, {0, 2, 3, 3, 0, 1}));
  const auto smallest = run_all("TopK", {{"largest", flag(0)}, {"axis", flag(0)}}, {x, ints({1})}, 2);
  expect_same(smallest[0], floats({1, 4}, {0, 0, -1, 2}));
  expect_same(smallest[1], ints({1, 4}, {1, 1, 1, 0}));
}

TEST(TopK, NaNIsTheLargestAndNeverBreaksTheOrder) {
  const Tensor x = floats({5}, {1, kNaN, 3, kNaN, 2});
  expect_same(run_all("TopK", {}, {x, ints({3})}, 2)[1], ints({3}, {1, 3, 2}));
  expect_same(run_all("TopK", {{"largest", flag(0)}}, {x, ints({5})}, 2)[1], ints({5}, {0, 4, 2, 1, 3}));
}

TEST(TopK, RefusesKOutsideTheAxis) {
  EXPECT_THAT(error_of("TopK", {}, {counting({4}), ints({5})}, 2), HasSubstr("K is 5"));
  EXPECT_THAT(error_of("TopK", {}, {counting({4}), ints({-1})}, 2), HasSubstr("K is -1"));
  EXPECT_EQ(error_of("TopK", {}, {counting({4}), ints({0})}, 2), "ok");
  EXPECT_TRUE(infer_types("TopK", {}, {counting({4}), ints({2})})->data_dependent);
}

}  // namespace
}  // namespace halfstep::ops
