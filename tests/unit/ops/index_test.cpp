// index_test.cpp: contract under test: src/ops/index*.cpp, against the ONNX rules.
#include <limits>

#include "unit/ops/movement_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Attrs axis(std::int64_t value) { return {{"axis", value}}; }

TEST(Gather, TakesSlicesAlongTheAxis) {
  const Tensor x = counting({2, 3});
  expect_same(run("Gather", axis(1), {x, ints({2, 2}, {0, -1, 1, 1})}), floats({2, 2, 2}, {0, 2, 1, 1, 3, 5, 4, 4}));
  expect_same(run("Gather", {}, {x, ints({}, {-2})}), floats({3}, {0, 1, 2}));
  expect_same(run("Gather", {}, {x, Tensor::of<std::int32_t>({1}, {1})}), floats({1, 3}, {3, 4, 5}));
  expect_same(run("Gather", {}, {x, ints(Ints{})}), floats({0, 3}, {}));
}

TEST(Gather, NamesTheIndexThatIsOutOfRange) {
  EXPECT_EQ(error_of("Gather", axis(1), {counting({2, 3}), ints({0, 3})}),
            "index 3 is out of range for axis 1 of extent 3");
  EXPECT_NE(error_of("Gather", axis(1), {counting({2, 3}), ints({kMin})}), "ok");
  EXPECT_NE(error_of("Gather", axis(2), {counting({2, 3}), ints({0})}), "ok");
  EXPECT_NE(error_of("Gather", {}, {floats({}, {1}), ints({0})}), "ok");
  EXPECT_NE(error_of("Gather", {}, {floats({0}, {}), ints({0})}), "ok");
  EXPECT_NE(error_of("Gather", {}, {counting({2}), floats({1}, {0})}), "ok");
}

TEST(GatherElements, TakesElements) {
  const Tensor x = counting({2, 3});
  expect_same(run("GatherElements", axis(1), {x, ints({2, 1}, {2, -3})}), floats({2, 1}, {2, 3}));
  expect_same(run("GatherElements", {}, {x, ints({3, 2}, {0, 1, 1, -2, -1, 0})}), floats({3, 2}, {0, 4, 3, 1, 3, 1}));
  EXPECT_EQ(error_of("GatherElements", {}, {x, ints({1, 3}, {0, 2, 0})}),
            "index 2 is out of range for axis 0 of extent 2");
  EXPECT_NE(error_of("GatherElements", axis(1), {x, ints({3, 1}, {0, 0, 0})}), "ok");
  EXPECT_NE(error_of("GatherElements", {}, {x, ints({0})}), "ok");
  EXPECT_NE(error_of("GatherElements", {}, {floats({}, {1}), ints({}, {0})}), "ok");
}

TEST(GatherNd, TakesSlicesByTuples) {
  const Tensor x = counting({2, 2, 2});
  expect_same(run("GatherND", {}, {x, ints({2, 2}, {0, 1, -1, 0})}), floats({2, 2}, {2, 3, 4, 5}));
  expect_same(run("GatherND", {{"batch_dims", std::int64_t{1}}}, {x, ints({2, 1}, {1, 0})}),
              floats({2, 2}, {2, 3, 4, 5}));
  expect_same(run("GatherND", {}, {x, ints({3}, {1, 1, 1})}), floats({}, {7}));
  EXPECT_EQ(error_of("GatherND", {{"batch_dims", std::int64_t{1}}}, {x, ints({2, 2}, {0, 0, 1, 2})}),
            "index 2 is out of range for axis 2 of extent 2");
  EXPECT_NE(error_of("GatherND", {}, {x, ints({1, 4}, {0, 0, 0, 0})}), "ok");
  EXPECT_NE(error_of("GatherND", {{"batch_dims", std::int64_t{2}}}, {x, ints({2, 2}, {0, 0, 0, 0})}), "ok");
  EXPECT_NE(error_of("GatherND", {{"batch_dims", kMin}}, {x, ints({2, 2}, {0, 0, 0, 0})}), "ok");
}

