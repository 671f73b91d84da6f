// softmax_fixed_test.cpp: contract under test: Softmax and LogSoftmax on codes, src/ops/softmax_int.hpp.
#include "ops/reduce/softmax_int.hpp"
#include "unit/ops/code_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Attrs axis_attr(std::int64_t axis) { return {{"axis", axis}}; }

/// Calls visit(positions of one line along the axis).
template <class F>
void for_each_line(const Shape& shape, int axis, F visit) {
  std::int64_t inner = 1;
  for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
  for (std::int64_t start = 0; start < shape.num_elements(); ++start) {
    if (start / inner % shape[axis] != 0) continue;
    std::vector<std::size_t> line;
    for (std::int64_t i = 0; i < shape[axis]; ++i) line.push_back(static_cast<std::size_t>(start + i * inner));
    visit(line);
  }
}

Wide exponential(double scale, std::int32_t distance) {
  return static_cast<Wide>(std::floor(1073741824.0 * std::exp(-scale * distance) + 0.5));
}

std::vector<std::int32_t> softmax_oracle(const CodeNode& c, int axis, const std::vector<std::int32_t>& codes) {
  std::vector<std::int32_t> result(codes.size());
  const double scale = c.x->params()[0].scale;
  const Mantissa m = mantissa_of(1.0 / c.y->params()[0].scale, c.arithmetic);
  for_each_line(c.x_shape, axis, [&](const std::vector<std::size_t>& line) {
    std::int32_t largest = codes[line[0]];
    for (const std::size_t i : line) largest = std::max(largest, codes[i]);
    Wide sum = 0;
    for (const std::size_t i : line) sum += exponential(scale, largest - codes[i]);
    for (const std::size_t i : line) {
      const Wide e = exponential(scale, largest - codes[i]);
      result[i] = clamped(divided(e * m.value, sum * (Wide{1} << m.exponent), c.arithmetic), *c.y);
    }
  });
  return result;
}

/// In long double, in output steps before the last rounding.
std::vector<double> real_steps(const CodeNode& c, int axis, const std::vector<std::int32_t>& codes, bool logarithm) {
  std::vector<double> result(codes.size());
  const long double scale = c.x->params()[0].scale;
  for_each_line(c.x_shape, axis, [&](const std::vector<std::size_t>& line) {
    std::int32_t largest = codes[line[0]];
    for (const std::size_t i : line) largest = std::max(largest, codes[i]);
    long double sum = 0;
    for (const std::size_t i : line) sum += std::exp(scale * static_cast<long double>(codes[i] - largest));
    for (const std::size_t i : line) {
      const long double x = scale * static_cast<long double>(codes[i] - largest);
      const long double y = logarithm ? x - std::log(sum) : std::exp(x) / sum;
      const long double steps = y / static_cast<long double>(c.y->params()[0].scale) + c.y->params()[0].zero_point;
      result[i] = std::clamp(static_cast<double>(steps), static_cast<double>(c.y->grid().q_min),
                             static_cast<double>(c.y->grid().q_max));
    }
  });
  return result;
}

struct Place {
  Shape shape;
  int axis;
};
const Place kPlaces[] = {{{3, 10}, 1}, {{2, 7, 5}, 1}, {{4, 3, 90}, 0}, {{2, 1000}, 1}, {{5, 1}, 1}, {{3, 2, 70}, 1}};

// x on steps of 1, y on steps of 1/256.
TEST(SoftmaxFixed, ThreeCasesByHand) {
  const CodeNode c{"Softmax", {}, {2}, {}, grid_of(signed_grid(8), 1), grid_of(unsigned_grid(8), 1.0 / 256)};
  EXPECT_THAT(run_codes(c, {3, 3}), ElementsAre(128, 128));     // 1/2 each.
  EXPECT_THAT(run_codes(c, {0, 1}), ElementsAre(69, 187));      // 1 / (1 + e) = 0.2689 is 68.85, the rest 187.15.
  EXPECT_THAT(run_codes(c, {127, -128}), ElementsAre(255, 0));  // 1 is 256, one beyond the grid.
}

