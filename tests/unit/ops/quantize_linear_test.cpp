// quantize_linear_test.cpp: operators on stored integers: grids, rounding, saturation, accumulation.
#include "ops/shared/quantize_linear.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "movement_run.hpp"

namespace halfstep::ops {
namespace {

template <class T>
Tensor of(Shape shape, std::initializer_list<T> values) {
  return Tensor::of<T>(std::move(shape), values);
}
Tensor scalar(float value) { return floats({}, {value}); }

TEST(QuantizeLinear, HalvesGoToEvenBeforeTheZeroPointIsAdded) {
  const Tensor x = floats({6}, {0.5F, 1.5F, -0.5F, -1.5F, 1000, -1000});
  expect_same(run("QuantizeLinear", {}, {x, scalar(1), of<std::int8_t>({}, {1})}),
              of<std::int8_t>({6}, {1, 3, 1, -1, 127, -128}));
  expect_same(run("QuantizeLinear", {}, {x, scalar(1)}), of<std::uint8_t>({6}, {0, 2, 0, 0, 255, 0}));
  expect_same(run("QuantizeLinear", {{"output_dtype", std::int64_t{5}}}, {x, scalar(0.01F)}),
              of<std::int16_t>({6}, {50, 150, -50, -150, 32767, -32768}));
}

TEST(QuantizeLinear, EveryRatioIsDefined) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(quantize_ratio<std::int8_t>(kInfinity, 5), 127);
  EXPECT_EQ(quantize_ratio<std::int8_t>(-kInfinity, 5), -128);
  EXPECT_EQ(quantize_ratio<std::uint8_t>(std::numeric_limits<float>::quiet_NaN(), 128), 0);
  EXPECT_EQ(quantize_ratio<std::uint16_t>(-65535.4F, 65535), 0);
  EXPECT_EQ(quantize_ratio<std::uint16_t>(1.0F, 65535), 65535);
  EXPECT_EQ(quantize_ratio<std::int16_t>(-2.5F, -32766), -32768);
}

TEST(QuantizeLinear, OneGridPerSlice) {
  const Tensor x = floats({2, 2}, {1, 2, 3, 4});
  const Tensor scales = floats({2}, {1, 2});
  const Tensor zeros = of<std::uint8_t>({2}, {0, 10});
  expect_same(run("QuantizeLinear", {{"axis", std::int64_t{0}}}, {x, scales, zeros}),
              of<std::uint8_t>({2, 2}, {1, 2, 12, 12}));
  expect_same(run("QuantizeLinear", {{"axis", std::int64_t{-1}}}, {x, scales, zeros}),
              of<std::uint8_t>({2, 2}, {1, 11, 3, 12}));
}

TEST(QuantizeLinear, OneGridPerBlock) {
  const Attrs blocks = {{"axis", std::int64_t{1}}, {"block_size", std::int64_t{2}}};
  const Tensor q = of<std::int8_t>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor scales = floats({2, 2}, {1, 10, 100, 1000});
  expect_same(run("DequantizeLinear", blocks, {q, scales}), floats({2, 3}, {1, 2, 30, 400, 500, 6000}));
  expect_same(run("QuantizeLinear", blocks, {floats({2, 3}, {1, 2, 30, 400, 500, 6000}), scales}),
              of<std::uint8_t>({2, 3}, {1, 2, 3, 4, 5, 6}));
  EXPECT_NE(error_of("DequantizeLinear", blocks, {q, floats({2, 3}, {1, 1, 1, 1, 1, 1})}), "ok");
  EXPECT_NE(error_of("DequantizeLinear", {{"block_size", std::int64_t{-1}}}, {q, scales}), "ok");
}

TEST(QuantizeLinear, DequantizeSubtractsWithoutOverflow) {
  expect_same(
      run("DequantizeLinear", {}, {of<std::int8_t>({2}, {-128, 127}), scalar(0.5F), of<std::int8_t>({}, {127})}),
      floats({2}, {-127.5F, 0}));
  constexpr auto kMin = std::numeric_limits<std::int32_t>::min();
  expect_same(run("DequantizeLinear", {}, {of<std::int32_t>({1}, {kMin}), scalar(1), of<std::int32_t>({}, {1})}),
              floats({1}, {-2147483649.0F}));
}

TEST(QuantizeLinear, RefusesGridsThatDoNotFit) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(error_of("QuantizeLinear", {}, {x, floats({2}, {1, 1})}),
            "scale has shape [2], expected [3] for a tensor of shape [2, 3] and axis 1");
  EXPECT_NE(error_of("QuantizeLinear", {{"axis", std::int64_t{2}}}, {x, floats({2}, {1, 1})}), "ok");
  EXPECT_EQ(error_of("QuantizeLinear", {{"output_dtype", std::int64_t{22}}}, {x, scalar(1)}),
            "quantizing to element type int4 is not supported");
  EXPECT_NE(error_of("QuantizeLinear", {}, {x, scalar(1), of<std::int32_t>({}, {0})}), "ok");
  EXPECT_NE(error_of("QuantizeLinear", {{"axis", std::int64_t{0}}}, {x, floats({2}, {1, 1}), of<std::int8_t>({}, {0})}),
            "ok");
  EXPECT_NE(error_of("DequantizeLinear", {}, {x, scalar(1)}), "ok");
}

