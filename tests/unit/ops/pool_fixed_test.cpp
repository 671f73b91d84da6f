// pool_fixed_test.cpp: contract under test: AveragePool and GlobalAveragePool on codes, src/ops/mean_rules.hpp.
#include "unit/ops/code_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Window {
  Ints kernel{1, 1};
  Ints strides{1, 1};
  Ints pads{0, 0, 0, 0};
  Ints dilations{1, 1};
  bool ceil = false;
  bool include = false;
};

Attrs attrs_of(const Window& w) {
  return {{"kernel_shape", w.kernel},
          {"strides", w.strides},
          {"pads", w.pads},
          {"dilations", w.dilations},
          {"ceil_mode", std::int64_t{w.ceil}},
          {"count_include_pad", std::int64_t{w.include}}};
}

/// Every tap of every window on its own.
std::vector<std::int32_t> average_oracle(const CodeNode& c, const Window& w, const Shape& out,
                                         const std::vector<std::int32_t>& codes) {
  std::vector<std::int32_t> result;
  const Shape& in = c.x_shape;
  for (std::int64_t plane = 0; plane < in[0] * in[1]; ++plane) {
    const auto channel = static_cast<std::size_t>(plane % in[1]);
    const auto params_of = [&](const Encoding& e) { return e.params()[e.axis() ? channel : 0]; };
    for (std::int64_t oh = 0; oh < out[2]; ++oh) {
      for (std::int64_t ow = 0; ow < out[3]; ++ow) {
        std::int64_t acc = 0;
        std::int64_t count = 0;
        for (std::int64_t kh = 0; kh < w.kernel[0]; ++kh) {
          for (std::int64_t kw = 0; kw < w.kernel[1]; ++kw) {
            const std::int64_t h = oh * w.strides[0] - w.pads[0] + kh * w.dilations[0];
            const std::int64_t x = ow * w.strides[1] - w.pads[1] + kw * w.dilations[1];
            const bool inside = h >= 0 && h < in[2] && x >= 0 && x < in[3];
            const bool padded = h < in[2] + w.pads[2] && x < in[3] + w.pads[3];
            if (inside)
              acc += codes[static_cast<std::size_t>((plane * in[2] + h) * in[3] + x)] - params_of(*c.x).zero_point;
            if (inside || (w.include && padded)) ++count;
          }
        }
        const double acc_scale = params_of(*c.x).scale / static_cast<double>(std::max<std::int64_t>(count, 1));
        const bool wide = w.kernel[0] * w.kernel[1] * 65535 > 2147483647;
        const Wide q = scaled(acc, acc_scale, params_of(*c.y).scale, c.arithmetic, wide) + params_of(*c.y).zero_point;
        result.push_back(static_cast<std::int32_t>(std::clamp<Wide>(q, c.y->grid().q_min, c.y->grid().q_max)));
      }
    }
  }
  return result;
}

void expect_oracle(const CodeNode& c, const Window& w, std::uint32_t seed) {
  const auto codes = random_codes(c.x->grid(), c.x_shape.num_elements(), seed);
  const auto lowered = try_lower(c);
  ASSERT_TRUE(lowered.ok()) << lowered.error().message;
  ASSERT_TRUE(lowered->form.prepared.clamps);
  const auto actual = run_lowered(*lowered, code_tensor(*c.x, c.x_shape, codes));
  ASSERT_EQ(actual, average_oracle(c, w, lowered->output.shape, codes)) << name_of(c.arithmetic);
}

const Window kWindows[] = {
    {.kernel = {3, 3}, .pads = {1, 1, 1, 1}},
    {.kernel = {3, 3}, .pads = {1, 1, 1, 1}, .include = true},
    {.kernel = {2, 2}, .strides = {2, 2}},
    {.kernel = {2, 4}, .strides = {1, 3}, .pads = {0, 1, 1, 2}},
    {.kernel = {3, 2}, .strides = {2, 2}, .pads = {1, 0, 0, 1}, .ceil = true, .include = true},
    {.kernel = {2, 3}, .pads = {1, 2, 1, 2}, .dilations = {3, 2}},
    {.kernel = {5, 5}, .strides = {4, 4}, .pads = {2, 2, 2, 2}, .ceil = true},
};

// Pairs of codes with equal input and output steps, the second time with output steps half as wide around 10.
TEST(AveragePoolFixed, ThreeCasesByHand) {
  CodeNode c{"AveragePool",
             {{"kernel_shape", Ints{2}}},
             {1, 1, 4},
             {},
             grid_of(signed_grid(8), 1),
             grid_of(signed_grid(8), 1)};
  // (2 + 3) / 2 = 2.5 and (3 - 6) / 2 = -1.5 are ties, (-6 + 4) / 2 = -1 is none.
  EXPECT_THAT(run_codes(c, {2, 3, -6, 4}), ElementsAre(3, -1, -1));  // q31_single: up.
  c.arithmetic = Arithmetic::kShiftHalfEven;
  EXPECT_THAT(run_codes(c, {2, 3, -6, 4}), ElementsAre(2, -2, -1));
  c.y = grid_of(signed_grid(8), 0.5, 10);
  EXPECT_THAT(run_codes(c, {2, 3, -6, 4}), ElementsAre(15, 7, 8));
}

