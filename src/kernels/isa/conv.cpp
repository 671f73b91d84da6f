// conv.cpp: float convolution as a matrix product whose panels are copied straight from the padded image.
//
// The input is copied once, with its padding and split by column modulo the stride (conv_plan.hpp), a band of rows just
// before the outputs that read it. A panel of kPanel outputs then takes, for each channel and tap, a few runs of
// consecutive floats: one for each row of the image that the panel touches. gemm_panel.cpp computes all output channels
// under the panel.
//
// Cost of a panel for one channel and tap: 3 loads and 3 stores, a little more where rows end, against 1.5 cycles for
// each output channel with AVX-512: a tenth of the arithmetic for 32 output channels. A matrix of columns in memory
// costs that copy twice, and a test for the border each time.
#include "kernels/conv_plan.hpp"
#include "kernels/isa/float16.hpp"
#include "kernels/isa/gemm_panel.hpp"
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

inline void copy_vector(const float* from, float* to) { store_lanes(load_lanes(from), to); }

void set_to_zero(float* x, std::int64_t count) {
  for (std::int64_t j = 0; j < count; ++j) x[j] = 0.0F;
}

// One row of one phase; `from` is the image's row.
void copy_padded_row(const Conv& c, std::int64_t phase, std::int64_t row_floats, const float* from, float* to) {
  const std::int64_t left = phase - c.pad_left;  // Column of element 0.
  std::int64_t begin = left < 0 ? (-left + c.stride_w - 1) / c.stride_w : 0;
  std::int64_t end = c.in_w > left ? (c.in_w - left + c.stride_w - 1) / c.stride_w : 0;
  if (begin > row_floats) begin = row_floats;
  if (end > row_floats) end = row_floats;
  if (end < begin) end = begin;
  set_to_zero(to, begin);
  copy_strided(from + left + begin * c.stride_w, to + begin, end - begin, c.stride_w);
  set_to_zero(to + end, row_floats - end);
}

// Rows [top, bottom) of all planes.
void copy_padded(const Conv& c, const ConvPlan& plan, std::int64_t top, std::int64_t bottom, float* planes) {
  for (std::int64_t channel = 0; channel < c.in_channels; ++channel) {
    const float* image = c.input + channel * c.in_h * c.in_w;
    for (std::int64_t phase = 0; phase < plan.phases; ++phase, planes += plan.plane_floats) {
      for (std::int64_t row = top; row < bottom; ++row) {
        const std::int64_t y = row - c.pad_top;
        float* to = planes + row * plan.row_floats;
        if (y >= 0 && y < c.in_h) {
          copy_padded_row(c, phase, plan.row_floats, image + y * c.in_w, to);
        } else {
          set_to_zero(to, plan.row_floats);
        }
      }
    }
  }
}

// Outputs whose inputs stay in the second-level cache from when they are copied until they are summed; whole `columns`.
std::int64_t band_outputs(const Conv& c, const ConvPlan& plan, std::int64_t columns) {
  constexpr std::int64_t kBandFloats = 32 * 1024;
  const std::int64_t row_floats = c.in_channels * plan.phases * plan.row_floats * c.stride_h;
  const std::int64_t rows = kBandFloats / row_floats;
  const std::int64_t outputs = (rows < 1 ? 1 : rows) * c.out_w / columns * columns;
  return outputs < columns ? columns : outputs;
}

// Consecutive columns of a panel, and where in the planes their inputs begin.
struct PanelRun {
  std::int64_t column;
  std::int64_t count;
  std::int64_t from;
};

struct PanelRuns {
  PanelRun runs[kPanel];
  int num_runs = 0;
};

PanelRuns runs_of(const Conv& c, const ConvPlan& plan, std::int64_t first, std::int64_t columns) {
  PanelRuns panel;
  std::int64_t y = first / c.out_w;
  std::int64_t x = first % c.out_w;
  for (std::int64_t column = 0; column < columns; ++y, x = 0) {
    const std::int64_t count = c.out_w - x < columns - column ? c.out_w - x : columns - column;
    panel.runs[panel.num_runs++] = {column, count, y * c.stride_h * plan.row_floats + x};
    column += count;
  }
  return panel;
}

