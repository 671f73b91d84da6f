// gemm_panel.hpp: the product of a matrix and a panel of columns, which products and convolutions share.
#pragma once

#include "kernels/gemm.hpp"
#include "kernels/isa/lanes.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {

inline constexpr int kPanelLanes = kLanes;
inline constexpr int kPanelVectors = kPanelLanes == 4 ? 2 : 3;
/// Columns of a panel; kColumnGranule is a multiple.
inline constexpr std::int64_t kPanel = kPanelVectors * kPanelLanes;
static_assert(kColumnGranule % kPanel == 0);
/// Rows of `b` in one pass, so that a packed panel (48 * 512 floats are 96 KB) stays in the second-level cache; with
/// AVX2 (24 * 256 floats are 24 KB) in the first.
inline constexpr std::int64_t kMaxDepth = kPanelLanes == 8 ? 256 : 512;

/// c[m, columns] = clamp(start + alpha * a[m, depth] * b[depth, columns]) for columns <= kPanel. `b` is in kRows order,
/// and kPanelLanes-wide loads of its rows must be allowed up to the next multiple of kPanelLanes behind `columns`.
struct PanelProduct {
  const float* a = nullptr;
  std::int64_t a_stride = 0;
  Order a_order = Order::kRows;
  const float* b = nullptr;
  std::int64_t b_stride = 0;
  float* c = nullptr;
  std::int64_t c_stride = 0;
  std::int64_t m = 0;
  std::int64_t columns = 0;
  std::int64_t depth = 0;
  bool keeps = false;      ///< Starts from what `c` holds; else from the biases.
  bool only_sums = false;  ///< Stores the sums as they are: no start, no alpha, no bounds.
  const float* row_bias = nullptr;
  const float* column_bias = nullptr;
  float alpha = 1.0F;
  float low = -__builtin_inff();
  float high = __builtin_inff();
  /// What is read after this panel: `depth` rows of kPanel floats, this far apart, are fetched into the cache. Or
  /// absent.
  const float* next = nullptr;
  std::int64_t next_stride = 0;
};

void multiply_panel(const PanelProduct& args);

/// The same for any number of columns, whose `b` are packed panels behind each other: of `depth` rows of kPanel floats,
/// the last of as many as whole vectors take. A few rows under all panels, then the next ones: so what is stored to a
/// row of `c` lies together.
inline constexpr std::int64_t kStripRows = 8;
void multiply_packed_panels(const PanelProduct& args);

/// Rows of `c` this far apart meet in few sets of the first-level cache, and in few pages.
inline constexpr std::int64_t kFarRows = 8192;

namespace {

/// Columns to pack at a time for sums of `depth`: as many panels as kMaxDepth rows take where that pays, or one.
inline std::int64_t packed_columns(std::int64_t depth, std::int64_t c_stride) {
  return kLanes == 8 && c_stride >= kFarRows && depth > 0 && depth < kMaxDepth ? kMaxDepth / depth * kPanel : kPanel;
}

}  // namespace

/// multiply_panel() for one row or two (m <= 2) and kWideColumns columns exactly: long runs of `b`, which is read where
/// it lies.
inline constexpr std::int64_t kWideColumns = 8 * kPanelLanes;
void multiply_wide_panel(const PanelProduct& args);

}  // namespace halfstep::kernels::HALFSTEP_ISA