// Power-of-two scales make every second sum of two and every fourth sum of four a tie.
TEST(AveragePoolFixed, MatchesTheOracleUnderEveryArithmetic) {
  std::uint32_t seed = 1;
  for (const Window& w : kWindows) {
    for (const Arithmetic arithmetic : kAllArithmetics) {
      for (const double scale_x : {0.125, 0.25}) {
        CodeNode c{"AveragePool",
                   attrs_of(w),
                   {2, 3, 7, 9},
                   {},
                   grid_of(unsigned_grid(8), scale_x, 0),
                   grid_of(signed_grid(8), 0.125, 0)};
        c.arithmetic = arithmetic;
        expect_oracle(c, w, seed++);
      }
    }
  }
}

TEST(AveragePoolFixed, MatchesTheOracleOnEveryGrid) {
  const Encoding grids[] = {grid_of(unsigned_grid(8), 0.021, 17), grid_of(signed_grid(8), 0.034, -100),
                            grid_of(unsigned_grid(16), 0.00013, 40000), grid_of(signed_grid(16), 0.0002, -3),
                            grid_of(unsigned_grid(4), 0.4, 3)};
  std::uint32_t seed = 100;
  for (const Encoding& x : grids) {
    for (const Encoding& y : grids) {
      for (const Arithmetic arithmetic : {Arithmetic::kFloatHalfEven, Arithmetic::kQ31Single, Arithmetic::kQ31Double}) {
        CodeNode c{"AveragePool", attrs_of(kWindows[seed % 7]), {1, 2, 8, 11}, {}, x, y};
        c.arithmetic = arithmetic;
        expect_oracle(c, kWindows[seed % 7], seed);
        ++seed;
      }
    }
  }
}

TEST(AveragePoolFixed, IsWithinHalfAStepOfTheFloatForm) {
  for (const Window& w : kWindows) {
    const CodeNode c{"AveragePool",
                     attrs_of(w),
                     {1, 4, 13, 10},
                     {},
                     grid_of(unsigned_grid(8), 0.021, 17),
                     grid_of(unsigned_grid(8), 0.019, 30)};
    const auto codes = random_codes(c.x->grid(), c.x_shape.num_elements(), 7);
    expect_steps(run_codes(c, codes), float_steps(c, codes), 0.501);
  }
}

TEST(AveragePoolFixed, OneAndThreeSpatialAxes) {
  CodeNode c{"AveragePool",
             {{"kernel_shape", Ints{2}}},
             {1, 1, 4},
             {},
             grid_of(unsigned_grid(8), 1),
             grid_of(unsigned_grid(8), 1)};
  EXPECT_THAT(run_codes(c, {1, 3, 4, 8}), ElementsAre(2, 4, 6));  // 3.5 is rounded up.
  c.arithmetic = Arithmetic::kQ31Double;
  EXPECT_THAT(run_codes(c, {1, 3, 4, 8}), ElementsAre(2, 4, 6));
  c.attrs = {{"kernel_shape", Ints{2, 2, 2}}};
  c.x_shape = {1, 1, 2, 2, 2};
  EXPECT_THAT(run_codes(c, {1, 2, 3, 4, 5, 6, 7, 8}), ElementsAre(5));  // 4.5
  c.arithmetic = Arithmetic::kFloatHalfEven;
  EXPECT_THAT(run_codes(c, {1, 2, 3, 4, 5, 6, 7, 8}), ElementsAre(4));
}

TEST(AveragePoolFixed, OneGridAChannel) {
  const Window w = kWindows[0];
  const Encoding x = *Encoding::per_channel(unsigned_grid(8), 1, {{0.1, 3}, {0.02, 200}, {0.5, 0}});
  const Encoding y = *Encoding::per_channel(signed_grid(8), 1, {{0.1, -3}, {0.03, 2}, {0.4, 0}});
  CodeNode c{"AveragePool", attrs_of(w), {2, 3, 6, 5}, {}, x, y};
  expect_oracle(c, w, 5);
  c.y = grid_of(signed_grid(8), 0.2, 3);
  expect_oracle(c, w, 6);
  c.x = *Encoding::per_channel(unsigned_grid(8), 2, {{0.1, 3}, {0.02, 200}, {0.5, 0}, {1, 0}, {1, 0}, {1, 0}});
  EXPECT_THAT(why_not(c), HasSubstr("do not run along its channels"));
}

TEST(AveragePoolFixed, FusedClampTightensTheGrid) {
  CodeNode c{"AveragePool",
             {{"kernel_shape", Ints{1}}},
             {1, 1, 3},
             {},
             grid_of(signed_grid(8), 1),
             grid_of(signed_grid(8), 1)};
  c.clamp = graph::FusedClamp{0.0F, 6.0F, "", ""};
  EXPECT_THAT(run_codes(c, {-5, 3, 100}), ElementsAre(0, 3, 6));
}

