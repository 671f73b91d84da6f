// products.hpp: sums of products of integers and how they become codes: what convolutions and matrix products share.
//
//   acc[row, column] = sum over k of left[row, k] * right[k, column]      (I1)
//
// The right-hand side is packed columns of centred codes (kernels/int_columns.hpp), the left-hand one weights or
// another activation. Codes that would leave int16 when their zero point is subtracted are centred on the middle of
// their type; the difference, times the sum of the weights, is part of the bias.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/dtype.hpp"
#include "kernels/packed_gemm.hpp"
#include "numerics/fixed_point.hpp"

namespace halfstep::ops {

inline constexpr std::int64_t kMaxAccumulator32 = std::numeric_limits<std::int32_t>::max();

/// How the sums of (I1) are formed.
enum class SumMode {
  kDirect,  ///< One 32-bit product; no partial sum leaves int32.
  kBlocks,  ///< 32-bit products of as much of k as is proved to fit, added up in 64 bits.
  kPlain,   ///< One by one in 64 bits: weights beyond int16, or pairs of products beyond int32.
};

/// The inner side of a product, and what is proved of it.
struct SumPlan {
  std::int64_t k = 0;
  std::int64_t k_pairs = 0;  ///< Half of k, rounded up.
  SumMode mode = SumMode::kDirect;
  std::vector<std::int64_t>
      block_ends;             ///< With kBlocks: where each block of pairs ends, ascending; the last is k_pairs.
  int accumulator_bits = 32;  ///< Which of requantize() and requantize_wide() finishes the sums.

  bool is_wide() const { return mode != SumMode::kDirect; }
};

/// The interval in which sums of products lie, whatever part of them has been added.
struct SumRange {
  std::int64_t min = 0;
  std::int64_t max = 0;

  /// Adds weight * x for x in [x_min, x_max], a range taken to contain 0.
  void add(std::int64_t weight, std::int64_t x_min, std::int64_t x_max) {
    const std::int64_t at_min = weight * x_min;
    const std::int64_t at_max = weight * x_max;
    min += std::min({at_min, at_max, std::int64_t{0}});
    max += std::max({at_min, at_max, std::int64_t{0}});
  }
  std::int64_t largest_magnitude() const { return std::max(-min, max); }

  /// What add() makes of all `weights` with one range, by the sums of the positive and of the negative ones.
  static SumRange of_weights(std::span<const std::int32_t> weights, std::int64_t x_min, std::int64_t x_max) {
    std::int64_t positive = 0;
    std::int64_t negative = 0;
    for (const std::int32_t weight : weights) {
      positive += std::max(weight, 0);
      negative += std::min(weight, 0);
    }
    const std::int64_t lowest = std::min<std::int64_t>(x_min, 0);
    const std::int64_t highest = std::max<std::int64_t>(x_max, 0);
    return {positive * lowest + negative * highest, positive * highest + negative * lowest};
  }
};

/// The left-hand rows of a product: `pairs` [rows][k_pairs][2]; or, with kPlain only, `plain` [rows][k].
struct LeftRows {
  const std::int16_t* pairs = nullptr;
  const std::int32_t* plain = nullptr;
  std::int64_t rows = 0;
};

/// Accumulators [rows][n]: `narrow` always, `wide` if the plan is wide.
struct Sums {
  std::int32_t* narrow = nullptr;
  std::int64_t* wide = nullptr;
};

/// (I1) into sums.narrow if the plan is direct, else into sums.wide (sums.narrow is then overwritten with parts).
/// `right` is [k_pairs][n][2].
void sum_products(const SumPlan& plan, const LeftRows& left, const std::int16_t* right, std::int64_t n,
                  const Sums& sums);

/// q[i] = requantize(sums[i] + bias) for row `row` of sums, by the plan's accumulator width; with dtype int32 the
/// accumulators themselves, clamped. Requires that the plan's proof includes the bias.
void finish_row(const SumPlan& plan, const Sums& sums, std::int64_t row, std::int64_t n, std::int64_t bias,
                const numerics::Requantizer& requantizer, DType dtype, void* q);

/// Constant weights, and what finishes each channel: a channel is rows_per_channel consecutive rows.
struct Product {
  SumPlan plan;
  /// The weights, if ProductSpec::packing allows it and the plan is direct; `pairs` and `plain` are empty then.
  kernels::PackedLeft packed;
  std::vector<kernels::RowFinish> finish;  ///< Of `packed`, by row; empty if a channel is finished otherwise.
  std::int64_t rows = 0;
  std::int64_t rows_per_channel = 1;
  std::vector<std::int16_t> pairs;                  ///< [rows][k_pairs][2]; empty where `plain` is not.
  std::vector<std::int32_t> plain;                  ///< [rows][k]; only with kPlain.
  std::vector<std::int64_t> row_start;              ///< By row: the sum of its weights times (centre - zero point).
  std::vector<std::int64_t> channel_bias;           ///< By channel; without row_start.
  std::vector<numerics::Requantizer> requantizers;  ///< By channel.
  DType y_dtype = DType::kUint8;

