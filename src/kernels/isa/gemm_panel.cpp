// gemm_panel.cpp: the product of a matrix and a panel of columns by tiles of `c` that stay in registers.
//
// Every tile of kTileRows rows under the panel sums its whole dot products, adds the biases, clamps and is stored once.
// `a` is read where it lies: a tile's rows are a few streams.
//
// Cost with AVX-512: a step along k is 3 loads of `b`, 8 broadcasts of `a` and 24 multiply-adds into the 24
// accumulators: two load ports take 5.5 cycles (8.5 where every load of `b` crosses a cache line) for what two
// multiply-add ports take 12 for, so the arithmetic binds. With AVX2 it is 3.5 cycles against 6.
#include "kernels/isa/gemm_panel.hpp"

#include "kernels/isa/float16.hpp"
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

// Accumulators, a row of `b` and one value of `a` fill the registers there are.
constexpr int kTileRows = kLanes == 16 ? 8 : 4;

// Enough independent sums to keep the processor busy, however narrow the tile.
constexpr int kMaxTileRows = 8;
constexpr std::int64_t kRaggedRows = 64;  // 12 KB of them.
constexpr int rows_of_tile(int num_vectors) { return num_vectors == 1 ? kMaxTileRows : kTileRows; }

template <int R, int V>
inline void finish_tile(const PanelProduct& p, std::int64_t row, const Floats (&sums)[R][V]) {
  if (p.only_sums) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) store_lanes(sums[r][v], p.c + (row + r) * p.c_stride + v * kLanes);
    }
    return;
  }
  const Floats low = spread_lanes(p.low);
  const Floats high = spread_lanes(p.high);
  if (!p.keeps && p.column_bias == nullptr) {  // The usual case, without a test for each vector.
    const float alpha = p.alpha;
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      float* c = p.c + (row + r) * p.c_stride;
      const Floats start = spread_lanes(p.row_bias != nullptr ? p.row_bias[row + r] : 0.0F);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        store_lanes(at_most(at_least(start + alpha * sums[r][v], low), high), c + v * kLanes);
      }
    }
    return;
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    float* c = p.c + (row + r) * p.c_stride;
    const float base = !p.keeps && p.row_bias != nullptr ? p.row_bias[row + r] : 0.0F;
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      Floats start = spread_lanes(base);
      if (p.keeps) {
        start = load_lanes(c + v * kLanes);
      } else if (p.column_bias != nullptr) {
        start += load_lanes(p.column_bias + v * kLanes);
      }
      store_lanes(at_most(at_least(start + p.alpha * sums[r][v], low), high), c + v * kLanes);
    }
  }
}

// What to fetch into the cache at each step along k.
enum class Fetch {
  kNothing,
  kPanel,  // A row of the next panel.
  kRows,   // The rows of `a` behind the tile's: half a cache line of one of them.
};

// Rows [row, row + R) of the columns [0, V * kLanes).
template <Order kOrder, int R, int V, Fetch kFetch>
void run_tile(const PanelProduct& p, std::int64_t row) {
  Floats sums[R][V] = {};
  const float* a[R];
  for (int r = 0; r < R; ++r) a[r] = p.a + (row + r) * (kOrder == Order::kRows ? p.a_stride : 1);
  const std::int64_t a_step = kOrder == Order::kRows ? 1 : p.a_stride;
  if (!p.only_sums) {  // What sums are stored to comes while they are computed.
    for (int r = 0; r < R; ++r) {
      for (int v = 0; v < V; ++v) __builtin_prefetch(p.c + (row + r) * p.c_stride + v * kLanes, 1);
    }
  }
  const float* b = p.b;
  const float* next = p.next;
  const float* next_rows = a[0] + R * p.a_stride;
  const auto depth = static_cast<std::uint64_t>(p.depth);
  const std::int64_t b_stride = p.b_stride;
  const std::int64_t next_stride = p.next_stride;
  for (std::uint64_t l = 0; l < depth; ++l, b += b_stride) {
    Floats values[V];
    if (kFetch == Fetch::kPanel) {
      for (int v = 0; v < V; ++v) __builtin_prefetch(next + v * kLanes);
      next += next_stride;
    } else if (kFetch == Fetch::kRows) {
      __builtin_prefetch(next_rows + static_cast<std::int64_t>(l % R) * p.a_stride +
                         static_cast<std::int64_t>(l / R) * 8);
    }
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) values[v] = load_lanes(b + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Floats factor = spread_lanes(a[r][static_cast<std::int64_t>(l) * a_step]);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sums[r][v] += factor * values[v];
    }
  }
  finish_tile<R, V>(p, row, sums);
}

