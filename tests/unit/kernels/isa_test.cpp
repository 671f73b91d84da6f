// isa_test.cpp: the choice of instruction set, and that it takes effect.
#include "kernels/isa.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <string>

#include "each_isa.hpp"

namespace halfstep::kernels {
namespace {

constexpr std::array kUpToAvx512 = {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512};
constexpr std::array kUpToAvx2 = {Isa::kBaseline, Isa::kAvx2};
constexpr std::array kOnlyBaseline = {Isa::kBaseline};

TEST(ChooseIsa, TakesWhatTheProcessorCanRun) {
  EXPECT_EQ(choose_isa("baseline", kUpToAvx512), Isa::kBaseline);
  EXPECT_EQ(choose_isa("avx2", kUpToAvx512), Isa::kAvx2);
  EXPECT_EQ(choose_isa("avx2", kUpToAvx2), Isa::kAvx2);
  EXPECT_EQ(choose_isa("avx512", kUpToAvx512), Isa::kAvx512);
}

TEST(ChooseIsa, IgnoresWhatTheProcessorCannotRunAndUnknownNames) {
  EXPECT_EQ(choose_isa("avx512", kUpToAvx2), Isa::kAvx2);
  EXPECT_EQ(choose_isa("avxvnni", kUpToAvx512), Isa::kAvx512);  // Not every such processor has both.
  EXPECT_EQ(choose_isa("avx2", kOnlyBaseline), Isa::kBaseline);
  EXPECT_EQ(choose_isa("", kUpToAvx2), Isa::kAvx2);
  EXPECT_EQ(choose_isa("AVX2", kUpToAvx512), Isa::kAvx512);
  EXPECT_EQ(choose_isa("sse9", kOnlyBaseline), Isa::kBaseline);
}

TEST(RunnableIsas, BeginWithTheBaseline) { EXPECT_EQ(runnable_isas().front(), Isa::kBaseline); }

// The compiler's own macros, seen in the file that made the table, must agree.
TEST_P(EachIsa, TableWasCompiledForTheSetItIsListedUnder) { EXPECT_EQ(table().compiled_for, GetParam()); }

TEST_P(EachIsa, TheByteProductIsItsOwn) {
  for (const Isa other : runnable_isas()) {
    if (other == GetParam()) continue;
    EXPECT_NE(table().packed_gemm, table_for(other).packed_gemm);
  }
}

// Sets that add dot products take every other kernel from the set they extend.
TEST_P(EachIsa, OtherKernelsAreOfTheSetOrOfTheOneItExtends) {
  const Isa base = GetParam() == Isa::kAvxVnni      ? Isa::kAvx2
                   : GetParam() == Isa::kAvx512Vnni ? Isa::kAvx512
                   : GetParam() == Isa::kNeonDot    ? Isa::kBaseline
                                                    : GetParam();
  EXPECT_EQ(table().minmax_sum, table_for(base).minmax_sum);
  EXPECT_EQ(table().depthwise, table_for(base).depthwise);
  if (base != Isa::kBaseline) {
    EXPECT_NE(table().minmax_sum, table_for(Isa::kBaseline).minmax_sum);
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, EachIsa, testing::ValuesIn(runnable_isas().begin(), runnable_isas().end()),
                         isa_test_name);

// A process of its own for each name, since the variable is read once.
TEST(IsaDeathTest, EnvironmentVariableTakesEffect) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const Isa isa : runnable_isas()) {
    const std::string name(name_of(isa));
    EXPECT_EXIT(
        {
          setenv("HALFSTEP_ISA", name.c_str(), 1);
          std::exit(table_for(active_isa()).compiled_for == isa ? 0 : 1);
        },
        testing::ExitedWithCode(0), "")
        << name;
  }
  EXPECT_EXIT(
      {
        setenv("HALFSTEP_ISA", "nonsense", 1);
        std::exit(active_isa() == runnable_isas().back() ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace halfstep::kernels
