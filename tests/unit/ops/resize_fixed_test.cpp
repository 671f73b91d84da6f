// resize_fixed_test.cpp: contract under test: Resize on codes, src/ops/resize_int.hpp.
#include "unit/ops/code_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Attrs linear(const std::string& rule) {
  return {{"mode", std::string("linear")}, {"coordinate_transformation_mode", rule}};
}

CodeNode resize(Attrs attrs, Shape shape, const Ints& sizes, Encoding x, Encoding y) {
  return {"Resize",     std::move(attrs), std::move(shape), {std::nullopt, std::nullopt, ints(sizes)},
          std::move(x), std::move(y)};
}

/// Where output position `o` lies on the input.
double source_of(const std::string& rule, std::int64_t o, std::int64_t in, std::int64_t out) {
  const double x = static_cast<double>(o);
  const double ratio = static_cast<double>(out) / static_cast<double>(in);
  if (rule == "align_corners") return out == 1 ? 0.0 : x * static_cast<double>(in - 1) / static_cast<double>(out - 1);
  if (rule == "asymmetric") return x / ratio;
  if (rule == "pytorch_half_pixel" && out == 1) return 0.0;
  if (rule == "tf_half_pixel_for_nn") return (x + 0.5) / ratio;
  return (x + 0.5) / ratio - 0.5;
}

/// All corners of every output element at once.
std::vector<std::int32_t> linear_oracle(const CodeNode& c, const std::string& rule, const Ints& sizes,
                                        const std::vector<std::int32_t>& codes) {
  const int rank = c.x_shape.rank();
  int resized = 0;
  for (int i = 0; i < rank; ++i) resized += c.x_shape[i] != sizes[static_cast<std::size_t>(i)] ? 1 : 0;
  const Shape out(sizes);
  std::vector<std::int32_t> result;
  for (std::int64_t position = 0; position < out.num_elements(); ++position) {
    Wide acc = 0;
    for (unsigned corner = 0; corner < 1U << static_cast<unsigned>(rank); ++corner) {
      Wide weight = 1;
      std::int64_t at = 0;
      std::int64_t rest = position;
      std::int64_t stride = 1;
      for (int i = rank - 1; i >= 0; --i) {
        const std::int64_t o = rest % out[i];
        const bool right = (corner >> static_cast<unsigned>(i) & 1U) != 0;
        std::int64_t index = o;
        if (out[i] == c.x_shape[i]) {
          weight *= right ? 0 : 1;
        } else {
          const double x = source_of(rule, o, c.x_shape[i], out[i]);
          const auto second = static_cast<std::int64_t>(std::floor((x - std::floor(x)) * 32768.0 + 0.5));
          weight *= right ? second : 32768 - second;
          index = static_cast<std::int64_t>(std::floor(x)) + (right ? 1 : 0);
          index = std::clamp<std::int64_t>(index, 0, c.x_shape[i] - 1);
        }
        at += index * stride;
        stride *= c.x_shape[i];
        rest /= out[i];
      }
      acc += weight * (codes[static_cast<std::size_t>(at)] - c.x->params()[0].zero_point);
    }
    const double factor = std::ldexp(c.x->params()[0].scale, -15 * resized) / c.y->params()[0].scale;
    result.push_back(clamped(scaled_exactly(acc, factor, c.arithmetic, true), *c.y));
  }
  return result;
}

struct Case {
  Shape in;
  Ints out;
};
const Case kCases[] = {{{2, 3, 4}, {2, 3, 8}},       {{1, 2, 3, 5}, {1, 2, 6, 10}},      {{1, 2, 6, 7}, {1, 2, 3, 15}},
                       {{1, 2, 9, 8}, {1, 2, 9, 5}}, {{1, 1, 2, 3, 4}, {1, 1, 5, 6, 7}}, {{3, 2, 4, 4}, {3, 2, 1, 1}},
                       {{2, 2, 3, 2}, {3, 2, 7, 5}}, {{1, 3, 3, 2}, {1, 7, 3, 4}},       {{1, 2, 1, 1}, {1, 2, 4, 3}}};