// 46341 * 46341 > 2^31: 65535 times the 40,000 elements of a window exceeds 32 bits.
TEST(AveragePoolFixed, WideSumsTakeSixtyFourBits) {
  const Window w{.kernel = {200, 200}};
  const CodeNode c{"AveragePool",
                   attrs_of(w),
                   {1, 1, 200, 201},
                   {},
                   grid_of(unsigned_grid(16), 0.5, 0),
                   grid_of(unsigned_grid(16), 0.5, 0)};
  const auto lowered = try_lower(c);
  ASSERT_TRUE(lowered.ok());
  EXPECT_EQ(lowered->form.facts.accumulator.bits, 64);
  EXPECT_EQ(lowered->form.facts.accumulator.worst_case, 40000U * 65535U);
  EXPECT_THAT(run_codes(c, std::vector<std::int32_t>(200 * 201, 65535)), ElementsAre(65535, 65535));
  expect_oracle(c, w, 3);
}

std::vector<std::int32_t> global_oracle(const CodeNode& c, const std::vector<std::int32_t>& codes, bool wide) {
  std::vector<std::int32_t> result;
  const std::int64_t planes = c.x_shape[0] * c.x_shape[1];
  const std::int64_t count = c.x_shape.num_elements() / planes;
  for (std::int64_t p = 0; p < planes; ++p) {
    const auto channel = static_cast<std::size_t>(p % c.x_shape[1]);
    const QuantParams x = c.x->params()[c.x->axis() ? channel : 0];
    const QuantParams y = c.y->params()[c.y->axis() ? channel : 0];
    std::int64_t acc = 0;
    for (std::int64_t i = 0; i < count; ++i) acc += codes[static_cast<std::size_t>(p * count + i)] - x.zero_point;
    const Wide q = scaled(acc, x.scale / static_cast<double>(count), y.scale, c.arithmetic, wide) + y.zero_point;
    result.push_back(static_cast<std::int32_t>(std::clamp<Wide>(q, c.y->grid().q_min, c.y->grid().q_max)));
  }
  return result;
}

TEST(GlobalAveragePoolFixed, MatchesTheOracle) {
  std::uint32_t seed = 1;
  for (const Shape& shape :
       {Shape{2, 5, 7, 7}, Shape{1, 3, 4, 4}, Shape{3, 4}, Shape{1, 7, 1, 1}, Shape{2, 2, 3, 2, 5}}) {
    for (const Arithmetic arithmetic : kAllArithmetics) {
      for (const int bits : {8, 16}) {
        CodeNode c{"GlobalAveragePool",
                   {},
                   shape,
                   {},
                   grid_of(unsigned_grid(bits), 0.25, 0),
                   grid_of(signed_grid(bits), 0.125, 0)};
        c.arithmetic = arithmetic;
        const auto codes = random_codes(c.x->grid(), shape.num_elements(), seed++);
        EXPECT_EQ(run_codes(c, codes), global_oracle(c, codes, false)) << name_of(arithmetic) << to_string(shape);
      }
    }
  }
}

TEST(GlobalAveragePoolFixed, ChannelGridsAndLargePlanes) {
  const Encoding x = *Encoding::per_channel(unsigned_grid(16), 1, {{0.1, 3}, {0.02, 60000}});
  const Encoding y = *Encoding::per_channel(signed_grid(16), 1, {{0.1, -3}, {0.03, 2}});
  CodeNode c{"GlobalAveragePool", {}, {2, 2, 211, 223}, {}, x, y};
  c.arithmetic = Arithmetic::kQ31Double;
  const auto codes = random_codes(x.grid(), c.x_shape.num_elements(), 9);
  EXPECT_EQ(run_codes(c, codes), global_oracle(c, codes, true));
  const std::vector<std::int32_t> extreme(codes.size(), 65535);
  EXPECT_EQ(run_codes(c, extreme), global_oracle(c, extreme, true));
}

TEST(GlobalAveragePoolFixed, MissingOrUnfitEncodingsAreReasons) {
  CodeNode c{"GlobalAveragePool", {}, {1, 2, 3}, {}, std::nullopt, grid_of(signed_grid(8), 1)};
  EXPECT_THAT(why_not(c), HasSubstr("operand 0 has no encoding"));
  c.x = c.y;
  c.y.reset();
  EXPECT_THAT(why_not(c), HasSubstr("output has no encoding"));
  c.y = grid_of(signed_grid(32), 1);
  EXPECT_THAT(why_not(c), HasSubstr("more than 16 bits"));
  c.y = grid_of(signed_grid(8), 0.3);
  c.arithmetic = Arithmetic::kShiftHalfEven;
  EXPECT_THAT(why_not(c), HasSubstr("power-of-two"));
}

}  // namespace
}  // namespace halfstep::ops
