// dispatch.cpp: the public kernels, forwarded to the instruction set in use.
#include "kernels/clamp.hpp"
#include "kernels/kernel_table.hpp"

namespace halfstep::kernels {

namespace baseline {
extern const KernelTable kTable;
}  // namespace baseline
#if defined(__x86_64__)
namespace avx2 {
extern const KernelTable kTable;
}  // namespace avx2
namespace avx512 {
extern const KernelTable kTable;
}  // namespace avx512
#endif

const KernelTable& table_for([[maybe_unused]] Isa isa) noexcept {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return avx512::kTable;
  if (isa == Isa::kAvx2) return avx2::kTable;
#endif
  return baseline::kTable;
}

namespace {

const KernelTable& active_table() noexcept {
  static const KernelTable& table = table_for(active_isa());
  return table;
}

}  // namespace

void gemm(const Gemm& args) { active_table().gemm(args); }

void depthwise(const Depthwise& args, float* scratch) { active_table().depthwise(args, scratch); }

void conv(const Conv& args, float* scratch) { active_table().conv(args, scratch); }

void winograd(const Conv& args, const float* transformed, const WinogradPart& part, float* scratch) {
  active_table().winograd(args, transformed, part, scratch);
}

void max_pool(const MaxPool& args, float* scratch) { active_table().max_pool(args, scratch); }

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

FiniteSums minmax_sum(const float* x, std::int64_t count) { return active_table().minmax_sum(x, count); }

std::int64_t dyadic_bin_counts(const float* x, std::int64_t count, int log2_width, std::int64_t first_bin,
                               std::int64_t num_bins, std::uint32_t* counts) {
  return active_table().dyadic_bin_counts(x, count, log2_width, first_bin, num_bins, counts);
}

std::int64_t dyadic_bin_counts_of_half(const float* x, std::int64_t count, std::uint64_t seed, int log2_width,
                                       std::int64_t first_bin, std::int64_t num_bins, std::uint32_t* counts) {
  return active_table().dyadic_bin_counts_of_half(x, count, seed, log2_width, first_bin, num_bins, counts);
}

double weighted_grid_error(const double* edges, const double* weights, std::int64_t count, double scale, double lowest,
                           double highest, double clip_weight) {
  return active_table().weighted_grid_error(edges, weights, count, scale, lowest, highest, clip_weight);
}

void clamp_in_place(float* x, std::int64_t count, float min, float max) {
  active_table().clamp_in_place(x, count, min, max);
}

void int_gemm(const IntGemm& args) { active_table().int_gemm(args); }

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

}  // namespace halfstep::kernels
