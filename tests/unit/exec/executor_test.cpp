// Contract under test: lower/lower.hpp and exec/executor.hpp together.
#include "exec/executor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "exec/session.hpp"
#include "lower/lower.hpp"
#include "unit/exec/small_graph.hpp"

namespace halfstep::exec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<float> values_of(const ConstView& view) {
  const auto values = view.values<float>();
  return {values.begin(), values.end()};
}

Result<Executor> executor_of(Result<lower::Program> program) {
  if (!program.ok()) return program.error();
  return Executor(std::make_shared<const lower::Program>(*std::move(program)));
}

/// An entry without codes.
TensorEncoding entry_of(Encoding encoding, TensorRole role = TensorRole::kActivation) {
  return {.encoding = std::move(encoding), .role = role, .provenance = {}, .codes = {}, .frozen = false};
}

Encoding grid(double scale, std::int32_t zero_point) { return *Encoding::per_tensor({0, 255}, {scale, zero_point}); }

// x is read again after a node that could work in place: it must keep its value.
TEST(Executor, StorageIsReusedOnlyWhenNobodyReadsItAgain) {
  SmallGraph small;
  small.input("x", {4}).node("Relu", {"x"}, {"r"}).node("Neg", {"x"}, {"n"}).node("Add", {"r", "n"}, {"y"});
  small.node("Reshape", {"r", "shape"}, {"r2"}).node("Neg", {"r2"}, {"z"});
  small.constant("shape", Tensor::of<std::int64_t>(Shape{2}, {2, 2}));
  small.output("y").output("z").output("r");
  Result<Executor> executor = executor_of(lower::float_program(small.graph(), {}));
  ASSERT_TRUE(executor.ok()) << executor.error().message;
  const Tensor x = Tensor::of<float>(Shape{4}, {-1.0F, 2.0F, -3.0F, 4.0F});
  for (int run = 0; run < 2; ++run) {
    ASSERT_TRUE(executor->run({&x, 1}).ok());
    EXPECT_THAT(values_of(executor->output(0)), ElementsAre(1.0F, 0.0F, 3.0F, 0.0F));
    EXPECT_THAT(values_of(executor->output(1)), ElementsAre(0.0F, -2.0F, 0.0F, -4.0F));
    EXPECT_THAT(values_of(executor->output(2)), ElementsAre(0.0F, 2.0F, 0.0F, 4.0F));
  }
}

// Operands of Concat that nobody reads again are computed in its output, also of a Concat that joins it in turn; x, r
// (which is read again), s (which begins between two cache lines) and the second t are copied.
TEST(Executor, ConcatIsWrittenByThoseWhoMakeItsOperands) {
  SmallGraph small;
  small.input("x", {1, 16}).node("Relu", {"x"}, {"r"}).node("Neg", {"x"}, {"n"}).node("Abs", {"x"}, {"a"});
  small.node("Concat", {"r", "n", "x", "a"}, {"c"});
  small.constant("narrow", Tensor::of<float>(Shape{1, 1}, {7.0F}));
  small.node("Neg", {"r"}, {"s"}).node("Abs", {"n2"}, {"t"}).node("Concat", {"c", "narrow", "s", "t", "t"}, {"y"});
  small.output("y").output("r");
  small.constant("n2", Tensor::of<float>(Shape{1, 1}, {-9.0F}));
  for (graph::Node& node : small.graph().nodes) {
    if (node.op_type == "Concat") node.attributes.set("axis", std::int64_t{1});
  }
  Result<lower::Program> program = lower::float_program(small.graph(), {});
  ASSERT_TRUE(program.ok()) << program.error().message;
  const auto offset_of = [&](const std::string& name) {
    return std::ranges::find(program->slots, name, &lower::Slot::name)->offset;
  };
  const std::size_t c = offset_of("c");
  EXPECT_EQ(c, offset_of("y"));
  EXPECT_EQ(offset_of("n"), c + 64);
  EXPECT_EQ(offset_of("a"), c + 192);
  Result<Executor> executor = executor_of(std::move(program));
  ASSERT_TRUE(executor.ok());
  std::vector<float> x(16);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) - 7.5F;
  const Tensor input = Tensor::of<float>(Shape{1, 16}, x);
  std::vector<float> expected;
  const auto append = [&](auto f) {
    for (const float v : x) expected.push_back(f(v));
  };
  append([](float v) { return std::max(v, 0.0F); });
  append([](float v) { return -v; });
  append([](float v) { return v; });
  append([](float v) { return std::abs(v); });
  expected.push_back(7.0F);
  append([](float v) { return -std::max(v, 0.0F); });
  expected.insert(expected.end(), {9.0F, 9.0F});
  for (int run = 0; run < 2; ++run) {
    ASSERT_TRUE(executor->run({&input, 1}).ok());
    EXPECT_EQ(values_of(executor->output(0)), expected);
  }
}

