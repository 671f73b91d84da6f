// reduce_fixed_test.cpp: contract under test: ReduceMean and ReduceSum on codes, src/ops/mean_rules.hpp.
#include "unit/ops/code_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Each element is added to the output whose number its kept indices make.
std::vector<std::int32_t> reduce_oracle(const CodeNode& c, const std::vector<bool>& reduced, bool is_mean,
                                        const std::vector<std::int32_t>& codes, bool wide) {
  std::int64_t outputs = 1;
  std::int64_t count = 1;
  for (int axis = 0; axis < c.x_shape.rank(); ++axis)
    (reduced[static_cast<std::size_t>(axis)] ? count : outputs) *= c.x_shape[axis];
  std::vector<Wide> sums(static_cast<std::size_t>(outputs), 0);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    std::int64_t rest = static_cast<std::int64_t>(i);
    std::int64_t at = 0;
    std::int64_t stride = 1;
    for (int axis = c.x_shape.rank() - 1; axis >= 0; --axis) {
      if (!reduced[static_cast<std::size_t>(axis)]) {
        at += rest % c.x_shape[axis] * stride;
        stride *= c.x_shape[axis];
      }
      rest /= c.x_shape[axis];
    }
    sums[static_cast<std::size_t>(at)] += codes[i] - c.x->params()[0].zero_point;
  }
  const double divisor = is_mean ? static_cast<double>(count) : 1.0;
  const double acc_scale = c.x->params()[0].scale / divisor;
  const double scale_y = c.y->params()[0].scale;
  std::vector<std::int32_t> result;
  for (const Wide acc : sums) result.push_back(clamped(scaled(acc, acc_scale, scale_y, c.arithmetic, wide), *c.y));
  return result;
}

struct Case {
  Shape shape;
  Ints axes;
  std::vector<bool> reduced;
};
const Case kCases[] = {
    {{2, 3, 5, 7}, {2, 3}, {false, false, true, true}},
    {{2, 3, 5, 7}, {-1}, {false, false, false, true}},
    {{2, 3, 5, 7}, {1}, {false, true, false, false}},
    {{2, 3, 5, 7}, {0, -2}, {true, false, true, false}},
    {{3, 2, 4, 3}, {1, 3}, {false, true, false, true}},
    {{2, 3, 4}, {0, 1, 2}, {true, true, true}},
    {{2, 4, 1500}, {1}, {false, true, false}},
    {{4, 1, 6}, {1}, {false, true, false}},
    {{5, 17}, {1}, {false, true}},
};

// Input and output steps of 1, then output steps of 2.
TEST(ReduceFixed, ThreeCasesByHand) {
  CodeNode c{"ReduceMean", {}, {2, 3}, {ints({1})}, grid_of(signed_grid(8), 1), grid_of(signed_grid(8), 1)};
  // 7 / 3 = 2.33 and -5 / 3 = -1.67.
  EXPECT_THAT(run_codes(c, {1, 2, 4, -1, -2, -2}), ElementsAre(2, -2));
  c.type = "ReduceSum";
  EXPECT_THAT(run_codes(c, {1, 2, 4, -1, -2, -2}), ElementsAre(7, -5));
  // 7 / 2 = 3.5 and -5 / 2 = -2.5 are ties: up under q31_single.
  c.y = grid_of(signed_grid(8), 2);
  EXPECT_THAT(run_codes(c, {1, 2, 4, -1, -2, -2}), ElementsAre(4, -2));
}

TEST(ReduceFixed, MatchesTheOracleUnderEveryArithmetic) {
  std::uint32_t seed = 1;
  for (const Case& k : kCases) {
    for (const Arithmetic arithmetic : kAllArithmetics) {
      for (const bool is_mean : {true, false}) {
        for (const std::int64_t keep : {0, 1}) {
          CodeNode c{is_mean ? "ReduceMean" : "ReduceSum",
                     {{"keepdims", keep}},
                     k.shape,
                     {ints(k.axes)},
                     grid_of(signed_grid(8), 0.25, 0),
                     grid_of(signed_grid(16), is_mean ? 0.125 : 0.5, 0)};
          c.arithmetic = arithmetic;
          const auto codes = random_codes(c.x->grid(), k.shape.num_elements(), seed++);
          EXPECT_EQ(run_codes(c, codes), reduce_oracle(c, k.reduced, is_mean, codes, false)) << name_of(arithmetic);
        }
      }
    }
  }
}

