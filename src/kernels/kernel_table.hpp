// kernel_table.hpp: the kernels of one instruction set; internal to this layer and its tests.
#pragma once

#include <cstdint>

#include "kernels/conv.hpp"
#include "kernels/depthwise.hpp"
#include "kernels/gemm.hpp"
#include "kernels/grid_error.hpp"
#include "kernels/histogram.hpp"
#include "kernels/int_depthwise.hpp"
#include "kernels/int_gemm.hpp"
#include "kernels/isa.hpp"
#include "kernels/pool.hpp"
#include "kernels/quantize.hpp"
#include "kernels/requantize.hpp"
#include "kernels/winograd.hpp"

namespace halfstep::kernels {

/// The same functions as the public headers declare, compiled for one instruction set.
struct KernelTable {
  Isa compiled_for;  ///< As the compiler's own macros said, not as the build meant it.
  void (*gemm)(const Gemm&);
  void (*depthwise)(const Depthwise&, float*);
  void (*conv)(const Conv&, float*);
  void (*winograd)(const Conv&, const float*, const WinogradPart&, float*);
  void (*max_pool)(const MaxPool&, float*);
  void (*row_means)(const float*, std::int64_t, std::int64_t, float*);
  void (*quantize_dequantize)(const float*, float*, std::int64_t, float, std::int32_t, GridBounds);
  void (*quantize_dequantize_per_channel)(const float*, float*, std::int64_t, std::int64_t, std::int64_t, const float*,
                                          const std::int32_t*, GridBounds);
  FiniteSums (*minmax_sum)(const float*, std::int64_t);
  std::int64_t (*dyadic_bin_counts)(const float*, std::int64_t, int, std::int64_t, std::int64_t, std::uint32_t*);
  std::int64_t (*dyadic_bin_counts_of_half)(const float*, std::int64_t, std::uint64_t, int, std::int64_t, std::int64_t,
                                            std::uint32_t*);
  double (*weighted_grid_error)(const double*, const double*, std::int64_t, double, double, double, double);
  void (*clamp_in_place)(float*, std::int64_t, float, float);
  void (*int_gemm)(const IntGemm&);
  void (*int_depthwise)(const IntDepthwise&);
  void (*requantize_row)(const std::int32_t*, std::int64_t, std::int32_t, const numerics::Requantizer&, DType, void*);
  void (*requantize_row_wide)(const std::int64_t*, std::int64_t, std::int64_t, const numerics::Requantizer&, DType,
                              void*);
  void (*centre_codes)(const void*, DType, std::int64_t, std::int32_t, std::int16_t*);
  void (*centre_rows)(const void*, DType, std::int64_t, std::int64_t, std::int64_t, std::int32_t, std::int16_t*,
                      std::int64_t);
  void (*centre_pairs)(const void*, const void*, DType, std::int64_t, std::int32_t, std::int16_t*);
  void (*look_up)(const void*, DType, std::int64_t, const void*, DType, void*);
};

/// The kernels for `isa`, or the nearest lower set this build contains. Running
/// them requires a processor that supports them: detected_isa() >= isa.
const KernelTable& table_for(Isa isa) noexcept;

}  // namespace halfstep::kernels
