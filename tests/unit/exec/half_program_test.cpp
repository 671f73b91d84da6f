// Contract under test: tensors in half precision in simulated and fixed-point Programs (graph::Value::format).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/half.hpp"
#include "exec/executor.hpp"
#include "lower/lower.hpp"
#include "unit/exec/small_graph.hpp"

namespace halfstep::exec {
namespace {

using testing::ElementsAre;

constexpr float kThird = 1.0F / 3.0F;

std::vector<float> run(Result<lower::Program> program, const Tensor& x) {
  EXPECT_TRUE(program.ok()) << program.error().message;
  if (!program.ok()) return {};
  for (const lower::Island& island : program->islands) EXPECT_EQ(island.reason, "computes in float16");
  Executor executor(std::make_shared<const lower::Program>(*std::move(program)));
  const Result<void> done = executor.run({&x, 1});
  EXPECT_TRUE(done.ok());
  const Tensor output = Tensor::copy_of(executor.output(0));
  const auto values = output.values<float>();
  return {values.begin(), values.end()};
}

/// x -> Identity -> h, x times k -> y; which are half is up to the test.
SmallGraph product() {
  SmallGraph g;
  g.input("x", {2}).constant("k", Tensor::of<float>({1}, {kThird}));
  g.node("Identity", {"x"}, {"h"}).node("Mul", {"h", "k"}, {"m"}).node("Identity", {"m"}, {"y"}).output("y");
  return g;
}

void make_half(SmallGraph& g, const std::vector<std::string>& names) {
  for (const std::string& name : names) g.graph().value(g.value(name)).format = graph::RealFormat::kFloat16;
}

const Tensor& sample() {
  static const Tensor x = Tensor::of<float>({2}, {0.1F, -70000.0F});
  return x;
}

TEST(HalfProgram, EveryTensorIsRoundedConstantsToo) {
  SmallGraph g = product();
  make_half(g, {"h", "k", "m"});
  const float expected = rounded_to_half(rounded_to_half(0.1F) * rounded_to_half(kThird));
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_NE(expected, 0.1F * kThird);
  EXPECT_THAT(run(lower::simulated_program(g.graph(), {}, {}), sample()), ElementsAre(expected, -infinity));
  EXPECT_THAT(run(lower::fixed_program(g.graph(), {}, {}, {}), sample()), ElementsAre(expected, -infinity));
}

TEST(HalfProgram, OnlyWhatIsHalfIsRounded) {
  SmallGraph g = product();
  make_half(g, {"h"});
  EXPECT_EQ(run(lower::simulated_program(g.graph(), {}, {}), sample())[0], rounded_to_half(0.1F) * kThird);
  SmallGraph constant = product();
  make_half(constant, {"k"});
  EXPECT_EQ(run(lower::simulated_program(constant.graph(), {}, {}), sample())[0], 0.1F * rounded_to_half(kThird));
}

TEST(HalfProgram, TheFloatModelKnowsNothingOfIt) {
  SmallGraph g = product();
  make_half(g, {"h", "k", "m"});
  EXPECT_EQ(run(lower::float_program(g.graph(), {}), sample())[0], 0.1F * kThird);
}

TEST(HalfProgram, CodesBecomeHalvesAndHalvesCodes) {
  SmallGraph g = product();
  make_half(g, {"h", "k", "m"});
  EncodingSet encodings;
  const auto entry = [](double scale) {
    return TensorEncoding{
        .encoding = *Encoding::per_tensor({0, 255}, {scale, 0}), .provenance = {}, .codes = {}, .frozen = false};
  };
  encodings.insert_or_assign("x", entry(0.1));
  encodings.insert_or_assign("y", entry(0.01));
  const Tensor x = Tensor::of<float>({2}, {0.32F, 2.04F});
  const auto expected = [&](float on_grid) {
    const float m = rounded_to_half(rounded_to_half(on_grid) * rounded_to_half(kThird));
    return std::nearbyint(m / 0.01F) * 0.01F;
  };
  const auto simulated = run(lower::simulated_program(g.graph(), {}, encodings), x);
  EXPECT_THAT(simulated, ElementsAre(testing::FloatEq(expected(0.3F)), testing::FloatEq(expected(2.0F))));
  EXPECT_EQ(run(lower::fixed_program(g.graph(), {}, encodings, {}), x), simulated);
}

}  // namespace
}  // namespace halfstep::exec