// Two codes become four at -0.25, 0.25, 0.75 and 1.25 of the way: 10, 12.5, 17.5, 20.
TEST(ResizeLinearFixed, ThreeCasesByHand) {
  CodeNode c =
      resize(linear("half_pixel"), {1, 1, 2}, {1, 1, 4}, grid_of(signed_grid(8), 1), grid_of(signed_grid(8), 1));
  EXPECT_THAT(run_codes(c, {10, 20}), ElementsAre(10, 13, 18, 20));  // q31_single: up.
  c.arithmetic = Arithmetic::kShiftHalfEven;
  EXPECT_THAT(run_codes(c, {10, 20}), ElementsAre(10, 12, 18, 20));
  // Half the steps around -30: 20, 25, 35 and 40 of them.
  c.y = grid_of(signed_grid(8), 0.5, -30);
  EXPECT_THAT(run_codes(c, {10, 20}), ElementsAre(-10, -5, 5, 10));
}

// Doubling takes quarters of codes: every fourth sum is a tie.
TEST(ResizeLinearFixed, MatchesTheOracleUnderEveryArithmetic) {
  std::uint32_t seed = 1;
  for (const Case& k : kCases) {
    for (const Arithmetic arithmetic : kAllArithmetics) {
      for (const double scale_y : {0.5, 0.25}) {
        CodeNode c =
            resize(linear("half_pixel"), k.in, k.out, grid_of(signed_grid(8), 0.5), grid_of(signed_grid(8), scale_y));
        c.arithmetic = arithmetic;
        const auto codes = random_codes(c.x->grid(), k.in.num_elements(), seed++);
        EXPECT_EQ(run_codes(c, codes), linear_oracle(c, "half_pixel", k.out, codes)) << name_of(arithmetic);
      }
    }
  }
}