struct PanelSource {
  const float* planes;
  std::int64_t channel_floats;
  const std::int64_t* taps;
  std::int64_t num_taps;
};

// Whole vectors: what is written behind a run or a row is overwritten by the next one, and `packed` has kLanes more.
void pack_rows(const PanelSource& source, const PanelRuns& panel, std::int64_t first, std::int64_t rows,
               std::int64_t row_floats, float* packed) {
  std::int64_t tap = first % source.num_taps;
  const float* channel = source.planes + first / source.num_taps * source.channel_floats;
  const bool is_one_run = panel.num_runs == 1 && panel.runs[0].count == kPanel;
  for (std::int64_t row = 0; row < rows; ++row, packed += row_floats) {
    const float* from = channel + source.taps[tap];
    if (is_one_run) {
      for (int v = 0; v < kPanelVectors; ++v) copy_vector(from + panel.runs[0].from + v * kLanes, packed + v * kLanes);
    } else {
      for (int r = 0; r < panel.num_runs; ++r) {
        const PanelRun& run = panel.runs[r];
        for (std::int64_t i = 0; i < run.count; i += kLanes) {
          copy_vector(from + run.from + i, packed + run.column + i);
        }
      }
    }
    if (++tap == source.num_taps) {
      tap = 0;
      channel += source.channel_floats;
    }
  }
}

}  // namespace

void conv(const Conv& c, float* scratch) {
  const ConvPlan plan = plan_conv(c);
  auto* taps = reinterpret_cast<std::int64_t*>(scratch + plan.num_floats);
  plan_conv_taps(c, plan, taps);
  const PanelSource source{scratch, plan.phases * plan.plane_floats, taps, c.kernel_h * c.kernel_w};
  alignas(64) float packed[kMaxDepth * kPanel + kLanes];
  const std::int64_t k = c.in_channels * source.num_taps;
  PanelProduct p;
  p.a_stride = k;
  p.b = packed;
  p.c_stride = c.out_h * c.out_w;
  p.m = c.out_channels;
  p.row_bias = c.bias;
  const std::int64_t columns = packed_columns(k, p.c_stride);
  const std::int64_t band = band_outputs(c, plan, columns);
  std::int64_t copied = c.first / c.out_w * c.stride_h;  // Rows in front of it are there, or are not needed.
  for (std::int64_t first = c.first, next_band = first; first < c.last; first += columns) {
    if (first == next_band) {
      next_band = first + band;
      const std::int64_t last = next_band < c.last ? next_band : c.last;
      const std::int64_t bottom = (last - 1) / c.out_w * c.stride_h + (c.kernel_h - 1) * c.dilation_h + 1;
      copy_padded(c, plan, copied, bottom, scratch);
      copied = bottom;
    }
    p.columns = c.last - first < columns ? c.last - first : columns;
    p.c = c.output + first;
    for (std::int64_t at = 0; at < k; at += kMaxDepth) {
      p.a = c.weight + at;
      p.depth = k - at < kMaxDepth ? k - at : kMaxDepth;
      p.keeps = at > 0;
      const bool is_last = at + p.depth == k;
      p.low = is_last ? c.clamp_min : -__builtin_inff();
      p.high = is_last ? c.clamp_max : __builtin_inff();
      for (std::int64_t j = 0; j < p.columns; j += kPanel) {
        const std::int64_t some = p.columns - j < kPanel ? p.columns - j : kPanel;
        pack_rows(source, runs_of(c, plan, first + j, some), at, p.depth, (some + kLanes - 1) / kLanes * kLanes,
                  packed + j * p.depth);
      }
      multiply_packed_panels(p);
    }
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