TEST(ReduceFixed, MatchesTheOracleOnEveryGridAndTheFloatForm) {
  std::uint32_t seed = 1;
  const Encoding grids[] = {grid_of(unsigned_grid(8), 0.021, 17), grid_of(signed_grid(8), 0.034, -100),
                            grid_of(unsigned_grid(16), 0.00013, 40000), grid_of(signed_grid(16), 0.0002, -3)};
  for (const Case& k : kCases) {
    for (const Encoding& x : grids) {
      for (const Encoding& y : grids) {
        for (const bool is_mean : {true, false}) {
          const CodeNode c{is_mean ? "ReduceMean" : "ReduceSum", {}, k.shape, {ints(k.axes)}, x, y};
          const auto codes = random_codes(c.x->grid(), k.shape.num_elements(), seed++);
          const auto actual = run_codes(c, codes);
          EXPECT_EQ(actual, reduce_oracle(c, k.reduced, is_mean, codes, false));
          if (storage_bits(y.grid()) == 8) expect_steps(actual, float_steps(c, codes), 0.502);
        }
      }
    }
  }
}

TEST(ReduceFixed, EmptyAxesReduceAllOrNothing) {
  CodeNode c{"ReduceMean", {}, {2, 2}, {ints({})}, grid_of(unsigned_grid(8), 1), grid_of(unsigned_grid(8), 0.5, 1)};
  EXPECT_THAT(run_codes(c, {1, 2, 3, 8}), ElementsAre(8));  // 3.5 / 0.5 + 1
  c.attrs = {{"noop_with_empty_axes", std::int64_t{1}}};
  EXPECT_THAT(run_codes(c, {1, 2, 3, 8}), ElementsAre(3, 5, 7, 17));
  c.others = {std::nullopt};
  EXPECT_THAT(run_codes(c, {1, 2, 3, 8}), ElementsAre(3, 5, 7, 17));
}

// 70,000 codes of 65535 need more than 32 bits; along columns and along a run.
TEST(ReduceFixed, WideSums) {
  for (const Shape& shape : {Shape{70000, 3}, Shape{3, 70000}}) {
    const bool columns = shape[0] == 70000;
    for (const Arithmetic arithmetic : kAllArithmetics) {
      CodeNode c{"ReduceMean",
                 {},
                 shape,
                 {ints({columns ? 0 : 1})},
                 grid_of(unsigned_grid(16), 0.5, 0),
                 grid_of(unsigned_grid(16), 0.5, 0)};
      c.arithmetic = arithmetic;
      const auto codes = random_codes(c.x->grid(), shape.num_elements(), 5);
      EXPECT_EQ(run_codes(c, codes), reduce_oracle(c, {columns, !columns}, true, codes, true));
      const std::vector<std::int32_t> extreme(codes.size(), 65535);
      EXPECT_THAT(run_codes(c, extreme), ElementsAre(65535, 65535, 65535));
    }
  }
}

TEST(ReduceFixed, WhatHasNoIntegerForm) {
  CodeNode c{"ReduceSum", {}, {2, 0}, {ints({1})}, grid_of(unsigned_grid(8), 1), grid_of(unsigned_grid(8), 1)};
  EXPECT_THAT(why_not(c), HasSubstr("nothing to reduce"));
  c.x_shape = {2, 2};
  c.x = *Encoding::per_channel(unsigned_grid(8), 1, {{1, 0}, {2, 0}});
  EXPECT_THAT(why_not(c), HasSubstr("for each channel"));
  c.x_shape = Shape(Ints(20, 2));
  c.x = c.y;
  c.others = {ints({0, 2, 4, 6, 8, 10, 12, 14, 16, 18})};
  EXPECT_THAT(why_not(c), HasSubstr("alternate too often"));
}

}  // namespace
}  // namespace halfstep::ops
