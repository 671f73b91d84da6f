// table.cpp: lists the kernels of the instruction set this file is compiled for.
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {

const KernelTable kTable = {
#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
    .compiled_for = Isa::kAvx512,
#elif defined(__AVX2__) && defined(__FMA__)
    .compiled_for = Isa::kAvx2,
#else
    .compiled_for = Isa::kBaseline,
#endif
#if defined(__AVX2__)
    .saturates_byte_pairs = true,
#else
    .saturates_byte_pairs = false,
#endif
    .gemm = &gemm,
    .depthwise = &depthwise,
    .conv = &conv,
    .winograd = &winograd,
    .max_pool = &max_pool,
    .row_means = &row_means,
    .quantize_dequantize = &quantize_dequantize,
    .quantize_dequantize_per_channel = &quantize_dequantize_per_channel,
    .quantize_codes = &quantize_codes,
    .dequantize_codes = &dequantize_codes,
    .add_errors = &add_errors,
    .add_errors_of_two = &add_errors_of_two,
    .count_outside = &count_outside,
    .minmax_sum = &minmax_sum,
    .dyadic_bin_counts = &dyadic_bin_counts,
    .dyadic_bin_counts_of_part = &dyadic_bin_counts_of_part,
    .weighted_grid_error = &weighted_grid_error,
    .clamp_in_place = &clamp_in_place,
    .swish = &swish,
    .int_gemm = &int_gemm,
    .panel_shape = &panel_shape,
    .packed_gemm = &packed_gemm,
    .interleave_bytes = &interleave_bytes,
    .split_groups = &split_groups,
    .gather_panel = &gather_panel,
    .copy_byte_rows = &copy_byte_rows,
    .byte_sum = &byte_sum,
    .byte_depthwise = nullptr,  // Sets with dot products have it: dispatch.cpp.
    .int_depthwise = &int_depthwise,
    .requantize_row = &requantize_row,
    .requantize_row_wide = &requantize_row_wide,
    .centre_codes = &centre_codes,
    .centre_rows = &centre_rows,
    .centre_pairs = &centre_pairs,
    .look_up = &look_up,
    .exponentials_row = &exponentials_row,
    .quotient_row = &quotient_row,
    .quotient_columns = &quotient_columns,
    .code_moments = &code_moments,
    .normalize_row = &normalize_row,
    .blend_rows = &blend_rows,
};

}  // namespace halfstep::kernels::HALFSTEP_ISA
