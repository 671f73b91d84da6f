// moved_codes_test.cpp: contract under test: operators that only move, select or compare values take codes as they are.
#include "unit/ops/code_run.hpp"

namespace halfstep::ops {
namespace {

constexpr DType kCodeTypes[] = {DType::kInt8, DType::kUint8, DType::kInt16, DType::kUint16};

Tensor codes(DType dtype, Shape shape, const std::vector<std::int64_t>& values) {
  Tensor tensor(TensorType{dtype, std::move(shape)});
  visit_dtype(dtype, [&]<class T>() {
    for (std::size_t i = 0; i < values.size(); ++i) tensor.mutable_data<T>()[i] = static_cast<T>(values[i]);
  });
  return tensor;
}

/// Values of any type as int64.
void expect_codes(const Tensor& actual, DType dtype, const Ints& expected) {
  EXPECT_EQ(actual.dtype(), dtype);
  EXPECT_EQ(to_int64s(actual), expected) << name_of(dtype);
}

/// The lowest code and the largest one of a type.
std::int64_t lowest(DType dtype) {
  return visit_dtype(dtype, []<class T>() { return static_cast<std::int64_t>(std::numeric_limits<T>::lowest()); });
}
std::int64_t largest(DType dtype) {
  return visit_dtype(dtype, []<class T>() { return static_cast<std::int64_t>(std::numeric_limits<T>::max()); });
}

// All values are low: padding must not win, neither as 0 nor as anything else.
TEST(MovedCodes, MaxPoolIgnoresPadding) {
  for (const DType t : kCodeTypes) {
    const std::int64_t low = lowest(t);
    const Attrs attrs{{"kernel_shape", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}};
    const Tensor x = codes(t, {1, 1, 2, 2}, {low, low + 2, low + 1, low});
    const Ints expected{low, low + 2, low + 2, low + 1, low + 2, low + 2, low + 1, low + 1, low};
    expect_codes(run("MaxPool", attrs, {x}), t, expected);
    const auto both = run_all("MaxPool", attrs, {x}, 2);
    expect_codes(both[0], t, expected);
    expect_codes(both[1], DType::kInt64, {0, 1, 1, 2, 1, 1, 2, 2, 3});
  }
}

TEST(MovedCodes, ExtremesOfPlanesAndAxes) {
  for (const DType t : kCodeTypes) {
    const std::int64_t low = lowest(t);
    const std::int64_t high = largest(t);
    const Tensor x = codes(t, {1, 2, 3}, {low, low + 3, low, high, low, high - 1});
    expect_codes(run("GlobalMaxPool", {}, {x}), t, {low + 3, high});
    expect_codes(run("ReduceMax", {}, {x, ints({2})}), t, {low + 3, high});
    expect_codes(run("ReduceMin", {}, {x, ints({1})}), t, {low, low, low});
    expect_codes(run("ArgMax", {{"axis", std::int64_t{2}}}, {x}), DType::kInt64, {1, 0});
    expect_codes(run("ArgMin", {{"axis", std::int64_t{1}}}, {x}), DType::kInt64, {0, 1, 0});
    const auto top = run_all("TopK", {}, {x, ints({2})}, 2);
    expect_codes(top[0], t, {low + 3, low, high, high - 1});
    expect_codes(top[1], DType::kInt64, {1, 0, 0, 2});
  }
}

TEST(MovedCodes, PadInEveryMode) {
  for (const DType t : kCodeTypes) {
    const Tensor x = codes(t, {3}, {1, 2, largest(t)});
    const std::int64_t e = largest(t);
    expect_codes(run("Pad", {}, {x, ints({1, 2}), codes(t, {}, {100})}), t, {100, 1, 2, e, 100, 100});
    expect_codes(run("Pad", {}, {x, ints({-1, 1})}), t, {2, e, 0});
    expect_codes(run("Pad", {{"mode", std::string("reflect")}}, {x, ints({2, 1})}), t, {e, 2, 1, 2, e, 2});
    expect_codes(run("Pad", {{"mode", std::string("edge")}}, {x, ints({1, 2})}), t, {1, 1, 2, e, e, e});
    expect_codes(run("Pad", {{"mode", std::string("wrap")}}, {x, ints({1, 1})}), t, {e, 1, 2, e, 1});
  }
}

TEST(MovedCodes, GatherSliceSplitConcat) {
  for (const DType t : kCodeTypes) {
    const std::int64_t low = lowest(t);
    const Tensor x = codes(t, {2, 3}, {low, 1, 2, 3, 4, 5});
    expect_codes(run("Gather", {{"axis", std::int64_t{1}}}, {x, ints({2, 0, -1})}), t, {2, low, 2, 5, 3, 5});
    expect_codes(run("GatherElements", {{"axis", std::int64_t{1}}}, {x, ints({2, 1}, {2, 0})}), t, {2, 3});
    expect_codes(run("GatherND", {}, {x, ints({1, 2}, {1, 2})}), t, {5});
    expect_codes(run("Slice", {}, {x, ints({2}), ints({-4}), ints({1}), ints({-2})}), t, {2, low, 5, 3});
    const auto parts = run_all("Split", {{"axis", std::int64_t{1}}}, {x, ints({1, 2})}, 2);
    expect_codes(parts[0], t, {low, 3});
    expect_codes(parts[1], t, {1, 2, 4, 5});
    expect_codes(run("Concat", {{"axis", std::int64_t{1}}}, {parts[1], parts[0]}), t, {1, 2, low, 4, 5, 3});
  }
}

TEST(MovedCodes, OrderAndRepetition) {
  for (const DType t : kCodeTypes) {
    const Tensor x = codes(t, {2, 3}, {0, 1, 2, 3, 4, largest(t)});
    const std::int64_t e = largest(t);
    expect_codes(run("Transpose", {}, {x}), t, {0, 3, 1, 4, 2, e});
    expect_codes(run("Expand", {}, {codes(t, {2, 1}, {7, e}), ints({2, 2})}), t, {7, 7, e, e});
    expect_codes(run("Tile", {}, {codes(t, {2}, {7, e}), ints({2})}), t, {7, e, 7, e});
    const Tensor deep = codes(t, {1, 4, 1, 1}, {1, 2, 3, e});
    const Tensor wide = run("DepthToSpace", {{"blocksize", std::int64_t{2}}}, {deep});
    expect_codes(wide, t, {1, 2, 3, e});
    EXPECT_EQ(wide.shape(), (Shape{1, 1, 2, 2}));
    expect_codes(run("SpaceToDepth", {{"blocksize", std::int64_t{2}}}, {wide}), t, {1, 2, 3, e});
    const Attrs nearest{{"mode", std::string("nearest")}};
    expect_codes(run("Resize", nearest, {codes(t, {2}, {7, e}), std::nullopt, std::nullopt, ints({4})}), t,
                 {7, 7, e, e});
  }
}

TEST(MovedCodes, TheSameBytesAgain) {
  for (const DType t : kCodeTypes) {
    const Tensor x = codes(t, {2, 2, 1}, {lowest(t), 1, 2, largest(t)});
    const Ints same{lowest(t), 1, 2, largest(t)};
    expect_codes(run("Identity", {}, {x}), t, same);
    expect_codes(run("Dropout", {}, {x}), t, same);
    expect_codes(run("Reshape", {}, {x, ints({4})}), t, same);
    expect_codes(run("Flatten", {}, {x}), t, same);
    expect_codes(run("Squeeze", {}, {x}), t, same);
    expect_codes(run("Unsqueeze", {}, {x, ints({0})}), t, same);
  }
}

TEST(MovedCodes, ComparisonsAndWhere) {
  for (const DType t : kCodeTypes) {
    const std::int64_t low = lowest(t);
    const std::int64_t high = largest(t);
    const Tensor a = codes(t, {3}, {low, 5, high});
    const Tensor b = codes(t, {3}, {high, 5, low});
    expect_codes(run("Greater", {}, {a, b}), DType::kBool, {0, 0, 1});
    expect_codes(run("GreaterOrEqual", {}, {a, b}), DType::kBool, {0, 1, 1});
    expect_codes(run("Less", {}, {a, b}), DType::kBool, {1, 0, 0});
    expect_codes(run("LessOrEqual", {}, {a, b}), DType::kBool, {1, 1, 0});
    expect_codes(run("Equal", {}, {a, b}), DType::kBool, {0, 1, 0});
    expect_codes(run("Where", {}, {bools({1, 0, 0}), a, b}), t, {low, 5, low});
    expect_codes(run("Max", {}, {a, b}), t, {high, 5, high});
    expect_codes(run("Min", {}, {a, b}), t, {low, 5, low});
  }
}

TEST(MovedCodes, OtherSelections) {
  for (const DType t : kCodeTypes) {
    const Tensor x = codes(t, {2, 2}, {1, 2, 3, largest(t)});
    expect_codes(run("Trilu", {}, {x}), t, {1, 2, 0, largest(t)});
    expect_codes(run("ReverseSequence", {}, {x, ints({2, 1})}), t, {3, 2, 1, largest(t)});
    expect_codes(run("Compress", {{"axis", std::int64_t{0}}}, {x, bools({0, 1})}), t, {3, largest(t)});
  }
}

}  // namespace
}  // namespace halfstep::ops
