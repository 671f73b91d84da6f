// products_int.cpp: sums of products of integers, strip by strip, and what finishes them.
#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/int_gemm.hpp"
#include "kernels/requantize.hpp"
#include "ops/linear/products.hpp"

namespace halfstep::ops {
namespace {

// Sums formed before they are finished: well below a second-level cache.
constexpr std::int64_t kStripSums = 64 * 1024;
constexpr std::int64_t kMinStripRows = 8;
constexpr std::int64_t kMaxStripRows = 96;

// acc[rows, n] = the part of (I1) in pairs [first, last) of k.
void sum_block(const SumPlan& plan, const LeftRows& left, const std::int16_t* right, std::int64_t n, std::int64_t first,
               std::int64_t last, std::int32_t* acc) {
  kernels::int_gemm({.m = left.rows,
                     .n = n,
                     .k_pairs = last - first,
                     .a = left.pairs + 2 * first,
                     .a_stride = 2 * plan.k_pairs,
                     .b = right + 2 * n * first,
                     .b_stride = 2 * n,
                     .acc = acc,
                     .acc_stride = n});
}

void sum_plainly(const SumPlan& plan, const LeftRows& left, const std::int16_t* right, std::int64_t n,
                 std::int64_t* wide) {
  for (std::int64_t row = 0; row < left.rows; ++row) {
    std::int64_t* acc = wide + row * n;
    std::fill_n(acc, n, std::int64_t{0});
    if (left.plain != nullptr) {
      for (std::int64_t k = 0; k < plan.k; ++k) {
        const std::int64_t weight = left.plain[row * plan.k + k];
        const std::int16_t* x = right + k / 2 * 2 * n + k % 2;
        for (std::int64_t i = 0; i < n; ++i) acc[i] += weight * x[2 * i];
      }
    } else {
      const std::int16_t* a = left.pairs + 2 * row * plan.k_pairs;
      for (std::int64_t p = 0; p < plan.k_pairs; ++p) {
        const std::int16_t* x = right + 2 * p * n;
        for (std::int64_t i = 0; i < n; ++i) {
          // Each product is at most 2^30, but not the sum of two.
          acc[i] += std::int64_t{std::int32_t{a[2 * p]} * std::int32_t{x[2 * i]}} +
                    std::int32_t{a[2 * p + 1]} * std::int32_t{x[2 * i + 1]};
        }
      }
    }
  }
}

template <class Code>
void write_transposed_as(const std::byte* strip, std::int64_t rows, std::int64_t n, const CodePlace& place,
                         std::int64_t first_row) {
  const Code* codes = reinterpret_cast<const Code*>(strip);
  Code* to = reinterpret_cast<Code*>(place.codes) + first_row * place.row_step;
  for (std::int64_t column = 0; column < n; ++column) {
    Code* out = to + column * place.column_step;
    for (std::int64_t row = 0; row < rows; ++row) out[row * place.row_step] = codes[row * n + column];
  }
}

void write_transposed(const std::byte* strip, DType dtype, std::int64_t rows, std::int64_t n, const CodePlace& place,
                      std::int64_t first_row) {
  switch (size_in_bytes(dtype)) {
    case 1:
      return write_transposed_as<std::uint8_t>(strip, rows, n, place, first_row);
    case 2:
      return write_transposed_as<std::uint16_t>(strip, rows, n, place, first_row);
    default:
      return write_transposed_as<std::int32_t>(strip, rows, n, place, first_row);
  }
}

// Rows of a panel that are formed before they are finished, where packed_gemm() does not do that itself.
constexpr std::int64_t kPanelRows = 48;

struct PanelParts {
  std::int32_t* acc = nullptr;  // [kPanelRows][columns].
  std::byte* codes = nullptr;   // The same, of the widest codes.
};

PanelParts take_panel_parts(ScratchParts& parts) {
  const std::int64_t count = kPanelRows * kernels::panel_shape().columns;
  return {parts.take<std::int32_t>(count), reinterpret_cast<std::byte*>(parts.take<std::int32_t>(count))};
}

}  // namespace

LeftRows Product::left(std::int64_t first, std::int64_t count) const {
  return {.pairs = pairs.empty() ? nullptr : pairs.data() + 2 * first * plan.k_pairs,
          .plain = plain.empty() ? nullptr : plain.data() + first * plan.k,
          .rows = count};
}

void sum_products(const SumPlan& plan, const LeftRows& left, const std::int16_t* right, std::int64_t n,
                  const Sums& sums) {
  switch (plan.mode) {
    case SumMode::kDirect:
      sum_block(plan, left, right, n, 0, plan.k_pairs, sums.narrow);
      return;
    case SumMode::kPlain:
      sum_plainly(plan, left, right, n, sums.wide);
      return;
    case SumMode::kBlocks:
      break;
  }
  std::fill_n(sums.wide, left.rows * n, std::int64_t{0});
  std::int64_t first = 0;
  for (const std::int64_t last : plan.block_ends) {
    sum_block(plan, left, right, n, first, last, sums.narrow);
    for (std::int64_t i = 0; i < left.rows * n; ++i) sums.wide[i] += sums.narrow[i];
    first = last;
  }
}

void finish_row(const SumPlan& plan, const Sums& sums, std::int64_t row, std::int64_t n, std::int64_t bias,
                const numerics::Requantizer& requantizer, DType dtype, void* q) {
  std::int32_t* narrow = sums.narrow + row * n;
  if (dtype == DType::kInt32) {
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t sum = plan.is_wide() ? sums.wide[row * n + i] : narrow[i];
      const std::int64_t acc = std::clamp<std::int64_t>(sum + bias, requantizer.q_min, requantizer.q_max);
      static_cast<std::int32_t*>(q)[i] = static_cast<std::int32_t>(acc);
    }
  } else if (!plan.is_wide()) {
    kernels::requantize_row(narrow, n, static_cast<std::int32_t>(bias), requantizer, dtype, q);
  } else if (plan.accumulator_bits == 64) {
    kernels::requantize_row_wide(sums.wide + row * n, n, bias, requantizer, dtype, q);
  } else {
    // Only the way to the sum was wide.
    const std::int64_t* wide = sums.wide + row * n;
    for (std::int64_t i = 0; i < n; ++i) narrow[i] = static_cast<std::int32_t>(wide[i] + bias);
    kernels::requantize_row(narrow, n, 0, requantizer, dtype, q);
  }
}