TEST(Executor, TapSeesEveryTensorOnceInOrderWithItsFinalValue) {
  SmallGraph small;
  small.input("x", {2}).node("Add", {"x", "x"}, {"a"});
  small.last_node().clamp = graph::FusedClamp{.min = 0.0F, .max = 3.0F, .node_name = "", .pre_name = ""};
  small.node("Flatten", {"a"}, {"f"}).node("Neg", {"f"}, {"y"}).output("y");
  Result<Executor> executor = executor_of(lower::float_program(small.graph(), {}));
  ASSERT_TRUE(executor.ok()) << executor.error().message;
  std::vector<std::string> seen;
  std::map<std::string, std::vector<float>> values;
  const Tap tap = [&](const Tapped& tapped) -> Result<void> {
    seen.push_back(small.graph().value(tapped.value).name);
    values[seen.back()] = values_of(tapped.view);
    return {};
  };
  const Tensor x = Tensor::of<float>(Shape{2}, {-1.0F, 2.0F});
  ASSERT_TRUE(executor->run({&x, 1}, tap).ok());
  EXPECT_THAT(seen, ElementsAre("x", "a", "f", "y"));
  EXPECT_THAT(values["a"], ElementsAre(0.0F, 3.0F));
  EXPECT_THAT(values["y"], ElementsAre(-0.0F, -3.0F));
}

TEST(Executor, AdvancingStopsWhereATapIsCalledAndComputesTheSame) {
  SmallGraph small;
  small.input("x", {2}).node("Neg", {"x"}, {"a"}).node("Add", {"a", "x"}, {"b"}).node("Neg", {"a"}, {"y"});
  small.output("y").output("b");
  Result<Executor> executor = executor_of(lower::float_program(small.graph(), {}));
  ASSERT_TRUE(executor.ok()) << executor.error().message;
  const Tensor x = Tensor::of<float>(Shape{2}, {-1.0F, 2.0F});
  for (int run = 0; run < 2; ++run) {
    ASSERT_TRUE(executor->start({&x, 1}).ok());
    std::vector<std::string> seen;
    for (;;) {
      const Result<std::optional<Tapped>> next = executor->advance();
      ASSERT_TRUE(next.ok()) << next.error().message;
      if (!*next) break;
      const Tapped& tapped = **next;
      seen.push_back(small.graph().value(tapped.value).name);
      EXPECT_TRUE(executor->completes(tapped.value));
      // What is written here is what the steps behind read.
      if (seen.back() == "a") tapped.content.data<float>()[0] = 5.0F;
    }
    EXPECT_THAT(seen, ElementsAre("x", "a", "b", "y"));
    EXPECT_THAT(values_of(executor->output(0)), ElementsAre(-5.0F, 2.0F));
    EXPECT_THAT(values_of(executor->output(1)), ElementsAre(4.0F, 0.0F));
  }
  EXPECT_FALSE(executor->completes(small.value("nowhere")));
  ASSERT_TRUE(executor->run({&x, 1}).ok());
  EXPECT_THAT(values_of(executor->output(0)), ElementsAre(-1.0F, 2.0F));
}

