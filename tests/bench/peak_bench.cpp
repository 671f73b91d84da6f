// peak_bench.cpp: what the processor can do at most: the instructions of the products, back to back, on registers.
//
// peak/KIND/ISA for every instruction set that runs here; items_per_second counts operations, two a multiply-add.
// roofline.py sets the layers against them. Assembly, so that no compiler sees that nobody needs the results.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "kernels/isa.hpp"

namespace halfstep::kernels {
namespace {

constexpr int kPeakRounds = 1000;
constexpr int kPeakSums = 12;  // Enough to hide the latency; operands and a temporary need the other registers.

// `step` makes the instructions for one sum from the name of its operand; %[x] is an operand, %[t] is free.
#define HALFSTEP_TWELVE(step)                                                                                   \
  step("%0") step("%1") step("%2") step("%3") step("%4") step("%5") step("%6") step("%7") step("%8") step("%9") \
      step("%10") step("%11")
#define HALFSTEP_PEAK(name, attribute, Vector, constraint, step)                                             \
  attribute void name() {                                                                                    \
    Vector s[kPeakSums] = {};                                                                                \
    Vector t = {};                                                                                           \
    const Vector x = {};                                                                                     \
    for (int round = 0; round < kPeakRounds; ++round) {                                                      \
      asm volatile(HALFSTEP_TWELVE(step)                                                                     \
                   : "+" constraint(s[0]), "+" constraint(s[1]), "+" constraint(s[2]), "+" constraint(s[3]), \
                     "+" constraint(s[4]), "+" constraint(s[5]), "+" constraint(s[6]), "+" constraint(s[7]), \
                     "+" constraint(s[8]), "+" constraint(s[9]), "+" constraint(s[10]),                      \
                     "+" constraint(s[11]), [t] "+" constraint(t)                                            \
                   : [x] constraint(x));                                                                     \
    }                                                                                                        \
  }

// One way to multiply and add, and how many of them a step does.
struct Peak {
  const char* kind;
  Isa isa;
  void (*run)();
  int multiply_adds;
};

#if defined(__x86_64__)
using Vector128 = float __attribute__((vector_size(16)));
using Vector256 = float __attribute__((vector_size(32)));
using Vector512 = float __attribute__((vector_size(64)));
#define HALFSTEP_AVX2 __attribute__((target("avx2")))
#define HALFSTEP_AVX512 __attribute__((target("avx512f")))

#define HALFSTEP_FMA(s) "vfmadd231ps %[x], %[x], " s "\n"
#define HALFSTEP_MADD_PAIRS(s) "vpmaddwd %[x], %[x], %[t]\n vpaddd %[t], " s ", " s "\n"
#define HALFSTEP_MADD_BYTES(s) "vpmaddubsw %[x], %[x], %[t]\n vpmaddwd %[x], %[t], %[t]\n vpaddd %[t], " s ", " s "\n"
#define HALFSTEP_VEX_PAIRS(s) "%{vex%} vpdpwssd %[x], %[x], " s "\n"
#define HALFSTEP_VEX_BYTES(s) "%{vex%} vpdpbusd %[x], %[x], " s "\n"
#define HALFSTEP_VNNI_PAIRS(s) "vpdpwssd %[x], %[x], " s "\n"
#define HALFSTEP_VNNI_BYTES(s) "vpdpbusd %[x], %[x], " s "\n"

#define HALFSTEP_SSE_FLOAT(s) "movaps %[x], %[t]\n mulps %[x], %[t]\n addps %[t], " s "\n"
#define HALFSTEP_SSE_PAIRS(s) "movdqa %[x], %[t]\n pmaddwd %[x], %[t]\n paddd %[t], " s "\n"

HALFSTEP_PEAK(sse_float, , Vector128, "x", HALFSTEP_SSE_FLOAT)
HALFSTEP_PEAK(sse_pairs, , Vector128, "x", HALFSTEP_SSE_PAIRS)
HALFSTEP_PEAK(fma_256, HALFSTEP_AVX2, Vector256, "x", HALFSTEP_FMA)
HALFSTEP_PEAK(madd_pairs_256, HALFSTEP_AVX2, Vector256, "x", HALFSTEP_MADD_PAIRS)
HALFSTEP_PEAK(madd_bytes_256, HALFSTEP_AVX2, Vector256, "x", HALFSTEP_MADD_BYTES)
HALFSTEP_PEAK(vex_pairs, HALFSTEP_AVX2, Vector256, "x", HALFSTEP_VEX_PAIRS)
HALFSTEP_PEAK(vex_bytes, HALFSTEP_AVX2, Vector256, "x", HALFSTEP_VEX_BYTES)
HALFSTEP_PEAK(fma_512, HALFSTEP_AVX512, Vector512, "v", HALFSTEP_FMA)
HALFSTEP_PEAK(madd_pairs_512, HALFSTEP_AVX512, Vector512, "v", HALFSTEP_MADD_PAIRS)
HALFSTEP_PEAK(madd_bytes_512, HALFSTEP_AVX512, Vector512, "v", HALFSTEP_MADD_BYTES)
HALFSTEP_PEAK(vnni_pairs, HALFSTEP_AVX512, Vector512, "v", HALFSTEP_VNNI_PAIRS)
HALFSTEP_PEAK(vnni_bytes, HALFSTEP_AVX512, Vector512, "v", HALFSTEP_VNNI_BYTES)

// Without byte products on the baseline: SSE2 widens them.
constexpr Peak kPeaks[] = {{"float", Isa::kBaseline, sse_float, 4},     {"pairs", Isa::kBaseline, sse_pairs, 8},
                           {"float", Isa::kAvx2, fma_256, 8},           {"pairs", Isa::kAvx2, madd_pairs_256, 16},
                           {"bytes", Isa::kAvx2, madd_bytes_256, 32},   {"float", Isa::kAvxVnni, fma_256, 8},
                           {"pairs", Isa::kAvxVnni, vex_pairs, 16},     {"bytes", Isa::kAvxVnni, vex_bytes, 32},
                           {"float", Isa::kAvx512, fma_512, 16},        {"pairs", Isa::kAvx512, madd_pairs_512, 32},
                           {"bytes", Isa::kAvx512, madd_bytes_512, 64}, {"float", Isa::kAvx512Vnni, fma_512, 16},
                           {"pairs", Isa::kAvx512Vnni, vnni_pairs, 32}, {"bytes", Isa::kAvx512Vnni, vnni_bytes, 64}};
#elif defined(__aarch64__)
using Vector128 = float __attribute__((vector_size(16)));
#define HALFSTEP_NEON_FLOAT(s) "fmla " s ".4s, %[x].4s, %[x].4s\n"
#define HALFSTEP_NEON_BYTES(s) ".arch armv8.2-a+dotprod\n sdot " s ".4s, %[x].16b, %[x].16b\n"

HALFSTEP_PEAK(neon_float, , Vector128, "w", HALFSTEP_NEON_FLOAT)
HALFSTEP_PEAK(neon_bytes, , Vector128, "w", HALFSTEP_NEON_BYTES)

constexpr Peak kPeaks[] = {{"float", Isa::kBaseline, neon_float, 4},
                           {"float", Isa::kNeonDot, neon_float, 4},
                           {"bytes", Isa::kNeonDot, neon_bytes, 16}};
#endif

void run_peak(benchmark::State& state, const Peak& peak) {
  for (auto _ : state) peak.run();
  state.SetItemsProcessed(state.iterations() * 2 * kPeakRounds * kPeakSums * peak.multiply_adds);
}

int register_peaks() {
  for (const Peak& peak : kPeaks) {
    if (std::ranges::find(runnable_isas(), peak.isa) == runnable_isas().end()) continue;
    const std::string name = std::string("peak/") + peak.kind + "/" + std::string(name_of(peak.isa));
    benchmark::RegisterBenchmark(name.c_str(), run_peak, peak);
  }
  benchmark::AddCustomContext("halfstep_isa", std::string(name_of(active_isa())));
  return 0;
}

[[maybe_unused]] const int kPeaksRegistered = register_peaks();

}  // namespace
}  // namespace halfstep::kernels
