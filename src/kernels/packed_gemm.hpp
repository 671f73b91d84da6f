// packed_gemm.hpp: integer products of packed operands, finished to codes while they are in cache.
//
//   acc[row, column] = sum over k of left[row, k] * right[k, column]
//
// Operands are packed into groups of 32 bits, neighbours along k: what one lane of a dot-product instruction takes.
// The left side is constant, packed once; the right side is packed panel by panel, just before it is used (its cost,
// n * k, is small beside m * n * k), so that it is read from the first-level cache by every tile of rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/dtype.hpp"
#include "numerics/fixed_point.hpp"

namespace halfstep::kernels {

/// What the 32 bits of a group hold.
enum class Group : std::uint8_t {
  kPairs,  ///< Two int16 on both sides. Requires: never all four -32768.
  kQuads,  ///< Four int8 on the left, four uint8 on the right.
};
constexpr std::int64_t group_size(Group group) noexcept { return group == Group::kPairs ? 2 : 4; }

/// How many columns a panel has at most, and to a multiple of how many it is filled up.
struct PanelShape {
  std::int64_t columns = 0;
  std::int64_t lanes = 0;

  std::int64_t padded(std::int64_t n) const { return (n + lanes - 1) / lanes * lanes; }
};
PanelShape panel_shape() noexcept;

/// Groups behind the last row of a PackedLeft that kernels may read.
inline constexpr std::int64_t kGroupSlack = 16;

/// Rows that a WeightTile holds.
inline constexpr std::int64_t kWeightTileRows = 4;

/// Rows of quads for instructions that saturate the sum of two products of bytes to 16 bits, cut up so that no sum they
/// form leaves int16. A double has two groups whose 16-bit sums are added before they are widened, a single has one:
///   double: group of k, group of k, for each row both quads; single: group of k, for each row its quad.
/// A group of k occurs as often as its weights need; over all occurrences they add up to the weights of the rows.
struct WeightTile {
  std::int64_t first = 0;  ///< Of its doubles in PackedLeft::steps, followed by its singles.
  std::int64_t doubles = 0;
  std::int64_t singles = 0;
};
inline constexpr std::int64_t kDoubleSize = 2 + 2 * kWeightTileRows;
inline constexpr std::int64_t kSingleSize = 1 + kWeightTileRows;

/// Constant rows.
struct PackedLeft {
  Group group = Group::kPairs;
  std::int64_t rows = 0;
  std::int64_t k_groups = 0;
  std::vector<std::int32_t> groups;  ///< [rows][k_groups], and kGroupSlack more.
  /// Rows [t * kWeightTileRows, ...) are tile t; empty where nothing saturates. Rows behind the last are zeros.
  std::vector<WeightTile> tiles;
  std::vector<std::int32_t> steps;
  std::vector<std::int32_t> sums;  ///< By row; with kQuads only, for instruction sets whose bytes are signed.
};

/// Packs left[rows][k], every number int8 (kQuads) or int16 (kPairs); k is filled up with zeros. With kQuads and
/// `saturating` there are tiles, too.
PackedLeft pack_left(Group group, std::int64_t rows, std::int64_t k, std::span<const std::int32_t> left,
                     bool saturating);
/// The same for the instruction set in use.
PackedLeft pack_left(Group group, std::int64_t rows, std::int64_t k, std::span<const std::int32_t> left);

/// What turns the sums of one row into codes: (R2) with everything that depends on the row alone worked out.
struct RowFinish {
  std::int64_t offset = 0;      ///< bias * multiplier.
  std::int64_t rounded = 0;     ///< offset, and what rounds.
  std::int32_t multiplier = 0;  ///< Q31.
  std::int32_t shift = 0;       ///< Of the product, to the right; at least 32.
  std::int32_t low = 0;         ///< Bounds, and
  std::int32_t high = 0;
  std::int32_t zero_point = 0;
};

/// False if the row must be finished by requantize_row(): factors of 1 and more, float32 and double rounding.
/// Requires what requantize_row() does of `bias`.
bool make_row_finish(std::int64_t bias, const numerics::Requantizer& r, DType dtype, RowFinish& finish) noexcept;

/// Consecutive rows of a PackedLeft.
struct LeftPart {
  LeftPart() = default;
  LeftPart(const PackedLeft& left, std::int64_t first, std::int64_t count)
      : group(left.group),
        num_rows(count),
        k_groups(left.k_groups),
        groups(left.groups.data() + first * left.k_groups),
        tiles(left.tiles.empty() ? nullptr : left.tiles.data() + first / kWeightTileRows),
        tile_row(first % kWeightTileRows),
        steps(left.steps.data()),
        sums(left.sums.empty() ? nullptr : left.sums.data() + first) {}

  Group group = Group::kPairs;
  std::int64_t num_rows = 0;
  std::int64_t k_groups = 0;
  const std::int32_t* groups = nullptr;
  const WeightTile* tiles = nullptr;  ///< The first has the first row as its row tile_row.
  std::int64_t tile_row = 0;
  const std::int32_t* steps = nullptr;
  const std::int32_t* sums = nullptr;
};

/// One panel.
struct PackedGemm {
  LeftPart left;
  std::int64_t n = 0;               ///< Columns, at most panel_shape().columns.
  const std::int32_t* b = nullptr;  ///< [k_groups][panel_shape().padded(n)].

  /// Sums go here, [rows][acc_stride], acc_stride >= padded(n); what lies between n and padded(n) is overwritten.
  std::int32_t* acc = nullptr;
  std::int64_t acc_stride = 0;

  /// Or, without acc, codes of type `dtype` go here: rows `q_stride` codes apart.
  const RowFinish* finish = nullptr;  ///< By row of `left`.
  numerics::Rounding rounding = numerics::Rounding::kHalfUp;
  DType dtype = DType::kUint8;
  void* q = nullptr;
  std::int64_t q_stride = 0;
};

/// Runs on the calling thread; the same bits on every instruction set.
/// Requires: no sum leaves int32, with the bias of `finish` if that is set.
void packed_gemm(const PackedGemm& args);

/// groups[i] = rows[0][i] ^ flip, rows[1][i] ^ flip, ... for `count` bytes of four rows.
void interleave_bytes(const std::uint8_t* const rows[4], std::int64_t count, std::uint8_t flip, std::int32_t* groups);

/// to[p][i] = from[i * stride + p] for all p < stride, rows `to_stride` apart: what neighbouring windows read side by
/// side. Elements of rows behind their end are left as they are.
void split_groups(const std::int32_t* from, std::int64_t count, std::int64_t stride, std::int32_t* to,
                  std::int64_t to_stride);

/// A run of columns that lie side by side in the image.
struct ColumnRun {
  std::int64_t from = 0;   ///< In the image, for the first row of the panel, less its offset.
  std::int64_t count = 0;  ///< Columns.
};

/// panel[g][...] = for each run, image[offsets[g] + run.from, ... + run.count), one run behind the other; rows are
/// `stride` apart. Up to panel_shape().lanes elements behind each run are read, and behind the last row written.
void gather_panel(const std::int32_t* image, const std::int32_t* offsets, std::int64_t k_groups, const ColumnRun* runs,
                  std::int64_t num_runs, std::int32_t* panel, std::int64_t stride);

}  // namespace halfstep::kernels
