// isa.hpp: which instruction set the kernels use, chosen when the program runs.
#pragma once

#include <string_view>

namespace halfstep::kernels {

/// Instruction sets the hot files are compiled for, each a superset of the one
/// before. Only kBaseline exists where the processor is not an x86-64.
enum class Isa {
  kBaseline,  ///< What every processor of the architecture has.
  kAvx2,      ///< AVX2 and FMA.
  kAvx512,    ///< AVX-512 F, BW, DQ, VL.
};

/// "baseline", "avx2", "avx512": the spelling HALFSTEP_ISA takes.
std::string_view name_of(Isa isa) noexcept;

/// The best set this processor and operating system support and this build contains.
Isa detected_isa() noexcept;

/// The set to use when the processor supports `detected` and the user asked for
/// `wanted`: a name as name_of() spells it. An empty or unknown name, or one the
/// processor cannot run, gives `detected`.
Isa choose_isa(std::string_view wanted, Isa detected) noexcept;

/// choose_isa() with the environment variable HALFSTEP_ISA, read at the first call.
Isa active_isa() noexcept;

}  // namespace halfstep::kernels
