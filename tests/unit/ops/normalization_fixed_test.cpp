// normalization_fixed_test.cpp: contract under test: Layer-, RMS-, Instance- and GroupNormalization on codes,
// src/ops/normalization_int.hpp.
#include "ops/reduce/normalization_int.hpp"
#include "unit/ops/code_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<float> reals(std::int64_t count, float low, float high, std::uint32_t seed) {
  std::mt19937 rng(seed);
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(low + (high - low) * static_cast<float>(rng() >> 8U) / 16777216.0F);
  }
  return values;
}

/// What one row is made of: real gamma and beta by element.
struct Row {
  std::vector<std::int32_t> codes;
  std::vector<double> gamma;
  std::vector<double> beta;
};

struct Constants {
  double epsilon;
  double largest_gamma;  ///< Of the whole node.
};

bool is_rms(const CodeNode& c) { return c.type == "RMSNormalization"; }

/// The formulas of normalization_int.hpp with 128-bit integers and linear searches.
std::vector<std::int32_t> row_oracle(const CodeNode& c, const Row& row, const Constants& constants) {
  const auto n = static_cast<Wide>(row.codes.size());
  const double real_n = static_cast<double>(row.codes.size());
  const double scale_x = c.x->params()[0].scale;
  const double scale_y = c.y->params()[0].scale;
  Wide sum = 0;
  for (const std::int32_t q : row.codes) sum += is_rms(c) ? c.x->params()[0].zero_point : q;
  Wide variance = 0;
  for (const std::int32_t q : row.codes) variance += (n * q - sum) * (n * q - sum);
  const double weight = constants.epsilon / scale_x / scale_x * real_n * real_n * real_n;
  Wide w = variance * 16777216 + static_cast<Wide>(std::floor(weight * 16777216.0 + 0.5));
  Wide root = 0;
  int k = 20;
  if (variance != 0) {
    int j = 0;
    while (w >= Wide{1} << 64) {
      w /= 4;
      ++j;
    }
    while (w < Wide{1} << 62) {
      w *= 4;
      --j;
    }
    Wide numerator = n;
    int a = 0;
    while (numerator < Wide{1} << 124) {
      numerator *= 4;
      ++a;
    }
    const Wide square = numerator / w;
    for (Wide bit = Wide{1} << 32; bit > 0; bit /= 2) {
      if ((root + bit) * (root + bit) <= square) root += bit;
    }
    k = a + j - 12;
  }
  int g = 24;
  while (constants.largest_gamma / scale_y * std::pow(2.0, g) >= 2147483647.0) --g;
  std::vector<std::int32_t> result;
  for (std::size_t i = 0; i < row.codes.size(); ++i) {
    const auto gamma = static_cast<Wide>(std::round(row.gamma[i] / scale_y * std::pow(2.0, g)));
    const auto beta = static_cast<Wide>(std::round(row.beta[i] / scale_y * 1048576.0));
    const Wide acc = (n * row.codes[i] - sum) * root * gamma + beta * (Wide{1} << (k + g - 20));
    result.push_back(clamped(divided(acc, Wide{1} << (k + g), c.arithmetic), *c.y));
  }
  return result;
}

/// The definition in long double, in output steps. Equal codes have no deviation to divide by, even if epsilon is 0.
std::vector<double> row_steps(const CodeNode& c, const Row& row, const Constants& constants) {
  const auto n = static_cast<long double>(row.codes.size());
  const long double scale = c.x->params()[0].scale;
  long double mean = 0;
  for (const std::int32_t q : row.codes) mean += scale * (is_rms(c) ? c.x->params()[0].zero_point : q) / n;
  long double variance = 0;
  for (const std::int32_t q : row.codes) variance += (scale * q - mean) * (scale * q - mean) / n;
  const std::int32_t centre = is_rms(c) ? c.x->params()[0].zero_point : row.codes[0];
  const bool equal = std::ranges::count(row.codes, centre) == std::ssize(row.codes);
  std::vector<double> steps;
  for (std::size_t i = 0; i < row.codes.size(); ++i) {
    const long double square = variance + static_cast<long double>(constants.epsilon);
    const long double deviation = equal ? 1.0L : std::sqrt(square);
    const long double y = (scale * row.codes[i] - mean) / deviation * row.gamma[i] + row.beta[i];
    const double q =
        static_cast<double>(y / static_cast<long double>(c.y->params()[0].scale)) + c.y->params()[0].zero_point;
    steps.push_back(std::clamp<double>(q, c.y->grid().q_min, c.y->grid().q_max));
  }
  return steps;
}

