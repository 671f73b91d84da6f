// kernels_bench.cpp: speed of the float kernels that are no products: grids, moments, histograms.
//
// HALFSTEP_ISA picks the instruction set. items_per_second counts elements; products are in float_layers_bench.cpp.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "core/tensor.hpp"
#include "kernels/clamp.hpp"
#include "kernels/histogram.hpp"
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
