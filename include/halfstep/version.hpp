// version.hpp: which release this is, and what it runs on.
#pragma once

#include <string_view>

namespace halfstep {

/// Recorded in every file the tools write. CMakeLists.txt reads it from here.
inline constexpr const char* kVersion = "0.1.0";

/// The instruction set whose kernels run here: the fastest this processor has, or the one that the environment variable
/// HALFSTEP_ISA names (docs/performance.md). "baseline", "avx2", "avxvnni", "avx512", "avx512vnni" or "neondot".
std::string_view instruction_set() noexcept;

}  // namespace halfstep