  LeftRows left(std::int64_t first, std::int64_t count) const;
  bool is_packed() const { return packed.rows > 0; }
};

/// Sets packed and finish from the weights left[rows][k]; all else but `pairs` and `plain` is set. Every `k_run` of k
/// (0: all) are filled up to whole groups. Requires: weights fit the group, and the plan is direct.
void pack_weights(std::span<const std::int32_t> left, std::int64_t k_run, kernels::Group group, Product& product);

/// Sets pairs, or plain where weights do not fit 16 bits; plan and rows are set.
void lay_out_weights(std::vector<std::int32_t> left, Product& product);

/// By group of input channels: the code that is subtracted when codes are centred, and what real 0 is then.
struct Centre {
  std::int32_t centre = 0;
  std::int16_t zero = 0;
};

/// Where codes go: element (row, column) at row * row_step + column * column_step.
struct CodePlace {
  std::byte* codes = nullptr;
  std::int64_t row_step = 0;
  std::int64_t column_step = 1;
};

/// Bytes of scratch multiply() needs for up to `n` columns; `transposed`: with a column_step other than 1.
std::size_t multiply_scratch_bytes(const SumPlan& plan, std::int64_t n, bool transposed);

/// The codes of rows [first, first + count) of a product whose rows are channels. `right` is [k_pairs][n][2].
void multiply(const Product& product, std::int64_t first, std::int64_t count, const std::int16_t* right, std::int64_t n,
              const CodePlace& place, std::span<std::byte> scratch);

/// The same for a packed product and one panel, [packed.k_groups][padded columns] (kernels/panels.hpp).
void multiply_panel(const Product& product, std::int64_t first, std::int64_t count, const std::int32_t* panel,
                    std::int64_t n, const CodePlace& place, std::span<std::byte> scratch);

/// Bytes of scratch multiply_panel() needs.
std::size_t multiply_panel_scratch_bytes();

/// How many rows of n sums to form at a time, so that they are still in cache when they are finished.
std::int64_t strip_rows(std::int64_t n);

/// How many columns of k_pairs pairs to lay out at a time, of `num_columns`.
std::int64_t product_columns(std::int64_t num_columns, std::int64_t k_pairs);

/// Hands out parts of a kernel's scratch, each 64-byte aligned; without memory it only counts bytes.
class ScratchParts {
 public:
  explicit ScratchParts(std::byte* begin = nullptr) : begin_(begin) {}

  template <class T>
  T* take(std::int64_t count) {
    std::byte* at = begin_ == nullptr ? nullptr : begin_ + used_;
    used_ += (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64;
    return reinterpret_cast<T*>(at);
  }
  std::size_t used() const { return used_; }

 private:
  std::byte* begin_;
  std::size_t used_ = 0;
};

/// The sums of up to `rows` rows of `n`, taken from `parts`.
Sums take_sums(const SumPlan& plan, std::int64_t rows, std::int64_t n, ScratchParts& parts);

/// What centred codes lie between.
struct CentredRange {
  std::int64_t min = 0;
  std::int64_t max = 0;
};

/// The fastest mode for the constant rows `left` [rows][k] times codes in `x`. `starts_fit`: what is added
/// to the sums fits int32. The caller has proved that the finished sums fit `accumulator_bits`.
SumPlan plan_sums(std::int64_t k, std::span<const std::int32_t> left, CentredRange x, int accumulator_bits,
                  bool starts_fit);

/// The same for two activations.
SumPlan plan_sums(std::int64_t k, CentredRange left, CentredRange right, int accumulator_bits, bool starts_fit);

}  // namespace halfstep::ops