TEST(QuantizeLinear, DynamicRangeIncludesZero) {
  const auto outputs = run_all("DynamicQuantizeLinear", {}, {floats({3}, {1, 2, 5.1F})}, 3);
  expect_same(outputs[0], of<std::uint8_t>({3}, {50, 100, 255}));
  EXPECT_FLOAT_EQ(outputs[1].data<float>()[0], 0.02F);
  expect_same(outputs[2], of<std::uint8_t>({}, {0}));
  const auto zeros = run_all("DynamicQuantizeLinear", {}, {floats({2}, {0, 0})}, 3);
  expect_same(zeros[0], of<std::uint8_t>({2}, {0, 0}));
}

// Expected values by hand: rows (1-1, 2-1) and (3-2, 4-2) times columns (5-5, 7-5) and (6-6, 8-6).
TEST(QuantizeLinear, MatMulIntegerSubtractsZeroPointsPerRowAndColumn) {
  const Tensor a = of<std::uint8_t>({2, 2}, {1, 2, 3, 4});
  const Tensor b = of<std::int8_t>({2, 2}, {5, 6, 7, 8});
  expect_same(run("MatMulInteger", {}, {a, b, of<std::uint8_t>({2}, {1, 2}), of<std::int8_t>({2}, {5, 6})}),
              of<std::int32_t>({2, 2}, {2, 2, 4, 4}));
  expect_same(run("MatMulInteger", {}, {a, b}), of<std::int32_t>({2, 2}, {19, 22, 43, 50}));
  expect_same(run("MatMulInteger", {}, {of<std::uint8_t>({2}, {1, 2}), b}), of<std::int32_t>({2}, {19, 22}));
  EXPECT_NE(error_of("MatMulInteger", {}, {a, of<std::int8_t>({1, 2}, {5, 6})}), "ok");
  EXPECT_NE(error_of("MatMulInteger", {}, {a, b, of<std::uint8_t>({3}, {1, 2, 3})}), "ok");
  EXPECT_NE(error_of("MatMulInteger", {}, {a, b, of<std::uint8_t>({1, 2}, {1, 2})}), "ok");
}

TEST(QuantizeLinear, QLinearMatMulScalesPerRowAndColumn) {
  const Tensor a = of<std::uint8_t>({2, 2}, {1, 2, 3, 4});
  const Tensor b = of<std::int8_t>({2, 2}, {5, 6, 7, 8});
  const Tensor zero_a = of<std::uint8_t>({}, {0});
  const Tensor zero_b = of<std::int8_t>({}, {0});
  const Tensor zero_y = of<std::int8_t>({}, {-1});
  // Sums 19, 22, 43, 50; rows times 1 and 0.5, columns times 0.5 and 1; halves to even, then -1.
  expect_same(run("QLinearMatMul", {},
                  {a, floats({2}, {1, 0.5F}), zero_a, b, floats({2}, {0.5F, 1}), zero_b, scalar(1), zero_y}),
              of<std::int8_t>({2, 2}, {9, 21, 10, 24}));
}

TEST(QuantizeLinear, ConvIntegerPadsWithTheZeroPoint) {
  const Tensor x = of<std::uint8_t>({1, 1, 3}, {11, 12, 13});
  const Tensor w = of<std::int8_t>({2, 1, 2}, {1, 2, 3, 4});
  const Attrs pads = {{"pads", Ints{1, 0}}};
  // Input 1, 2, 3 after the zero point; weights (1, 2) and (2, 3).
  expect_same(run("ConvInteger", pads, {x, w, of<std::uint8_t>({}, {10}), of<std::int8_t>({2}, {0, 1})}),
              of<std::int32_t>({1, 2, 3}, {2, 5, 8, 3, 8, 13}));
  EXPECT_NE(error_of("ConvInteger", pads, {x, w, std::nullopt, of<std::int8_t>({3}, {0, 1, 2})}), "ok");
}

