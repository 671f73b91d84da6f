// float_layers_bench.cpp: float products and convolutions on whole layers, against Eigen and plain loops.
//
// HALFSTEP_ISA picks our instruction set; Eigen and the loops are compiled as they are. items_per_second counts
// operations. roofline.py reads the names float_product/SHAPE/ours, float_depthwise/SHAPE/ours and
// float_conv/SHAPE/ours.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "bench_layers.hpp"
#include "eigen_product.hpp"
#include "kernels/conv.hpp"
#include "kernels/depthwise.hpp"
#include "kernels/gemm.hpp"
#include "kernels/im2col.hpp"
#include "kernels/winograd.hpp"

namespace halfstep::kernels {
namespace {

struct FloatProduct {
  explicit FloatProduct(const ProductLayer& layer)
      : a(random_floats(layer.m * layer.k)),
        b(random_floats(layer.k * layer.n)),
        bias(random_floats(layer.m)),
        c(static_cast<std::size_t>(layer.m * layer.n)) {}
  std::vector<float> a, b, bias, c;
};

// With what a layer has besides: biases, Relu6.
void our_float_product(benchmark::State& state, const ProductLayer& layer) {
  FloatProduct p(layer);
  const Gemm g{.m = layer.m,
               .n = layer.n,
               .k = layer.k,
               .a = p.a.data(),
               .a_stride = layer.k,
               .b = p.b.data(),
               .b_stride = layer.n,
               .c = p.c.data(),
               .c_stride = layer.n,
               .row_bias = p.bias.data(),
               .clamp_min = 0.0F,
               .clamp_max = 6.0F};
  for (auto _ : state) gemm(g);
  count_layer_operations(state, layer.m * layer.n * layer.k);
}

void eigen_float_product(benchmark::State& state, const ProductLayer& layer) {
  FloatProduct p(layer);
  for (auto _ : state) {
    eigen_product(layer.m, layer.n, layer.k, p.a.data(), p.b.data(), p.c.data());
    benchmark::ClobberMemory();
  }
  count_layer_operations(state, layer.m * layer.n * layer.k);
}

void naive_float_product(benchmark::State& state, const ProductLayer& layer) {
  FloatProduct p(layer);
  for (auto _ : state) {
    for (std::int64_t i = 0; i < layer.m; ++i) {
      float* c = p.c.data() + i * layer.n;
      std::fill_n(c, layer.n, p.bias[static_cast<std::size_t>(i)]);
      for (std::int64_t k = 0; k < layer.k; ++k) {
        const float a = p.a[static_cast<std::size_t>(i * layer.k + k)];
        const float* b = p.b.data() + k * layer.n;
        for (std::int64_t j = 0; j < layer.n; ++j) c[j] += a * b[j];
      }
    }
    benchmark::ClobberMemory();
  }
  count_layer_operations(state, layer.m * layer.n * layer.k);
}

struct FloatDepthwise {
  explicit FloatDepthwise(const DepthwiseLayer& layer)
      : input(random_floats(layer.channels * layer.side * layer.side)),
        filter(random_floats(layer.channels * layer.kernel * layer.kernel)),
        output(static_cast<std::size_t>(layer.channels * layer.out() * layer.out())) {
    args.channels = layer.channels;
    args.in_h = args.in_w = layer.side;
    args.out_h = args.out_w = layer.out();
    args.kernel_h = args.kernel_w = layer.kernel;
    args.stride_h = args.stride_w = layer.stride;
    args.pad_top = args.pad_left = layer.kernel / 2;
    args.input = input.data();
    args.filter = filter.data();
    args.output = output.data();
    args.clamp_min = 0.0F;
    args.clamp_max = 6.0F;
  }
  std::vector<float> input, filter, output;
  Depthwise args;
};

void our_float_depthwise(benchmark::State& state, const DepthwiseLayer& layer) {
  FloatDepthwise d(layer);
  AlignedFloats scratch(depthwise_scratch_bytes(d.args));
  for (auto _ : state) depthwise(d.args, scratch.data());
  count_layer_operations(state, layer.multiply_adds());
}

float naive_window(const Depthwise& d, const float* image, const float* filter, std::int64_t y, std::int64_t x) {
  float sum = 0.0F;
  for (std::int64_t i = 0; i < d.kernel_h; ++i) {
    for (std::int64_t j = 0; j < d.kernel_w; ++j) {
      const std::int64_t row = y * d.stride_h + i - d.pad_top;
      const std::int64_t column = x * d.stride_w + j - d.pad_left;
      if (row < 0 || row >= d.in_h || column < 0 || column >= d.in_w) continue;
      sum += filter[i * d.kernel_w + j] * image[row * d.in_w + column];
    }
  }
  return std::clamp(sum, d.clamp_min, d.clamp_max);
}

void naive_float_depthwise(benchmark::State& state, const DepthwiseLayer& layer) {
  FloatDepthwise buffers(layer);
  const Depthwise& d = buffers.args;
  for (auto _ : state) {
    float* out = d.output;
    for (std::int64_t c = 0; c < d.channels; ++c) {
      const float* image = d.input + c * d.in_h * d.in_w;
      const float* filter = d.filter + c * d.kernel_h * d.kernel_w;
      for (std::int64_t y = 0; y < d.out_h; ++y) {
        for (std::int64_t x = 0; x < d.out_w; ++x) *out++ = naive_window(d, image, filter, y, x);
      }
    }
    benchmark::ClobberMemory();
  }
  count_layer_operations(state, layer.multiply_adds());
}

// A 3x3 convolution of a square image.
struct ConvLayer {
  std::int64_t in = 0, out = 0, side = 0, stride = 1;
  std::int64_t out_side() const { return (side - 1) / stride + 1; }
  std::int64_t multiply_adds() const { return in * out * 9 * out_side() * out_side(); }
  std::string name() const {
    return std::to_string(out) + "x" + std::to_string(in) + "_3x3_s" + std::to_string(stride) + "_" +
           std::to_string(side);
  }
};
// The first layer of mobilenetv2, one of squeezenet, those of resnet18.
constexpr ConvLayer kConvLayers[] = {{3, 32, 224, 2}, {16, 64, 55},   {64, 64, 56},
                                     {128, 128, 28},  {256, 256, 14}, {512, 512, 7}};

struct FloatConv {
  explicit FloatConv(const ConvLayer& layer)
      : input(random_floats(layer.in * layer.side * layer.side)),
        weight(random_floats(layer.out * layer.in * 9)),
        bias(random_floats(layer.out)),
        output(static_cast<std::size_t>(layer.out * layer.out_side() * layer.out_side())) {
    args.in_channels = layer.in;
    args.out_channels = layer.out;
    args.in_h = args.in_w = layer.side;
    args.out_h = args.out_w = layer.out_side();
    args.kernel_h = args.kernel_w = 3;
    args.stride_h = args.stride_w = layer.stride;
    args.pad_top = args.pad_left = 1;
    args.last = args.out_h * args.out_w;
    args.input = input.data();
    args.weight = weight.data();
    args.bias = bias.data();
    args.output = output.data();
    args.clamp_min = 0.0F;
  }
  std::vector<float> input, weight, bias, output;
  Conv args;
};

void our_float_conv(benchmark::State& state, const ConvLayer& layer) {
  FloatConv c(layer);
  AlignedFloats scratch(conv_scratch_bytes(c.args));
  for (auto _ : state) conv(c.args, scratch.data());
  count_layer_operations(state, layer.multiply_adds());
}

// Counted as the multiplications that plain sums take.
void our_winograd(benchmark::State& state, const ConvLayer& layer) {
  FloatConv c(layer);
  const std::vector<float> transformed = transform_winograd_weight(c.args);
  const std::int64_t channels = (layer.out + kWinogradRows - 1) / kWinogradRows * kWinogradRows;
  const WinogradPart whole{.last_channel = channels, .last_band = winograd_bands(c.args)};
  AlignedFloats scratch(winograd_scratch_bytes(c.args));
  for (auto _ : state) winograd(c.args, transformed.data(), whole, scratch.data());
  count_layer_operations(state, layer.multiply_adds());
}

void eigen_float_conv(benchmark::State& state, const ConvLayer& layer) {
  FloatConv c(layer);
  const Windows windows{.image = {1, layer.side, layer.side},
                        .steps = {1, layer.out_side(), layer.out_side()},
                        .kernel = {1, 3, 3},
                        .stride = {1, layer.stride, layer.stride},
                        .pad = {0, 1, 1}};
  std::vector<float> columns(static_cast<std::size_t>(layer.in * 9 * c.args.last));
  for (auto _ : state) {
    im2col(windows, c.args.input, layer.in, 0, c.args.last, columns.data());
    eigen_product(layer.out, c.args.last, layer.in * 9, c.args.weight, columns.data(), c.args.output);
    benchmark::ClobberMemory();
  }
  count_layer_operations(state, layer.multiply_adds());
}

template <class Layer>
void register_layer(const char* kind, const Layer& layer, const char* who,
                    void (*run)(benchmark::State&, const Layer&)) {
  benchmark::RegisterBenchmark((std::string(kind) + "/" + layer.name() + "/" + who).c_str(), run, layer);
}

int register_float_layers() {
  for (const ProductLayer& layer : kProductLayers) {
    register_layer("float_product", layer, "ours", our_float_product);
    register_layer("float_product", layer, "eigen", eigen_float_product);
    register_layer("float_product", layer, "naive", naive_float_product);
  }
  for (const DepthwiseLayer& layer : kDepthwiseLayers) {
    register_layer("float_depthwise", layer, "ours", our_float_depthwise);
    register_layer("float_depthwise", layer, "naive", naive_float_depthwise);
  }
  for (const ConvLayer& layer : kConvLayers) {
    register_layer("float_conv", layer, "ours", our_float_conv);
    if (suits_winograd(FloatConv(layer).args)) register_layer("float_conv", layer, "winograd", our_winograd);
    register_layer("float_conv", layer, "eigen", eigen_float_conv);
  }
  return 0;
}

[[maybe_unused]] const int kFloatLayersRegistered = register_float_layers();

}  // namespace
}  // namespace halfstep::kernels
