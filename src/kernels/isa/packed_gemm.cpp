// packed_gemm.cpp: integer products by tiles of accumulators that stay in registers.
//
// A tile is a few rows by a few vectors of columns of one panel. A step along k loads the panel's groups once, spreads
// one group of each row, and adds the products of all pairs of these: with dot-product instructions (VNNI) one
// instruction for 4 products of bytes or 2 of 16 bits a lane.
//
// Cost, AVX-512 VNNI: 24 accumulators (6 rows by 4 vectors); a step is 4 loads, 6 spreading loads and 24 dot products:
// the products bind. Without VNNI, bytes take three instructions (multiply-add of bytes to 16 bits, of 16 bits to 32,
// addition) for 4 products a lane where 16-bit operands take two for 2; sums of two products saturate there, so
// WeightTile has the weights such that none needs more than 16 bits. Where the sums of two groups fit as well, they are
// added in 16 bits: five instructions for 8 products a lane. Of the multiplications, of which AVX2 processors do two a
// cycle, that is 3 for 8 products, against 4. A tile is 4 rows by 2 vectors: 8 accumulators, 4 vectors of the panel,
// two quads and two sums fill 16 registers. It walks the steps of a WeightTile, each of which names its groups of the
// panel.
//
// Arm's dot product is of signed bytes: the panel's are taken less 128, one instruction for a vector of columns and all
// rows of the tile, and 128 times the row's sum of weights is added to the finished tile. 32 registers hold 20
// accumulators (5 rows by 4 vectors), a step of the panel and a group of each row. Without dot products a vector takes
// two products of 16 bits and two additions of neighbours; 16-bit operands take two products and two additions.
//
// A finished tile goes through a buffer of 6 KB at most, so that one loop finishes rows whatever the tile's shape.
#include "kernels/isa/finish_row.hpp"
#include "kernels/isa/variant.hpp"

#if defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#endif

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

// Accumulators, a step of the panel and a group of the left side fill the registers there are.
#if defined(__AVX512BW__)
constexpr int kTileVectors = 4;
constexpr int kTileRows = 6;
#elif defined(__ARM_FEATURE_DOTPROD)
constexpr int kTileVectors = 4;
constexpr int kTileRows = 5;
#else
constexpr int kTileVectors = 2;
constexpr int kTileRows = 6;
#endif
// Enough independent sums to keep the processor busy, however narrow the tile.
constexpr int kMaxTileRows = 8;
constexpr int rows_of_tile(int num_vectors) { return num_vectors == 1 ? kMaxTileRows : kTileRows; }

#if defined(__AVX2__) && !defined(__AVX512VNNI__) && !defined(__AVXVNNI__)
#define HALFSTEP_SATURATES_BYTE_PAIRS
#endif

#if defined(HALFSTEP_SATURATES_BYTE_PAIRS)
// Neighbours of 16 bits multiplied and added.
inline Ints multiply_pairs(Ints a, Ints b) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Ints>(_mm512_madd_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#else
  return reinterpret_cast<Ints>(_mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#endif
}

// Neighbouring bytes multiplied and added, saturated to 16 bits: of `a` signed, of `b` not.
inline Shorts multiply_bytes(Ints a, Ints b) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Shorts>(_mm512_maddubs_epi16(reinterpret_cast<__m512i>(b), reinterpret_cast<__m512i>(a)));
#else
  return reinterpret_cast<Shorts>(_mm256_maddubs_epi16(reinterpret_cast<__m256i>(b), reinterpret_cast<__m256i>(a)));
#endif
}

// Of 32 bits: sums of neighbours of 16.
inline Ints widen(Shorts sums) {
  return multiply_pairs(reinterpret_cast<Ints>(sums), reinterpret_cast<Ints>(Shorts{} + std::int16_t{1}));
}