TEST(ResizeLinearFixed, MatchesTheOracleForEveryCoordinateRuleAndGrid) {
  const Encoding grids[] = {grid_of(unsigned_grid(8), 0.021, 117), grid_of(signed_grid(8), 0.034, -100),
                            grid_of(unsigned_grid(16), 0.00013, 40000), grid_of(signed_grid(16), 0.0021, -3)};
  std::uint32_t seed = 1;
  for (const Case& k : kCases) {
    for (const std::string rule :
         {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn"}) {
      for (const Encoding& x : grids) {
        for (const Encoding& y : grids) {
          CodeNode c = resize(linear(rule), k.in, k.out, x, y);
          c.arithmetic = seed % 2 == 0 ? Arithmetic::kFloatHalfEven : Arithmetic::kQ31Single;
          const auto codes = random_codes(x.grid(), k.in.num_elements(), seed++);
          const auto actual = run_codes(c, codes);
          ASSERT_EQ(actual, linear_oracle(c, rule, k.out, codes)) << rule;
          if (storage_bits(x.grid()) == 8 && storage_bits(y.grid()) == 8)
            expect_steps(actual, float_steps(c, codes), 0.52);
        }
      }
    }
  }
}

TEST(ResizeLinearFixed, ExtremesDoNotOverflow) {
  const Case& k = kCases[4];
  const CodeNode c =
      resize(linear("half_pixel"), k.in, k.out, grid_of(unsigned_grid(16), 0.5, 0), grid_of(unsigned_grid(16), 0.5, 0));
  const std::vector<std::int32_t> codes(24, 65535);
  EXPECT_THAT(run_codes(c, codes), ::testing::Each(65535));
  const CodeNode low = resize(linear("half_pixel"), k.in, k.out, grid_of(unsigned_grid(16), 0.5, 65535),
                              grid_of(unsigned_grid(16), 0.5, 65535));
  EXPECT_THAT(run_codes(low, std::vector<std::int32_t>(24, 0)), ::testing::Each(0));
}

TEST(ResizeLinearFixed, ScalesOfOneAndChangedGrids) {
  CodeNode c =
      resize(linear("half_pixel"), {2, 2}, {2, 2}, grid_of(signed_grid(8), 1), grid_of(unsigned_grid(8), 2, 10));
  EXPECT_THAT(run_codes(c, {-3, 3, 100, 8}), ElementsAre(9, 12, 60, 14));  // -1.5 and 1.5 are rounded up.
  c.clamp = graph::FusedClamp{0.0F, 6.0F, "", ""};
  EXPECT_THAT(run_codes(c, {-3, 3, 100, 8}), ElementsAre(10, 12, 13, 13));
}

// Positions outside the region take the code of the extrapolation value, 2.5 / 0.5 + 3.
TEST(ResizeLinearFixed, ExtrapolationValueIsACode) {
  for (const std::string mode : {"linear", "nearest"}) {
    CodeNode c{"Resize",
               {{"mode", mode},
                {"coordinate_transformation_mode", std::string("tf_crop_and_resize")},
                {"extrapolation_value", 2.5F}},
               {4},
               {floats({2}, {0, 2}), std::nullopt, ints({3})},
               grid_of(unsigned_grid(8), 0.5, 3),
               grid_of(unsigned_grid(8), 0.5, 3)};
    EXPECT_THAT(run_codes(c, {10, 20, 30, 40}), ElementsAre(10, 40, 8)) << mode;
    c.y = grid_of(signed_grid(8), 1, -10);
    EXPECT_THAT(run_codes(c, {10, 20, 30, 40}), ElementsAre(-6, 9, -8)) << mode;  // 3.5, 18.5 up; 2.5 to even.
  }
}

TEST(ResizeNearestFixed, MovesCodesOfEveryType) {
  for (const IntGrid grid : {signed_grid(8), unsigned_grid(8), signed_grid(16), unsigned_grid(16)}) {
    const CodeNode c = resize({{"mode", std::string("nearest")},
                               {"coordinate_transformation_mode", std::string("asymmetric")},
                               {"nearest_mode", std::string("floor")}},
                              {1, 1, 1, 2}, {1, 1, 2, 4}, grid_of(grid, 0.3, 5), grid_of(grid, 0.3, 5));
    const auto e = grid.q_max;
    EXPECT_THAT(run_codes(c, {grid.q_min, e}), ElementsAre(grid.q_min, grid.q_min, e, e, grid.q_min, grid.q_min, e, e));
  }
}

TEST(ResizeNearestFixed, RequantizesBetweenGrids) {
  std::uint32_t seed = 1;
  for (const Arithmetic arithmetic : kAllArithmetics) {
    for (const int bits : {8, 16}) {
      CodeNode c = resize({{"mode", std::string("nearest")}}, {1, 3, 5}, {1, 3, 10}, grid_of(unsigned_grid(8), 0.25),
                          grid_of(signed_grid(bits), 0.5));
      c.arithmetic = arithmetic;
      const auto codes = random_codes(c.x->grid(), 15, seed++);
      std::vector<std::int32_t> expected;
      for (std::size_t i = 0; i < 30; ++i) {
        expected.push_back(clamped(scaled(codes[i / 2], 0.25, 0.5, arithmetic, false), *c.y));
      }
      EXPECT_EQ(run_codes(c, codes), expected) << name_of(arithmetic);
    }
  }
}

TEST(ResizeNearestFixed, GridsOfChannelsMoveWhereChannelsStay) {
  const Encoding channels = *Encoding::per_channel(signed_grid(8), 1, {{1, 3}, {0.5, 7}});
  CodeNode c = resize({{"mode", std::string("nearest")}}, {1, 2, 2}, {1, 2, 4}, channels, channels);
  EXPECT_THAT(run_codes(c, {1, 2, 3, 4}), ElementsAre(1, 1, 2, 2, 3, 3, 4, 4));
  c.y = grid_of(signed_grid(8), 1);
  EXPECT_THAT(why_not(c), HasSubstr("for each channel"));
  c = resize({{"mode", std::string("nearest")}}, {1, 2, 2}, {1, 4, 2}, channels, channels);
  EXPECT_THAT(why_not(c), HasSubstr("for each channel"));
}

TEST(ResizeFixed, Reasons) {
  const Encoding grid = grid_of(signed_grid(8), 1);
  EXPECT_THAT(why_not(resize({{"mode", std::string("cubic")}}, {1, 4}, {1, 8}, grid, grid)), HasSubstr("cubic"));
  Attrs attrs = linear("half_pixel");
  attrs.emplace_back("antialias", std::int64_t{1});
  EXPECT_THAT(why_not(resize(attrs, {1, 4}, {1, 2}, grid, grid)), HasSubstr("antialiasing"));
  EXPECT_THAT(why_not(resize(linear("half_pixel"), {2, 2, 2, 2}, {3, 3, 3, 3}, grid, grid)),
              HasSubstr("more than 3 axes"));
  CodeNode c = resize(linear("half_pixel"), {1, 4}, {1, 2}, grid, grid);
  c.x.reset();
  EXPECT_THAT(why_not(c), HasSubstr("no encoding"));
}

}  // namespace
}  // namespace halfstep::ops