std::int64_t strip_rows(std::int64_t n) {
  return std::clamp<std::int64_t>(kStripSums / std::max<std::int64_t>(1, n) / 8 * 8, kMinStripRows, kMaxStripRows);
}

std::int64_t product_columns(std::int64_t num_columns, std::int64_t k_pairs) {
  constexpr std::int64_t kBudget = 512 * 1024;
  // Products of few columns pay for reading the weights: rather exceed the cache, up to a limit.
  constexpr std::int64_t kLimit = 4 * kBudget;
  constexpr std::int64_t kMinColumns = 48;
  constexpr std::int64_t kMaxColumns = 768;
  const std::int64_t column_bytes =
      std::max<std::int64_t>(1, k_pairs) * 2 * static_cast<std::int64_t>(sizeof(std::int16_t));
  const std::int64_t fitting = std::min(kBudget / column_bytes / 48 * 48, kMaxColumns);
  const std::int64_t allowed = std::clamp<std::int64_t>(kLimit / column_bytes, 1, kMinColumns);
  return std::min(std::max(fitting, allowed), std::max<std::int64_t>(1, num_columns));
}

Sums take_sums(const SumPlan& plan, std::int64_t rows, std::int64_t n, ScratchParts& parts) {
  Sums sums;
  sums.narrow = parts.take<std::int32_t>(rows * n);
  if (plan.is_wide()) sums.wide = parts.take<std::int64_t>(rows * n);
  return sums;
}

