// kernel_table.hpp: the kernels of one instruction set; internal to this layer and its tests.
#pragma once

#include <cstdint>

#include "kernels/byte_depthwise.hpp"
#include "kernels/byte_sum.hpp"
#include "kernels/conv.hpp"
#include "kernels/depthwise.hpp"
#include "kernels/error_sums.hpp"
#include "kernels/exact_rows.hpp"
#include "kernels/gemm.hpp"
#include "kernels/grid_error.hpp"
#include "kernels/histogram.hpp"
#include "kernels/int_depthwise.hpp"
#include "kernels/int_gemm.hpp"
#include "kernels/isa.hpp"
#include "kernels/packed_gemm.hpp"
#include "kernels/pool.hpp"
#include "kernels/quantize.hpp"
#include "kernels/requantize.hpp"
#include "kernels/winograd.hpp"

namespace halfstep::kernels {

/// The same functions as the public headers declare, compiled for one instruction set.
struct KernelTable {
  Isa compiled_for;           ///< As the compiler's own macros said, not as the build meant it.
  bool saturates_byte_pairs;  ///< packed_gemm() saturates sums of two products of bytes to 16 bits: see pack_left().
  void (*gemm)(const Gemm&);
  void (*depthwise)(const Depthwise&, float*);
  void (*conv)(const Conv&, float*);
  void (*winograd)(const Conv&, const float*, const WinogradPart&, float*);
  void (*max_pool)(const MaxPool&, void*);
  void (*row_means)(const float*, std::int64_t, std::int64_t, float*);
  void (*quantize_dequantize)(const float*, float*, std::int64_t, float, std::int32_t, GridBounds);
  void (*quantize_dequantize_per_channel)(const float*, float*, std::int64_t, std::int64_t, std::int64_t, const float*,
                                          const std::int32_t*, GridBounds);
  void (*quantize_codes)(const float*, std::int64_t, float, std::int32_t, GridBounds, DType, void*);
  void (*dequantize_codes)(const void*, DType, std::int64_t, float, std::int32_t, float*);
  void (*add_errors)(const float*, const float*, std::int64_t, ErrorLanes&);
  void (*add_errors_of_two)(const float*, const float*, const float*, std::int64_t, ErrorLanes&, ErrorLanes&);
  std::int64_t (*count_outside)(const float*, std::int64_t, float, float);
  FiniteSums (*minmax_sum)(const float*, std::int64_t);
  std::int64_t (*dyadic_bin_counts)(const float*, std::int64_t, int, std::int64_t, std::int64_t, std::uint32_t*);
  std::int64_t (*dyadic_bin_counts_of_part)(const float*, std::int64_t, std::int64_t, std::uint64_t, int, std::int64_t,
                                            std::int64_t, std::uint32_t*);
  double (*weighted_grid_error)(const double*, const double*, std::int64_t, double, double, double, double);
  void (*clamp_in_place)(float*, std::int64_t, float, float);
  void (*swish)(const float*, float*, std::int64_t, float);
  void (*int_gemm)(const IntGemm&);
  PanelShape (*panel_shape)();
  void (*packed_gemm)(const PackedGemm&);
  void (*interleave_bytes)(const std::uint8_t* const[4], std::int64_t, std::uint8_t, std::int32_t*);
  void (*split_groups)(const std::int32_t*, std::int64_t, std::int64_t, std::int32_t*, std::int64_t);
  void (*gather_panel)(const std::int32_t*, const std::int32_t*, std::int64_t, const ColumnRun*, std::int64_t,
                       std::int32_t*, std::int64_t);
  void (*copy_byte_rows)(const std::uint8_t*, std::int64_t, std::int64_t, std::int64_t, std::uint8_t, std::uint8_t*,
                         std::int64_t);
  void (*byte_sum)(const ByteSum&);
  void (*byte_depthwise)(const ByteDepthwise&);  ///< Null where there are no dot products of bytes.
  void (*int_depthwise)(const IntDepthwise&);
  void (*requantize_row)(const std::int32_t*, std::int64_t, std::int32_t, const numerics::Requantizer&, DType, void*);
  void (*requantize_row_wide)(const std::int64_t*, std::int64_t, std::int64_t, const numerics::Requantizer&, DType,
                              void*);
  void (*centre_codes)(const void*, DType, std::int64_t, std::int32_t, std::int16_t*);
  void (*centre_rows)(const void*, DType, std::int64_t, std::int64_t, std::int64_t, std::int32_t, std::int16_t*,
                      std::int64_t);
  void (*centre_pairs)(const void*, const void*, DType, std::int64_t, std::int32_t, std::int16_t*);
  void (*look_up)(const void*, DType, std::int64_t, const void*, DType, void*);
  std::uint64_t (*exponentials_row)(const void*, DType, std::int64_t, const std::uint32_t*, std::int64_t,
                                    std::uint32_t*);
  void (*quotient_row)(const std::uint32_t*, std::int64_t, std::uint64_t, const Quotient&, const CodeTarget&, void*);
  void (*quotient_columns)(const std::uint32_t*, std::int64_t, std::int64_t, const std::uint64_t*, const Quotient&,
                           const CodeTarget&, void*, std::int64_t);
  CodeMoments (*code_moments)(const void*, DType, std::int64_t);
  void (*normalize_row)(const void*, DType, std::int64_t, const NormalizedRow&, const std::int32_t*,
                        const std::int64_t*, AffineStep, const CodeTarget&, void*);
  void (*blend_rows)(const Blend&, std::int64_t, const CodeTarget&, void*);
};

/// The kernels for `isa`, or the nearest lower set this build contains. Running
/// them requires a processor that supports them: runnable_isas() has `isa`.
const KernelTable& table_for(Isa isa) noexcept;

/// table_for(active_isa()).
const KernelTable& active_table() noexcept;

}  // namespace halfstep::kernels