template <Order kOrder, int V>
void run_rows(const PanelProduct& p) {
  constexpr int kRows = rows_of_tile(V);
  const std::int64_t m = p.m;
  std::int64_t row = 0;
  if (p.next != nullptr && kRows <= m) {
    run_tile<kOrder, kRows, V, Fetch::kPanel>(p, row);
    row += kRows;
  }
  if (kOrder == Order::kRows) {
    for (; row + 2 * kRows <= m; row += kRows) run_tile<kOrder, kRows, V, Fetch::kRows>(p, row);
  }
  for (; row + kRows <= m; row += kRows) run_tile<kOrder, kRows, V, Fetch::kNothing>(p, row);
  if (kRows > 4 && row + 4 <= m) {
    run_tile<kOrder, 4, V, Fetch::kNothing>(p, row);
    row += 4;
  }
  if (row + 2 <= m) {
    run_tile<kOrder, 2, V, Fetch::kNothing>(p, row);
    row += 2;
  }
  if (row < m) run_tile<kOrder, 1, V, Fetch::kNothing>(p, row);
}

template <int V>
void run_whole_vectors(const PanelProduct& p) {
  p.a_order == Order::kRows ? run_rows<Order::kRows, V>(p) : run_rows<Order::kColumns, V>(p);
}

void run_panel(const PanelProduct& p, int num_vectors) {
  switch (num_vectors) {
    case 1:
      return run_whole_vectors<1>(p);
    case 2:
      return run_whole_vectors<2>(p);
    default:
      return run_whole_vectors<kPanelVectors>(p);
  }
}

void copy_floats(const float* from, float* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
}

// Tiles whose last vector is not full compute into a buffer.
void run_ragged_panel(const PanelProduct& p, int num_vectors) {
  alignas(64) float tile[kRaggedRows * kPanel];
  float column_bias[kPanel] = {};
  PanelProduct part = p;
  part.c = tile;
  part.c_stride = kPanel;
  part.next = nullptr;
  if (p.column_bias != nullptr) {
    copy_floats(p.column_bias, column_bias, p.columns);
    part.column_bias = column_bias;
  }
  for (std::int64_t row = 0; row < p.m; row += kRaggedRows) {
    part.m = p.m - row < kRaggedRows ? p.m - row : kRaggedRows;
    float* c = p.c + row * p.c_stride;
    part.a = p.a + row * (p.a_order == Order::kRows ? p.a_stride : 1);
    if (p.row_bias != nullptr) part.row_bias = p.row_bias + row;
    if (p.keeps) {
      for (std::int64_t r = 0; r < part.m; ++r) copy_floats(c + r * p.c_stride, tile + r * kPanel, p.columns);
    }
    run_panel(part, num_vectors);
    for (std::int64_t r = 0; r < part.m; ++r) copy_floats(tile + r * kPanel, c + r * p.c_stride, p.columns);
  }
}

template <Order kOrder>
void run_wide(const PanelProduct& p) {
  p.m == 2 ? run_tile<kOrder, 2, 8, Fetch::kNothing>(p, 0) : run_tile<kOrder, 1, 8, Fetch::kNothing>(p, 0);
}

}  // namespace

void multiply_panel(const PanelProduct& p) {
  const int num_vectors = static_cast<int>((p.columns + kLanes - 1) / kLanes);
  p.columns == num_vectors* kLanes ? run_panel(p, num_vectors) : run_ragged_panel(p, num_vectors);
}

void multiply_packed_panels(const PanelProduct& p) {
  const std::int64_t num_rows = p.columns > kPanel ? kStripRows : p.m;
  for (std::int64_t row = 0; row < p.m; row += num_rows) {
    PanelProduct strip = p;
    strip.a += row * (p.a_order == Order::kRows ? p.a_stride : 1);
    strip.c += row * p.c_stride;
    strip.m = p.m - row < num_rows ? p.m - row : num_rows;
    if (p.row_bias != nullptr) strip.row_bias += row;
    for (std::int64_t j = 0; j < p.columns; j += kPanel) {
      strip.columns = p.columns - j < kPanel ? p.columns - j : kPanel;
      strip.b_stride = (strip.columns + kLanes - 1) / kLanes * kLanes;
      multiply_panel(strip);
      strip.b += kPanel * p.depth;
      strip.c += kPanel;
      if (strip.column_bias != nullptr) strip.column_bias += kPanel;
    }
  }
}

void multiply_wide_panel(const PanelProduct& p) {
  p.a_order == Order::kRows ? run_wide<Order::kRows>(p) : run_wide<Order::kColumns>(p);
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