// Exact for all numbers: the even and the odd bytes as 16-bit numbers, of `a` signed, of `b` not.
inline Ints dot_bytes(Ints sums, Ints a, Ints b) {
  typedef std::uint16_t Words __attribute__((vector_size(sizeof(Ints))));
  const Shorts x = reinterpret_cast<Shorts>(a);
  const Words y = reinterpret_cast<Words>(b);
  const Ints even = multiply_pairs(reinterpret_cast<Ints>(x << 8 >> 8), reinterpret_cast<Ints>(y & 255));
  return add_wrapping(sums, even + multiply_pairs(reinterpret_cast<Ints>(x >> 8), reinterpret_cast<Ints>(y >> 8)));
}
#elif !(defined(__AVX2__) || defined(__ARM_FEATURE_DOTPROD))
// The even and the odd bytes of each group as 16-bit numbers, which hold their products: of `a` signed, of `b` not.
inline Ints dot_bytes(Ints sums, Ints a, Ints b) {
#if defined(__SSE2__)
  const __m128i x = reinterpret_cast<__m128i>(a);
  const __m128i y = reinterpret_cast<__m128i>(b);
  const __m128i even = _mm_madd_epi16(_mm_srai_epi16(_mm_slli_epi16(x, 8), 8), _mm_and_si128(y, _mm_set1_epi16(255)));
  const __m128i odd = _mm_madd_epi16(_mm_srai_epi16(x, 8), _mm_srli_epi16(y, 8));
  return add_wrapping(sums, reinterpret_cast<Ints>(_mm_add_epi32(even, odd)));
#elif defined(__aarch64__)
  const int16x8_t x = vreinterpretq_s16_s32(reinterpret_cast<int32x4_t>(a));
  const int16x8_t y = vreinterpretq_s16_s32(reinterpret_cast<int32x4_t>(b));
  const int16x8_t even = vmulq_s16(vshrq_n_s16(vshlq_n_s16(x, 8), 8), vandq_s16(y, vdupq_n_s16(255)));
  const int16x8_t odd = vmulq_s16(vshrq_n_s16(x, 8), vreinterpretq_s16_u16(vshrq_n_u16(vreinterpretq_u16_s16(y), 8)));
  return reinterpret_cast<Ints>(vpadalq_s16(vpadalq_s16(reinterpret_cast<int32x4_t>(sums), even), odd));
#else
  for (int byte = 0; byte < 4; ++byte) {
    sums = add_wrapping(sums, ((a << (24 - 8 * byte)) >> 24) * ((b >> (8 * byte)) & 0xFF));
  }
  return sums;
#endif
}
#endif

// sums + the products of the groups of `a` and `b` in each lane, modulo 2^32: of codes as they are stored the sums may
// leave 32 bits where those of centred codes, which the rows' constants make of them, do not.
template <Group kGroup>
inline Ints add_products(Ints sums, Ints a, Ints b) {
#if defined(__AVX512VNNI__)
  const __m512i acc = reinterpret_cast<__m512i>(sums);
  const __m512i x = reinterpret_cast<__m512i>(a);
  const __m512i y = reinterpret_cast<__m512i>(b);
  return reinterpret_cast<Ints>(kGroup == Group::kQuads ? _mm512_dpbusd_epi32(acc, y, x)
                                                        : _mm512_dpwssd_epi32(acc, x, y));
#elif defined(__AVXVNNI__)
  const __m256i acc = reinterpret_cast<__m256i>(sums);
  const __m256i x = reinterpret_cast<__m256i>(a);
  const __m256i y = reinterpret_cast<__m256i>(b);
  return reinterpret_cast<Ints>(kGroup == Group::kQuads ? _mm256_dpbusd_avx_epi32(acc, y, x)
                                                        : _mm256_dpwssd_avx_epi32(acc, x, y));
#elif defined(__AVX2__)
  if constexpr (kGroup == Group::kPairs) return add_wrapping(sums, multiply_pairs(a, b));
  return dot_bytes(sums, a, b);
#else
  if constexpr (kGroup == Group::kPairs) {
#if defined(__SSE2__)
    return add_wrapping(
        sums, reinterpret_cast<Ints>(_mm_madd_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b))));
#elif defined(__aarch64__)
    const int16x8_t x = vreinterpretq_s16_s32(reinterpret_cast<int32x4_t>(a));
    const int16x8_t y = vreinterpretq_s16_s32(reinterpret_cast<int32x4_t>(b));
    const int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(y));
    return add_wrapping(sums, reinterpret_cast<Ints>(vpaddq_s32(low, vmull_high_s16(x, y))));
#else
    return add_wrapping(sums, add_wrapping(((a << 16) >> 16) * ((b << 16) >> 16), (a >> 16) * (b >> 16)));
#endif
  }
