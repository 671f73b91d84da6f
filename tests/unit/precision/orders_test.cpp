// orders_test.cpp: what the orders of all tensors come to.
#include "precision/orders.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/precision/graphs.hpp"

namespace halfstep::precision {
namespace {

using graph::RealFormat;
using testing::HasSubstr;

Order bits(int width, std::string by = "test") { return {.bits = width, .by = std::move(by)}; }
Order real(RealFormat format, std::string by = "test") { return {.real = format, .by = std::move(by)}; }

/// x -> Conv(w, b) -> c -> MaxPool -> m -> Sigmoid -> s; m and s -> Concat -> y.
GraphBuilder chain() {
  GraphBuilder g;
  g.input("x").constant("w", Tensor::of<float>({1, 1, 1, 1}, {1.0F})).constant("b", Tensor::of<float>({1}, {1.0F}));
  g.node("Conv", {"x", "w", "b"}, {"c"}).node("MaxPool", {"c"}, {"m"}).node("Sigmoid", {"m"}, {"s"});
  g.node("Concat", {"m", "s"}, {"y"}).output("y");
  return g;
}

/// The settled orders by name.
class Settled {
 public:
  explicit Settled(Orders orders, const EncodingSet& encodings = {}, const Options& options = {}) : g_(chain()) {
    Given given(encodings);
    given.orders = std::move(orders);
    settled_ = settle(g_.graph(), float_facts(g_.graph()), options, given);
  }
  const SettledOrder& operator[](const std::string& name) {
    return settled_[static_cast<std::size_t>(graph::find_value(g_.graph(), name))];
  }

 private:
  GraphBuilder g_;
  SettledOrders settled_;
};

TEST(Orders, TheLastOneDecidesAndAllAreTold) {
  Settled settled({{"c", {bits(4, "first"), bits(16, "second")}}});
  EXPECT_EQ(settled["c"].bits, 16);
  ASSERT_EQ(settled["c"].story.size(), 2U);
  EXPECT_EQ(settled["c"].story[0], "4 bits: first");
  EXPECT_EQ(settled["c"].story[1], "16 bits: second");
}

TEST(Orders, AWidthReplacesRealNumbersAndTheOtherWayRound) {
  EXPECT_FALSE(Settled({{"c", {real(RealFormat::kFloat16), bits(8)}}})["c"].real.has_value());
  Settled settled({{"s", {bits(8), real(RealFormat::kFloat16)}}});
  EXPECT_FALSE(settled["s"].bits.has_value());
  EXPECT_EQ(settled["s"].real, RealFormat::kFloat16);
}

TEST(Orders, OutputWeightAndBiasOfALinearNodeAreRealTogether) {
  for (const char* name : {"c", "w", "b"}) {
    Orders orders{{"w", {bits(4)}}};
    orders[name].push_back(real(RealFormat::kFloat16));
    Settled settled(std::move(orders));
    for (const char* other : {"c", "w", "b"}) {
      EXPECT_EQ(settled[other].real, RealFormat::kFloat16) << other << " for " << name;
      EXPECT_FALSE(settled[other].bits.has_value()) << other << " for " << name;
    }
    EXPECT_FALSE(settled["x"].real.has_value());
  }
  EXPECT_THAT(Settled({{"w", {real(RealFormat::kFloat32)}}})["b"].story.back(), HasSubstr("so is 'w'"));
}

TEST(Orders, FormatsOfOneNodeMayDiffer) {
  Settled settled({{"c", {real(RealFormat::kFloat32)}}, {"w", {real(RealFormat::kFloat16)}}});
  EXPECT_EQ(settled["c"].real, RealFormat::kFloat32);
  EXPECT_EQ(settled["w"].real, RealFormat::kFloat16);
}

TEST(Orders, MovementHandsAWidthOnToBothSides) {
  EXPECT_EQ(Settled({{"c", {bits(16)}}})["m"].bits, 16);
  EXPECT_EQ(Settled({{"m", {bits(4)}}})["c"].bits, 4);
  EXPECT_EQ(Settled({{"c", {bits(16)}}, {"m", {bits(4)}}})["m"].bits, 4);
  EXPECT_FALSE(Settled({{"c", {bits(4)}}})["s"].bits.has_value());
}

TEST(Orders, ConcatHandsWideWidthsOnAndNoNarrowOnes) {
  Settled wide({{"y", {bits(16)}}});
  for (const char* name : {"c", "m", "s"}) EXPECT_EQ(wide[name].bits, 16) << name;
  Settled narrow({{"y", {bits(4)}}});
  for (const char* name : {"c", "m", "s"}) EXPECT_FALSE(narrow[name].bits.has_value()) << name;
  Options options;
  options.act_bits = 16;
  EXPECT_FALSE(Settled({{"y", {bits(16)}}}, {}, options)["s"].bits.has_value());
}

TEST(Orders, WholeGridsAndRealNumbersTakeNoWidth) {
  EncodingSet encodings;
  encodings.insert_or_assign(
      "c", TensorEncoding{
               .encoding = *Encoding::per_tensor({0, 255}, {0.5, 3}), .provenance = {}, .codes = {}, .frozen = true});
  EXPECT_FALSE(Settled({{"y", {bits(16)}}}, encodings)["c"].bits.has_value());
  Settled settled({{"y", {bits(16)}}, {"s", {real(RealFormat::kFloat32)}}});
  EXPECT_FALSE(settled["s"].bits.has_value());
}

TEST(Orders, BiasesThatFollowMayBeHalf) {
  Options options;
  options.mixed.float_bias_bits = 16;
  Settled settled({{"c", {real(RealFormat::kFloat32)}}}, {}, options);
  EXPECT_EQ(settled["w"].real, RealFormat::kFloat32);
  EXPECT_EQ(settled["b"].real, RealFormat::kFloat16);
}

TEST(Orders, AGridIsRequestedAsOrdered) {
  const GridRequest request{.bits = 8, .schema = Schema::kAsymmetric, .scale = ScaleKind::kAffine};
  EXPECT_EQ(ordered_grid(request, SettledOrder{}), request);
  const GridRequest ordered = ordered_grid(request, SettledOrder{.bits = 16, .schema = Schema::kSymmetric});
  EXPECT_EQ(ordered.bits, 16);
  EXPECT_EQ(ordered.schema, Schema::kSymmetric);
  const GridRequest power{.bits = 8, .schema = Schema::kSymmetric, .scale = ScaleKind::kPowerOfTwo};
  EXPECT_EQ(ordered_grid(power, SettledOrder{.bits = 4, .schema = Schema::kAsymmetric}).schema, Schema::kSymmetric);
}

}  // namespace
}  // namespace halfstep::precision
