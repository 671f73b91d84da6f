// int_kernels_bench.cpp: speed of the integer kernels that packed products leave to others, and of rows of codes.
//
// HALFSTEP_ISA picks the instruction set. items_per_second counts operations (two a multiply-add) for products and
// convolutions, elements elsewhere. Packed products and depthwise convolutions of bytes are in byte_layers_bench.cpp.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/int_depthwise.hpp"
#include "kernels/int_gemm.hpp"
#include "kernels/requantize.hpp"

namespace halfstep::kernels {
namespace {

std::vector<std::int16_t> random_codes(std::int64_t count) {
  std::mt19937 rng(1);
  std::uniform_int_distribution<int> any(-128, 127);
  std::vector<std::int16_t> codes(static_cast<std::size_t>(count));
  for (std::int16_t& code : codes) code = static_cast<std::int16_t>(any(rng));
  return codes;
}

void count_operations(benchmark::State& state, std::int64_t multiply_adds) {
  state.SetItemsProcessed(state.iterations() * 2 * multiply_adds);
}

void integer_product(benchmark::State& state) {
  IntGemm g;
  g.m = state.range(0);
  const std::int64_t k = state.range(1);
  const std::int64_t n = state.range(2);
  // The caller lays out `b` in tiles of this many columns.
  const std::int64_t tile = state.range(3) < n ? state.range(3) : n;
  g.k_pairs = (k + 1) / 2;
  const std::vector<std::int16_t> a = random_codes(g.m * g.k_pairs * 2);
  const std::vector<std::int16_t> b = random_codes(g.k_pairs * tile * 2);
  std::vector<std::int32_t> acc(static_cast<std::size_t>(g.m * tile));
  g.a = a.data();
  g.b = b.data();
  g.acc = acc.data();
  g.a_stride = 2 * g.k_pairs;
  g.b_stride = 2 * tile;
  g.acc_stride = tile;
  for (auto _ : state) {
    for (std::int64_t at = 0; at < n; at += tile) {
      g.n = n - at < tile ? n - at : tile;
      int_gemm(g);
    }
  }
  count_operations(state, g.m * n * k);
}
BENCHMARK(integer_product)
    ->ArgNames({"m", "k", "n", "tile"})
    ->Args({32, 27, 12544, 384})
    ->Args({16, 32, 12544, 384})
    ->Args({96, 16, 12544, 384})
    ->Args({24, 96, 3136, 384})
    ->Args({144, 24, 3136, 384})
    ->Args({24, 144, 3136, 384})
    ->Args({32, 144, 784, 384})
    ->Args({192, 32, 784, 384})
    ->Args({64, 192, 196, 384})
    ->Args({384, 64, 196, 384})
    ->Args({96, 576, 196, 384})
    ->Args({160, 576, 49, 384})
    ->Args({960, 160, 49, 384})
    ->Args({1280, 320, 49, 384})
    ->Args({1000, 1280, 1, 384})
    ->Args({512, 512, 512, 384});

void integer_depthwise(benchmark::State& state) {
  const std::int64_t channels = state.range(0);
  const std::int64_t side = state.range(1);
  IntDepthwise d;
  d.kernel_h = d.kernel_w = state.range(2);
  d.stride_h = d.stride_w = state.range(3);
  d.out_h = d.out_w = (side - 1) / d.stride_h + 1;
  d.padded_stride = side + d.kernel_w - 1;
  const std::vector<std::int16_t> padded = random_codes(d.padded_stride * (side + d.kernel_h - 1));
  const std::vector<std::int16_t> filter = random_codes(d.kernel_h * d.kernel_w);
  std::vector<std::int32_t> acc(static_cast<std::size_t>(d.out_h * d.out_w));
  d.padded = padded.data();
  d.filter = filter.data();
  d.acc = acc.data();
  for (auto _ : state) {
    for (std::int64_t c = 0; c < channels; ++c) int_depthwise(d);
  }
  count_operations(state, channels * d.out_h * d.out_w * d.kernel_h * d.kernel_w);
}
BENCHMARK(integer_depthwise)
    ->ArgNames({"channels", "side", "kernel", "stride"})
    ->Args({32, 112, 3, 1})
    ->Args({96, 112, 3, 2})
    ->Args({144, 56, 3, 1})
    ->Args({144, 56, 3, 2})
    ->Args({192, 28, 3, 1})
    ->Args({192, 28, 3, 2})
    ->Args({384, 14, 3, 1})
    ->Args({576, 14, 3, 2})
    ->Args({960, 7, 3, 1})
    ->Args({240, 28, 5, 1})
    ->Args({240, 28, 5, 2});

constexpr std::int64_t kNumElements = 1 << 16;

void requantize_rows(benchmark::State& state) {
  const std::int64_t row = state.range(0);
  numerics::Requantizer r;
  r.factor = {1518500250, 9};
  r.zero_point = 3;
  r.q_max = 255;
  r.rounding = static_cast<numerics::Rounding>(state.range(1));
  const DType dtype = state.range(2) == 8 ? DType::kUint8 : DType::kUint16;
  std::mt19937 rng(1);
  std::uniform_int_distribution<std::int32_t> any(-100000, 100000);
  std::vector<std::int32_t> acc(kNumElements);
  for (std::int32_t& value : acc) value = any(rng);
  std::vector<std::uint16_t> q(kNumElements);
  for (auto _ : state) {
    for (std::int64_t at = 0; at + row <= kNumElements; at += row) {
      requantize_row(acc.data() + at, row, 77, r, dtype, q.data());
    }
  }
  state.SetItemsProcessed(state.iterations() * (kNumElements / row) * row);
}
// Rounding: 0 half up, 1 half even, 2 half away, 3 doubling.
BENCHMARK(requantize_rows)
    ->ArgNames({"row", "rounding", "bits"})
    ->ArgsProduct({{4096}, {0, 1, 2, 3}, {8, 16}})
    ->ArgsProduct({{1, 49, 196}, {0, 1}, {8}});

void requantize_wide_rows(benchmark::State& state) {
  numerics::Requantizer r;
  r.factor = {1518500250, static_cast<std::int32_t>(state.range(0))};
  r.q_max = 65535;
  r.rounding = static_cast<numerics::Rounding>(state.range(1));
  std::mt19937_64 rng(1);
  std::vector<std::int64_t> acc(4096);
  for (std::int64_t& value : acc) value = static_cast<std::int64_t>(rng()) >> (46 - state.range(0));
  std::vector<std::uint16_t> q(4096);
  for (auto _ : state) {
    requantize_row_wide(acc.data(), 4096, 77, r, DType::kUint16, q.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * 4096);
}
BENCHMARK(requantize_wide_rows)->ArgNames({"right_shift", "rounding"})->ArgsProduct({{12, 20}, {0, 1}});

void centring_pairs(benchmark::State& state) {
  const std::vector<std::int16_t> codes = random_codes(kNumElements);
  std::vector<std::int16_t> pairs(2 * 4096);
  for (auto _ : state) {
    centre_pairs(codes.data(), codes.data() + 4096, DType::kUint8, 4096, 128, pairs.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * 2 * 4096);
}
BENCHMARK(centring_pairs);

void centring(benchmark::State& state) {
  const std::vector<std::int16_t> codes = random_codes(kNumElements);
  std::vector<std::int16_t> centred(4096);
  for (auto _ : state) {
    centre_codes(codes.data(), DType::kUint8, 4096, 128, centred.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * 4096);
}
BENCHMARK(centring);

void centring_rows(benchmark::State& state) {
  const std::int64_t side = state.range(0);
  const std::vector<std::int16_t> codes = random_codes(side * side);
  std::vector<std::int16_t> centred(static_cast<std::size_t>(side * (side + 2)));
  for (auto _ : state) {
    centre_rows(codes.data(), DType::kUint8, side, side, side, 128, centred.data(), side + 2);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * side * side);
}
BENCHMARK(centring_rows)->Arg(7)->Arg(14)->Arg(28)->Arg(112);

void looking_up(benchmark::State& state) {
  const std::vector<std::int16_t> codes = random_codes(4096);
  const std::vector<std::int16_t> table = random_codes(256);
  std::vector<std::int16_t> out(4096);
  for (auto _ : state) {
    look_up(codes.data(), DType::kUint8, 4096, table.data(), DType::kUint8, out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * 4096);
}
BENCHMARK(looking_up);

}  // namespace
}  // namespace halfstep::kernels
