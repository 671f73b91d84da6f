// Contract under test: src/passes/restore_clamps.hpp.
#include "passes/restore_clamps.hpp"

#include <gmock/gmock.h>

#include "unit/passes/pass_support.hpp"

namespace halfstep::passes {
namespace {

using testing::HasSubstr;

constexpr double kSixth = 6.0 / 255;  // A grid of 8 bits that ends at 6.

/// Adds x -> Q -> DQ and returns the DQ's output.
template <class T>
ValueId qdq(Model& m, ValueId x, double scale, T zero_point, const std::string& name) {
  const ValueId s = m.scalar(name + "_s", static_cast<float>(scale));
  const ValueId z = m.constant(name + "_z", Tensor::of<T>({}, {zero_point}));
  return m.node("DequantizeLinear", {m.node("QuantizeLinear", {x, s, z}, name + "_q"), s, z}, name);
}

ImportedQdq restored(const Model& m) {
  Result<ImportedQdq> imported = import_qdq(m.graph);
  EXPECT_TRUE(imported.ok());
  ImportedQdq result = restore_clamps(*std::move(imported));
  const Result<void> sound = graph::verify(result.graph);
  EXPECT_TRUE(sound.ok()) << sound.error().message;
  EXPECT_EQ(output_names(m.graph), output_names(result.graph));
  return result;
}

/// Operators of: x [1, 2, 4, 4] -> op_type, with a second operand if it takes one -> Q, DQ on this grid -> y.
template <class T>
std::string operators_behind(const std::string& op_type, double scale, T zero_point) {
  Model m;
  const ValueId x = m.input("x", {1, 2, 4, 4});
  std::vector<ValueId> inputs{x};
  if (op_type == "Conv") inputs.push_back(m.random("w", {2, 2, 1, 1}));
  if (op_type == "MatMul") inputs.push_back(m.random("w", {4, 4}));
  if (op_type == "Add" || op_type == "Mul" || op_type == "Sub") inputs.push_back(m.input("other", {1, 2, 4, 4}));
  if (op_type == "BatchNormalization") {
    for (const char* name : {"scale", "shift", "mean", "variance"}) inputs.push_back(m.random(name, {2}, 0.5F, 1.0F));
  }
  m.output(qdq(m, m.node(op_type, inputs, "before"), scale, zero_point, "y"));
  return operators(restored(m).graph);
}

TEST(RestoreClamps, ARelu) {
  for (const char* op_type : {"Conv", "MatMul", "Add", "Sub", "Mul", "BatchNormalization"}) {
    EXPECT_EQ(operators_behind<std::uint8_t>(op_type, 0.02, 0), std::string(op_type) + " Relu");
    EXPECT_EQ(operators_behind<std::int8_t>(op_type, 0.02, -128), std::string(op_type) + " Relu");
  }
}

TEST(RestoreClamps, AClipWhereTheGridEndsAtSix) {
  EXPECT_EQ(operators_behind<std::uint8_t>("Conv", kSixth, 0), "Conv Clip");
  EXPECT_EQ(operators_behind<std::int8_t>("Conv", kSixth, -128), "Conv Clip");
  EXPECT_EQ(operators_behind<std::uint8_t>("Conv", kSixth * 1.001, 0), "Conv Relu");
  EXPECT_EQ(operators_behind<std::uint8_t>("Conv", kSixth, 1), "Conv");
}

TEST(RestoreClamps, NothingWhereTheGridHoldsNegativeNumbers) {
  EXPECT_EQ(operators_behind<std::uint8_t>("Conv", 0.02, 1), "Conv");
  EXPECT_EQ(operators_behind<std::int8_t>("Conv", 0.02, 0), "Conv");
  EXPECT_EQ(operators_behind<std::int8_t>("Conv", 0.02, -127), "Conv");
}

TEST(RestoreClamps, NothingBehindFunctionsOfOneNumberAndWhatMovesValues) {
  for (const char* op_type : {"Relu", "Abs", "Exp", "Sigmoid", "Identity", "Transpose"}) {
    EXPECT_EQ(operators_behind<std::uint8_t>(op_type, 0.02, 0), op_type);
  }
}

TEST(RestoreClamps, ReadersOfTheTensorReadItClampedAndTheEncodingStays) {
  Model m;
  const ValueId c = m.node("Conv", {m.input("x", {1, 2, 4, 4}), m.random("w", {2, 2, 1, 1})}, "c");
  const ValueId y = qdq<std::uint8_t>(m, c, 0.02, 0, "y");
  m.output(m.node("Neg", {y}, "z"));
  m.output(y);
  const ImportedQdq result = restored(m);
  EXPECT_EQ(operators(result.graph), "Conv Relu Neg");
  EXPECT_EQ(result.graph.nodes[2].inputs[0], result.graph.nodes[1].outputs[0]);
  EXPECT_EQ(result.graph.value(result.graph.nodes[1].outputs[0]).name, "y");
  EXPECT_EQ(result.graph.value(result.graph.nodes[0].outputs[0]).name, "y_unclamped");
  EXPECT_TRUE(result.encodings.contains("y"));
  EXPECT_EQ(result.encodings.size(), 1U);
  ASSERT_EQ(result.notes.size(), 1U);
  EXPECT_THAT(result.notes[0], HasSubstr("1 node, such as node 'c_node' (Conv), begin at 0"));
}

TEST(RestoreClamps, EveryChannelMustBeginAtZero) {
  for (const std::uint8_t second : {0, 3}) {
    Model m;
    const ValueId c = m.node("Conv", {m.input("x", {1, 2, 4, 4}), m.random("w", {2, 2, 1, 1})}, "c");
    const ValueId s = m.constant("s", Tensor::of<float>({2}, {0.5F, 0.25F}));
    const ValueId z = m.constant("z", Tensor::of<std::uint8_t>({2}, {0, second}));
    const ValueId q = m.node("QuantizeLinear", {c, s, z}, "q", {{"axis", std::int64_t{1}}});
    m.output(m.node("DequantizeLinear", {q, s, z}, "y", {{"axis", std::int64_t{1}}}));
    EXPECT_EQ(operators(restored(m).graph), second == 0 ? "Conv Relu" : "Conv");
  }
}

TEST(RestoreClamps, AModelWithoutEncodingsStaysAsItIs) {
  Model m;
  m.output(m.node("Conv", {m.input("x", {1, 2, 4, 4}), m.random("w", {2, 2, 1, 1})}, "y"));
  const ImportedQdq result = restored(m);
  EXPECT_TRUE(same_graph(result.graph, m.graph));
  EXPECT_TRUE(result.notes.empty());
}

}  // namespace
}  // namespace halfstep::passes
