// Contract under test: fixed_program() of lower/lower.hpp, run by exec/executor.hpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "exec/executor.hpp"
#include "lower/lower.hpp"
#include "lower/print_program.hpp"
#include "unit/exec/small_graph.hpp"

namespace halfstep::exec {
namespace {

using lower::StepKind;
using testing::ElementsAre;
using testing::HasSubstr;

TensorEncoding entry_of(Encoding encoding, TensorRole role = TensorRole::kActivation) {
  return {.encoding = std::move(encoding), .role = role, .provenance = {}, .codes = {}, .frozen = false};
}

Encoding grid(double scale, std::int32_t zero_point) { return *Encoding::per_tensor({0, 255}, {scale, zero_point}); }

/// What a tap saw of one tensor.
struct Seen {
  std::vector<std::int64_t> codes;  // Empty where the tensor was real.
  std::vector<float> real;
};

struct Ran {
  std::map<std::string, Seen> tensors;
  std::vector<float> output;
  std::vector<StepKind> kinds;  // Of the steps that do something.
  std::vector<lower::Island> islands;
  std::string text;
};

Ran run_fixed(const SmallGraph& small, const EncodingSet& encodings, const Tensor& x,
              const FixedPointOptions& options = {}) {
  Ran ran;
  Result<lower::Program> program = lower::fixed_program(small.graph(), {}, encodings, options);
  EXPECT_TRUE(program.ok()) << program.error().message;
  if (!program.ok()) return ran;
  for (const lower::Step& step : program->steps) {
    if (step.kind != StepKind::kAlias) ran.kinds.push_back(step.kind);
  }
  ran.islands = program->islands;
  ran.text = lower::to_text(*program);
  Executor executor(std::make_shared<const lower::Program>(*std::move(program)));
  const Tap tap = [&](const Tapped& tapped) -> Result<void> {
    Seen& seen = ran.tensors[small.graph().value(tapped.value).name];
    const Tensor tensor = Tensor::copy_of(tapped.view);
    if (tapped.encoding != nullptr) {
      seen.codes = to_int64s(tensor);
      const Tensor real = dequantize(tensor, *tapped.encoding);
      seen.real.assign(real.values<float>().begin(), real.values<float>().end());
    } else {
      seen.real = to_floats(tapped.view);
    }
    return {};
  };
  const Result<void> outcome = executor.run({&x, 1}, tap);
  EXPECT_TRUE(outcome.ok()) << (outcome.ok() ? "" : outcome.error().message);
  ran.output = to_floats(executor.output(0));
  return ran;
}

// y = x + x on a grid twice as coarse: the codes stay, and nothing but the two borders surrounds one integer step.
TEST(FixedProgram, BordersStandOnlyAtTheEnds) {
  SmallGraph small;
  small.input("x", {4}).node("Add", {"x", "x"}, {"y"}).output("y");
  const EncodingSet encodings{{"x", entry_of(grid(0.5, 10))}, {"y", entry_of(grid(1.0, 10))}};
  const Ran ran = run_fixed(small, encodings, Tensor::of<float>(Shape{4}, {-1.0F, 0.0F, 0.5F, 200.0F}));
  EXPECT_THAT(ran.kinds, ElementsAre(StepKind::kQuantize, StepKind::kInteger, StepKind::kDequantize));
  EXPECT_THAT(ran.tensors.at("x").codes, ElementsAre(8, 10, 11, 255));
  EXPECT_THAT(ran.tensors.at("y").codes, ElementsAre(8, 10, 11, 255));
  EXPECT_THAT(ran.output, ElementsAre(-2.0F, 0.0F, 1.0F, 245.0F));
  EXPECT_TRUE(ran.islands.empty());
}

// 2.5 steps: the rules part at the tie. Codes 5 and -5 around zero point 10, halved.
TEST(FixedProgram, TiesFollowTheArithmetic) {
  SmallGraph small;
  small.input("x", {2}).node("Relu", {"x"}, {"unused"}).node("Concat", {"x", "x"}, {"y"});
  small.last_node().attributes.set("axis", std::int64_t{0});
  small.output("y");
  const EncodingSet encodings{{"x", entry_of(grid(1.0, 10))}, {"y", entry_of(grid(2.0, 10))}};
  const Tensor x = Tensor::of<float>(Shape{2}, {5.0F, -5.0F});
  const auto codes = [&](Arithmetic arithmetic) {
    return run_fixed(small, encodings, x, {.arithmetic = arithmetic, .accumulator_bits = 64}).tensors.at("y").codes;
  };
  EXPECT_THAT(codes(Arithmetic::kQ31Single), ElementsAre(13, 8, 13, 8));
  EXPECT_THAT(codes(Arithmetic::kFloatHalfEven), ElementsAre(12, 8, 12, 8));
  EXPECT_THAT(codes(Arithmetic::kShiftHalfUp), ElementsAre(13, 8, 13, 8));
  EXPECT_THAT(codes(Arithmetic::kShiftHalfEven), ElementsAre(12, 8, 12, 8));
  EXPECT_THAT(codes(Arithmetic::kShiftHalfAway), ElementsAre(13, 7, 13, 7));
}

// Both inputs of Concat come on grids of their own: each is requantized once, though x is read twice.
TEST(FixedProgram, JoinedTensorsAreRequantizedOnce) {
  SmallGraph small;
  small.input("x", {2}).node("Neg", {"x"}, {"n"}).node("Concat", {"x", "n", "x"}, {"y"}).output("y");
  small.last_node().attributes.set("axis", std::int64_t{0});
  const EncodingSet encodings{
      {"x", entry_of(grid(1.0, 0))}, {"n", entry_of(grid(1.0, 255))}, {"y", entry_of(grid(2.0, 128))}};
  const Ran ran = run_fixed(small, encodings, Tensor::of<float>(Shape{2}, {4.0F, 6.0F}));
  EXPECT_EQ(std::ranges::count(ran.kinds, StepKind::kRequantize), 2);
  EXPECT_THAT(ran.tensors.at("y").codes, ElementsAre(130, 131, 126, 125, 130, 131));
}

// Padding is real 0 where nothing else is said: code 10, not code 0.
TEST(FixedProgram, PaddingIsTheCodeOfItsValue) {
  SmallGraph small;
  small.input("x", {2}).node("Pad", {"x", "pads"}, {"p"}).node("Pad", {"p", "pads", "three"}, {"y"}).output("y");
  small.constant("pads", Tensor::of<std::int64_t>(Shape{2}, {1, 0}))
      .constant("three", Tensor::of<float>(Shape{}, {3.0F}));
  const EncodingSet encodings{
      {"x", entry_of(grid(1.0, 10))}, {"p", entry_of(grid(1.0, 10))}, {"y", entry_of(grid(1.0, 10))}};
  const Ran ran = run_fixed(small, encodings, Tensor::of<float>(Shape{2}, {1.0F, 2.0F}));
  EXPECT_THAT(ran.tensors.at("y").codes, ElementsAre(13, 10, 11, 12));
}

// CumSum has no integer form: it reads dequantized codes, and its output becomes codes again.
TEST(FixedProgram, OperatorsWithoutIntegerFormAreIslands) {
  SmallGraph small;
  small.input("x", {3}).node("Relu", {"x"}, {"r"}).node("CumSum", {"r", "axis"}, {"c"}).node("Relu", {"c"}, {"y"});
  small.constant("axis", Tensor::of<std::int64_t>(Shape{}, {0})).output("y");
  const EncodingSet encodings{{"x", entry_of(grid(1.0, 10))},
                              {"r", entry_of(grid(1.0, 0))},
                              {"c", entry_of(grid(2.0, 0))},
                              {"y", entry_of(grid(2.0, 0))}};
  const Ran ran = run_fixed(small, encodings, Tensor::of<float>(Shape{3}, {-4.0F, 3.0F, 4.0F}));
  ASSERT_EQ(ran.islands.size(), 1U);
  EXPECT_THAT(ran.islands[0].label, HasSubstr("CumSum"));
  EXPECT_THAT(ran.islands[0].reason, HasSubstr("no integer form"));
  EXPECT_THAT(ran.kinds, ElementsAre(StepKind::kQuantize, StepKind::kInteger, StepKind::kDequantize, StepKind::kFloat,
                                     StepKind::kQuantize, StepKind::kInteger, StepKind::kDequantize));
  EXPECT_THAT(ran.tensors.at("c").codes, ElementsAre(0, 2, 4));  // 1.5 and 3.5 steps: halves to even.
  EXPECT_THAT(ran.text, HasSubstr("CumSum"));
}

// Comparisons need no real numbers where both operands are on one grid.
TEST(FixedProgram, ComparisonsReadCodes) {
  SmallGraph small;
  small.input("x", {3}).node("Neg", {"x"}, {"n"}).node("Greater", {"x", "n"}, {"y"}).output("y");
  const EncodingSet encodings{{"x", entry_of(grid(1.0, 128))}, {"n", entry_of(grid(1.0, 128))}};
  const Ran ran = run_fixed(small, encodings, Tensor::of<float>(Shape{3}, {-4.0F, 0.0F, 4.0F}));
  EXPECT_TRUE(ran.islands.empty());
  EXPECT_THAT(ran.output, ElementsAre(0.0F, 0.0F, 1.0F));
}

// The product's output has no grid: the accumulators themselves become real numbers.
TEST(FixedProgram, UnencodedProductsGiveTheirAccumulators) {
  SmallGraph small;
  small.input("x", {1, 2}).node("MatMul", {"x", "w"}, {"y"}).output("y");
  small.constant("w", Tensor::of<float>(Shape{2, 2}, {1.0F, 0.25F, 2.0F, -0.5F}));
  const EncodingSet encodings{
      {"x", entry_of(grid(0.5, 3))},
      {"w", entry_of(*Encoding::per_channel({-127, 127}, 1, {{0.5, 0}, {0.25, 0}}), TensorRole::kWeight)}};
  const Ran ran = run_fixed(small, encodings, Tensor::of<float>(Shape{1, 2}, {1.5F, 60.0F}));
  EXPECT_TRUE(ran.islands.empty());
  // Codes 3 and 120 from the zero point: 3 * 2 + 120 * 4 = 486 steps of 0.25; 3 * 1 - 120 * 2 = -237 of 0.125.
  EXPECT_THAT(ran.tensors.at("y").codes, ElementsAre(486, -237));
  EXPECT_THAT(ran.output, ElementsAre(121.5F, -29.625F));
}

// A tap may feed other codes: later steps see them.
TEST(FixedProgram, TapsMayReplaceWhatTheySee) {
  SmallGraph small;
  small.input("x", {2}).node("Relu", {"x"}, {"r"}).node("Neg", {"r"}, {"y"}).output("y");
  const EncodingSet encodings{
      {"x", entry_of(grid(1.0, 0))}, {"r", entry_of(grid(1.0, 0))}, {"y", entry_of(grid(1.0, 255))}};
  Result<lower::Program> program = lower::fixed_program(small.graph(), {}, encodings, {});
  ASSERT_TRUE(program.ok()) << program.error().message;
  Executor executor(std::make_shared<const lower::Program>(*std::move(program)));
  const Tap tap = [&](const Tapped& tapped) -> Result<void> {
    if (small.graph().value(tapped.value).name == "r") tapped.content.data<std::uint8_t>()[0] = 9;
    return {};
  };
  const Tensor x = Tensor::of<float>(Shape{2}, {1.0F, 2.0F});
  ASSERT_TRUE(executor.run({&x, 1}, tap).ok());
  EXPECT_THAT(to_floats(executor.output(0)), ElementsAre(-9.0F, -2.0F));
}

TEST(FixedProgram, EncodingsThatDoNotFitAreErrorsThatNameTheTensor) {
  SmallGraph small;
  small.input("x", {2, 3}).node("Relu", {"x"}, {"y"}).output("y");
  const EncodingSet encodings{{"x", entry_of(*Encoding::per_channel({0, 255}, 1, {{1.0, 0}, {1.0, 0}}))},
                              {"y", entry_of(grid(1.0, 0))}};
  const Result<lower::Program> program = lower::fixed_program(small.graph(), {}, encodings, {});
  ASSERT_FALSE(program.ok());
  EXPECT_THAT(program.error().message, HasSubstr("tensor 'x'"));
}

// No sum of integers spans blocks: the product is an island that reads what the codes stand for.
TEST(FixedProgram, WeightsByBlockAreReadAsRealNumbers) {
  SmallGraph small;
  small.input("x", {1, 4}).constant("w", Tensor::of<float>(Shape{4, 1}, {1.2F, 2.0F, 3.0F, 12.0F}));
  small.node("MatMul", {"x", "w"}, {"y"}).output("y");
  const EncodingSet encodings{
      {"x", entry_of(grid(1.0, 10))},
      {"w", entry_of(*Encoding::per_block(signed_grid(4), 0, 2, {{1.0, 0}, {3.0, 0}}), TensorRole::kWeight)},
      {"y", entry_of(grid(1.0, 10))}};
  const Ran ran = run_fixed(small, encodings, Tensor::of<float>(Shape{1, 4}, {1.0F, 2.0F, 3.0F, 4.0F}));
  ASSERT_EQ(ran.islands.size(), 1U);
  EXPECT_EQ(ran.islands[0].reason, "weights on a grid for each block");
  EXPECT_THAT(ran.output, ElementsAre(1.0F + 4.0F + 9.0F + 48.0F));
}

}  // namespace
}  // namespace halfstep::exec