Tensor scatter(const Tensor& x, const std::string& reduction, const Tensor& indices, const Tensor& updates) {
  return run("ScatterElements", {{"reduction", reduction}, {"axis", std::int64_t{-1}}}, {x, indices, updates});
}

TEST(ScatterElements, ReductionsMeetDuplicatesInOrder) {
  const Tensor x = floats({3}, {1, 2, 3});
  const Tensor indices = ints({0, -1, 0});
  const Tensor updates = floats({3}, {5, -1, 4});
  expect_same(scatter(x, "none", indices, updates), floats({3}, {4, 2, -1}));
  expect_same(scatter(x, "add", indices, updates), floats({3}, {10, 2, 2}));
  expect_same(scatter(x, "mul", indices, updates), floats({3}, {20, 2, -3}));
  expect_same(scatter(x, "min", indices, updates), floats({3}, {1, 2, -1}));
  expect_same(scatter(x, "max", indices, updates), floats({3}, {5, 2, 3}));
}

TEST(ScatterElements, IntegersWrapAndBoolsAreLogical) {
  const Tensor big = ints({std::numeric_limits<std::int64_t>::max()});
  EXPECT_EQ(scatter(big, "add", ints({0}), ints({1})).data<std::int64_t>()[0], kMin);
  EXPECT_EQ(scatter(big, "mul", ints({0}), ints({2})).data<std::int64_t>()[0], -2);
  const Tensor narrow = Tensor::of<std::uint16_t>({1}, {65535});
  EXPECT_EQ(scatter(narrow, "mul", ints({0}), narrow).data<std::uint16_t>()[0], 1);
  expect_same(scatter(bools({1, 0}), "add", ints({0, 1}), bools({1, 1})), bools({1, 1}));
  expect_same(scatter(bools({1, 0}), "mul", ints({0, 1}), bools({0, 1})), bools({0, 0}));
}

TEST(ScatterElements, AlongAnInnerAxisAndErrors) {
  const Tensor x = counting({2, 3});
  expect_same(run("ScatterElements", axis(0), {x, ints({1, 2}, {1, 0}), floats({1, 2}, {8, 9})}),
              floats({2, 3}, {0, 9, 2, 8, 4, 5}));
  EXPECT_EQ(error_of("ScatterElements", axis(1), {x, ints({1, 1}, {3}), floats({1, 1}, {8})}),
            "index 3 is out of range for axis 1 of extent 3");
  EXPECT_NE(error_of("ScatterElements", {}, {x, ints({1, 2}, {1, 0}), floats({1, 1}, {8})}), "ok");
  EXPECT_NE(error_of("ScatterElements", {}, {x, ints({1, 4}, {1, 0, 0, 0}), floats({1, 4}, {8, 8, 8, 8})}), "ok");
  EXPECT_NE(error_of("ScatterElements", {{"reduction", std::string("sum")}}, {x, x, x}), "ok");
}

TEST(ScatterNd, WritesSlices) {
  const Tensor x = counting({3, 2});
  expect_same(run("ScatterND", {}, {x, ints({1, 1}, {-1}), floats({1, 2}, {8, 9})}),
              floats({3, 2}, {0, 1, 2, 3, 8, 9}));
  expect_same(
      run("ScatterND", {{"reduction", std::string("add")}}, {x, ints({2, 2}, {0, 1, 0, 1}), floats({2}, {8, 9})}),
      floats({3, 2}, {0, 18, 2, 3, 4, 5}));
  EXPECT_EQ(error_of("ScatterND", {}, {x, ints({1, 2}, {2, 2}), floats({1}, {8})}),
            "index 2 is out of range for axis 1 of extent 2");
  EXPECT_NE(error_of("ScatterND", {}, {x, ints({1, 1}, {0}), floats({2}, {8, 9})}), "ok");
}

