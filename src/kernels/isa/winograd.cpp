// winograd.cpp: float 3x3 convolution in tiles of 4x4 outputs: transform, 36 matrix products, transform back.
//
// Vectors hold the same element of kLanes neighbouring tiles. The padded input is split into 16 planes by row and
// column modulo 4 (winograd_plan.hpp): an element of the tiles to the right or below lies one, or a row of tiles,
// further.
//
// Cost with AVX-512, for 16 tiles: 36 loads, some 150 additions and multiplications and 36 stores an input channel;
// 36 loads, 100 operations, 32 shuffles and 16 stores an output channel; 36 multiply-adds a pair of channels where
// plain sums take 144. With 16 input channels the transform back costs as much as the products, with 64 a quarter.
#include "kernels/isa/float16.hpp"
#include "kernels/isa/gemm_panel.hpp"
#include "kernels/isa/variant.hpp"
#include "kernels/winograd_plan.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

constexpr std::int64_t kTiles = kLanes;  // Of one vector.

// The rows of one channel of the padded input from `top` on, as planes; `line` is one padded row, of which only the
// image's columns are written. Vectors that reach behind a row of tiles are overwritten by the next row.
void split_rows(const Conv& c, const WinogradPlan& plan, const float* image, std::int64_t top, float* line,
                float* planes) {
  for (std::int64_t row = 0; row < plan.rows; ++row) {
    const std::int64_t y = top + row - c.pad_top;
    const bool is_inside = y >= 0 && y < c.in_h;
    if (is_inside) copy_16(image + y * c.in_w, line + c.pad_left, plan.copied_columns);
    float* to = planes + row % 4 * 4 * plan.plane_floats + row / 4 * (plan.tiles_w + 1);
    for (std::int64_t t = 0; t <= plan.tiles_w; t += kTiles, to += kTiles) {
      const float* from = line + 4 * t;
      const Floats a = is_inside ? load_lanes(from) : Floats{}, b = is_inside ? load_lanes(from + kTiles) : Floats{};
      const Floats d = is_inside ? load_lanes(from + 2 * kTiles) : Floats{},
                   e = is_inside ? load_lanes(from + 3 * kTiles) : Floats{};
      const Floats even_low = even_of(a, b), odd_low = odd_of(a, b);
      const Floats even_high = even_of(d, e), odd_high = odd_of(d, e);
      store_lanes(even_of(even_low, even_high), to);
      store_lanes(even_of(odd_low, odd_high), to + plan.plane_floats);
      store_lanes(odd_of(even_low, even_high), to + 2 * plan.plane_floats);
      store_lanes(odd_of(odd_low, odd_high), to + 3 * plan.plane_floats);
    }
  }
}

constexpr float kA = kWinogradA, kAA = kA * kA;
constexpr float kB = kWinogradB, kBB = kB * kB;

// B^T of six values.
inline void transform_six(const Floats (&d)[6], Floats (&v)[6]) {
  const Floats even_a = d[4] - kBB * d[2], odd_a = kA * (d[3] - kBB * d[1]);
  const Floats even_b = d[4] - kAA * d[2], odd_b = kB * (d[3] - kAA * d[1]);
  v[0] = kAA * kBB * d[0] + (d[4] - (kAA + kBB) * d[2]);
  v[1] = even_a + odd_a;
  v[2] = even_a - odd_a;
  v[3] = even_b + odd_b;
  v[4] = even_b - odd_b;
  v[5] = kAA * kBB * d[1] + (d[5] - (kAA + kBB) * d[3]);
}

// B^T d B of a vector of tiles; element (i, j) goes to v + (i * 6 + j) * input_step.
void transform_input(const float* planes, const WinogradPlan& plan, float* v) {
  float half[6][6 * kTiles];  // B^T d, by row.
  for (int j = 0; j < 6; ++j) {
    Floats d[6], column[6];
    const float* from = planes + j % 4 * plan.plane_floats + j / 4;
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) d[i] = load_lanes(from + i % 4 * 4 * plan.plane_floats + i / 4 * (plan.tiles_w + 1));
    transform_six(d, column);
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) store_lanes(column[i], &half[i][j * kTiles]);
  }
  for (int i = 0; i < 6; ++i) {
    Floats d[6], row[6];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) d[j] = load_lanes(&half[i][j * kTiles]);
    transform_six(d, row);
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) store_lanes(row[j], v + (i * 6 + j) * plan.input_step);
  }
}

// A^T of six values.
inline void transform_back(const Floats (&m)[6], Floats (&y)[4]) {
  const Floats sum_a = m[1] + m[2], difference_a = m[1] - m[2];
  const Floats sum_b = m[3] + m[4], difference_b = m[3] - m[4];
  y[0] = m[0] + sum_a + sum_b;
  y[1] = kA * difference_a + kB * difference_b;
  y[2] = kAA * sum_a + kBB * sum_b;
  y[3] = kAA * kA * difference_a + (kBB * kB * difference_b + m[5]);
}

// a0 b0 c0 d0 a1 b1 ...: consecutive outputs.
inline void store_interleaved(const Floats (&y)[4], float* to) {
  const Floats ac_low = low_pairs_of(y[0], y[2]), ac_high = high_pairs_of(y[0], y[2]);
  const Floats bd_low = low_pairs_of(y[1], y[3]), bd_high = high_pairs_of(y[1], y[3]);
  store_lanes(low_pairs_of(ac_low, bd_low), to);
  store_lanes(high_pairs_of(ac_low, bd_low), to + kTiles);
  store_lanes(low_pairs_of(ac_high, bd_high), to + 2 * kTiles);
  store_lanes(high_pairs_of(ac_high, bd_high), to + 3 * kTiles);
}

