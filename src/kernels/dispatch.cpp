// dispatch.cpp: the public kernels, forwarded to the instruction set in use.
#include "kernels/clamp.hpp"
#include "kernels/kernel_table.hpp"
#include "kernels/swish.hpp"

namespace halfstep::kernels {

namespace baseline {
extern const KernelTable kTable;
}  // namespace baseline
#if defined(__x86_64__)
namespace avx2 {
extern const KernelTable kTable;
}  // namespace avx2
namespace avxvnni {
void packed_gemm(const PackedGemm& args);
void byte_depthwise(const ByteDepthwise& args);
}  // namespace avxvnni
namespace avx512 {
extern const KernelTable kTable;
}  // namespace avx512
namespace avx512vnni {
void packed_gemm(const PackedGemm& args);
void byte_depthwise(const ByteDepthwise& args);
}  // namespace avx512vnni
#elif defined(__aarch64__)
namespace neondot {
void packed_gemm(const PackedGemm& args);
void byte_depthwise(const ByteDepthwise& args);
}  // namespace neondot
#endif

namespace {

// A set that adds dot products to another: all other kernels are that one's.
[[maybe_unused]] KernelTable with_dot_products(const KernelTable& base, Isa isa, void (*packed_gemm)(const PackedGemm&),
                                               void (*byte_depthwise)(const ByteDepthwise&)) {
  KernelTable table = base;
  table.compiled_for = isa;
  table.saturates_byte_pairs = false;
  table.packed_gemm = packed_gemm;
  table.byte_depthwise = byte_depthwise;
  return table;
}

}  // namespace

const KernelTable& table_for([[maybe_unused]] Isa isa) noexcept {
#if defined(__x86_64__)
  static const KernelTable kAvxVnniTable =
      with_dot_products(avx2::kTable, Isa::kAvxVnni, &avxvnni::packed_gemm, &avxvnni::byte_depthwise);
  static const KernelTable kAvx512VnniTable =
      with_dot_products(avx512::kTable, Isa::kAvx512Vnni, &avx512vnni::packed_gemm, &avx512vnni::byte_depthwise);
  if (isa == Isa::kAvx512Vnni) return kAvx512VnniTable;
  if (isa == Isa::kAvx512) return avx512::kTable;
  if (isa == Isa::kAvxVnni) return kAvxVnniTable;
  if (isa == Isa::kAvx2) return avx2::kTable;
#elif defined(__aarch64__)
  static const KernelTable kNeonDotTable =
      with_dot_products(baseline::kTable, Isa::kNeonDot, &neondot::packed_gemm, &neondot::byte_depthwise);
  if (isa == Isa::kNeonDot) return kNeonDotTable;
#endif
  return baseline::kTable;
}

const KernelTable& active_table() noexcept {
  static const KernelTable& table = table_for(active_isa());
  return table;
}

void gemm(const Gemm& args) { active_table().gemm(args); }

void depthwise(const Depthwise& args, float* scratch) { active_table().depthwise(args, scratch); }

void conv(const Conv& args, float* scratch) { active_table().conv(args, scratch); }

void winograd(const Conv& args, const float* transformed, const WinogradPart& part, float* scratch) {
  active_table().winograd(args, transformed, part, scratch);
}

void max_pool(const MaxPool& args, void* scratch) { active_table().max_pool(args, scratch); }

void row_means(const float* x, std::int64_t rows, std::int64_t count, float* y) {
  active_table().row_means(x, rows, count, y);
}

void quantize_dequantize(const float* x, float* y, std::int64_t count, float scale, std::int32_t zero_point,
                         GridBounds bounds) {
  active_table().quantize_dequantize(x, y, count, scale, zero_point, bounds);
}

void quantize_dequantize_per_channel(const float* x, float* y, std::int64_t outer, std::int64_t channels,
                                     std::int64_t inner, const float* scales, const std::int32_t* zero_points,
                                     GridBounds bounds) {
  active_table().quantize_dequantize_per_channel(x, y, outer, channels, inner, scales, zero_points, bounds);
}

void quantize_codes(const float* x, std::int64_t count, float scale, std::int32_t zero_point, GridBounds bounds,
                    DType q_dtype, void* q) {
  active_table().quantize_codes(x, count, scale, zero_point, bounds, q_dtype, q);
}

void dequantize_codes(const void* q, DType q_dtype, std::int64_t count, float scale, std::int32_t zero_point,
                      float* y) {
  active_table().dequantize_codes(q, q_dtype, count, scale, zero_point, y);
}

void add_errors(const float* reference, const float* other, std::int64_t count, ErrorLanes& lanes) {
  active_table().add_errors(reference, other, count, lanes);
}

void add_errors_of_two(const float* reference, const float* first, const float* second, std::int64_t count,
                       ErrorLanes& first_lanes, ErrorLanes& second_lanes) {
  active_table().add_errors_of_two(reference, first, second, count, first_lanes, second_lanes);
}

std::int64_t count_outside(const float* x, std::int64_t count, float lowest, float highest) {
  return active_table().count_outside(x, count, lowest, highest);
}

FiniteSums minmax_sum(const float* x, std::int64_t count) { return active_table().minmax_sum(x, count); }

std::int64_t dyadic_bin_counts(const float* x, std::int64_t count, int log2_width, std::int64_t first_bin,
                               std::int64_t num_bins, std::uint32_t* counts) {
  return active_table().dyadic_bin_counts(x, count, log2_width, first_bin, num_bins, counts);
}

std::int64_t dyadic_bin_counts_of_part(const float* x, std::int64_t count, std::int64_t one_in, std::uint64_t seed,
                                       int log2_width, std::int64_t first_bin, std::int64_t num_bins,
                                       std::uint32_t* counts) {
  return active_table().dyadic_bin_counts_of_part(x, count, one_in, seed, log2_width, first_bin, num_bins, counts);
}

double weighted_grid_error(const double* edges, const double* weights, std::int64_t count, double scale, double lowest,
                           double highest, double clip_weight) {
  return active_table().weighted_grid_error(edges, weights, count, scale, lowest, highest, clip_weight);
}

void clamp_in_place(float* x, std::int64_t count, float min, float max) {
  active_table().clamp_in_place(x, count, min, max);
}

void swish(const float* x, float* y, std::int64_t count, float alpha) { active_table().swish(x, y, count, alpha); }

void int_gemm(const IntGemm& args) { active_table().int_gemm(args); }

PanelShape panel_shape() noexcept { return active_table().panel_shape(); }

void packed_gemm(const PackedGemm& args) { active_table().packed_gemm(args); }

void interleave_bytes(const std::uint8_t* const rows[4], std::int64_t count, std::uint8_t flip, std::int32_t* groups) {
  active_table().interleave_bytes(rows, count, flip, groups);
}

void split_groups(const std::int32_t* from, std::int64_t count, std::int64_t stride, std::int32_t* to,
                  std::int64_t to_stride) {
  active_table().split_groups(from, count, stride, to, to_stride);
}

void gather_panel(const std::int32_t* image, const std::int32_t* offsets, std::int64_t k_groups, const ColumnRun* runs,
                  std::int64_t num_runs, std::int32_t* panel, std::int64_t stride) {
  active_table().gather_panel(image, offsets, k_groups, runs, num_runs, panel, stride);
}

void byte_sum(const ByteSum& args) { active_table().byte_sum(args); }

void int_depthwise(const IntDepthwise& args) { active_table().int_depthwise(args); }

void requantize_row(const std::int32_t* acc, std::int64_t count, std::int32_t bias, const numerics::Requantizer& r,
                    DType dtype, void* q) {
  active_table().requantize_row(acc, count, bias, r, dtype, q);
}

void requantize_row_wide(const std::int64_t* acc, std::int64_t count, std::int64_t bias, const numerics::Requantizer& r,
                         DType dtype, void* q) {
  active_table().requantize_row_wide(acc, count, bias, r, dtype, q);
}

void centre_codes(const void* q, DType dtype, std::int64_t count, std::int32_t zero_point, std::int16_t* centred) {
  active_table().centre_codes(q, dtype, count, zero_point, centred);
}

void centre_rows(const void* q, DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t q_stride,
                 std::int32_t zero_point, std::int16_t* centred, std::int64_t centred_stride) {
  active_table().centre_rows(q, dtype, rows, columns, q_stride, zero_point, centred, centred_stride);
}

void centre_pairs(const void* q_even, const void* q_odd, DType dtype, std::int64_t count, std::int32_t zero_point,
                  std::int16_t* pairs) {
  active_table().centre_pairs(q_even, q_odd, dtype, count, zero_point, pairs);
}

void look_up(const void* q_x, DType x_dtype, std::int64_t count, const void* table, DType y_dtype, void* q_y) {
  active_table().look_up(q_x, x_dtype, count, table, y_dtype, q_y);
}

std::uint64_t exponentials_row(const void* q, DType q_dtype, std::int64_t count, const std::uint32_t* table,
                               std::int64_t table_size, std::uint32_t* e) {
  return active_table().exponentials_row(q, q_dtype, count, table, table_size, e);
}

void quotient_row(const std::uint32_t* e, std::int64_t count, std::uint64_t sum, const Quotient& factor,
                  const CodeTarget& target, void* q) {
  active_table().quotient_row(e, count, sum, factor, target, q);
}

void quotient_columns(const std::uint32_t* e, std::int64_t rows, std::int64_t columns, const std::uint64_t* sums,
                      const Quotient& factor, const CodeTarget& target, void* q, std::int64_t q_stride) {
  active_table().quotient_columns(e, rows, columns, sums, factor, target, q, q_stride);
}

CodeMoments code_moments(const void* q, DType q_dtype, std::int64_t count) {
  return active_table().code_moments(q, q_dtype, count);
}

void normalize_row(const void* q_x, DType x_dtype, std::int64_t count, const NormalizedRow& row,
                   const std::int32_t* gamma, const std::int64_t* beta, AffineStep step, const CodeTarget& target,
                   void* q_y) {
  active_table().normalize_row(q_x, x_dtype, count, row, gamma, beta, step, target, q_y);
}

void blend_rows(const Blend& blend, std::int64_t count, const CodeTarget& target, void* q) {
  active_table().blend_rows(blend, count, target, q);
}

}  // namespace halfstep::kernels
