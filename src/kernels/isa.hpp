// isa.hpp: which instruction set the kernels use, chosen when the program runs.
#pragma once

#include <span>
#include <string_view>

namespace halfstep::kernels {

/// Instruction sets the hot files are compiled for.
enum class Isa {
  kBaseline,    ///< What every processor of the architecture has.
  kAvx2,        ///< AVX2 and FMA.
  kAvxVnni,     ///< kAvx2, and dot products of bytes and of 16-bit numbers in 256 bits (AVX-VNNI).
  kAvx512,      ///< AVX-512 F, BW, DQ, VL.
  kAvx512Vnni,  ///< kAvx512, dot products as above in 512 bits (VNNI), and any permutation of bytes (VBMI).
  kNeonDot,     ///< arm64 with dot products of bytes (FEAT_DotProd).
};

/// "baseline", "avx2", "avxvnni", "avx512", "avx512vnni", "neondot": the spelling HALFSTEP_ISA takes.
std::string_view name_of(Isa isa) noexcept;

/// The sets that this processor and operating system support and this build contains, the fastest last;
/// kBaseline is always the first.
std::span<const Isa> runnable_isas() noexcept;

/// The set to use of those in `runnable` when the user asked for `wanted`: a name as name_of() spells it. An empty or
/// unknown name, or one that is not in the list, gives the last.
Isa choose_isa(std::string_view wanted, std::span<const Isa> runnable) noexcept;

/// choose_isa() with the environment variable HALFSTEP_ISA, read at the first call.
Isa active_isa() noexcept;

}  // namespace halfstep::kernels
