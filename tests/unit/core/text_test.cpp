// Contract under test: core/text.hpp.
#include "core/text.hpp"

#include <gtest/gtest.h>

#include <array>

namespace halfstep {
namespace {

TEST(Printable, EscapesControlCharacters) {
  EXPECT_EQ(printable("batch"), "batch");
  EXPECT_EQ(printable("N\n"), "N\\x0a");
}

TEST(Quoted, EscapesControlCharactersAndShortens) {
  EXPECT_EQ(halfstep::quoted("conv/1:0"), "'conv/1:0'");
  EXPECT_EQ(halfstep::quoted("a\nb"), "'a\\x0ab'");
  EXPECT_LT(halfstep::quoted(std::string(5000, 'x')).size(), 300U);
}

TEST(NearestName, SuggestsOnlyLikelyMisspellings) {
  const std::array<std::string, 3> names{"input", "output", "conv1_weight"};
  EXPECT_EQ(nearest_name("inptu", names), "input");
  EXPECT_EQ(nearest_name("conv1.weight", names), "conv1_weight");
  EXPECT_EQ(nearest_name("completely_different", names), "");
}

}  // namespace
}  // namespace halfstep