/// All rows against both oracles. `affine(row, i)` says which gamma and beta an element takes.
template <class F>
void expect_rows(const CodeNode& c, std::int64_t columns, const std::vector<std::int32_t>& codes, const F& affine) {
  const auto gamma = c.others[0]->values<float>();
  Constants constants{static_cast<double>(1e-5F), 0.0};
  for (const auto& [name, value] : c.attrs) {
    if (name == "epsilon") constants.epsilon = static_cast<double>(std::get<float>(value));
  }
  for (const float value : gamma)
    constants.largest_gamma = std::max(constants.largest_gamma, std::fabs(static_cast<double>(value)));
  const auto actual = run_codes(c, codes);
  ASSERT_EQ(actual.size(), codes.size());
  for (std::int64_t r = 0; r * columns < static_cast<std::int64_t>(codes.size()); ++r) {
    Row row;
    for (std::int64_t i = 0; i < columns; ++i) {
      const auto at = static_cast<std::size_t>(affine(r, i));
      row.codes.push_back(codes[static_cast<std::size_t>(r * columns + i)]);
      row.gamma.push_back(static_cast<double>(gamma[at]));
      row.beta.push_back(c.others.size() > 1 ? static_cast<double>(c.others[1]->values<float>()[at]) : 0.0);
    }
    const std::vector<std::int32_t> part(actual.begin() + r * columns, actual.begin() + (r + 1) * columns);
    ASSERT_EQ(part, row_oracle(c, row, constants)) << name_of(c.arithmetic) << " row " << r;
    expect_steps(part, row_steps(c, row, constants), storage_bits(c.y->grid()) == 8 ? 0.5001 : 0.51);
  }
}

const Encoding kInputs[] = {grid_of(unsigned_grid(8), 0.021, 117), grid_of(signed_grid(8), 0.034, -100),
                            grid_of(unsigned_grid(16), 0.00013, 40000), grid_of(signed_grid(16), 0.0021, -3)};
const Encoding kOutputs[] = {grid_of(unsigned_grid(8), 0.031, 120), grid_of(signed_grid(8), 0.034, 0),
                             grid_of(signed_grid(16), 0.0002, -3)};

TEST(LayerNormalizationFixed, MatchesBothOracles) {
  std::uint32_t seed = 1;
  for (const std::int64_t columns : {1, 2, 7, 64, 769}) {
    for (const Encoding& x : kInputs) {
      for (const Encoding& y : kOutputs) {
        const CodeNode c{
            "LayerNormalization",
            {},
            {3, columns},
            {floats({columns}, reals(columns, -2, 2, seed)), floats({columns}, reals(columns, -1, 1, seed + 1))},
            x,
            y};
        expect_rows(c, columns, random_codes(x.grid(), 3 * columns, seed),
                    [](std::int64_t, std::int64_t i) { return i; });
        ++seed;
      }
    }
  }
}

TEST(LayerNormalizationFixed, MatchesUnderEveryArithmeticAndEpsilon) {
  std::uint32_t seed = 50;
  for (const Arithmetic arithmetic : kAllArithmetics) {
    for (const float epsilon : {0.0F, 1e-12F, 1e-5F, 0.1F, 1e6F}) {
      CodeNode c{"LayerNormalization",
                 {{"epsilon", epsilon}, {"axis", std::int64_t{1}}},
                 {4, 3, 5},
                 {floats({3, 5}, reals(15, 0, 3, seed)), floats({1}, {0.25F})},
                 grid_of(signed_grid(8), 0.03125),
                 grid_of(signed_grid(8), 0.03125)};
      c.arithmetic = arithmetic;
      auto codes = random_codes(c.x->grid(), 60, seed++);
      std::fill_n(codes.begin() + 15, 15, -9);                           // A row of equal codes.
      for (std::size_t i = 30; i < 45; ++i) codes[i] = i == 31 ? 1 : 0;  // The smallest deviation.
      c.others[1] = floats({15}, std::vector<float>(15, 0.25F)).reshaped({3, 5});
      expect_rows(c, 15, codes, [](std::int64_t, std::int64_t i) { return i; });
    }
  }
}

// 2.5 steps: the tie that tells the rules apart, and 3 steps exactly.
TEST(LayerNormalizationFixed, EqualCodesGiveBeta) {
  CodeNode c{"LayerNormalization",
             {},
             {1, 2},
             {floats({2}, {3, -3}), floats({2}, {1.25F, 1.5F})},
             grid_of(unsigned_grid(8), 0.5),
             grid_of(signed_grid(8), 0.5)};
  for (const Arithmetic arithmetic : kAllArithmetics) {
    c.arithmetic = arithmetic;
    const bool even = arithmetic == Arithmetic::kFloatHalfEven || arithmetic == Arithmetic::kShiftHalfEven;
    for (const std::int32_t q : {0, 100, 255}) EXPECT_THAT(run_codes(c, {q, q}), ElementsAre(even ? 2 : 3, 3));
  }
  c.attrs = {{"epsilon", 0.0F}};
  EXPECT_THAT(run_codes(c, {7, 7}), ElementsAre(3, 3));
}

