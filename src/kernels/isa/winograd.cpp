// winograd.cpp: float 3x3 convolution in tiles of 4x4 outputs: transform, 36 matrix products, transform back.
//
// Vectors hold the same element of 16 neighbouring tiles of a row. The padded input is split by column modulo 4, so
// that these lie one apart: column j of tile t is element t + j / 4 of phase j % 4.
//
// Cost with AVX-512, for 16 tiles: 36 loads, some 150 additions and multiplications and 36 stores an input channel;
// 36 loads, 100 operations, 32 shuffles and 16 stores an output channel; 36 multiply-adds a pair of channels where
// plain sums take 144. With 16 input channels the transform back costs as much as the products, with 64 a quarter.
#include "kernels/isa/gemm_panel.hpp"
#include "kernels/isa/variant.hpp"
#include "kernels/winograd_plan.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

constexpr std::int64_t kTiles = 16;  // Of one vector, which is several registers on some instruction sets.
typedef float Floats __attribute__((vector_size(kTiles * sizeof(float))));

inline Floats load(const float* from) {
  Floats v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

inline void store(Floats v, float* to) { __builtin_memcpy(to, &v, sizeof v); }

// Minus 0, not plus 0: that leaves every value as it is, so no arithmetic remains.
inline Floats spread(float value) { return value - Floats{}; }

// The padded input's rows of one channel, each as four phases.
void split_rows(const Conv& c, const WinogradPlan& plan, const float* image, float* phases) {
  const std::int64_t width = 4 * plan.phase_floats;
  float line[4 * kTiles];
  for (std::int64_t row = 0; row < plan.rows; ++row, phases += width) {
    const std::int64_t y = row - c.pad_top;
    const bool is_inside = y >= 0 && y < c.in_h;
    for (std::int64_t t = 0; t < plan.phase_floats; t += kTiles) {
      const std::int64_t left = 4 * t - c.pad_left;
      const float* from = image + y * c.in_w + left;
      if (!is_inside || left < 0 || left + 4 * kTiles > c.in_w) {
        for (std::int64_t x = 0; x < 4 * kTiles; ++x) {
          line[x] = is_inside && left + x >= 0 && left + x < c.in_w ? from[x] : 0.0F;
        }
        from = line;
      }
      for (std::int64_t phase = 0; phase < 4; ++phase) {
        float* to = phases + phase * plan.phase_floats + t;
        for (std::int64_t i = 0; i < kTiles; ++i) to[i] = from[4 * i + phase];
      }
    }
  }
}

// B^T of one column of six values.
inline void transform_six(const Floats (&d)[6], Floats (&v)[6]) {
  const Floats a = d[4] - 4.0F * d[2];
  const Floats b = d[3] - 4.0F * d[1];
  const Floats e = d[4] - d[2];
  const Floats f = 2.0F * (d[3] - d[1]);
  v[0] = 4.0F * d[0] - 5.0F * d[2] + d[4];
  v[1] = a + b;
  v[2] = a - b;
  v[3] = e + f;
  v[4] = e - f;
  v[5] = 4.0F * d[1] - 5.0F * d[3] + d[5];
}

// B^T d B of 16 tiles; element (i, j) goes to v + (i * 6 + j) * step.
void transform_input(const float* phases, std::int64_t phase_floats, float* v, std::int64_t step) {
  float half[6][6 * kTiles];  // B^T d, by row.
  for (int j = 0; j < 6; ++j) {
    Floats d[6], column[6];
    const float* from = phases + j % 4 * phase_floats + j / 4;
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) d[i] = load(from + i * 4 * phase_floats);
    transform_six(d, column);
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) store(column[i], &half[i][j * kTiles]);
  }
  for (int i = 0; i < 6; ++i) {
    Floats d[6], row[6];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) d[j] = load(&half[i][j * kTiles]);
    transform_six(d, row);
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) store(row[j], v + (i * 6 + j) * step);
  }
}

// A^T of six values.
inline void transform_back(const Floats (&m)[6], Floats (&y)[4]) {
  const Floats sum_1 = m[1] + m[2], difference_1 = m[1] - m[2];
  const Floats sum_2 = m[3] + m[4], difference_2 = m[3] - m[4];
  y[0] = m[0] + sum_1 + sum_2;
  y[1] = difference_1 + 2.0F * difference_2;
  y[2] = sum_1 + 4.0F * sum_2;
  y[3] = difference_1 + 8.0F * difference_2 + m[5];
}