std::size_t multiply_scratch_bytes(const SumPlan& plan, std::int64_t n, bool transposed) {
  // Fewer columns may come with more rows: what the product of both can be.
  const std::int64_t count = std::max(kMinStripRows * n, std::min(kMaxStripRows * n, kStripSums));
  ScratchParts parts;
  take_sums(plan, 1, count, parts);
  if (transposed) parts.take<std::int32_t>(count);  // The widest codes.
  return parts.used();
}

void multiply(const Product& product, std::int64_t first, std::int64_t count, const std::int16_t* right, std::int64_t n,
              const CodePlace& place, std::span<std::byte> scratch) {
  const std::int64_t strip = strip_rows(n);
  const auto code_bytes = static_cast<std::int64_t>(size_in_bytes(product.y_dtype));
  const bool transposed = place.column_step != 1 && n > 1;
  ScratchParts parts(scratch.data());
  const Sums sums = take_sums(product.plan, strip, n, parts);
  std::byte* codes = transposed ? reinterpret_cast<std::byte*>(parts.take<std::int32_t>(strip * n)) : nullptr;
  for (std::int64_t done = 0; done < count; done += strip) {
    const std::int64_t rows = std::min(strip, count - done);
    sum_products(product.plan, product.left(first + done, rows), right, n, sums);
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto channel = static_cast<std::size_t>(first + done + row);
      std::byte* q =
          transposed ? codes + row * n * code_bytes : place.codes + (done + row) * place.row_step * code_bytes;
      finish_row(product.plan, sums, row, n, product.row_start[channel] + product.channel_bias[channel],
                 product.requantizers[channel], product.y_dtype, q);
    }
    if (transposed) write_transposed(codes, product.y_dtype, rows, n, place, done);
  }
}

SumPlan plan_sums(std::int64_t k, std::span<const std::int32_t> left, CentredRange x, int accumulator_bits,
                  bool starts_fit) {
  SumPlan plan{
      .k = k, .k_pairs = (k + 1) / 2, .mode = SumMode::kDirect, .block_ends = {}, .accumulator_bits = accumulator_bits};
  const std::int64_t rows = k == 0 ? 0 : static_cast<std::int64_t>(left.size()) / k;
  std::int32_t lowest = 0;
  std::int32_t highest = 0;
  for (const std::int32_t weight : left) {
    lowest = std::min(lowest, weight);
    highest = std::max(highest, weight);
  }
  if (lowest < std::numeric_limits<std::int16_t>::min() || highest > std::numeric_limits<std::int16_t>::max()) {
    plan.mode = SumMode::kPlain;
    return plan;
  }
  const std::int64_t largest_product = std::max<std::int64_t>(-lowest, highest) * std::max(-x.min, x.max);
  const bool any_fit = k <= kMaxAccumulator32 / std::max<std::int64_t>(1, largest_product);
  bool fits = accumulator_bits == 32 && starts_fit;
  for (std::int64_t row = 0; fits && !any_fit && row < rows; ++row) {
    const auto weights = left.subspan(static_cast<std::size_t>(row * k), static_cast<std::size_t>(k));
    fits = SumRange::of_weights(weights, x.min, x.max).largest_magnitude() <= kMaxAccumulator32;
  }
  if (fits) return plan;
  plan.mode = SumMode::kBlocks;
  std::vector<SumRange> block(static_cast<std::size_t>(rows));
  std::vector<SumRange> longer(static_cast<std::size_t>(rows));
  for (std::int64_t pair = 0; pair < plan.k_pairs; ++pair) {
    const auto add_pair = [&](std::vector<SumRange>& ranges) {
      std::int64_t largest = 0;
      for (std::int64_t row = 0; row < rows; ++row) {
        SumRange& range = ranges[static_cast<std::size_t>(row)];
        for (std::int64_t i = 2 * pair; i < std::min(k, 2 * pair + 2); ++i) {
          range.add(left[static_cast<std::size_t>(row * k + i)], x.min, x.max);
        }
        largest = std::max(largest, range.largest_magnitude());
      }
      return largest <= kMaxAccumulator32;
    };
    longer = block;
    if (add_pair(longer)) {
      block.swap(longer);
      continue;
    }
    std::fill(block.begin(), block.end(), SumRange{});
    if (!add_pair(block))
      return {.k = k,
              .k_pairs = plan.k_pairs,
              .mode = SumMode::kPlain,
              .block_ends = {},
              .accumulator_bits = accumulator_bits};
    plan.block_ends.push_back(pair);
  }
  plan.block_ends.push_back(plan.k_pairs);
  return plan;
}