// NonZero decides its own shape; what follows is lowered while running.
TEST(Executor, ShapesThatDependOnDataAreDecidedWhileRunning) {
  SmallGraph small;
  small.input("x", {2, 2}).node("NonZero", {"x"}, {"where"}).node("Cast", {"where"}, {"y"});
  small.last_node().attributes.set("to", std::int64_t{1});
  small.output("y");
  Result<Executor> executor = executor_of(lower::float_program(small.graph(), {}));
  ASSERT_TRUE(executor.ok()) << executor.error().message;
  const Tensor one = Tensor::of<float>(Shape{2, 2}, {0.0F, 5.0F, 0.0F, 0.0F});
  ASSERT_TRUE(executor->run({&one, 1}).ok());
  EXPECT_THAT(values_of(executor->output(0)), ElementsAre(0.0F, 1.0F));
  const Tensor two = Tensor::of<float>(Shape{2, 2}, {1.0F, 0.0F, 1.0F, 0.0F});
  ASSERT_TRUE(executor->run({&two, 1}).ok());
  EXPECT_EQ(executor->output(0).shape(), (Shape{2, 2}));
}

// Found by tests/fuzz/model_fuzz.cpp: kernels look at the types of all outputs.
TEST(Executor, OutputsThatNobodyWantsStillHaveTypes) {
  SmallGraph small;
  small.input("x", {6}).node("Split", {"x"}, {"", "", "last"});
  small.node("TopK", {"x", "k"}, {"", "at"}).constant("k", Tensor::of<std::int64_t>(Shape{1}, {2}));
  small.output("last").output("at");
  const Tensor x = Tensor::of<float>(Shape{6}, {1.0F, 9.0F, 3.0F, 8.0F, 5.0F, 6.0F});
  const EncodingSet encodings = {{"x", entry_of(grid(0.5, 0))}, {"last", entry_of(grid(0.5, 0))}};
  for (Result<lower::Program> program :
       {lower::float_program(small.graph(), {}), lower::simulated_program(small.graph(), {}, encodings),
        lower::fixed_program(small.graph(), {}, encodings, {})}) {
    Result<Executor> executor = executor_of(std::move(program));
    ASSERT_TRUE(executor.ok()) << executor.error().message;
    ASSERT_TRUE(executor->run({&x, 1}).ok());
    EXPECT_THAT(values_of(executor->output(0)), ElementsAre(5.0F, 6.0F));
    EXPECT_THAT(executor->output(1).values<std::int64_t>(), ElementsAre(1, 3));
  }
}

TEST(Executor, RefusesInputsOfAnotherType) {
  SmallGraph small;
  small.input("x", {2}).node("Neg", {"x"}, {"y"}).output("y");
  Result<Executor> executor = executor_of(lower::float_program(small.graph(), {}));
  ASSERT_TRUE(executor.ok());
  const Tensor x = Tensor::of<float>(Shape{3}, {1.0F, 2.0F, 3.0F});
  const Result<void> ran = executor->run({&x, 1});
  ASSERT_FALSE(ran.ok());
  EXPECT_THAT(ran.error().message, HasSubstr("float32[3], expected float32[2]"));
}

// Steps of 0.5 around zero point 2: 0.25 and 0.75 are ties, which go to the even code.
TEST(LowerSimulated, RoundsEncodedTensorsBehindTheirProducer) {
  SmallGraph small;
  small.input("x", {4}).node("Neg", {"x"}, {"y"}).output("y");
  EncodingSet encodings;
  encodings.insert_or_assign("y", entry_of(grid(0.5, 2)));
  Result<Executor> executor = executor_of(lower::simulated_program(small.graph(), {}, encodings));
  ASSERT_TRUE(executor.ok()) << executor.error().message;
  const Tensor x = Tensor::of<float>(Shape{4}, {-0.25F, -0.75F, -1.1F, 9.0F});
  ASSERT_TRUE(executor->run({&x, 1}).ok());
  EXPECT_THAT(values_of(executor->output(0)), ElementsAre(0.0F, 1.0F, 1.0F, -1.0F));
}