TEST(TensorScatter, WritesRowsLinearlyAndInACircle) {
  const Tensor cache = floats({2, 3, 1}, {0, 0, 0, 0, 0, 0});
  const Tensor update = floats({2, 2, 1}, {1, 2, 3, 4});
  expect_same(run("TensorScatter", {}, {cache, update, ints({1, 0})}), floats({2, 3, 1}, {0, 1, 2, 3, 4, 0}));
  expect_same(run("TensorScatter", {{"mode", std::string("circular")}}, {cache, update, ints({2, 4})}),
              floats({2, 3, 1}, {2, 0, 1, 0, 3, 4}));
  EXPECT_THAT(error_of("TensorScatter", {}, {cache, update, ints({2, 0})}), HasSubstr("write index 2"));
}

TEST(Compress, KeepsWhereTrue) {
  const Tensor x = counting({3, 2});
  expect_same(run("Compress", axis(0), {x, bools({0, 1, 1})}), floats({2, 2}, {2, 3, 4, 5}));
  expect_same(run("Compress", axis(-1), {x, bools({0, 1})}), floats({3, 1}, {1, 3, 5}));
  expect_same(run("Compress", {}, {x, bools({0, 1, 0, 0, 1})}), floats({2}, {1, 4}));
  EXPECT_THAT(error_of("Compress", axis(1), {x, bools({0, 1, 1})}), HasSubstr("index 2 is out of range for axis 1"));
  expect_same(run("Compress", axis(1), {x, bools({0, 1, 0})}), floats({3, 1}, {1, 3, 5}));
}

TEST(NonZero, ListsPositionsAxisByAxis) {
  expect_same(run("NonZero", {}, {floats({2, 2}, {1, -0.0F, kNan, 2})}), ints({2, 3}, {0, 1, 1, 0, 0, 1}));
  expect_same(run("NonZero", {}, {floats({}, {3})}), ints({0, 1}, {}));
  expect_same(run("NonZero", {}, {floats({0, 4}, {})}), ints({2, 0}, {}));
}

TEST(OneHot, AnyIndexTypeAndAxis) {
  const Tensor values = floats({2}, {0, 5});
  expect_same(run("OneHot", {}, {ints({0, -1, 3, -4}), ints({3}), values}),
              floats({4, 3}, {5, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0}));
  expect_same(run("OneHot", axis(0), {floats({2}, {1.7F, kNan}), floats({}, {2}), values}),
              floats({2, 2}, {0, 0, 5, 0}));
  EXPECT_NE(error_of("OneHot", {}, {ints({0}), ints({-3}), values}), "ok");
  EXPECT_NE(error_of("OneHot", {}, {ints({0}), floats({}, {kNan}), values}), "ok");
  EXPECT_NE(error_of("OneHot", axis(2), {ints({0}), ints({3}), values}), "ok");
}

TEST(Unique, SortedAndInOrderOfAppearance) {
  const auto sorted = run_all("Unique", {}, {floats({6}, {2, 1, 1, 3, 4, 3})}, 4);
  expect_same(sorted[0], floats({4}, {1, 2, 3, 4}));
  expect_same(sorted[1], ints({1, 0, 3, 4}));
  expect_same(sorted[2], ints({1, 0, 0, 2, 3, 2}));
  expect_same(sorted[3], ints({2, 1, 2, 1}));
  const auto as_found = run_all("Unique", {{"sorted", std::int64_t{0}}}, {floats({6}, {2, 1, 1, 3, 4, 3})}, 4);
  expect_same(as_found[0], floats({4}, {2, 1, 3, 4}));
  expect_same(run("Unique", axis(1), {floats({2, 3}, {3, 1, 3, 4, 2, 4})}), floats({2, 2}, {1, 3, 2, 4}));
  EXPECT_EQ(run("Unique", {}, {floats({3}, {kNan, 1, kNan})}).num_elements(), 2);
}

}  // namespace
}  // namespace halfstep::ops
