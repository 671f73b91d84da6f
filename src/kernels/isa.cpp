// isa.cpp: which instruction set the kernels use.
#include "kernels/isa.hpp"

#include <array>
#include <cstdlib>

namespace halfstep::kernels {

std::string_view name_of(Isa isa) noexcept {
  switch (isa) {
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kBaseline:
      break;
  }
  return "baseline";
}

Isa detected_isa() noexcept {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::kBaseline;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    return Isa::kAvx512;
  }
  return Isa::kAvx2;
#else
  return Isa::kBaseline;
#endif
}

Isa choose_isa(std::string_view wanted, Isa detected) noexcept {
  for (const Isa isa : std::array{Isa::kBaseline, Isa::kAvx2, Isa::kAvx512}) {
    if (wanted == name_of(isa) && isa <= detected) return isa;
  }
  return detected;
}

Isa active_isa() noexcept {
  static const Isa isa = [] {
    const char* wanted = std::getenv("HALFSTEP_ISA");
    return choose_isa(wanted == nullptr ? "" : wanted, detected_isa());
  }();
  return isa;
}

}  // namespace halfstep::kernels
