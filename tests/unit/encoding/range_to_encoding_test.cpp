// range_to_encoding_test.cpp: equations (E2) to (E5).
#include "encoding/range_to_encoding.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "encoding/encoding_set.hpp"

namespace halfstep {
namespace {

Encoding fitted(RealRange range, GridRequest request) { return *encoding_of(*fit_grid(range, request)); }

// The worked example of the QNN documentation.
TEST(FitGrid, WorkedExampleOfFourValues) {
  const Encoding encoding = fitted({-1.8, 0.5}, {.bits = 8});
  EXPECT_EQ(encoding.grid(), (IntGrid{0, 255}));
  EXPECT_NEAR(encoding.params()[0].scale, 0.009020, 5e-7);
  EXPECT_NEAR(encoding.real_min(), -1.803922, 5e-7);
  EXPECT_NEAR(encoding.real_max(), 0.496078, 5e-7);
  const Tensor codes = quantize(Tensor::of<float>({4}, {-1.8F, -1.0F, 0.0F, 0.5F}), encoding);
  EXPECT_TRUE(identical(codes, Tensor::of<std::uint8_t>({4}, {0, 89, 200, 255})));
}

// AIMET's table of modes, on its unsigned codes: real = delta * (code + offset).
TEST(FitGrid, ModesOfAimet) {
  struct Mode {
    RealRange range;
    GridRequest request;
    double delta;
    int offset;
    double min, max;
  };
  const GridRequest symmetric{.schema = Schema::kSymmetric};
  const GridRequest strict{.schema = Schema::kSymmetric, .signed_grid = SignedGrid::kNarrow};
  const GridRequest unsigned_symmetric{.schema = Schema::kUnsignedSymmetric};
  const Mode modes[] = {
      {{-1.0, 3.0}, {}, 4.0 / 255, -64, -1.00392, 2.99608}, {{0.0, 6.0}, {}, 6.0 / 255, 0, 0.0, 6.0},
      {{-6.0, 0.0}, {}, 6.0 / 255, -255, -6.0, 0.0},        {{-1.0, 0.5}, symmetric, 1.0 / 127, -128, -1.00787, 1.0},
      {{-0.25, 1.0}, strict, 1.0 / 127, -127, -1.0, 1.0},   {{0.0, 2.0}, unsigned_symmetric, 2.0 / 255, 0, 0.0, 2.0},
  };
  for (const Mode& mode : modes) {
    const FittedGrid grid = *fit_grid(mode.range, mode.request);
    EXPECT_NEAR(grid.params.scale, mode.delta, mode.delta * 1e-6);
    EXPECT_EQ(grid.grid.q_min - grid.params.zero_point, mode.offset);
    const Encoding encoding = *encoding_of(grid);
    EXPECT_NEAR(encoding.real_min(), mode.min, 5e-6);
    EXPECT_NEAR(encoding.real_max(), mode.max, 5e-6);
  }
}

TEST(FitGrid, OneSidedRangesKeepZeroAtTheEnd) {
  EXPECT_EQ(fit_grid({0.0, 6.0}, {})->params, (QuantParams{static_cast<double>(6.0F / 255.0F), 0}));
  EXPECT_EQ(fit_grid({2.0, 6.0}, {})->params.zero_point, 0);  // Widened to contain 0.
  EXPECT_EQ(fit_grid({-6.0, 0.0}, {})->params.zero_point, 255);
  EXPECT_EQ(fit_grid({-6.0, -2.0}, {})->params.zero_point, 255);
  EXPECT_NEAR(fitted({-6.0, -2.0}, {}).real_min(), -6.0, 1e-6);
}

TEST(FitGrid, NarrowRangesAreWidenedAndSaySo) {
  const FittedGrid narrow = *fit_grid({0.0, 1e-6}, {});
  EXPECT_TRUE(narrow.widened);
  EXPECT_FALSE(narrow.all_zero);
  EXPECT_NEAR(narrow.params.scale, kMinRange / 255, 1e-10);
  EXPECT_EQ(narrow.params.zero_point, 0);
  EXPECT_EQ(fit_grid({-1e-6, 0.0}, {})->params.zero_point, 255);
  EXPECT_FALSE(fit_grid({0.0, 2e-4}, {})->widened);
}

TEST(FitGrid, AllZeroDataGetsASaneGrid) {
  const FittedGrid zero = *fit_grid({0.0, 0.0}, {});
  EXPECT_TRUE(zero.all_zero);
  EXPECT_EQ(zero.params, (QuantParams{static_cast<double>(2.0F / 255.0F), 128}));
  EXPECT_EQ(fit_grid({0.0, 0.0}, {.schema = Schema::kUnsignedSymmetric})->params.zero_point, 0);
}

TEST(FitGrid, SymmetricGrids) {
  const FittedGrid full = *fit_grid({-1.0, 0.5}, {.schema = Schema::kSymmetric});
  EXPECT_EQ(full.grid, (IntGrid{-128, 127}));
  EXPECT_EQ(full.params, (QuantParams{static_cast<double>(static_cast<float>(1.0 / 127)), 0}));
  const FittedGrid narrow = *fit_grid({-0.5, 1.0}, {.schema = Schema::kSymmetric, .signed_grid = SignedGrid::kNarrow});
  EXPECT_EQ(narrow.grid, (IntGrid{-127, 127}));
  EXPECT_EQ(narrow.params, full.params);
  const FittedGrid restricted =
      *fit_grid({-0.5, 1.0}, {.bits = 16, .schema = Schema::kSymmetric, .restricted = IntGrid{-0x8000, 0x7F7F}});
  EXPECT_EQ(restricted.grid, (IntGrid{-32768, 32639}));
  EXPECT_EQ(restricted.params.scale, static_cast<double>(static_cast<float>(1.0 / 32639)));
}

TEST(FitGrid, UnsignedSymmetricUsesTheWholeUnsignedGridWithoutNegatives) {
  const FittedGrid positive = *fit_grid({0.0, 5.1}, {.schema = Schema::kUnsignedSymmetric});
  EXPECT_EQ(positive.grid, (IntGrid{0, 255}));
  EXPECT_EQ(positive.params.zero_point, 0);
  EXPECT_NEAR(positive.params.scale, 0.02, 1e-9);
  const FittedGrid mixed = *fit_grid({-0.1, 5.1}, {.schema = Schema::kUnsignedSymmetric});
  EXPECT_EQ(mixed.grid, (IntGrid{-128, 127}));
}

TEST(FitGrid, PowerOfTwoScales) {
  const GridRequest symmetric{.schema = Schema::kSymmetric, .scale = ScaleKind::kPowerOfTwo};
  EXPECT_EQ(fit_grid({-1.0, 0.5}, symmetric)->params.scale, 1.0 / 128);
  EXPECT_EQ(fit_grid({-1.01, 0.5}, symmetric)->params.scale, 2.0 / 128);
  const GridRequest unsigned_symmetric{.schema = Schema::kUnsignedSymmetric, .scale = ScaleKind::kPowerOfTwo};
  EXPECT_EQ(fit_grid({0.0, 6.0}, unsigned_symmetric)->params.scale, 8.0 / 256);
  EXPECT_EQ(fit_grid({0.0, 6.0}, unsigned_symmetric)->grid, (IntGrid{0, 255}));
  EXPECT_EQ(fit_grid({-1.0, 6.0}, unsigned_symmetric)->params.scale, 8.0 / 128);
  EXPECT_TRUE(fitted({0.0, 0.0}, unsigned_symmetric).is_power_of_two());
}

TEST(FitGrid, AsymmetricPowerOfTwoIsForOneSidedDataOnly) {
  const GridRequest request{.scale = ScaleKind::kPowerOfTwo};
  EXPECT_EQ(fit_grid({0.0, 1.0}, request)->params.scale, 1.0 / 256);
  EXPECT_EQ(fit_grid({-0.5, 1.0}, request).error().code, ErrorCode::kUsage);
  EXPECT_EQ(check_request(request).error().code, ErrorCode::kUsage);
}

// A mask of the lowest float32 number: 3.4028e38 / 32767 * -32768 would be -3.4029e38.
TEST(FitGrid, EndsStayFiniteFloat32) {
  const double huge = std::numeric_limits<float>::max();
  for (const RealRange range : {RealRange{-huge, 0.0}, RealRange{-huge, huge}, RealRange{0.0, huge},
                                RealRange{-huge, 1.0}, RealRange{-0.7 * huge, 0.9 * huge}}) {
    for (const Schema schema : {Schema::kAsymmetric, Schema::kSymmetric, Schema::kUnsignedSymmetric}) {
      for (const ScaleKind scale : {ScaleKind::kAffine, ScaleKind::kPowerOfTwo}) {
        for (const int bits : {2, 4, 8, 15, 16}) {
          const GridRequest request{.bits = bits, .schema = schema, .scale = scale};
          if (!check_request(request).ok()) continue;
          const Result<FittedGrid> grid = fit_grid(range, request);
          ASSERT_TRUE(grid.ok());
          const Result<Encoding> encoding = encoding_of(*grid);
          ASSERT_TRUE(encoding.ok()) << encoding.error().message;
          EXPECT_TRUE(std::isfinite(static_cast<float>(encoding->real_min()))) << bits;
          EXPECT_TRUE(std::isfinite(static_cast<float>(encoding->real_max()))) << bits;
          // No more is given up than has to be: half the range for a power of two, else an end by a step.
          const double kept = encoding->real_max() - encoding->real_min();
          EXPECT_GE(kept, scale == ScaleKind::kPowerOfTwo ? huge / 4 : huge / 2) << bits;
          EXPECT_EQ(encoding->is_power_of_two(), scale == ScaleKind::kPowerOfTwo) << bits;
        }
      }
    }
  }
}

TEST(FitGrid, RefusesUnusableRanges) {
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(fit_grid({-inf, 1.0}, {}).error().code, ErrorCode::kCalibration);
  EXPECT_EQ(fit_grid({0.0, std::nan("")}, {}).error().code, ErrorCode::kCalibration);
  EXPECT_EQ(fit_grid({1.0, -1.0}, {}).error().code, ErrorCode::kCalibration);
}

TEST(CheckRequest, SaysWhatIsLegal) {
  EXPECT_TRUE(check_request({}).ok());
  EXPECT_FALSE(check_request({.bits = 1}).ok());
  EXPECT_FALSE(check_request({.bits = 17}).ok());
  EXPECT_FALSE(check_request({.restricted = IntGrid{-128, 127}}).ok());
  EXPECT_TRUE(check_request({.schema = Schema::kSymmetric, .restricted = IntGrid{-128, 127}}).ok());
  EXPECT_FALSE(check_request({.schema = Schema::kSymmetric, .restricted = IntGrid{-129, 127}}).ok());
  EXPECT_FALSE(check_request({.schema = Schema::kSymmetric, .restricted = IntGrid{0, 127}}).ok());
}

// Oracle: the promises of the header, tried on generated ranges.
TEST(FitGridProperty, CoversTheRangeWithinHalfAStepAndHoldsZero) {
  std::mt19937_64 rng(7);
  std::uniform_real_distribution<double> exponent(-3.0, 38.0);
  std::uniform_real_distribution<double> unit(-1.0, 1.0);
  for (int i = 0; i < 20'000; ++i) {
    const double size = std::pow(10.0, exponent(rng));
    double min = unit(rng) * size;
    double max = unit(rng) * size * (i % 3 == 0 ? 1e-3 : 1.0);
    if (min > max) std::swap(min, max);
    for (const Schema schema : {Schema::kAsymmetric, Schema::kSymmetric, Schema::kUnsignedSymmetric}) {
      for (const int bits : {4, 8, 16}) {
        const Encoding encoding = fitted({min, max}, {.bits = bits, .schema = schema});
        // At 16 bits, the rounding of the scale to float32 adds up to 65535 * 2^-24 of a step.
        const double half_step = encoding.params()[0].scale * 0.505;
        // Asymmetric ranges slide by at most half a step; the others are covered.
        ASSERT_LE(encoding.real_min(), std::min(min, 0.0) + half_step) << min << " " << max << " " << bits;
        ASSERT_GE(encoding.real_max(), std::max(max, 0.0) - half_step) << min << " " << max << " " << bits;
        ASSERT_GE(encoding.params()[0].zero_point, encoding.grid().q_min);
        ASSERT_LE(encoding.params()[0].zero_point, encoding.grid().q_max);
        if (schema == Schema::kAsymmetric) continue;
        const Encoding power = fitted({min, max}, {.bits = bits, .schema = schema, .scale = ScaleKind::kPowerOfTwo});
        ASSERT_TRUE(power.is_power_of_two());
        // The threshold lies within one step of the end of the grid, which is at most twice too large.
        const double threshold = std::max({-min, max, kMinRange});
        const double reach = std::max(-power.real_min(), power.real_max() + power.params()[0].scale);
        ASSERT_GE(reach * (1 + 1e-12), threshold);
        ASSERT_LT(reach, 2.001 * threshold);
      }
    }
  }
}

}  // namespace
}  // namespace halfstep
