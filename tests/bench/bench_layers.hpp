// bench_layers.hpp: the layer shapes of mobilenetv2, and what the benchmarks of layers share.
#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace halfstep::kernels {

/// A product: m output channels, k input channels (times taps), n pixels.
struct ProductLayer {
  std::int64_t m = 0, k = 0, n = 0;
  std::string name() const { return std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n); }
};

/// All pointwise layers of mobilenetv2 (input 224 x 224) and its Gemm, each shape once.
inline constexpr ProductLayer kProductLayers[] = {
    {16, 32, 12544}, {96, 16, 12544}, {24, 96, 3136}, {144, 24, 3136}, {24, 144, 3136}, {32, 144, 784}, {192, 32, 784},
    {32, 192, 784},  {64, 192, 196},  {384, 64, 196}, {64, 384, 196},  {96, 384, 196},  {576, 96, 196}, {96, 576, 196},
    {160, 576, 49},  {960, 160, 49},  {160, 960, 49}, {320, 960, 49},  {1280, 320, 49}, {1000, 1280, 1}};

/// A depthwise convolution of a square image, padded by half the kernel.
struct DepthwiseLayer {
  std::int64_t channels = 0, side = 0, stride = 1, kernel = 3;
  std::int64_t out() const { return (side - 1) / stride + 1; }
  std::int64_t multiply_adds() const { return channels * out() * out() * kernel * kernel; }
  std::string name() const {
    return std::to_string(channels) + "x" + std::to_string(side) + "x" + std::to_string(side) + "_k" +
           std::to_string(kernel) + "_s" + std::to_string(stride);
  }
};

/// All of mobilenetv2, each shape once; the last two, with 5x5 kernels, are EfficientNet's.
inline constexpr DepthwiseLayer kDepthwiseLayers[] = {{32, 112, 1}, {96, 112, 2}, {144, 56, 1},    {144, 56, 2},
                                                      {192, 28, 1}, {192, 28, 2}, {384, 14, 1},    {576, 14, 1},
                                                      {576, 14, 2}, {960, 7, 1},  {240, 28, 1, 5}, {240, 28, 2, 5}};

/// Whole numbers in [low, high].
template <class T>
std::vector<T> random_integers(std::int64_t count, int low, int high) {
  std::mt19937 rng(1);
  std::uniform_int_distribution<int> any(low, high);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values) value = static_cast<T>(any(rng));
  return values;
}

/// In [-1, 1).
inline std::vector<float> random_floats(std::int64_t count) {
  std::mt19937 rng(1);
  std::uniform_real_distribution<float> any(-1.0F, 1.0F);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = any(rng);
  return values;
}

/// Floats to begin at a cache line, as an executor's scratch does.
class AlignedFloats {
 public:
  explicit AlignedFloats(std::size_t bytes) : memory_(bytes / sizeof(float) + 16) {}
  float* data() {
    const auto misplaced = reinterpret_cast<std::uintptr_t>(memory_.data()) % 64;
    return memory_.data() + (misplaced == 0 ? 0 : (64 - misplaced) / sizeof(float));
  }

 private:
  std::vector<float> memory_;
};

/// items_per_second becomes operations, two a multiply-add.
inline void count_layer_operations(benchmark::State& state, std::int64_t multiply_adds) {
  state.SetItemsProcessed(state.iterations() * 2 * multiply_adds);
}

}  // namespace halfstep::kernels