TEST(SoftmaxFixed, MatchesTheOracleUnderEveryArithmetic) {
  std::uint32_t seed = 1;
  for (const Place& place : kPlaces) {
    for (const Arithmetic arithmetic : kAllArithmetics) {
      for (const double scale : {0.5, 0.03125, 0.0009765625}) {
        for (const int bits : {8, 16}) {
          CodeNode c{"Softmax",
                     axis_attr(place.axis),
                     place.shape,
                     {},
                     grid_of(signed_grid(bits), scale),
                     grid_of(unsigned_grid(bits), bits == 8 ? 0.00390625 : 0.0000152587890625)};
          c.arithmetic = arithmetic;
          const auto codes = random_codes(c.x->grid(), place.shape.num_elements(), seed++);
          const auto actual = run_codes(c, codes);
          EXPECT_EQ(actual, softmax_oracle(c, place.axis, codes)) << name_of(arithmetic);
          expect_steps(actual, real_steps(c, place.axis, codes, false), 0.51);
        }
      }
    }
  }
}

TEST(SoftmaxFixed, MatchesTheOracleOnEveryGrid) {
  std::uint32_t seed = 77;
  const Encoding xs[] = {grid_of(unsigned_grid(8), 0.081, 17), grid_of(signed_grid(8), 0.034, -100),
                         grid_of(unsigned_grid(16), 0.00013, 40000), grid_of(signed_grid(16), 0.0021, -3)};
  const Encoding ys[] = {grid_of(unsigned_grid(8), 1.0 / 255, 0), grid_of(signed_grid(8), 1.0 / 255, -128),
                         grid_of(unsigned_grid(16), 1.0 / 65535, 0), grid_of(signed_grid(16), 0.001, 5)};
  for (const Place& place : kPlaces) {
    for (const Encoding& x : xs) {
      for (const Encoding& y : ys) {
        CodeNode c{"Softmax", axis_attr(place.axis - place.shape.rank()), place.shape, {}, x, y};
        const auto codes = random_codes(x.grid(), place.shape.num_elements(), seed++);
        const auto actual = run_codes(c, codes);
        EXPECT_EQ(actual, softmax_oracle(c, place.axis, codes));
        expect_steps(actual, real_steps(c, place.axis, codes, false), 0.51);
        expect_steps(actual, float_steps(c, codes), 0.52);
      }
    }
  }
}

// 512 equal elements on steps of 1/256 share one half step each.
TEST(SoftmaxFixed, TiesFollowTheNamedRule) {
  CodeNode c{"Softmax", {}, {512}, {}, grid_of(signed_grid(8), 1), grid_of(signed_grid(8), 0.00390625, -128)};
  const std::vector<std::int32_t> codes(512, 5);
  for (const Arithmetic arithmetic : kAllArithmetics) {
    const bool even = arithmetic == Arithmetic::kFloatHalfEven || arithmetic == Arithmetic::kShiftHalfEven;
    c.y = grid_of(unsigned_grid(8), 0.00390625);
    c.arithmetic = arithmetic;
    EXPECT_THAT(run_codes(c, codes), Each(even ? 0 : 1)) << name_of(arithmetic);
  }
  // 1 / float32(1/3) is 3 as a float32: two elements get 1.5 steps each.
  c.arithmetic = Arithmetic::kFloatHalfEven;
  c.x_shape = {2};
  c.y = grid_of(unsigned_grid(8), 1.0 / 3);
  EXPECT_THAT(run_codes(c, {1, 1}), ElementsAre(2, 2));
}

TEST(SoftmaxFixed, OneElementTakesEverything) {
  const CodeNode c{"Softmax", {}, {3}, {}, grid_of(signed_grid(8), 1), grid_of(unsigned_grid(8), 1.0 / 255)};
  EXPECT_THAT(run_codes(c, {-128, 127, -128}), ElementsAre(0, 255, 0));
}

