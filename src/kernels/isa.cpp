// isa.cpp: which instruction set the kernels use.
#include "kernels/isa.hpp"

#include <array>
#include <cstddef>
#include <cstdlib>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace halfstep::kernels {
namespace {

struct Named {
  Isa isa;
  std::string_view name;
};

constexpr std::array kNames = {Named{Isa::kBaseline, "baseline"},     Named{Isa::kAvx2, "avx2"},
                               Named{Isa::kAvxVnni, "avxvnni"},       Named{Isa::kAvx512, "avx512"},
                               Named{Isa::kAvx512Vnni, "avx512vnni"}, Named{Isa::kNeonDot, "neondot"}};

#if defined(__x86_64__)
// The compilers' own test does not know this one everywhere.
bool has_avx_vnni() noexcept {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & (1U << 4)) != 0;
}
#endif

bool can_run(Isa isa) noexcept {
  switch (isa) {
    case Isa::kBaseline:
      return true;
#if defined(__x86_64__)
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::kAvxVnni:
      return can_run(Isa::kAvx2) && has_avx_vnni();
    case Isa::kAvx512:
      return can_run(Isa::kAvx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case Isa::kAvx512Vnni:
      return can_run(Isa::kAvx512) && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi");
#elif defined(__aarch64__)
    case Isa::kNeonDot:
      return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#endif
    default:
      return false;
  }
}

}  // namespace

std::string_view name_of(Isa isa) noexcept {
  for (const Named& named : kNames) {
    if (named.isa == isa) return named.name;
  }
  return kNames[0].name;
}

std::span<const Isa> runnable_isas() noexcept {
  static const struct List {
    std::array<Isa, kNames.size()> isas = {};
    std::size_t count = 0;

    List() {
      for (const Named& named : kNames) {
        if (can_run(named.isa)) isas[count++] = named.isa;
      }
    }
  } list;
  return {list.isas.data(), list.count};
}

Isa choose_isa(std::string_view wanted, std::span<const Isa> runnable) noexcept {
  for (const Isa isa : runnable) {
    if (wanted == name_of(isa)) return isa;
  }
  return runnable.back();
}

Isa active_isa() noexcept {
  static const Isa isa = [] {
    const char* wanted = std::getenv("HALFSTEP_ISA");
    return choose_isa(wanted == nullptr ? "" : wanted, runnable_isas());
  }();
  return isa;
}

}  // namespace halfstep::kernels
