// table.cpp: lists the kernels of the instruction set this file is compiled for.
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {

const KernelTable kTable = {
#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
    .compiled_for = Isa::kAvx512,
    // Eigen's product is faster with 256-bit registers on the processors measured.
    .gemm = &avx2::gemm,
#elif defined(__AVX2__) && defined(__FMA__)
    .compiled_for = Isa::kAvx2,
    .gemm = &gemm,
#else
    .compiled_for = Isa::kBaseline,
    .gemm = &gemm,
#endif
    .depthwise = &depthwise,
    .quantize_dequantize = &quantize_dequantize,
    .quantize_dequantize_per_channel = &quantize_dequantize_per_channel,
    .minmax_sum = &minmax_sum,
    .dyadic_bin_counts = &dyadic_bin_counts,
    .clamp_in_place = &clamp_in_place,
};

}  // namespace halfstep::kernels::HALFSTEP_ISA
