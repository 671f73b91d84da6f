// isa_test.cpp: the choice of instruction set, and that it takes effect.
#include "kernels/isa.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "each_isa.hpp"

namespace halfstep::kernels {
namespace {

TEST(ChooseIsa, TakesWhatTheProcessorCanRun) {
  EXPECT_EQ(choose_isa("baseline", Isa::kAvx512), Isa::kBaseline);
  EXPECT_EQ(choose_isa("avx2", Isa::kAvx512), Isa::kAvx2);
  EXPECT_EQ(choose_isa("avx2", Isa::kAvx2), Isa::kAvx2);
  EXPECT_EQ(choose_isa("avx512", Isa::kAvx512), Isa::kAvx512);
}

TEST(ChooseIsa, IgnoresWhatTheProcessorCannotRunAndUnknownNames) {
  EXPECT_EQ(choose_isa("avx512", Isa::kAvx2), Isa::kAvx2);
  EXPECT_EQ(choose_isa("avx2", Isa::kBaseline), Isa::kBaseline);
  EXPECT_EQ(choose_isa("", Isa::kAvx2), Isa::kAvx2);
  EXPECT_EQ(choose_isa("AVX2", Isa::kAvx512), Isa::kAvx512);
  EXPECT_EQ(choose_isa("sse9", Isa::kBaseline), Isa::kBaseline);
}

// The compiler's own macros, seen in the file that made the table, must agree.
TEST_P(EachIsa, TableWasCompiledForTheSetItIsListedUnder) { EXPECT_EQ(table().compiled_for, GetParam()); }

TEST_P(EachIsa, EveryKernelButTheProductDiffersFromTheOtherSets) {
  for (const Isa other : runnable_isas()) {
    if (other == GetParam()) continue;
    EXPECT_NE(table().depthwise, table_for(other).depthwise);
    EXPECT_NE(table().quantize_dequantize, table_for(other).quantize_dequantize);
    EXPECT_NE(table().minmax_sum, table_for(other).minmax_sum);
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, EachIsa, testing::ValuesIn(runnable_isas()), isa_test_name);

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
        std::exit(active_isa() == detected_isa() ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace halfstep::kernels