TEST(LayerNormalizationFixed, TheFloatFormAgrees) {
  const CodeNode c{
      "LayerNormalization", {},         {5, 96}, {floats({96}, reals(96, -2, 2, 1)), floats({96}, reals(96, -1, 1, 2))},
      kInputs[0],           kOutputs[0]};
  const auto codes = random_codes(c.x->grid(), 480, 3);
  expect_steps(run_codes(c, codes), float_steps(c, codes), 0.501);
}

// 2^17 16-bit codes: distances take 33 bits.
TEST(LayerNormalizationFixed, LongRowsAtSixteenBits) {
  const std::int64_t columns = 1 << 17;
  const CodeNode c{"LayerNormalization", {},         {1, columns}, {floats({1}, {1.5F}), floats({1}, {-0.25F})},
                   kInputs[2],           kOutputs[2]};
  auto codes = random_codes(c.x->grid(), columns, 3);
  expect_rows(c, columns, codes, [](std::int64_t, std::int64_t) { return 0; });
  std::fill(codes.begin(), codes.end(), 65535);
  codes[77] = 0;  // One outlier stands sqrt(N) deviations out.
  expect_rows(c, columns, codes, [](std::int64_t, std::int64_t) { return 0; });
}

TEST(LayerNormalizationFixed, WithoutBiasAndWithClamp) {
  CodeNode c{"LayerNormalization",  {{"epsilon", 0.0F}},          {1, 2},
             {floats({2}, {1, 1})}, grid_of(unsigned_grid(8), 1), grid_of(signed_grid(8), 0.1)};
  EXPECT_THAT(run_codes(c, {10, 20}), ElementsAre(-10, 10));
  c.clamp = graph::FusedClamp{0.0F, 0.5F, "", ""};
  EXPECT_THAT(run_codes(c, {10, 20}), ElementsAre(0, 5));
}

TEST(LayerNormalizationFixed, Reasons) {
  CodeNode c{"LayerNormalization", {}, {2, 2}, {floats({2, 1}, {1, 1})}, kInputs[0], kOutputs[0]};
  EXPECT_THAT(why_not(c), HasSubstr("row to row"));
  c.others = {floats({2}, {1, 1})};
  c.num_outputs = 2;
  EXPECT_THAT(why_not(c), HasSubstr("Mean"));
  c.num_outputs = 1;
  c.others = {floats({2}, {1, 1e9F}), floats({2}, {0, 0})};
  EXPECT_EQ(why_not(c), "scale exceeds 2^31 output steps");
  c.others = {floats({2}, {1, 1}), floats({2}, {0, 1e9F})};
  EXPECT_EQ(why_not(c), "bias exceeds 2^18 output steps");
  c.others = {floats({2}, {1, std::nanf("")})};
  EXPECT_THAT(why_not(c), HasSubstr("not finite"));
  c.others = {floats({2}, {1, 1})};
  c.x.reset();
  EXPECT_THAT(why_not(c), HasSubstr("no encoding"));
}

TEST(InstanceNormalizationFixed, MatchesBothOracles) {
  std::uint32_t seed = 1;
  for (const Shape& shape : {Shape{2, 3, 5, 7}, Shape{1, 4, 33}, Shape{3, 1, 2, 2, 2}}) {
    const std::int64_t columns = shape.num_elements(2, shape.rank());
    for (const Encoding& x : kInputs) {
      for (const Encoding& y : kOutputs) {
        const CodeNode c{
            "InstanceNormalization",
            {},
            shape,
            {floats({shape[1]}, reals(shape[1], -2, 2, seed)), floats({shape[1]}, reals(shape[1], -1, 1, seed + 1))},
            x,
            y};
        const auto codes = random_codes(x.grid(), shape.num_elements(), seed++);
        expect_rows(c, columns, codes, [&](std::int64_t r, std::int64_t) { return r % shape[1]; });
        expect_steps(run_codes(c, codes), float_steps(c, codes), storage_bits(y.grid()) == 8 ? 0.501 : 0.6);
      }
    }
  }
}