TEST(SoftmaxFixed, ManyElementsAndCoarseOutputs) {
  CodeNode c{"Softmax", {}, {70000}, {}, grid_of(signed_grid(16), 0.0009765625), grid_of(unsigned_grid(16), 1e-6)};
  const auto codes = random_codes(c.x->grid(), 70000, 4);
  EXPECT_EQ(run_codes(c, codes), softmax_oracle(c, 0, codes));
  c.y = grid_of(unsigned_grid(8), 1e12, 7);  // Every share is far below half a step.
  EXPECT_THAT(run_codes(c, codes), Each(7));
}

TEST(SoftmaxFixed, RunsInPlace) {
  const CodeNode c{
      "Softmax", axis_attr(1), {2, 7, 5}, {}, grid_of(unsigned_grid(8), 0.05, 3), grid_of(unsigned_grid(8), 1.0 / 255)};
  const auto codes = random_codes(c.x->grid(), 70, 4);
  const auto lowered = try_lower(c);
  Tensor x = code_tensor(*c.x, c.x_shape, codes);
  const std::vector<ConstView> inputs{x.view()};
  const std::vector<MutableView> outputs{x.mutable_view()};
  Tensor scratch(TensorType{DType::kUint8, {static_cast<std::int64_t>(lowered->form.prepared.scratch_bytes)}});
  const std::span<std::byte> bytes(scratch.mutable_bytes(), lowered->form.prepared.scratch_bytes);
  ASSERT_TRUE(lowered->form.prepared.run(KernelIo{inputs, outputs, bytes}).ok());
  EXPECT_EQ(codes_of(x), softmax_oracle(c, 1, codes));
}

TEST(SoftmaxFixed, Reasons) {
  CodeNode c{"Softmax", {}, {2, 3}, {}, grid_of(signed_grid(8), 1), std::nullopt};
  EXPECT_THAT(why_not(c), HasSubstr("output has no encoding"));
  c.y = *Encoding::per_channel(unsigned_grid(8), 1, {{1, 0}, {1, 0}, {1, 0}});
  EXPECT_THAT(why_not(c), HasSubstr("for each channel"));
  c.y = grid_of(unsigned_grid(8), 1.0 / 255);
  c.arithmetic = Arithmetic::kShiftHalfUp;
  EXPECT_THAT(why_not(c), HasSubstr("power-of-two"));
}

TEST(IntegerLogarithm, IsTheFloorOrOneLess) {
  EXPECT_EQ(log2_q32(1), 0);
  EXPECT_EQ(log2_q32(std::uint64_t{1} << 63), std::int64_t{63} << 32);
  std::mt19937_64 rng(11);
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t x = (rng() >> (i % 63)) | 1U;
    const auto floor = static_cast<std::int64_t>(std::floor(std::log2(static_cast<long double>(x)) * 0x1p32L));
    const std::int64_t log = log2_q32(x);
    ASSERT_LE(log, floor) << x;
    ASSERT_GE(log, floor - 1) << x;
  }
}

// 0.5 for the rounding; what is left of the bound in softmax_int.hpp is far below 0.01 here at 8 bits.
TEST(LogSoftmaxFixed, IsWithinItsBoundOfTheRealResult) {
  std::uint32_t seed = 1;
  for (const Place& place : kPlaces) {
    for (const Arithmetic arithmetic : kAllArithmetics) {
      for (const int bits : {8, 16}) {
        const bool shifts = needs_power_of_two(arithmetic);
        CodeNode c{"LogSoftmax",
                   axis_attr(place.axis),
                   place.shape,
                   {},
                   grid_of(signed_grid(bits), shifts ? 0.0009765625 : 0.0013, shifts ? 0 : 50),
                   grid_of(signed_grid(bits), bits == 8 ? 0.125 : 0.0009765625)};
        c.arithmetic = arithmetic;
        const auto codes = random_codes(c.x->grid(), place.shape.num_elements(), seed++);
        const double tolerance = arithmetic == Arithmetic::kFloatHalfEven ? 0.505 : 0.501;
        expect_steps(run_codes(c, codes), real_steps(c, place.axis, codes, true), tolerance);
      }
    }
  }
}

