// kernels_bench.cpp: speed of the float kernels on the layer shapes of mobilenetv2 and resnet.
//
// HALFSTEP_ISA picks the instruction set. items_per_second counts operations
// (two a multiply-add) for products and convolutions, elements elsewhere.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "core/tensor.hpp"
#include "kernels/clamp.hpp"
#include "kernels/depthwise.hpp"
#include "kernels/gemm.hpp"
#include "kernels/histogram.hpp"
#include "kernels/im2col.hpp"
#include "kernels/quantize.hpp"

namespace halfstep::kernels {
namespace {

Tensor random_tensor(std::int64_t count) {
  std::mt19937 rng(1);
  std::uniform_real_distribution<float> any(-1.0F, 1.0F);
  Tensor tensor(TensorType{DType::kFloat32, Shape{count}});
  for (float* x = tensor.mutable_data<float>(); count > 0; --count) *x++ = any(rng);
  return tensor;
}

void count_operations(benchmark::State& state, std::int64_t multiply_adds) {
  state.SetItemsProcessed(state.iterations() * 2 * multiply_adds);
}

void product(benchmark::State& state) {
  Gemm g;
  g.m = state.range(0);
  g.k = state.range(1);
  g.n = state.range(2);
  const Tensor a = random_tensor(g.m * g.k);
  const Tensor b = random_tensor(g.k * g.n);
  const Tensor bias = random_tensor(g.m);
  Tensor c = random_tensor(g.m * g.n);
  g.a = a.data<float>();
  g.b = b.data<float>();
  g.c = c.mutable_data<float>();
  g.row_bias = bias.data<float>();
  g.a_stride = g.k;
  g.b_stride = g.c_stride = g.n;
  g.clamp_min = 0.0F;
  g.clamp_max = 6.0F;
  for (auto _ : state) gemm(g);
  count_operations(state, g.m * g.n * g.k);
}
// Output channels, input channels, pixels: the pointwise layers of mobilenetv2.
BENCHMARK(product)
    ->ArgNames({"m", "k", "n"})
    ->Args({16, 32, 12544})
    ->Args({96, 16, 12544})
    ->Args({24, 96, 3136})
    ->Args({144, 24, 3136})
    ->Args({32, 144, 784})
    ->Args({192, 32, 784})
    ->Args({64, 192, 196})
    ->Args({384, 64, 196})
    ->Args({96, 576, 196})
    ->Args({160, 576, 49})
    ->Args({960, 160, 49})
    ->Args({1280, 320, 49})
    ->Args({1000, 1280, 1})
    ->Args({512, 512, 512});

// One 3x3 convolution, laid out in one piece.
void convolution(benchmark::State& state) {
  const std::int64_t channels = state.range(0);
  const std::int64_t side = state.range(1);
  const Windows windows{.image = {1, side, side},
                        .steps = {1, side, side},
                        .kernel = {1, 3, 3},
                        .stride = {1, 1, 1},
                        .dilation = {1, 1, 1},
                        .pad = {0, 1, 1}};
  Gemm g;
  g.m = channels;
  g.k = channels * 9;
  g.n = side * side;
  const Tensor weight = random_tensor(g.m * g.k);
  const Tensor image = random_tensor(channels * g.n);
  Tensor columns = random_tensor(g.k * g.n);
  Tensor output = random_tensor(g.m * g.n);
  g.a = weight.data<float>();
  g.b = columns.data<float>();
  g.c = output.mutable_data<float>();
  g.a_stride = g.k;
  g.b_stride = g.c_stride = g.n;
  for (auto _ : state) {
    im2col(windows, image.data<float>(), channels, 0, g.n, columns.mutable_data<float>());
    gemm(g);
  }
  count_operations(state, g.m * g.n * g.k);
}
BENCHMARK(convolution)
    ->ArgNames({"channels", "side"})
    ->Args({64, 56})
    ->Args({128, 28})
    ->Args({256, 14})
    ->Args({512, 7});

void depthwise_layer(benchmark::State& state) {
  Depthwise d;
  d.channels = state.range(0);
  d.in_h = d.in_w = state.range(1);
  d.kernel_h = d.kernel_w = state.range(2);
  d.stride_h = d.stride_w = state.range(3);
  d.pad_top = d.pad_left = d.kernel_h / 2;
  d.out_h = d.out_w = (d.in_h - 1) / d.stride_h + 1;
  const Tensor input = random_tensor(d.channels * d.in_h * d.in_w);
  const Tensor filter = random_tensor(d.channels * d.kernel_h * d.kernel_w);
  Tensor output = random_tensor(d.channels * d.out_h * d.out_w);
  Tensor scratch = random_tensor(static_cast<std::int64_t>(depthwise_scratch_bytes(d) / sizeof(float)));
  d.input = input.data<float>();
  d.filter = filter.data<float>();
  d.output = output.mutable_data<float>();
  d.clamp_min = 0.0F;
  d.clamp_max = 6.0F;
  for (auto _ : state) depthwise(d, scratch.mutable_data<float>());
  count_operations(state, d.channels * d.out_h * d.out_w * d.kernel_h * d.kernel_w);
}
BENCHMARK(depthwise_layer)
    ->ArgNames({"channels", "side", "kernel", "stride"})
    ->Args({32, 112, 3, 1})
    ->Args({96, 112, 3, 2})
    ->Args({144, 56, 3, 1})
    ->Args({192, 28, 3, 1})
    ->Args({384, 14, 3, 1})
    ->Args({960, 7, 3, 1})
    ->Args({240, 28, 5, 1})
    ->Args({240, 28, 5, 2});

constexpr std::int64_t kNumElements = 1 << 18;

void rounding(benchmark::State& state) {
  const Tensor x = random_tensor(kNumElements);
  Tensor y = random_tensor(kNumElements);
  for (auto _ : state) {
    quantize_dequantize(x.data<float>(), y.mutable_data<float>(), kNumElements, 0.01F, 3, {0, 255});
  }
  state.SetItemsProcessed(state.iterations() * kNumElements);
}
BENCHMARK(rounding);

void rounding_per_channel(benchmark::State& state) {
  const std::int64_t inner = state.range(0);
  const std::int64_t channels = 64;
  Tensor x = random_tensor(kNumElements);
  const std::vector<float> scales(static_cast<std::size_t>(channels), 0.01F);
  const std::vector<std::int32_t> zero_points(static_cast<std::size_t>(channels), 0);
  for (auto _ : state) {
    quantize_dequantize_per_channel(x.data<float>(), x.mutable_data<float>(), kNumElements / channels / inner, channels,
                                    inner, scales.data(), zero_points.data(), {-128, 127});
  }
  state.SetItemsProcessed(state.iterations() * kNumElements);
}
BENCHMARK(rounding_per_channel)->ArgName("inner")->Arg(1)->Arg(9)->Arg(1024);

void moments(benchmark::State& state) {
  const Tensor x = random_tensor(kNumElements);
  for (auto _ : state) benchmark::DoNotOptimize(minmax_sum(x.data<float>(), kNumElements));
  state.SetItemsProcessed(state.iterations() * kNumElements);
}
BENCHMARK(moments);

// half: as after a Relu, every second value is 0 and hits the same counter.
void bins(benchmark::State& state) {
  Tensor x = random_tensor(kNumElements);
  if (state.range(0) != 0) clamp_in_place(x.mutable_data<float>(), kNumElements, 0.0F, 6.0F);
  std::vector<std::uint32_t> counts(4096);
  for (auto _ : state) {
    benchmark::DoNotOptimize(dyadic_bin_counts(x.data<float>(), kNumElements, -11, -2048, 4096, counts.data()));
  }
  state.SetItemsProcessed(state.iterations() * kNumElements);
}
BENCHMARK(bins)->ArgName("relu")->Arg(0)->Arg(1);

}  // namespace
}  // namespace halfstep::kernels
