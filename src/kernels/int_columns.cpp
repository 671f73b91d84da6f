// int_columns.cpp: codes laid out as the operands of int_gemm(): centred, two neighbours along k side by side.
#include "kernels/int_columns.hpp"

#include <algorithm>
#include <array>

#include "core/code_types.hpp"
#include "kernels/requantize.hpp"
#include "kernels/window_runs.hpp"

namespace halfstep::kernels {
namespace {

template <class Code>
std::int16_t centred(Code code, std::int32_t centre) {
  return static_cast<std::int16_t>(std::int32_t{code} - centre);
}

// out[2 * i] = even[i * stride] centred, out[2 * i + 1] = odd[i * stride] centred, or 0 without `odd`.
template <class Code>
void interleave(const Code* even, const Code* odd, std::int64_t stride, std::int64_t count, std::int32_t centre,
                std::int16_t* out) {
  if (stride == 1) {
    centre_pairs(even, odd, dtype_of<Code>(), count, centre, out);
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    out[2 * i] = centred(even[i * stride], centre);
    out[2 * i + 1] = odd == nullptr ? std::int16_t{0} : centred(odd[i * stride], centre);
  }
}

// The same for one of the two; the other place of each pair stays as it is.
template <class Code>
void scatter(const Code* from, std::int64_t stride, std::int64_t count, std::int32_t centre, std::int16_t* out) {
  for (std::int64_t i = 0; i < count; ++i) out[2 * i] = centred(from[i * stride], centre);
}

void scatter_value(std::int16_t value, std::int64_t count, std::int16_t* out) {
  for (std::int64_t i = 0; i < count; ++i) out[2 * i] = value;
}

template <class Code>
void pack_rows_of_columns(const CodeMatrix& m, std::int64_t k, std::int64_t first, std::int64_t n,
                          std::int16_t* packed) {
  const Code* codes = static_cast<const Code*>(m.codes) + first * m.column_step;
  for (std::int64_t row = 0; row < k; row += 2, packed += 2 * n) {
    const Code* even = codes + row * m.k_step;
    const Code* odd = row + 1 < k ? even + m.k_step : nullptr;
    interleave(even, odd, m.column_step, n, m.centre, packed);
  }
}

// k runs along memory: eight columns at a time, so that whole cache lines are read and written.
template <class Code>
void pack_transposed(const CodeMatrix& m, std::int64_t k, std::int64_t first, std::int64_t n, std::int16_t* packed) {
  constexpr std::int64_t kColumns = 8;
  const Code* codes = static_cast<const Code*>(m.codes) + first * m.column_step;
  for (std::int64_t column = 0; column < n; column += kColumns) {
    const std::int64_t count = std::min(kColumns, n - column);
    const Code* from = codes + column * m.column_step;
    std::int16_t* to = packed + 2 * column;
    for (std::int64_t row = 0; row < k; row += 2, to += 2 * n) {
      for (std::int64_t i = 0; i < count; ++i) {
        const Code* pair = from + i * m.column_step + row;
        to[2 * i] = centred(pair[0], m.centre);
        to[2 * i + 1] = row + 1 < k ? centred(pair[1], m.centre) : std::int16_t{0};
      }
    }
  }
}

// Where one of the two numbers of a pair comes from.
template <class Code>
struct Source {
  const Code* channel = nullptr;  // nullptr: there is none; 0 instead.
  WindowTap tap = {};
};

template <class Code>
Source<Code> source_of(const Windows& w, const CodeImage& image, std::int64_t k) {
  if (k >= w.kernel_size() * image.channels) return {};
  return {static_cast<const Code*>(image.codes) + k % image.channels * w.image_size(),
          window_tap(w, k / image.channels)};
}

template <class Code>
void pack_run(const Windows& w, const CodeImage& image, const std::array<Source<Code>, 2>& sources,
              const WindowRun& run, std::int16_t* out) {
  const std::int64_t stride = w.stride[2];
  const InsideRun even = inside_of(w, sources[0].tap, run);
  const InsideRun odd = sources[1].channel == nullptr ? even : inside_of(w, sources[1].tap, run);
  const auto code_at = [&](std::size_t s, const InsideRun& inside, std::int64_t step) {
    const Code* channel = sources[s].channel;
    return channel == nullptr ? nullptr : channel + (inside.row + step * stride + sources[s].tap.x);
  };
  // Both together where both are inside the image; what is left of each, before and behind, alone.
  const std::int64_t begin = std::max(even.begin, odd.begin);
  const std::int64_t end = std::min(even.end, odd.end);
  const bool together = begin < end;
  if (together) {
    interleave(code_at(0, even, begin), code_at(1, odd, begin), stride, end - begin, image.centre,
               out + 2 * (begin - run.first));
  }
  const auto fill = [&](std::size_t s, const InsideRun& inside, std::int64_t from, std::int64_t to) {
    std::int16_t* place = out + 2 * (from - run.first) + static_cast<std::int64_t>(s);
    if (sources[s].channel == nullptr) {
      scatter_value(0, to - from, place);
      return;
    }
    const std::int64_t first_in = std::clamp(inside.begin, from, to);
    const std::int64_t last_in = std::clamp(inside.end, first_in, to);
    scatter_value(image.outside, first_in - from, place);
    if (first_in < last_in) {
      scatter(code_at(s, inside, first_in), stride, last_in - first_in, image.centre, place + 2 * (first_in - from));
    }
    scatter_value(image.outside, to - last_in, place + 2 * (last_in - from));
  };
  for (std::size_t s = 0; s < 2; ++s) {
    const InsideRun& inside = s == 0 ? even : odd;
    fill(s, inside, run.first, together ? begin : run.last);
    if (together) fill(s, inside, end, run.last);
  }
}

template <class Sum>
void add_windows_of(const Windows& w, const Sum* columns, const std::int64_t* start, std::int64_t channels,
                    std::int64_t first, std::int64_t last, Sum* image) {
  const std::int64_t stride = w.stride[2];
  for (std::int64_t channel = 0; channel < channels; ++channel, image += w.image_size()) {
    for_each_tap(w, [&](const WindowTap& tap) {
      const auto raise = static_cast<Sum>(*start++);
      for_each_run(w, first, last, [&](const WindowRun& run) {
        const InsideRun inside = inside_of(w, tap, run);
        if (inside.begin >= inside.end) return;
        const Sum* in = columns + run.column + (inside.begin - run.first);
        Sum* out = image + (inside.row + inside.begin * stride + tap.x);
        for (std::int64_t i = 0; i < inside.end - inside.begin; ++i) out[i * stride] += in[i] + raise;
      });
      columns += last - first;
    });
  }
}

}  // namespace

void pack_columns(const CodeMatrix& matrix, std::int64_t k, std::int64_t first, std::int64_t num_columns,
                  std::int16_t* packed) {
  visit_code_type(matrix.dtype, [&]<class Code>() {
    if (matrix.k_step == 1 && matrix.column_step != 1) {
      pack_transposed<Code>(matrix, k, first, num_columns, packed);
    } else {
      pack_rows_of_columns<Code>(matrix, k, first, num_columns, packed);
    }
  });
}

void pack_windows(const Windows& windows, const CodeImage& image, std::int64_t first, std::int64_t last,
                  std::int16_t* packed) {
  visit_code_type(image.dtype, [&]<class Code>() {
    const std::int64_t k = windows.kernel_size() * image.channels;
    for (std::int64_t row = 0; row < k; row += 2, packed += 2 * (last - first)) {
      const std::array<Source<Code>, 2> sources = {source_of<Code>(windows, image, row),
                                                   source_of<Code>(windows, image, row + 1)};
      for_each_run(windows, first, last, [&](const WindowRun& run) {
        pack_run<Code>(windows, image, sources, run, packed + 2 * run.column);
      });
    }
  });
}

void add_windows(const Windows& windows, const std::int32_t* columns, const std::int64_t* start, std::int64_t channels,
                 std::int64_t first, std::int64_t last, std::int32_t* image) {
  add_windows_of(windows, columns, start, channels, first, last, image);
}

void add_windows(const Windows& windows, const std::int64_t* columns, const std::int64_t* start, std::int64_t channels,
                 std::int64_t first, std::int64_t last, std::int64_t* image) {
  add_windows_of(windows, columns, start, channels, first, last, image);
}

}  // namespace halfstep::kernels
