// variant.hpp: the functions every file under isa/ provides, once per instruction set.
//
// The files under isa/ are compiled several times, with HALFSTEP_ISA naming the
// namespace (see ../CMakeLists.txt). They must not
// leave inline functions of the standard library or other shared code behind:
// the linker could pick a copy that uses instructions the processor lacks. So
// they work on raw pointers and plain structs only; check_symbols.cmake proves it.
#pragma once

#include "kernels/kernel_table.hpp"

namespace halfstep::kernels {

namespace baseline {
extern const KernelTable kTable;
}  // namespace baseline

namespace avx2 {
extern const KernelTable kTable;
}  // namespace avx2

namespace avx512 {
extern const KernelTable kTable;
}  // namespace avx512

namespace HALFSTEP_ISA {

void gemm(const Gemm& args);
void depthwise(const Depthwise& args, float* scratch);
void conv(const Conv& args, float* scratch);
void winograd(const Conv& args, const float* transformed, const WinogradPart& part, float* scratch);
void max_pool(const MaxPool& args, void* scratch);
void max_pool_codes(const MaxPool& args, void* scratch);  ///< max_pool() of codes.
void row_means(const float* x, std::int64_t rows, std::int64_t count, float* y);
void quantize_dequantize(const float* x, float* y, std::int64_t count, float scale, std::int32_t zero_point,
                         GridBounds bounds);
void quantize_dequantize_per_channel(const float* x, float* y, std::int64_t outer, std::int64_t channels,
                                     std::int64_t inner, const float* scales, const std::int32_t* zero_points,
                                     GridBounds bounds);
void quantize_codes(const float* x, std::int64_t count, float scale, std::int32_t zero_point, GridBounds bounds,
                    DType q_dtype, void* q);
void dequantize_codes(const void* q, DType q_dtype, std::int64_t count, float scale, std::int32_t zero_point, float* y);
void add_errors(const float* reference, const float* other, std::int64_t count, ErrorLanes& lanes);
void add_errors_of_two(const float* reference, const float* first, const float* second, std::int64_t count,
                       ErrorLanes& first_lanes, ErrorLanes& second_lanes);
std::int64_t count_outside(const float* x, std::int64_t count, float lowest, float highest);
FiniteSums minmax_sum(const float* x, std::int64_t count);
std::int64_t dyadic_bin_counts(const float* x, std::int64_t count, int log2_width, std::int64_t first_bin,
                               std::int64_t num_bins, std::uint32_t* counts);
std::int64_t dyadic_bin_counts_of_part(const float* x, std::int64_t count, std::int64_t one_in, std::uint64_t seed,
                                       int log2_width, std::int64_t first_bin, std::int64_t num_bins,
                                       std::uint32_t* counts);
double weighted_grid_error(const double* edges, const double* weights, std::int64_t count, double scale, double lowest,
                           double highest, double clip_weight);
void clamp_in_place(float* x, std::int64_t count, float min, float max);
void swish(const float* x, float* y, std::int64_t count, float alpha);
void int_gemm(const IntGemm& args);
PanelShape panel_shape();
void packed_gemm(const PackedGemm& args);
void interleave_bytes(const std::uint8_t* const rows[4], std::int64_t count, std::uint8_t flip, std::int32_t* groups);
void split_groups(const std::int32_t* from, std::int64_t count, std::int64_t stride, std::int32_t* to,
                  std::int64_t to_stride);
void gather_panel(const std::int32_t* image, const std::int32_t* offsets, std::int64_t k_groups, const ColumnRun* runs,
                  std::int64_t num_runs, std::int32_t* panel, std::int64_t stride);
void copy_byte_rows(const std::uint8_t* from, std::int64_t rows, std::int64_t columns, std::int64_t from_stride,
                    std::uint8_t flip, std::uint8_t* to, std::int64_t to_stride);
void byte_sum(const ByteSum& args);
void byte_depthwise(const ByteDepthwise& args);  ///< Only where there are dot products of bytes.
void int_depthwise(const IntDepthwise& args);
void requantize_row(const std::int32_t* acc, std::int64_t count, std::int32_t bias, const numerics::Requantizer& r,
                    DType dtype, void* q);
void requantize_row_wide(const std::int64_t* acc, std::int64_t count, std::int64_t bias, const numerics::Requantizer& r,
                         DType dtype, void* q);
void centre_codes(const void* q, DType dtype, std::int64_t count, std::int32_t zero_point, std::int16_t* centred);
void centre_rows(const void* q, DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t q_stride,
                 std::int32_t zero_point, std::int16_t* centred, std::int64_t centred_stride);
void centre_pairs(const void* q_even, const void* q_odd, DType dtype, std::int64_t count, std::int32_t zero_point,
                  std::int16_t* pairs);
void look_up(const void* q_x, DType x_dtype, std::int64_t count, const void* table, DType y_dtype, void* q_y);
std::uint64_t exponentials_row(const void* q, DType q_dtype, std::int64_t count, const std::uint32_t* table,
                               std::int64_t table_size, std::uint32_t* e);
void quotient_row(const std::uint32_t* e, std::int64_t count, std::uint64_t sum, const Quotient& factor,
                  const CodeTarget& target, void* q);
void quotient_columns(const std::uint32_t* e, std::int64_t rows, std::int64_t columns, const std::uint64_t* sums,
                      const Quotient& factor, const CodeTarget& target, void* q, std::int64_t q_stride);
CodeMoments code_moments(const void* q, DType q_dtype, std::int64_t count);
void normalize_row(const void* q_x, DType x_dtype, std::int64_t count, const NormalizedRow& row,
                   const std::int32_t* gamma, const std::int64_t* beta, AffineStep step, const CodeTarget& target,
                   void* q_y);
void blend_rows(const Blend& blend, std::int64_t count, const CodeTarget& target, void* q);

}  // namespace HALFSTEP_ISA
}  // namespace halfstep::kernels
