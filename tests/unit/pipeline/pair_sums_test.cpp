// pair_sums_test.cpp: 7-bit weights and sums of two products in 16 bits, on the digits.
#include "precision/pair_sums.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>

#include "encoding/encoding_set.hpp"
#include "io/onnx/reader.hpp"
#include "ops/operands.hpp"
#include "precision/parameter_grids.hpp"

namespace halfstep::precision {
namespace {

/// What vpmaddubsw does with two pairs of bytes.
int saturated_pair_sum(int x0, int w0, int x1, int w1) { return std::clamp(x0 * w0 + x1 * w1, INT16_MIN, INT16_MAX); }

/// The weights of digits' convolutions on these grids, by row [M, K].
std::vector<Tensor> conv_codes(const GridRequest& request) {
  const auto model = io::read_onnx(std::string(HALFSTEP_TEST_DATA) + "/digits/digits.onnx");
  EXPECT_TRUE(model.ok());
  std::vector<Tensor> codes;
  for (const graph::Node& node : model->graph.nodes) {
    if (node.op_type != "Conv") continue;
    const Tensor& weight = *graph::constant_of(model->graph, node.inputs[1]);
    std::vector<QuantParams> params;
    IntGrid grid;
    const std::int64_t inner = weight.num_elements() / weight.shape()[0];
    for (std::int64_t m = 0; m < weight.shape()[0]; ++m) {
      const auto row =
          weight.values<float>().subspan(static_cast<std::size_t>(m * inner), static_cast<std::size_t>(inner));
      const auto [low, high] = std::ranges::minmax(row);
      const auto fitted = fit_grid({low, high}, request);
      EXPECT_TRUE(fitted.ok());
      grid = fitted->grid;
      params.push_back(fitted->params);
    }
    codes.push_back(quantize(weight, *Encoding::per_channel(grid, 0, std::move(params))));
  }
  EXPECT_GE(codes.size(), 10u);
  return codes;
}

/// Pairs of one row whose saturated sum differs from the exact one for the largest activations.
std::int64_t wrong_pairs(const Tensor& codes) {
  std::int64_t wrong = 0;
  const std::int64_t inner = codes.num_elements() / codes.shape()[0];
  const std::span<const std::int8_t> all = codes.values<std::int8_t>();
  for (std::int64_t m = 0; m < codes.shape()[0]; ++m) {
    const auto row = all.subspan(static_cast<std::size_t>(m * inner), static_cast<std::size_t>(inner));
    for (const int first : row) {
      for (const int second : row) {
        for (const auto& [x0, x1] : {std::pair{255, 255}, std::pair{255, 0}, std::pair{0, 255}, std::pair{17, 254}}) {
          wrong += saturated_pair_sum(x0, first, x1, second) != x0 * first + x1 * second ? 1 : 0;
        }
      }
    }
  }
  return wrong;
}

TEST(PairSums, SevenBitWeightsOfTheDigitsNeverSaturateWhateverMeets) {
  for (const Tensor& codes : conv_codes({.schema = Schema::kSymmetric, .restricted = IntGrid{-64, 63}})) {
    EXPECT_EQ(wrong_pairs(codes), 0);
    EXPECT_FALSE(unsafe_pair(codes, 0).has_value());
  }
}

TEST(PairSums, EightBitWeightsOfTheDigitsDo) {
  std::int64_t wrong = 0;
  std::int64_t found = 0;
  for (const Tensor& codes :
       conv_codes({.schema = Schema::kSymmetric, .signed_grid = SignedGrid::kNarrow, .restricted = std::nullopt})) {
    wrong += wrong_pairs(codes) > 0 ? 1 : 0;
    found += unsafe_pair(codes, 0) ? 1 : 0;
    EXPECT_TRUE(unsafe_pair(codes, 0) || wrong_pairs(codes) == 0) << "a pair that saturates must be found";
  }
  EXPECT_GT(wrong, 5);
  EXPECT_GE(found, wrong);
}

TEST(PairSums, TheLimitIs128EitherWay) {
  const auto safe = [](std::vector<std::int8_t> row) {
    const auto size = static_cast<std::int64_t>(row.size());
    return !unsafe_pair(Tensor::of<std::int8_t>({1, size}, row), 0);
  };
  EXPECT_TRUE(safe({64, 64, 0}));       // 255 * 128 = 32640
  EXPECT_FALSE(safe({65, 1, 64}));      // 255 * 129 = 32895
  EXPECT_TRUE(safe({-64, -64, -64}));   // -32640
  EXPECT_FALSE(safe({-65, 127, -64}));  // -32895
  EXPECT_TRUE(safe({127, 1, -127}));
  EXPECT_TRUE(safe({127}));
}

TEST(PairSums, OnlyWeightsOfOneRowMeet) {
  const Tensor by_row = Tensor::of<std::int8_t>({2, 2}, {100, 0, 100, 0});
  EXPECT_FALSE(unsafe_pair(by_row, 0).has_value());
  const auto column = unsafe_pair(by_row, 1);
  ASSERT_TRUE(column.has_value());
  EXPECT_EQ(column->first, 100);
  EXPECT_EQ(column->row, 0);
  EXPECT_TRUE(unsafe_pair(by_row, std::nullopt).has_value());
}

}  // namespace
}  // namespace halfstep::precision