/// Bytes of no order.
template <class T>
Tensor scattered(Shape shape, std::uint32_t seed) {
  Tensor tensor(TensorType{dtype_of<T>(), std::move(shape)});
  for (std::int64_t i = 0; i < tensor.num_elements(); ++i) {
    seed = seed * 1664525U + 1013904223U;
    tensor.mutable_data<T>()[i] = static_cast<T>(seed >> 24U);
  }
  return tensor;
}

/// What ConvInteger must give for x [2, 4, 7, 6] and w [6, 2, 3, 2], groups 2, strides (2, 1), pads (1, 2, 0, 1).
std::int64_t window_sum(const Tensor& x, const Tensor& w, const Tensor& zeros, std::array<std::int64_t, 4> at) {
  std::int64_t sum = 0;
  for (std::int64_t c = 0; c < 2; ++c) {
    for (std::int64_t i = 0; i < 3; ++i) {
      for (std::int64_t j = 0; j < 2; ++j) {
        const std::int64_t row = at[2] * 2 - 1 + i;
        const std::int64_t column = at[3] - 2 + j;
        if (row < 0 || row >= 7 || column < 0 || column >= 6) continue;
        const std::int64_t from = ((at[0] * 4 + at[1] / 3 * 2 + c) * 7 + row) * 6 + column;
        const int a = x.data<std::uint8_t>()[from] - 131;
        sum += a * (w.data<std::int8_t>()[((at[1] * 2 + c) * 3 + i) * 2 + j] - zeros.data<std::int8_t>()[at[1]]);
      }
    }
  }
  return sum;
}

TEST(QuantizeLinear, ConvIntegerSumsEveryWindowOfEveryGroup) {
  const Tensor x = scattered<std::uint8_t>({2, 4, 7, 6}, 1);
  const Tensor w = scattered<std::int8_t>({6, 2, 3, 2}, 2);
  const Tensor zeros = scattered<std::int8_t>({6}, 3);
  const Attrs attributes = {{"group", std::int64_t{2}}, {"strides", Ints{2, 1}}, {"pads", Ints{1, 2, 0, 1}}};
  const Tensor y = run("ConvInteger", attributes, {x, w, of<std::uint8_t>({}, {131}), zeros});
  ASSERT_EQ(y.shape(), (Shape{2, 6, 3, 8}));
  std::int64_t index = 0;
  for (std::int64_t n = 0; n < 2; ++n) {
    for (std::int64_t m = 0; m < 6; ++m) {
      for (std::int64_t i = 0; i < 3; ++i) {
        for (std::int64_t j = 0; j < 8; ++j, ++index) {
          EXPECT_EQ(y.data<std::int32_t>()[index], window_sum(x, w, zeros, {n, m, i, j}));
        }
      }
    }
  }
}

// 40000 products of -255 and 255 leave int32: the sum wraps, as the standard's integers do.
TEST(QuantizeLinear, ConvIntegerWrapsInLongWindows) {
  const Tensor x(TensorType{DType::kUint8, {1, 40000, 1}});
  Tensor w(TensorType{DType::kUint8, {1, 40000, 1}});
  std::fill_n(w.mutable_data<std::uint8_t>(), 40000, std::uint8_t{255});
  const auto wrapped = static_cast<std::int32_t>(static_cast<std::uint32_t>(-40000LL * 255 * 255));
  expect_same(run("ConvInteger", {}, {x, w, of<std::uint8_t>({}, {255})}), of<std::int32_t>({1, 1, 1}, {wrapped}));
}

TEST(QuantizeLinear, QLinearConvAddsBiasAndScalesPerChannel) {
  const Tensor x = of<std::uint8_t>({1, 1, 2}, {11, 12});
  const Tensor w = of<std::int8_t>({2, 1, 1}, {10, -10});
  const auto y = run("QLinearConv", {},
                     {x, scalar(0.5F), of<std::uint8_t>({}, {10}), w, floats({2}, {1, 2}), of<std::int8_t>({}, {0}),
                      scalar(1), of<std::uint8_t>({}, {100}), of<std::int32_t>({2}, {5, 5})});
  // (10 + 5) / 2, (20 + 5) / 2, -10 + 5, -20 + 5; halves to even, then + 100.
  expect_same(y, of<std::uint8_t>({1, 2, 2}, {108, 112, 95, 85}));
}

}  // namespace
}  // namespace halfstep::ops