// a0 b0 c0 d0 a1 b1 ...: 64 consecutive outputs.
inline void store_interleaved(const Floats (&y)[4], float* to) {
  const Floats ac_low = __builtin_shufflevector(y[0], y[2], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const Floats ac_high =
      __builtin_shufflevector(y[0], y[2], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  const Floats bd_low = __builtin_shufflevector(y[1], y[3], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const Floats bd_high =
      __builtin_shufflevector(y[1], y[3], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  store(__builtin_shufflevector(ac_low, bd_low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), to);
  store(__builtin_shufflevector(ac_low, bd_low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), to + 16);
  store(__builtin_shufflevector(ac_high, bd_high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), to + 32);
  store(__builtin_shufflevector(ac_high, bd_high, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31),
        to + 48);
}

// Four rows of 64 outputs from 16 tiles; element (i, j) of the products is at m + (i * 6 + j) * step.
void transform_output(const float* m, std::int64_t step, float bias, float low, float high, float (&out)[4][64]) {
  float half[4][6 * kTiles];  // A^T m, by row.
  for (int j = 0; j < 6; ++j) {
    Floats column[6], y[4];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) column[i] = load(m + (i * 6 + j) * step);
    transform_back(column, y);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) store(y[i], &half[i][j * kTiles]);
  }
  const Floats lowest = spread(low);
  const Floats highest = spread(high);
  for (int i = 0; i < 4; ++i) {
    Floats row[6], y[4];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) row[j] = load(&half[i][j * kTiles]);
    transform_back(row, y);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      y[j] += bias;
      y[j] = y[j] < lowest ? lowest : y[j];  // False for NaN, which passes.
      y[j] = highest < y[j] ? highest : y[j];
    }
    store_interleaved(y, out[i]);
  }
}

void copy_outputs(const float* from, float* to, std::int64_t count) {
  if (count >= kTiles) {
    for (std::int64_t x = 0; x + kTiles < count; x += kTiles) store(load(from + x), to + x);
    store(load(from + count - kTiles), to + count - kTiles);
  } else {
    for (std::int64_t x = 0; x < count; ++x) to[x] = from[x];
  }
}

// One output channel; `m` is its row of the first of the 36 products.
void write_channel(const Conv& c, const WinogradPlan& plan, const float* m, std::int64_t step, float bias,
                   float* output) {
  float out[4][64];
  for (std::int64_t ty = 0; ty < plan.tiles_h; ++ty) {
    for (std::int64_t tx = 0; tx < plan.tiles_w; tx += kTiles) {
      transform_output(m + ty * plan.tiles_w + tx, step, bias, c.clamp_min, c.clamp_max, out);
      const std::int64_t count = c.out_w - 4 * tx < 64 ? c.out_w - 4 * tx : 64;
      for (std::int64_t i = 0; i < 4 && 4 * ty + i < c.out_h; ++i) {
        copy_outputs(out[i], output + (4 * ty + i) * c.out_w + 4 * tx, count);
      }
    }
  }
}

// v[36][in_channels][tile_stride]. Vectors that reach behind a row of tiles are overwritten by the next row or channel.
void transform_image(const Conv& c, const WinogradPlan& plan, float* v, float* phases) {
  const std::int64_t step = c.in_channels * plan.tile_stride;
  for (std::int64_t channel = 0; channel < c.in_channels; ++channel) {
    split_rows(c, plan, c.input + channel * c.in_h * c.in_w, phases);
    for (std::int64_t ty = 0; ty < plan.tiles_h; ++ty) {
      const float* rows = phases + ty * 4 * 4 * plan.phase_floats;
      float* to = v + channel * plan.tile_stride + ty * plan.tiles_w;
      for (std::int64_t tx = 0; tx < plan.tiles_w; tx += kTiles) {
        transform_input(rows + tx, plan.phase_floats, to + tx, step);
      }
    }
  }
}

// products[36][rows][tile_stride] of one group of output channels.
void multiply_group(const Conv& c, const WinogradPlan& plan, const float* u, const float* v, std::int64_t rows,
                    float* products) {
  PanelProduct p;
  p.a_stride = c.in_channels;
  p.b_stride = plan.tile_stride;
  p.c_stride = plan.tile_stride;
  p.m = rows;
  for (int element = 0; element < 36; ++element) {
    const float* a = u + element * rows * c.in_channels;
    for (std::int64_t first = 0; first < plan.num_tiles(); first += kPanel) {
      const std::int64_t rest = (plan.num_tiles() - first + kPanelLanes - 1) / kPanelLanes * kPanelLanes;
      p.columns = rest < kPanel ? rest : kPanel;
      p.c = products + element * kWinogradRows * plan.tile_stride + first;
      for (std::int64_t at = 0; at < c.in_channels; at += kMaxDepth) {
        p.a = a + at;
        p.b = v + (element * c.in_channels + at) * plan.tile_stride + first;
        p.depth = c.in_channels - at < kMaxDepth ? c.in_channels - at : kMaxDepth;
        p.keeps = at > 0;
        multiply_panel(p);
      }
    }
  }
}

}  // namespace

void winograd(const Conv& c, const float* transformed, std::int64_t first_channel, std::int64_t last_channel,
              float* scratch) {
  const WinogradPlan plan = plan_winograd(c);
  float* v = scratch;
  float* products = v + 36 * c.in_channels * plan.tile_stride;
  float* phases = products + 36 * kWinogradRows * plan.tile_stride;
  transform_image(c, plan, v, phases);
  for (std::int64_t group = first_channel; group < last_channel; group += kWinogradRows) {
    const std::int64_t rows = last_channel - group < kWinogradRows ? last_channel - group : kWinogradRows;
    multiply_group(c, plan, transformed + 36 * group * c.in_channels, v, rows, products);
    for (std::int64_t r = 0; r < rows; ++r) {
      write_channel(c, plan, products + r * plan.tile_stride, kWinogradRows * plan.tile_stride,
                    c.bias != nullptr ? c.bias[group + r] : 0.0F, c.output + (group + r) * c.out_h * c.out_w);
    }
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