// Four rows of outputs from a vector of tiles; element (i, j) of the products is at m + (i * 6 + j) * step.
void transform_output(const float* m, std::int64_t step, float bias, float low, float high,
                      float (&out)[4][4 * kTiles]) {
  float half[4][6 * kTiles];  // A^T m, by row.
  for (int j = 0; j < 6; ++j) {
    Floats column[6], y[4];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) column[i] = load_lanes(m + (i * 6 + j) * step);
    transform_back(column, y);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) store_lanes(y[i], &half[i][j * kTiles]);
  }
  const Floats lowest = spread_lanes(low);
  const Floats highest = spread_lanes(high);
  for (int i = 0; i < 4; ++i) {
    Floats row[6], y[4];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) row[j] = load_lanes(&half[i][j * kTiles]);
    transform_back(row, y);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      y[j] += bias;
      y[j] = at_most(at_least(y[j], lowest), highest);
    }
    store_interleaved(y, out[i]);
  }
}

// A vector of tiles from `first` on, of a band whose first row of tiles is `top`; some may be the last ones of a row,
// which mean nothing, or belong to the next band.
void write_tiles(const Conv& c, const WinogradPlan& plan, const float (&out)[4][4 * kTiles], std::int64_t top,
                 std::int64_t first, float* output) {
  const std::int64_t width = plan.tiles_w + 1;
  std::int64_t ty = top + first / width;
  const std::int64_t bottom = top + plan.band_rows < plan.tiles_h ? top + plan.band_rows : plan.tiles_h;
  std::int64_t tx = first % width;
  for (std::int64_t tile = 0; tile < kTiles && ty < bottom; tile += width - tx, ++ty, tx = 0) {
    const std::int64_t rest = c.out_w - 4 * tx;
    const std::int64_t count = rest < 4 * (kTiles - tile) ? rest : 4 * (kTiles - tile);
    for (std::int64_t i = 0; i < 4 && 4 * ty + i < c.out_h; ++i) {
      if (count > 0) copy_16(out[i] + 4 * tile, output + (4 * ty + i) * c.out_w + 4 * tx, count);
    }
  }
}

// One output channel; `m` is its row of the first of the 36 products.
void write_channel(const Conv& c, const WinogradPlan& plan, const float* m, std::int64_t top, float bias,
                   float* output) {
  float out[4][4 * kTiles];
  for (std::int64_t first = 0; first < plan.num_tiles; first += kTiles) {
    transform_output(m + first, plan.product_step, bias, c.clamp_min, c.clamp_max, out);
    write_tiles(c, plan, out, top, first, output);
  }
}

// All input channels of the band whose first row of tiles is `top`.
void transform_band(const Conv& c, const WinogradPlan& plan, std::int64_t top, float* v, float* line) {
  float* planes = line + plan.line_floats;
  for (std::int64_t channel = 0; channel < c.in_channels; ++channel, v += plan.tile_stride) {
    split_rows(c, plan, c.input + channel * c.in_h * c.in_w, 4 * top, line, planes);
    for (std::int64_t t = 0; t < plan.num_tiles; t += kTiles) transform_input(planes + t, plan, v + t);
  }
}

// The 36 products of one group of output channels.
void multiply_group(const Conv& c, const WinogradPlan& plan, const float* u, const float* v, std::int64_t rows,
                    float* products) {
  PanelProduct p;
  p.a_stride = c.in_channels;
  p.b_stride = plan.tile_stride;
  p.c_stride = plan.tile_stride;
  p.m = rows;
  const std::int64_t columns = (plan.num_tiles + kTiles - 1) / kTiles * kTiles;
  for (int element = 0; element < 36; ++element) {
    const float* a = u + element * rows * c.in_channels;
    for (std::int64_t first = 0; first < columns; first += kPanel) {
      p.columns = columns - first < kPanel ? columns - first : kPanel;
      p.c = products + element * plan.product_step + first;
      for (std::int64_t at = 0; at < c.in_channels; at += kMaxDepth) {
        p.a = a + at;
        p.b = v + element * plan.input_step + at * plan.tile_stride + first;
        p.depth = c.in_channels - at < kMaxDepth ? c.in_channels - at : kMaxDepth;
        p.keeps = at > 0;
        p.only_sums = at == 0;
        multiply_panel(p);
      }
    }
  }
}

}  // namespace

void winograd(const Conv& c, const float* transformed, const WinogradPart& part, float* scratch) {
  const WinogradPlan plan = plan_winograd(c);
  float* products = scratch + 36 * plan.input_step;
  float* line = products + 36 * plan.product_step;
  for (std::int64_t x = 0; x < plan.line_floats + 16 * plan.plane_floats; ++x) line[x] = 0.0F;
  for (std::int64_t band = part.first_band; band < part.last_band; ++band) {
    const std::int64_t top = band * plan.band_rows;
    transform_band(c, plan, top, scratch, line);
    for (std::int64_t group = part.first_channel; group < part.last_channel; group += kWinogradRows) {
      const std::int64_t rest = part.last_channel - group;
      const std::int64_t rows = rest < kWinogradRows ? rest : kWinogradRows;
      multiply_group(c, plan, transformed + 36 * group * c.in_channels, scratch, rows, products);
      for (std::int64_t r = 0; r < rows; ++r) {
        write_channel(c, plan, products + r * plan.tile_stride, top, c.bias != nullptr ? c.bias[group + r] : 0.0F,
                      c.output + (group + r) * c.out_h * c.out_w);
      }
    }
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
