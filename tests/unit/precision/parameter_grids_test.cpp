// Contract under test: precision/parameter_grids.hpp, grids for each block.
#include "precision/parameter_grids.hpp"

#include <gtest/gtest.h>

namespace halfstep::precision {
namespace {

// Codes to 7 and ranges of 7 times a power of two: scales one can read.
TEST(FitBlocks, EachBlockHasTheScaleOfItsLargestMagnitude) {
  const Tensor values = Tensor::of<float>({5, 2}, {7, 1, -1, 14, 28, 2, 3, -56, 112, 3.5F});
  const GridRequest request{.bits = 4, .schema = Schema::kSymmetric, .signed_grid = SignedGrid::kNarrow};
  const Result<ParameterGrid> grid = fit_blocks(values, 0, 2, request, {}, "w");
  ASSERT_TRUE(grid.ok()) << grid.error().message;
  const Result<Encoding> encoding = grid->encoding();
  ASSERT_TRUE(encoding.ok());
  EXPECT_EQ(*encoding, *Encoding::per_block({-7, 7}, 0, 2, {{1, 0}, {2, 0}, {4, 0}, {8, 0}, {16, 0}, {0.5, 0}}));
  EXPECT_EQ(fit_blocks(Tensor::of<float>({1}, {NAN}), 0, 16, request, {}, "w").error().message,
            "constant 'w' holds NaN at element 0");
}

}  // namespace
}  // namespace halfstep::precision