TEST(LogSoftmaxFixed, MatchesTheWideRestatement) {
  std::uint32_t seed = 1;
  for (const Place& place : kPlaces) {
    CodeNode c{"LogSoftmax",
               axis_attr(place.axis),
               place.shape,
               {},
               grid_of(signed_grid(16), 0.00125, 50),
               grid_of(signed_grid(16), 0.00113, 7)};
    const auto codes = random_codes(c.x->grid(), place.shape.num_elements(), seed++);
    const auto actual = run_codes(c, codes);
    const double scale = c.x->params()[0].scale;
    const double scale_y = c.y->params()[0].scale;
    const Mantissa ratio = mantissa_of(scale * (1.0 / scale_y), c.arithmetic);
    const Wide a = divided(Wide{ratio.value} << 30, Wide{1} << ratio.exponent, c.arithmetic);
    const Wide b = static_cast<Wide>(std::floor(std::log(2.0) * (1.0 / scale_y) * 0x1p30 + 0.5));
    for_each_line(place.shape, place.axis, [&](const std::vector<std::size_t>& line) {
      std::int32_t largest = codes[line[0]];
      for (const std::size_t i : line) largest = std::max(largest, codes[i]);
      Wide sum = 0;
      for (const std::size_t i : line) sum += exponential(scale, largest - codes[i]);
      const Wide log = log2_q32(static_cast<std::uint64_t>(sum)) - (Wide{30} << 32);
      for (const std::size_t i : line) {
        const Wide value = -(largest - codes[i]) * a - divided(log * b, Wide{1} << 32, Arithmetic::kQ31Single);
        ASSERT_EQ(actual[i], clamped(divided(value, Wide{1} << 30, c.arithmetic), *c.y));
      }
    });
  }
}

// Two elements, the other one out of sight: ln 1 = 0, and -3 / 2 = -1.5 is a tie.
TEST(LogSoftmaxFixed, TiesFollowTheNamedRule) {
  CodeNode c{"LogSoftmax", {}, {2}, {}, grid_of(signed_grid(8), 32), grid_of(signed_grid(8), 64)};
  for (const Arithmetic arithmetic : kAllArithmetics) {
    c.arithmetic = arithmetic;
    const bool up = arithmetic == Arithmetic::kQ31Single || arithmetic == Arithmetic::kQ31Double ||
                    arithmetic == Arithmetic::kShiftHalfUp;
    EXPECT_THAT(run_codes(c, {5, 2}), ElementsAre(0, up ? -1 : -2)) << name_of(arithmetic);
  }
}

TEST(LogSoftmaxFixed, EqualElements) {
  const CodeNode c{"LogSoftmax", {}, {1000}, {}, grid_of(signed_grid(8), 0.1), grid_of(signed_grid(16), 0.001)};
  EXPECT_THAT(run_codes(c, std::vector<std::int32_t>(1000, -7)), Each(-6908));  // ln 1000 = 6.907755
}

TEST(LogSoftmaxFixed, HugeRatiosLoseFractionBitsOrAreRefused) {
  CodeNode c{"LogSoftmax", {}, {3}, {}, grid_of(signed_grid(16), 1), grid_of(signed_grid(16), 1e-6)};
  EXPECT_THAT(run_codes(c, {5, -5, -32768}), ElementsAre(-45, -32768, -32768));  // ln(1 + exp(-10)) = 4.54e-5
  c.y = grid_of(signed_grid(16), 1e-12);
  EXPECT_NE(why_not(c), "ok");
}

}  // namespace
}  // namespace halfstep::ops
