// scan_test.cpp: contract under test: CumSum and CumProd, against the examples of the ONNX text.
#include "unit/ops/movement_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::HasSubstr;

Attrs options(std::int64_t exclusive, std::int64_t reverse) { return {{"exclusive", exclusive}, {"reverse", reverse}}; }

TEST(CumSum, FourForms) {
  const Tensor x = floats({3}, {1, 2, 3});
  expect_same(run("CumSum", options(0, 0), {x, ints({0})}), floats({3}, {1, 3, 6}));
  expect_same(run("CumSum", options(1, 0), {x, ints({0})}), floats({3}, {0, 1, 3}));
  expect_same(run("CumSum", options(0, 1), {x, ints({0})}), floats({3}, {6, 5, 3}));
  expect_same(run("CumSum", options(1, 1), {x, ints({0})}), floats({3}, {5, 3, 0}));
}

TEST(CumProd, FourForms) {
  const Tensor x = floats({3}, {1, 2, 3});
  expect_same(run("CumProd", options(0, 0), {x, ints({0})}), floats({3}, {1, 2, 6}));
  expect_same(run("CumProd", options(1, 0), {x, ints({0})}), floats({3}, {1, 1, 2}));
  expect_same(run("CumProd", options(0, 1), {x, ints({0})}), floats({3}, {6, 6, 3}));
  expect_same(run("CumProd", options(1, 1), {x, ints({0})}), floats({3}, {6, 3, 1}));
}

TEST(CumSum, AnyAxisAndIntegersWrap) {
  const Tensor x = counting({2, 3});
  expect_same(run("CumSum", {}, {x, ints({0})}), floats({2, 3}, {0, 1, 2, 3, 5, 7}));
  expect_same(run("CumSum", {}, {x, Tensor::of<std::int32_t>({}, {-1})}), floats({2, 3}, {0, 1, 3, 3, 7, 12}));
  expect_same(run("CumSum", {}, {Tensor::of<std::int8_t>({2}, {127, 1}), ints({0})}),
              Tensor::of<std::int8_t>({2}, {127, -128}));
  expect_same(run("CumSum", options(1, 0), {floats({0, 2}, {}), ints({0})}), floats({0, 2}, {}));
}

TEST(CumSum, RefusesWrongAxes) {
  EXPECT_THAT(error_of("CumSum", {}, {counting({3}), ints({1})}), HasSubstr("axis 1 is out of range"));
  EXPECT_THAT(error_of("CumSum", {}, {counting({3}), counting({1})}), HasSubstr("axis is float32[1]"));
  EXPECT_FALSE(infer_types("CumSum", {}, {counting({3}), ints({0})})->data_dependent);
}

}  // namespace
}  // namespace halfstep::ops