TEST(LowerSimulated, ConstantsAreOnTheirGridAndCodesWin) {
  SmallGraph small;
  small.input("x", {2}).constant("c", Tensor::of<float>(Shape{2}, {0.3F, 1.6F}));
  small.node("Add", {"x", "c"}, {"y"}).output("y");
  EncodingSet encodings;
  encodings.insert_or_assign("c", entry_of(grid(1.0, 0), TensorRole::kWeight));
  const Tensor x = Tensor::of<float>(Shape{2}, {0.0F, 0.0F});
  Result<Executor> rounded = executor_of(lower::simulated_program(small.graph(), {}, encodings));
  ASSERT_TRUE(rounded.ok()) << rounded.error().message;
  ASSERT_TRUE(rounded->run({&x, 1}).ok());
  EXPECT_THAT(values_of(rounded->output(0)), ElementsAre(0.0F, 2.0F));

  encodings.at("c").codes = Tensor::of<std::uint8_t>(Shape{2}, {7, 8});
  Result<Executor> stored = executor_of(lower::simulated_program(small.graph(), {}, encodings));
  ASSERT_TRUE(stored.ok());
  ASSERT_TRUE(stored->run({&x, 1}).ok());
  EXPECT_THAT(values_of(stored->output(0)), ElementsAre(7.0F, 8.0F));
}

TEST(LowerSimulated, AnEncodingThatDoesNotFitIsAnErrorThatNamesTheTensor) {
  SmallGraph small;
  small.input("x", {1, 3}).node("Neg", {"x"}, {"y"}).output("y");
  EncodingSet encodings;
  encodings.insert_or_assign("y", entry_of(*Encoding::per_channel({0, 255}, 1, {{0.5, 0}, {0.5, 0}})));
  const Result<lower::Program> program = lower::simulated_program(small.graph(), {}, encodings);
  ASSERT_FALSE(program.ok());
  EXPECT_THAT(program.error().message, HasSubstr("'y'"));
}

TEST(Session, LowersOncePerCombinationOfShapes) {
  SmallGraph small;
  small.input("x", {-1}).node("Neg", {"x"}, {"y"}).output("y");
  int lowered = 0;
  Session session(
      small.graph(),
      [&](const ops::InputShapes& shapes) {
        ++lowered;
        return lower::float_program(small.graph(), shapes);
      },
      1);
  for (int round = 0; round < 3; ++round) {
    for (std::int64_t size : {2, 5}) {
      const Tensor x(TensorType{DType::kFloat32, Shape{size}});
      Result<Executor*> executor = session.executor(0, {&x, 1});
      ASSERT_TRUE(executor.ok()) << executor.error().message;
      ASSERT_TRUE((*executor)->run({&x, 1}).ok());
      EXPECT_EQ((*executor)->output(0).shape(), (Shape{size}));
    }
  }
  EXPECT_EQ(lowered, 2);
}

TEST(Session, AnAdoptedProgramSavesTheLoweringForItsShapes) {
  SmallGraph small;
  small.input("x", {-1}).node("Neg", {"x"}, {"y"}).output("y");
  int num_lowered = 0;
  Session session(
      small.graph(),
      [&](const ops::InputShapes& shapes) {
        ++num_lowered;
        return lower::float_program(small.graph(), shapes);
      },
      1);
  const ops::InputShapes shapes{{"x", Shape{2}}};
  session.adopt({{"z", Shape{2}}}, nullptr);  // Says nothing of x.
  session.adopt(shapes, std::make_shared<const lower::Program>(*lower::float_program(small.graph(), shapes)));
  const Tensor two = Tensor::of<float>(Shape{2}, {1.0F, -2.0F});
  const Tensor one = Tensor::of<float>(Shape{1}, {1.0F});
  const Result<Executor*> executor = session.executor(0, {&two, 1});
  ASSERT_TRUE(executor.ok());
  ASSERT_TRUE((*executor)->run({&two, 1}).ok());
  EXPECT_THAT(values_of((*executor)->output(0)), ElementsAre(-1.0F, 2.0F));
  EXPECT_EQ(num_lowered, 0);
  ASSERT_TRUE(session.executor(0, {&one, 1}).ok());
  EXPECT_EQ(num_lowered, 1);
}

}  // namespace
}  // namespace halfstep::exec