#if defined(__ARM_FEATURE_DOTPROD)
  // Signed bytes only: the right side less 128. sum_rows() adds what that takes away.
  const int8x16_t y = vreinterpretq_s8_s32(reinterpret_cast<int32x4_t>(b ^ static_cast<std::int32_t>(0x80808080U)));
  return reinterpret_cast<Ints>(
      vdotq_s32(reinterpret_cast<int32x4_t>(sums), vreinterpretq_s8_s32(reinterpret_cast<int32x4_t>(a)), y));
#else
  return dot_bytes(sums, a, b);
#endif
#endif
}

// A part of a panel and the rows that meet it.
struct Tile {
  const std::int32_t* a;  // Of its first row; rows `depth` apart.
  const std::int32_t* b;  // Of its first column; rows `b_stride` apart.
  std::int64_t b_stride;
  std::int64_t depth;
  std::int32_t* acc;  // Rows `acc_stride` apart.
  std::int64_t acc_stride;
};

template <Group kGroup, int R, int V>
void run_tile(const Tile& t) {
  Ints sums[R][V] = {};
  const std::int32_t* b = t.b;
  const std::int64_t depth = t.depth;
  const std::int64_t b_stride = t.b_stride;
  const std::int32_t* a[R];
  for (int r = 0; r < R; ++r) a[r] = t.a + r * depth;
  for (std::int64_t g = 0; g < depth; ++g, b += b_stride) {
    Ints columns[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) columns[v] = load(b + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Ints row = spread(a[r][g]);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sums[r][v] = add_products<kGroup>(sums[r][v], row, columns[v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) store(sums[r][v], t.acc + r * t.acc_stride + v * kLanes);
  }
}

#if defined(HALFSTEP_SATURATES_BYTE_PAIRS)
// The rows of a WeightTile by V vectors: `b` and what is written as in Tile.
template <int V>
void run_steps(const WeightTile& tile, const std::int32_t* step, const Tile& t) {
  Ints sums[kWeightTileRows][V] = {};
  for (std::int64_t i = 0; i < tile.doubles; ++i, step += kDoubleSize) {
    const std::int32_t* first = t.b + step[0] * t.b_stride;
    const std::int32_t* second = t.b + step[1] * t.b_stride;
#pragma GCC unroll 4
    for (int r = 0; r < kWeightTileRows; ++r) {
      const Ints a = spread(step[2 + 2 * r]);
      const Ints b = spread(step[3 + 2 * r]);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        sums[r][v] = add_wrapping(sums[r][v], widen(multiply_bytes(a, load(first + v * kLanes)) +
                                                    multiply_bytes(b, load(second + v * kLanes))));
      }
    }
  }
  for (std::int64_t i = 0; i < tile.singles; ++i, step += kSingleSize) {
    const std::int32_t* first = t.b + step[0] * t.b_stride;
#pragma GCC unroll 4
    for (int r = 0; r < kWeightTileRows; ++r) {
      const Ints a = spread(step[1 + r]);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        sums[r][v] = add_wrapping(sums[r][v], widen(multiply_bytes(a, load(first + v * kLanes))));
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kWeightTileRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) store(sums[r][v], t.acc + r * t.acc_stride + v * kLanes);
  }
}

void run_step_columns(const WeightTile& tile, const std::int32_t* steps, const Tile& t, int num_vectors) {
  const std::int32_t* step = steps + tile.first;
  if (num_vectors == 1) return run_steps<1>(tile, step, t);
  if (num_vectors == 2) return run_steps<2>(tile, step, t);
#if defined(__AVX512BW__)
  if (num_vectors == 3) return run_steps<3>(tile, step, t);
  run_steps<4>(tile, step, t);
#endif
}
#endif

template <Group kGroup, int V>
void run_some_rows(const Tile& t, int rows) {
  switch (rows) {
    case 1:
      return run_tile<kGroup, 1, V>(t);
    case 2:
      return run_tile<kGroup, 2, V>(t);
    case 3:
      return run_tile<kGroup, 3, V>(t);
    case 4:
      return run_tile<kGroup, 4, V>(t);
    case 5:
      return run_tile<kGroup, 5, V>(t);
    default:
      return run_tile<kGroup, kTileRows, V>(t);
  }
}

// Up to rows_of_tile(1) rows of one vector; else up to kTileRows.
template <Group kGroup>
void run_columns(const Tile& t, int rows, int num_vectors) {
  if (num_vectors == 1)
    return rows == kMaxTileRows ? run_tile<kGroup, kMaxTileRows, 1>(t)
           : rows == 7          ? run_tile<kGroup, 7, 1>(t)
           : rows == 6          ? run_tile<kGroup, 6, 1>(t)
                                : run_some_rows<kGroup, 1>(t, rows);
  if (num_vectors == 2) return run_some_rows<kGroup, 2>(t, rows);
#if defined(__AVX512BW__) || defined(__ARM_FEATURE_DOTPROD)
  if (num_vectors == 3) return run_some_rows<kGroup, 3>(t, rows);
  return run_some_rows<kGroup, 4>(t, rows);
#endif
}

// The panel as tiles see it, and its last column as a row of groups where it stands alone: one column would take as
// long as a whole vector of them, while a dot product along k takes a vector of groups at a time.
struct Columns {
  std::int64_t padded;  // Of the panel.
  std::int64_t tiled;   // Of these, what tiles sum.
  const std::int32_t* lone = nullptr;
  std::int64_t lone_at = 0;
};
constexpr std::int64_t kMaxLoneGroups = 1024;

// A group whose product with anything is 0.
template <Group kGroup>
constexpr std::int32_t no_group() {
#if defined(__ARM_FEATURE_DOTPROD)
  if (kGroup == Group::kQuads) return static_cast<std::int32_t>(0x80808080U);  // The right side less 128 is 0.
#endif
  return 0;
}

// `b` is filled up to whole vectors with no_group(); what lies behind `a` may be read.
template <Group kGroup>
inline std::int32_t dot(const std::int32_t* a, const std::int32_t* b, std::int64_t depth) {
  Ints even = {};
  Ints odd = {};
  std::int64_t g = 0;
  for (; g + kLanes < depth; g += 2 * kLanes) {
    even = add_products<kGroup>(even, load(a + g), load(b + g));
    odd = add_products<kGroup>(odd, load(a + g + kLanes), load(b + g + kLanes));
  }
  if (g < depth) even = add_products<kGroup>(even, load(a + g), load(b + g));
  return sum_of_lanes(add_wrapping(even, odd));
}

// Sums of the rows [row, row + rows).
template <Group kGroup>
void sum_rows(const PackedGemm& g, std::int64_t row, int rows, const Columns& columns, std::int32_t* acc,
              std::int64_t acc_stride) {
  const std::int32_t* a = g.left.groups + row * g.left.k_groups;
  const int num_vectors = static_cast<int>(columns.tiled / kLanes);
  for (int v = 0; v < num_vectors; v += kTileVectors) {
    const int part = num_vectors - v < kTileVectors ? num_vectors - v : kTileVectors;
    run_columns<kGroup>({a, g.b + v * kLanes, columns.padded, g.left.k_groups, acc + v * kLanes, acc_stride}, rows,
                        part);
  }
  for (int r = 0; r < rows; ++r, acc += acc_stride) {
    if (columns.lone != nullptr) {
      acc[columns.lone_at] = dot<kGroup>(a + r * g.left.k_groups, columns.lone, g.left.k_groups);
    }
#if defined(__ARM_FEATURE_DOTPROD)
    if constexpr (kGroup == Group::kQuads) {
      for (std::int64_t j = 0; j < columns.tiled; j += kLanes) {
        store(add_wrapping(load(acc + j), Ints{} + 128 * g.left.sums[row + r]), acc + j);
      }
      if (columns.lone != nullptr) acc[columns.lone_at] += 128 * g.left.sums[row + r];
    }
#endif
  }
}

#if defined(HALFSTEP_SATURATES_BYTE_PAIRS)
// Sums of the rows of tile `index`, of which those from `skipped` on are rows [row, row + rows) of g.left.
void sum_tile(const PackedGemm& g, std::int64_t index, std::int64_t skipped, std::int64_t row, int rows,
              const Columns& columns, std::int32_t* acc) {
  const int num_vectors = static_cast<int>(columns.tiled / kLanes);
  for (int v = 0; v < num_vectors; v += kTileVectors) {
    const int part = num_vectors - v < kTileVectors ? num_vectors - v : kTileVectors;
    run_step_columns(g.left.tiles[index], g.left.steps,
                     {nullptr, g.b + v * kLanes, columns.padded, 0, acc + v * kLanes, kBlock}, part);
  }
  if (columns.lone == nullptr) return;
  for (int r = 0; r < rows; ++r) {
    acc[(skipped + r) * kBlock + columns.lone_at] =
        dot<Group::kQuads>(g.left.groups + (row + r) * g.left.k_groups, columns.lone, g.left.k_groups);
  }
}
#endif

template <Rounding kRounding, class Q>
void finish_rows(const PackedGemm& g, const std::int32_t* acc, std::int64_t row, int rows) {
  for (int r = 0; r < rows; ++r) {
    finish_row<kRounding>(acc + r * kBlock, g.n, g.finish[row + r], static_cast<Q*>(g.q) + (row + r) * g.q_stride);
  }
}

void finish_tile(const PackedGemm& g, const std::int32_t* acc, std::int64_t row, int rows) {
  with_codes(g.rounding, g.dtype, [&]<Rounding kRounding, class Q>() { finish_rows<kRounding, Q>(g, acc, row, rows); });
}

#if defined(HALFSTEP_SATURATES_BYTE_PAIRS)
void multiply_panel_by_tiles(const PackedGemm& g, const Columns& columns) {
  alignas(64) std::int32_t tile[kWeightTileRows * kBlock];
  std::int64_t skipped = g.left.tile_row;
  for (std::int64_t row = 0, index = 0; row < g.left.num_rows; ++index) {
    const std::int64_t rest = g.left.num_rows - row;
    const int rows = static_cast<int>(rest < kWeightTileRows - skipped ? rest : kWeightTileRows - skipped);
    sum_tile(g, index, skipped, row, rows, columns, tile);
    if (g.acc == nullptr) {
      finish_tile(g, tile + skipped * kBlock, row, rows);
    } else {
      for (int r = 0; r < rows; ++r) {
        const std::int32_t* from = tile + (skipped + r) * kBlock;
        for (std::int64_t j = 0; j < columns.padded; j += kLanes)
          store(load(from + j), g.acc + (row + r) * g.acc_stride + j);
      }
    }
    row += rows;
    skipped = 0;
  }
}
#endif

template <Group kGroup>
void multiply_panel_by_rows(const PackedGemm& g, const Columns& columns) {
  const int step = rows_of_tile(static_cast<int>(columns.tiled / kLanes));
  alignas(64) std::int32_t tile[kMaxTileRows * kBlock];
  for (std::int64_t row = 0; row < g.left.num_rows; row += step) {
    const int rows = static_cast<int>(g.left.num_rows - row < step ? g.left.num_rows - row : step);
    if (g.acc != nullptr) {
      sum_rows<kGroup>(g, row, rows, columns, g.acc + row * g.acc_stride, g.acc_stride);
    } else {
      sum_rows<kGroup>(g, row, rows, columns, tile, kBlock);
      finish_tile(g, tile, row, rows);
    }
  }
}

template <Group kGroup>
void multiply_panel(const PackedGemm& g) {
  Columns columns;
  columns.padded = columns.tiled = (g.n + kLanes - 1) / kLanes * kLanes;
  alignas(64) std::int32_t lone[kMaxLoneGroups + kLanes];
  if (g.n % kLanes == 1 && g.left.k_groups >= kLanes && g.left.k_groups <= kMaxLoneGroups) {
    columns.tiled = columns.lone_at = g.n - 1;
    std::int64_t k = 0;
    for (; k < g.left.k_groups; ++k) lone[k] = g.b[k * columns.padded + columns.lone_at];
    for (; k % kLanes != 0; ++k) lone[k] = no_group<kGroup>();
    columns.lone = lone;
  }
#if defined(HALFSTEP_SATURATES_BYTE_PAIRS)
  if constexpr (kGroup == Group::kQuads) {
    multiply_panel_by_tiles(g, columns);
  } else {
    multiply_panel_by_rows<kGroup>(g, columns);
  }
#else
  multiply_panel_by_rows<kGroup>(g, columns);
#endif
}

}  // namespace

void packed_gemm(const PackedGemm& g) {
  g.left.group == Group::kQuads ? multiply_panel<Group::kQuads>(g) : multiply_panel<Group::kPairs>(g);
}

PanelShape panel_shape() { return {kBlock, kLanes}; }

}  // namespace halfstep::kernels::HALFSTEP_ISA
