// coverage_test.cpp: how many tensors came from where.
#include "precision/coverage.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "precision/choose_tensors.hpp"
#include "unit/precision/graphs.hpp"

namespace halfstep::precision {
namespace {

using testing::Contains;
using testing::HasSubstr;

TensorEncoding entry(Origin origin) {
  return {
      .encoding = *Encoding::per_tensor({0, 255}, {0.5, 3}), .provenance = {origin, ""}, .codes = {}, .frozen = true};
}

/// x -> Conv(w) -> c -> Einsum -> e -> Reshape -> r; c -> Sigmoid -> s.
class CoverageOf : public testing::Test {
 protected:
  CoverageOf() {
    g_.input("x").constant("w", Tensor::of<float>({1, 1, 1, 1}, {1.0F}));
    g_.constant("shape", Tensor::of<std::int64_t>({1}, {-1}));
    g_.node("Conv", {"x", "w"}, {"c"}).node("Einsum", {"c"}, {"e"}).node("Reshape", {"e", "shape"}, {"r"});
    g_.node("Sigmoid", {"c"}, {"s"}).output("r").output("s");
  }

  Plan plan(Orders orders = {}) const {
    Given given;
    given.orders = std::move(orders);
    return choose_tensors(g_.graph(), float_facts(g_.graph()), Options{}, given);
  }

  GraphBuilder g_;
};

TEST_F(CoverageOf, EveryRealTensorIsCountedOnce) {
  EncodingSet encodings;
  encodings.insert_or_assign("x", entry(Origin::kOverridden));
  encodings.insert_or_assign("c", entry(Origin::kCalibrated));
  encodings.insert_or_assign("s", entry(Origin::kFixed));
  encodings.insert_or_assign("w", entry(Origin::kWeights));
  const Coverage coverage = coverage_of(g_.graph(), float_facts(g_.graph()), plan(), encodings);
  const Coverage expected{{"overrides", 1}, {"source_model", 0}, {"calibrated", 1}, {"constants", 1}, {"derived", 0},
                          {"fixed", 1},     {"shared", 0},       {"float", 2},      {"ordered", 0}};
  EXPECT_EQ(coverage, expected);
}

TEST_F(CoverageOf, OrdersAreCountedBeside) {
  const Coverage coverage =
      coverage_of(g_.graph(), float_facts(g_.graph()), plan({{"c", {{.bits = 16, .by = "test"}}}}), {});
  EXPECT_THAT(coverage, Contains(std::pair<std::string, std::int64_t>("ordered", 1)));
}

TEST_F(CoverageOf, RulesAreToldInTheirOrder) {
  const auto rules = rules_of(g_.graph(), float_facts(g_.graph()), plan({{"c", {{.bits = 16, .by = "test"}}}}));
  EXPECT_EQ(rules.at("c"), (std::vector<std::string>{"16 bits: test", "computed by node 'c_node' (Conv)"}));
}

TEST_F(CoverageOf, AWidthThatChangesNothingHasALine) {
  const Plan asked = plan({{"r", {{.bits = 16, .by = "test"}}}});
  const std::vector<std::string> lines = unmet_orders(g_.graph(), float_facts(g_.graph()), asked, {});
  ASSERT_FALSE(lines.empty());
  EXPECT_THAT(lines, Contains(HasSubstr("'r' stays float")));
  EXPECT_THAT(lines, Contains(HasSubstr("16 bits: test")));
  EXPECT_TRUE(unmet_orders(g_.graph(), float_facts(g_.graph()), plan(), {}).empty());
}

}  // namespace
}  // namespace halfstep::precision