SumPlan plan_sums(std::int64_t k, CentredRange left, CentredRange right, int accumulator_bits, bool starts_fit) {
  SumPlan plan{
      .k = k, .k_pairs = (k + 1) / 2, .mode = SumMode::kDirect, .block_ends = {}, .accumulator_bits = accumulator_bits};
  const std::int64_t product = std::max(-left.min, left.max) * std::max(-right.min, right.max);
  const std::int64_t longest = kMaxAccumulator32 / (2 * std::max<std::int64_t>(1, product));  // In pairs.
  if (longest == 0) {
    plan.mode = SumMode::kPlain;
  } else if (accumulator_bits != 32 || !starts_fit || plan.k_pairs > longest) {
    plan.mode = SumMode::kBlocks;
    for (std::int64_t end = longest; end < plan.k_pairs; end += longest) plan.block_ends.push_back(end);
    plan.block_ends.push_back(plan.k_pairs);
  }
  return plan;
}

std::size_t multiply_panel_scratch_bytes() {
  ScratchParts parts;
  take_panel_parts(parts);
  return parts.used();
}

void multiply_panel(const Product& product, std::int64_t first, std::int64_t count, const std::int32_t* panel,
                    std::int64_t n, const CodePlace& place, std::span<std::byte> scratch) {
  const auto code_bytes = static_cast<std::int64_t>(size_in_bytes(product.y_dtype));
  const bool transposed = place.column_step != 1 && n > 1;
  ScratchParts parts(scratch.data());
  const PanelParts mine = take_panel_parts(parts);
  kernels::PackedGemm gemm;
  gemm.n = n;
  gemm.b = panel;
  gemm.rounding = product.requantizers[0].rounding;
  gemm.dtype = product.y_dtype;
  const std::int64_t columns = kernels::panel_shape().columns;
  const std::int64_t strip = transposed || product.finish.empty() ? kPanelRows : count;
  for (std::int64_t done = 0; done < count; done += strip) {
    const std::int64_t rows = std::min(strip, count - done);
    gemm.left = kernels::LeftPart(product.packed, first + done, rows);
    // To their place, or next to each other, to be transposed.
    gemm.q = transposed ? mine.codes : place.codes + done * place.row_step * code_bytes;
    gemm.q_stride = transposed ? n : place.row_step;
    if (!product.finish.empty()) {
      gemm.finish = product.finish.data() + first + done;
      kernels::packed_gemm(gemm);
    } else {
      gemm.acc = mine.acc;
      gemm.acc_stride = columns;
      kernels::packed_gemm(gemm);
      for (std::int64_t row = 0; row < rows; ++row) {
        const auto channel = static_cast<std::size_t>(first + done + row);
        finish_row(product.plan, {.narrow = mine.acc + row * columns, .wide = nullptr}, 0, n,
                   product.row_start[channel] + product.channel_bias[channel], product.requantizers[channel],
                   product.y_dtype, static_cast<std::byte*>(gemm.q) + row * gemm.q_stride * code_bytes);
      }
    }
    if (transposed) write_transposed(mine.codes, product.y_dtype, rows, n, place, done);
  }
}

}  // namespace halfstep::ops
