// panels.cpp: codes laid out as panels of packed_gemm(): groups of neighbours along k.
#include "kernels/panels.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/code_types.hpp"
#include "kernels/requantize.hpp"

namespace halfstep::kernels {
namespace {

constexpr std::int64_t kMaxBandGroups = 4 * 1024 * 1024;

std::uint8_t flip_of(DType dtype) { return dtype == DType::kInt8 ? 0x80 : 0; }

// groups[i] for `count` neighbours along memory of the rows k, k + 1, ... that are left, `k_step` codes apart.
void group_rows(const void* codes, DType dtype, Group group, std::int32_t centre, std::int64_t k_step,
                std::int64_t rows_left, std::int64_t count, std::int32_t* groups) {
  if (group == Group::kQuads) {
    const auto* first = static_cast<const std::uint8_t*>(codes);
    const std::uint8_t* rows[4];
    for (std::int64_t r = 0; r < 4; ++r) rows[r] = first + (r < rows_left ? r : 0) * k_step;
    interleave_bytes(rows, count, flip_of(dtype), groups);
    return;
  }
  const auto* first = static_cast<const std::byte*>(codes);
  const std::byte* second = rows_left > 1 ? first + k_step * static_cast<std::int64_t>(size_in_bytes(dtype)) : nullptr;
  centre_pairs(first, second, dtype, count, centre, reinterpret_cast<std::int16_t*>(groups));
}

// One group, its numbers `k_step` codes apart.
template <class Code>
std::int32_t group_at(const Code* codes, std::int64_t k_step, std::int64_t count, Group group, std::int32_t centre) {
  std::uint32_t bits = 0;
  const int width = group == Group::kQuads ? 8 : 16;
  const std::uint32_t mask = (1U << width) - 1;
  for (std::int64_t i = 0; i < count; ++i) {
    bits |= (static_cast<std::uint32_t>(std::int32_t{codes[i * k_step]} - centre) & mask) << (width * i);
  }
  return static_cast<std::int32_t>(bits);
}

// Columns whose codes lie one behind the other along k: whole groups are read at once.
void pack_byte_columns(const CodeMatrix& m, std::int64_t k, std::int64_t first, std::int64_t n, std::int64_t padded,
                       std::int32_t* panel) {
  const auto* codes = static_cast<const std::uint8_t*>(m.codes) + first * m.column_step;
  const auto flips = static_cast<std::int32_t>(flip_of(m.dtype) * 0x01010101U);
  for (std::int64_t i = 0; i < n; ++i, codes += m.column_step) {
    std::int32_t* to = panel + i;
    std::int64_t at = 0;
    for (; at + 4 <= k; at += 4, to += padded) {
      std::memcpy(to, codes + at, 4);
      *to ^= flips;
    }
    if (at == k) continue;
    *to = 0;
    std::memcpy(to, codes + at, static_cast<std::size_t>(k - at));
    *to ^= flips;
  }
}

template <class Code>
void pack_each(const CodeMatrix& m, Group group, std::int64_t k, std::int64_t first, std::int64_t n,
               std::int64_t padded, std::int32_t* panel) {
  const std::int64_t size = group_size(group);
  const Code* codes = static_cast<const Code*>(m.codes) + first * m.column_step;
  for (std::int64_t at = 0; at < k; at += size, panel += padded) {
    for (std::int64_t i = 0; i < n; ++i) {
      panel[i] = group_at(codes + i * m.column_step + at * m.k_step, m.k_step, std::min(size, k - at), group, m.centre);
    }
  }
}

// The number that stands around the image, in every place of a group.
std::int32_t outside_group(Group group, std::int16_t outside) {
  if (group == Group::kQuads) return static_cast<std::int32_t>(static_cast<std::uint8_t>(outside) * 0x01010101U);
  return static_cast<std::int32_t>(static_cast<std::uint16_t>(outside) * 0x00010001U);
}

// One row of the image, with what stands left and right of it, as `count` groups.
void group_line(const GroupedImage& plan, const CodeImage& image, std::int64_t channel, std::int64_t y,
                std::int64_t count, std::int32_t* line) {
  const Windows& w = plan.windows;
  const std::int32_t around = outside_group(plan.group, image.outside);
  if (y < 0 || y >= w.image[1]) {
    std::fill_n(line, count, around);
    return;
  }
  const std::int64_t left = std::min(w.pad[2], count);
  const std::int64_t inside = std::clamp<std::int64_t>(count - left, 0, w.image[2]);
  const std::int64_t at = channel * w.image_size() + y * w.image[2];
  std::fill_n(line, left, around);
  group_rows(static_cast<const std::byte*>(image.codes) + at * static_cast<std::int64_t>(size_in_bytes(image.dtype)),
             image.dtype, plan.group, image.centre, w.image_size(), plan.channels - channel, inside, line + left);
  std::fill(line + left + inside, line + count, around);
}

}  // namespace

void pack_panel(const CodeMatrix& matrix, Group group, std::int64_t k, std::int64_t first, std::int64_t n,
                std::int64_t padded, std::int32_t* panel) {
  if (matrix.column_step == 1) {
    const auto bytes = static_cast<std::int64_t>(size_in_bytes(matrix.dtype));
    const auto* codes = static_cast<const std::byte*>(matrix.codes) + first * bytes;
    for (std::int64_t at = 0; at < k; at += group_size(group), panel += padded) {
      group_rows(codes + at * matrix.k_step * bytes, matrix.dtype, group, matrix.centre, matrix.k_step, k - at, n,
                 panel);
    }
  } else if (group == Group::kQuads && matrix.k_step == 1) {
    pack_byte_columns(matrix, k, first, n, padded, panel);
  } else {
    visit_code_type(matrix.dtype, [&]<class Code>() { pack_each<Code>(matrix, group, k, first, n, padded, panel); });
  }
}

GroupedImage plan_grouped_image(const Windows& windows, Group group, std::int64_t channels, std::int64_t bytes) {
  GroupedImage plan{.windows = windows, .group = group, .channels = channels, .offsets = {}};
  const auto& [z_step, y_step, x_step] = windows.stride;
  const std::int64_t window_rows = (windows.kernel[1] - 1) * windows.dilation[1] + 1;
  const std::int64_t row_size = (windows.steps[2] - 1) * x_step + (windows.kernel[2] - 1) * windows.dilation[2] + 1;
  // Each extent alone is bounded first: their product then stays in 64 bits.
  for (const std::int64_t extent : {window_rows, row_size, y_step, x_step, channels}) {
    if (extent > kMaxBandGroups) return plan;
  }
  plan.line = (row_size + x_step - 1) / x_step;
  const std::int64_t row = plan.channel_groups() * plan.row_groups();
  if (row > kMaxBandGroups || window_rows * row > kMaxBandGroups) return plan;
  const std::int64_t rest = bytes / 4 - window_rows * row;
  plan.band_rows = std::clamp<std::int64_t>(1 + rest / (y_step * row), 1, windows.steps[1]);
  plan.image_rows = (plan.band_rows - 1) * y_step + window_rows;
  for (std::int64_t i = 0; i < windows.kernel[1]; ++i) {
    for (std::int64_t j = 0; j < windows.kernel[2]; ++j) {
      const std::int64_t x = j * windows.dilation[2];
      const std::int64_t tap = i * windows.dilation[1] * plan.row_groups() + x % x_step * plan.line + x / x_step;
      for (std::int64_t g = 0; g < plan.channel_groups(); ++g) {
        plan.offsets.push_back(static_cast<std::int32_t>(g * plan.image_rows * plan.row_groups() + tap));
      }
    }
  }
  return plan;
}

void group_image(const GroupedImage& plan, const CodeImage& image, std::int64_t first, std::int64_t count,
                 std::int32_t* scratch) {
  const Windows& w = plan.windows;
  const std::int64_t stride = w.stride[2];
  const std::int64_t row_size = (w.steps[2] - 1) * stride + (w.kernel[2] - 1) * w.dilation[2] + 1;
  const std::int64_t num_rows = (count - 1) * w.stride[1] + (w.kernel[1] - 1) * w.dilation[1] + 1;
  std::int32_t* const whole_line = scratch + plan.band_groups();
  for (std::int64_t g = 0; g < plan.channel_groups(); ++g) {
    std::int32_t* to = scratch + g * plan.image_rows * plan.row_groups();
    for (std::int64_t row = 0; row < num_rows; ++row, to += plan.row_groups()) {
      const std::int64_t y = first * w.stride[1] - w.pad[1] + row;
      if (stride == 1) {
        group_line(plan, image, g * group_size(plan.group), y, row_size, to);
      } else {
        group_line(plan, image, g * group_size(plan.group), y, row_size, whole_line);
        split_groups(whole_line, row_size, stride, to, plan.line);
      }
    }
  }
}

void gather_windows(const GroupedImage& plan, const std::int32_t* scratch, std::int64_t first, std::int64_t n,
                    std::int64_t padded, std::int32_t* panel) {
  constexpr std::int64_t kMaxColumns = 64;  // Of a panel.
  std::array<ColumnRun, kMaxColumns> runs;
  std::int64_t num_runs = 0;
  const std::int64_t width = plan.windows.steps[2];
  for (std::int64_t column = first; column < first + n; ++num_runs) {
    const std::int64_t x = column % width;
    const std::int64_t count = std::min(width - x, first + n - column);
    runs[static_cast<std::size_t>(num_runs)] = {column / width * plan.windows.stride[1] * plan.row_groups() + x, count};
    column += count;
  }
  gather_panel(scratch, plan.offsets.data(), static_cast<std::int64_t>(plan.offsets.size()), runs.data(), num_runs,
               panel, padded);
}

}  // namespace halfstep::kernels
