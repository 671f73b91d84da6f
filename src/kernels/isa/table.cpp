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
    .gemm = &gemm,
    .depthwise = &depthwise,
    .conv = &conv,
    .winograd = &winograd,
    .max_pool = &max_pool,
    .row_means = &row_means,
    .quantize_dequantize = &quantize_dequantize,
    .quantize_dequantize_per_channel = &quantize_dequantize_per_channel,
    .minmax_sum = &minmax_sum,
    .dyadic_bin_counts = &dyadic_bin_counts,
    .dyadic_bin_counts_of_half = &dyadic_bin_counts_of_half,
    .weighted_grid_error = &weighted_grid_error,
    .clamp_in_place = &clamp_in_place,
    .int_gemm = &int_gemm,
    .int_depthwise = &int_depthwise,
    .requantize_row = &requantize_row,
    .requantize_row_wide = &requantize_row_wide,
    .centre_codes = &centre_codes,
    .centre_rows = &centre_rows,
    .centre_pairs = &centre_pairs,
    .look_up = &look_up,
};

}  // namespace halfstep::kernels::HALFSTEP_ISA