// More than 256 8-bit codes a row: the kernel makes a table of them.
TEST(InstanceNormalizationFixed, LargePlanesAtEightBits) {
  for (const Arithmetic arithmetic : kAllArithmetics) {
    for (const IntGrid grid : {unsigned_grid(8), signed_grid(8)}) {
      CodeNode c{"InstanceNormalization", {},
                 {2, 3, 19, 23},          {floats({3}, {1, -2, 0.25F}), floats({3}, {0, 0.5F, 3})},
                 grid_of(grid, 0.25),     grid_of(signed_grid(8), 0.03125)};
      c.arithmetic = arithmetic;
      const auto codes = random_codes(grid, 6 * 19 * 23, 8);
      expect_rows(c, 19 * 23, codes, [](std::int64_t r, std::int64_t) { return r % 3; });
    }
  }
}

TEST(InstanceNormalizationFixed, LargePlanesAtSixteenBits) {
  const CodeNode c{"InstanceNormalization",
                   {},
                   {1, 2, 224, 224},
                   {floats({2}, {1, -2}), floats({2}, {0, 0.5F})},
                   kInputs[3],
                   kOutputs[2]};
  const auto codes = random_codes(c.x->grid(), 2 * 224 * 224, 8);
  expect_rows(c, 224 * 224, codes, [](std::int64_t r, std::int64_t) { return r; });
}

TEST(RmsNormalizationFixed, MatchesBothOraclesAndTheFloatForm) {
  std::uint32_t seed = 1;
  for (const std::int64_t columns : {1, 7, 64, 769}) {
    for (const Encoding& x : kInputs) {
      for (const Encoding& y : kOutputs) {
        const CodeNode c{"RMSNormalization", {}, {3, columns}, {floats({columns}, reals(columns, -2, 2, seed))}, x, y};
        auto codes = random_codes(x.grid(), 3 * columns, seed++);
        std::fill_n(codes.begin() + columns, columns, x.params()[0].zero_point);  // A row of zeros.
        expect_rows(c, columns, codes, [](std::int64_t, std::int64_t i) { return i; });
        if (columns > 1) expect_steps(run_codes(c, codes), float_steps(c, codes), 0.6);
      }
    }
  }
}

// Real 3, 4 with root mean square 5 / sqrt(2): 0.6 sqrt(2) = 0.8485 and 0.8 sqrt(2) = 1.1314, in steps of 0.1 8 and 11.
TEST(RmsNormalizationFixed, ThreeAndFour) {
  const CodeNode c{
      "RMSNormalization",          {{"epsilon", 0.0F}}, {1, 2}, {floats({2}, {1, 1})}, grid_of(unsigned_grid(8), 1, 10),
      grid_of(signed_grid(8), 0.1)};
  EXPECT_THAT(run_codes(c, {13, 14}), ElementsAre(8, 11));
}

TEST(GroupNormalizationFixed, MatchesBothOraclesAndTheFloatForm) {
  std::uint32_t seed = 1;
  for (const Shape& shape : {Shape{2, 6, 5, 7}, Shape{1, 4, 33}, Shape{2, 4, 17, 19}}) {
    for (const std::int64_t groups : {std::int64_t{1}, std::int64_t{2}, shape[1]}) {
      const std::int64_t run = shape.num_elements(2, shape.rank());
      const std::int64_t columns = shape[1] / groups * run;
      for (const Encoding& x : kInputs) {
        const CodeNode c{
            "GroupNormalization",
            {{"num_groups", groups}},
            shape,
            {floats({shape[1]}, reals(shape[1], -2, 2, seed)), floats({shape[1]}, reals(shape[1], -1, 1, seed + 1))},
            x,
            kOutputs[seed % 3]};
        const auto codes = random_codes(x.grid(), shape.num_elements(), seed++);
        expect_rows(c, columns, codes,
                    [&](std::int64_t r, std::int64_t i) { return r % groups * (shape[1] / groups) + i / run; });
        expect_steps(run_codes(c, codes), float_steps(c, codes), storage_bits(c.y->grid()) == 8 ? 0.501 : 0.6);
      }
    }
  }
}

TEST(IntegerSquareRoot, IsTheFloor) {
  std::mt19937_64 rng(5);
  for (int i = 0; i < 100000; ++i) {
    const std::uint64_t root = (rng() >> 32U) >> (i % 32);
    const std::uint64_t square = root * root;
    ASSERT_EQ(integer_sqrt(square), root);
    if (root > 0) {
      ASSERT_EQ(integer_sqrt(square - 1), root - 1);
      ASSERT_EQ(integer_sqrt(square + 2 * root), root);
    }
  }
  EXPECT_EQ(integer_sqrt(~std::uint64_t{0}), 0xFFFFFFFFU);
}

}  // namespace
}  // namespace halfstep::ops
