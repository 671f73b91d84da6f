// byte_layers_bench.cpp: integer products and depthwise convolutions on the layers of mobilenetv2, codes to codes.
//
// quads: bytes, as W8A8 runs. pairs: the same numbers widened to 16 bits. naive: plain loops to int32 sums.
// HALFSTEP_ISA picks the instruction set. items_per_second counts operations. The panels of the right side are packed
// in the loop, sums are finished to codes there, as in ops/linear/conv_panels_int.cpp.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "bench_layers.hpp"
#include "kernels/byte_depthwise.hpp"
#include "kernels/packed_gemm.hpp"
#include "kernels/panels.hpp"

namespace halfstep::kernels {
namespace {

// Finishes that map sums about as a layer does.
std::vector<RowFinish> finishes_of(std::int64_t rows) {
  numerics::Requantizer r;
  r.factor = {1518500250, 9};
  r.zero_point = 3;
  r.q_max = 255;
  r.rounding = numerics::Rounding::kHalfUp;
  std::vector<RowFinish> finishes(static_cast<std::size_t>(rows));
  for (RowFinish& finish : finishes) {
    if (!make_row_finish(77, r, DType::kUint8, finish)) return {};
  }
  return finishes;
}

// Per-channel grids put the largest weight of each row at 127, most far below: a normal distribution, cut.
std::vector<std::int32_t> weights_like_a_layer(std::int64_t count) {
  std::mt19937 rng(1);
  std::normal_distribution<float> any(0.0F, 40.0F);
  std::vector<std::int32_t> weights(static_cast<std::size_t>(count));
  for (std::int32_t& w : weights) w = std::clamp(static_cast<std::int32_t>(any(rng)), -127, 127);
  return weights;
}

template <Group kGroup>
void packed_product(benchmark::State& state, const ProductLayer& layer) {
  const PackedLeft left = pack_left(kGroup, layer.m, layer.k, weights_like_a_layer(layer.m * layer.k));
  const std::vector<std::uint8_t> codes = random_integers<std::uint8_t>(layer.k * layer.n, 0, 255);
  const std::vector<RowFinish> finishes = finishes_of(layer.m);
  std::vector<std::uint8_t> q(static_cast<std::size_t>(layer.m * layer.n));
  const PanelShape shape = panel_shape();
  std::vector<std::int32_t> panel(static_cast<std::size_t>(left.k_groups * shape.columns + shape.lanes));
  const CodeMatrix matrix{
      .codes = codes.data(), .dtype = DType::kUint8, .k_step = layer.n, .centre = kGroup == Group::kQuads ? 0 : 128};
  for (auto _ : state) {
    for (std::int64_t column = 0; column < layer.n; column += shape.columns) {
      const std::int64_t n = std::min(shape.columns, layer.n - column);
      pack_panel(matrix, kGroup, layer.k, column, n, shape.padded(n), panel.data());
      PackedGemm args;
      args.left = LeftPart(left, 0, layer.m);
      args.n = n;
      args.b = panel.data();
      args.finish = finishes.data();
      args.q = q.data() + column;
      args.q_stride = layer.n;
      packed_gemm(args);
    }
  }
  count_layer_operations(state, layer.m * layer.n * layer.k);
  if (left.tiles.empty()) return;
  // Multiplications of quads per quad of weights, in percent: 150 a double, 100 a single.
  std::int64_t cost = 0;
  for (const WeightTile& tile : left.tiles) cost += 150 * tile.doubles + 100 * tile.singles;
  state.counters["cost_percent"] =
      static_cast<double>(cost) / static_cast<double>(std::ssize(left.tiles) * left.k_groups);
}

void naive_byte_product(benchmark::State& state, const ProductLayer& layer) {
  const std::vector<std::int8_t> a = random_integers<std::int8_t>(layer.m * layer.k, -127, 127);
  const std::vector<std::uint8_t> b = random_integers<std::uint8_t>(layer.k * layer.n, 0, 255);
  std::vector<std::int32_t> acc(static_cast<std::size_t>(layer.m * layer.n));
  for (auto _ : state) {
    std::ranges::fill(acc, 0);
    for (std::int64_t i = 0; i < layer.m; ++i) {
      std::int32_t* sums = acc.data() + i * layer.n;
      for (std::int64_t k = 0; k < layer.k; ++k) {
        const std::int32_t w = a[static_cast<std::size_t>(i * layer.k + k)];
        const std::uint8_t* x = b.data() + k * layer.n;
        for (std::int64_t j = 0; j < layer.n; ++j) sums[j] += w * x[j];
      }
    }
    benchmark::ClobberMemory();
  }
  count_layer_operations(state, layer.m * layer.n * layer.k);
}

// One channel after the other: copied into its padding, summed and finished.
void byte_depthwise_layer(benchmark::State& state, const DepthwiseLayer& layer) {
  const std::int64_t taps = layer.kernel * layer.kernel;
  const std::int64_t row_size = layer.side + layer.kernel - 1;
  const std::int64_t quads = (layer.kernel + 3) / 4;
  const std::vector<std::uint8_t> image =
      random_integers<std::uint8_t>(layer.channels * layer.side * layer.side, 0, 255);
  const std::vector<std::int32_t> filters = pack_left(Group::kQuads, layer.channels * layer.kernel, layer.kernel,
                                                      weights_like_a_layer(layer.channels * taps), false)
                                                .groups;
  const std::vector<RowFinish> finishes = finishes_of(layer.channels);
  std::vector<std::uint8_t> padded(static_cast<std::size_t>(row_size * row_size + kByteDepthwiseSlack));
  ByteDepthwise args;
  args.out_h = args.out_w = layer.out();
  args.kernel_h = args.kernel_w = layer.kernel;
  args.stride_h = args.stride_w = layer.stride;
  args.padded = padded.data();
  args.padded_stride = row_size;
  set_line(args);
  std::vector<std::uint8_t> line(static_cast<std::size_t>(args.line_size));
  std::vector<std::uint8_t> q(static_cast<std::size_t>(layer.channels * args.out_h * args.out_w));
  args.codes = line.data();
  for (auto _ : state) {
    for (std::int64_t c = 0; c < layer.channels; ++c) {
      copy_byte_rows(image.data() + c * layer.side * layer.side, layer.side, layer.side, layer.side, 0,
                     padded.data() + (row_size + 1) * (layer.kernel / 2), row_size);
      args.filter = filters.data() + c * layer.kernel * quads;
      args.finish = &finishes[static_cast<std::size_t>(c)];
      byte_depthwise(args);
      copy_byte_rows(line.data(), args.out_h, args.out_w, args.line_pitch, 0, q.data() + c * args.out_h * args.out_w,
                     args.out_w);
    }
  }
  count_layer_operations(state, layer.multiply_adds());
}

void naive_byte_depthwise(benchmark::State& state, const DepthwiseLayer& layer) {
  const std::int64_t side = layer.side + layer.kernel - 1;
  const std::vector<std::uint8_t> padded = random_integers<std::uint8_t>(layer.channels * side * side, 0, 255);
  const std::vector<std::int8_t> filter =
      random_integers<std::int8_t>(layer.channels * layer.kernel * layer.kernel, -127, 127);
  std::vector<std::int32_t> acc(static_cast<std::size_t>(layer.channels * layer.out() * layer.out()));
  for (auto _ : state) {
    std::int32_t* to = acc.data();
    for (std::int64_t c = 0; c < layer.channels; ++c) {
      const std::int8_t* w = filter.data() + c * layer.kernel * layer.kernel;
      for (std::int64_t y = 0; y < layer.out(); ++y) {
        for (std::int64_t x = 0; x < layer.out(); ++x) {
          const std::uint8_t* window = padded.data() + (c * side + y * layer.stride) * side + x * layer.stride;
          std::int32_t sum = 0;
          for (std::int64_t i = 0; i < layer.kernel; ++i) {
            for (std::int64_t j = 0; j < layer.kernel; ++j) sum += w[i * layer.kernel + j] * window[i * side + j];
          }
          *to++ = sum;
        }
      }
    }
    benchmark::ClobberMemory();
  }
  count_layer_operations(state, layer.multiply_adds());
}

int register_byte_layers() {
  for (const ProductLayer& layer : kProductLayers) {
    const std::string name = "byte_product/" + layer.name();
    benchmark::RegisterBenchmark((name + "/quads").c_str(), packed_product<Group::kQuads>, layer);
    benchmark::RegisterBenchmark((name + "/pairs").c_str(), packed_product<Group::kPairs>, layer);
    benchmark::RegisterBenchmark((name + "/naive").c_str(), naive_byte_product, layer);
  }
  for (const DepthwiseLayer& layer : kDepthwiseLayers) {
    const std::string name = "byte_depthwise/" + layer.name();
    if (has_byte_depthwise()) benchmark::RegisterBenchmark((name + "/quads").c_str(), byte_depthwise_layer, layer);
    benchmark::RegisterBenchmark((name + "/naive").c_str(), naive_byte_depthwise, layer);
  }
  return 0;
}

[[maybe_unused]] const int kByteLayersRegistered = register_byte_layers();

}  // namespace
}  // namespace halfstep::kernels
