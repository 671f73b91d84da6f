// insert_converts_test.cpp: where converts stand, and that none is there twice.
#include "precision/insert_converts.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "precision/convert_inserter.hpp"
#include "unit/precision/graphs.hpp"

namespace halfstep::precision {
namespace {

using graph::RealFormat;

Order bits(int width) { return {.bits = width, .by = "test"}; }
Order single() { return {.real = RealFormat::kFloat32, .by = "test"}; }
Order half() { return {.real = RealFormat::kFloat16, .by = "test"}; }

/// A graph on tensors of [1, 1, 2, 2], with x as input and w, b as parameters.
GraphBuilder start() {
  GraphBuilder g;
  g.input("x", {1, 1, 2, 2});
  g.constant("w", Tensor::of<float>({1, 1, 1, 1}, {1.0F})).constant("v", Tensor::of<float>({1, 1, 1, 1}, {2.0F}));
  g.constant("shape", Tensor::of<std::int64_t>({4}, {1, 1, 2, 2}));
  return g;
}

class Converted {
 public:
  Converted(GraphBuilder& builder, Orders orders, const EncodingSet& encodings = {}) : given_(encodings) {
    given_.orders = std::move(orders);
    Result<graph::Graph> made = insert_converts(builder.graph(), {{"x", {1, 1, 2, 2}}}, Options{}, given_, warnings);
    EXPECT_TRUE(made.ok()) << made.error().message;
    if (made.ok()) graph = *std::move(made);
  }

  /// Names of the converts, in the order of nodes.
  std::vector<std::string> converts() const {
    std::vector<std::string> names;
    for (const graph::Node& node : graph.nodes) {
      if (node.op_type == "Identity") names.push_back(graph.value(node.outputs[0]).name);
    }
    return names;
  }

  /// What the node that writes `output` reads as its operand i.
  std::string operand(const std::string& output, std::size_t i) const {
    for (const graph::Node& node : graph.nodes) {
      if (graph.value(node.outputs[0]).name == output) return graph.value(node.inputs[i]).name;
    }
    return "no such node";
  }

  RealFormat format(const std::string& name) const { return graph.value(graph::find_value(graph, name)).format; }
  const Given& given() const { return given_; }

  graph::Graph graph;
  std::vector<std::string> warnings;

 private:
  Given given_;
};

using Names = std::vector<std::string>;

TEST(InsertConverts, NothingIsOrderedNothingHappens) {
  GraphBuilder g = start();
  g.node("Conv", {"x", "w"}, {"a"}).node("Sigmoid", {"a"}, {"y"}).output("y");
  EXPECT_EQ(Converted(g, {}).converts(), Names{});
  EXPECT_EQ(Converted(g, {{"a", {bits(16)}}}).converts(), Names{});
}

TEST(InsertConverts, AllIntegerReadersOfARealTensorShareOne) {
  GraphBuilder g = start();
  g.node("Conv", {"x", "w"}, {"a"}).node("Sigmoid", {"a"}, {"s"}).node("Conv", {"a", "v"}, {"c"});
  g.node("Add", {"s", "c"}, {"y"}).output("y");
  const Converted converted(g, {{"a", {single()}}, {"c", {bits(16)}}});
  EXPECT_EQ(converted.converts(), Names{"a_converted"});
  EXPECT_EQ(converted.operand("s", 0), "a_converted");
  EXPECT_EQ(converted.operand("c", 0), "a_converted");
  EXPECT_EQ(converted.given().orders.at("a_converted").back().bits, 16);  // As its widest reader's result.
  EXPECT_TRUE(converted.graph.value(graph::find_value(converted.graph, "a_converted")).pinned);
}

TEST(InsertConverts, RealReadersAndMovementNeedNone) {
  GraphBuilder g = start();
  g.node("Conv", {"x", "w"}, {"a"}).node("Reshape", {"a", "shape"}, {"m"}).node("Conv", {"m", "v"}, {"y"}).output("y");
  EXPECT_EQ(Converted(g, {{"a", {single()}}, {"y", {single()}}}).converts(), Names{});
}

TEST(InsertConverts, HalfPrecisionIsCastToOnceAndBackFreely) {
  GraphBuilder g = start();
  g.node("Sigmoid", {"x"}, {"a"}).node("Conv", {"a", "w"}, {"b"}).node("Conv", {"a", "v"}, {"c"});
  g.node("Sigmoid", {"a"}, {"d"}).node("Sum", {"b", "c", "d"}, {"y"}).output("y");
  const Converted converted(
      g, {{"a", {single()}}, {"b", {half()}}, {"c", {half()}}, {"d", {single()}}, {"y", {single()}}});
  EXPECT_EQ(converted.converts(), Names{"a_float16"});
  EXPECT_EQ(converted.operand("b", 0), "a_float16");
  EXPECT_EQ(converted.operand("c", 0), "a_float16");
  EXPECT_EQ(converted.operand("d", 0), "a");
  EXPECT_EQ(converted.operand("y", 0), "b");
  EXPECT_EQ(converted.format("b"), RealFormat::kFloat16);
  EXPECT_EQ(converted.format("w"), RealFormat::kFloat16);
  EXPECT_EQ(converted.format("a"), RealFormat::kFloat32);
}

TEST(InsertConverts, OneTensorMayBeConvertedBothWays) {
  GraphBuilder g = start();
  g.node("Sigmoid", {"x"}, {"a"}).node("Sigmoid", {"a"}, {"b"}).node("Sigmoid", {"a"}, {"c"}).output("b").output("c");
  const Converted converted(g, {{"a", {single()}}, {"b", {half()}}});
  EXPECT_EQ(converted.converts(), (Names{"a_float16", "a_converted"}));
  EXPECT_EQ(converted.operand("a_converted", 0), "a");
}

TEST(InsertConverts, ConstantsGetACopy) {
  GraphBuilder g = start();
  g.constant("k", Tensor::of<float>({1}, {3.0F})).node("Mul", {"x", "k"}, {"a"}).node("Mul", {"a", "k"}, {"y"});
  g.output("y");
  const Converted converted(g, {{"a", {half()}}, {"y", {single()}}});
  EXPECT_EQ(converted.operand("a", 1), "k_float16");
  EXPECT_EQ(converted.operand("y", 1), "k");
  EXPECT_EQ(converted.converts(), Names{"x_float16"});
}

TEST(InsertConverts, InputsStayFloat32) {
  GraphBuilder g = start();
  g.node("Sigmoid", {"x"}, {"y"}).output("y");
  const Converted converted(g, {{"x", {half()}}, {"y", {half()}}});
  EXPECT_EQ(converted.converts(), Names{"x_float16"});
  EXPECT_EQ(converted.format("x"), RealFormat::kFloat32);
}

TEST(InsertConverts, AConcatOfRealNumbersMovesThem) {
  GraphBuilder g = start();
  g.node("Sigmoid", {"x"}, {"a"}).node("Sigmoid", {"x"}, {"b"}).node("Concat", {"a", "b"}, {"j"});
  g.last_node().attributes.set("axis", std::int64_t{1});
  g.node("Sigmoid", {"j"}, {"y"}).output("y");
  EXPECT_EQ(Converted(g, {{"a", {single()}}, {"b", {single()}}}).converts(), Names{});
}

TEST(InsertConverts, AConcatWithOneOperandOnAGridTakesAllOnes) {
  GraphBuilder g = start();
  g.node("Sigmoid", {"x"}, {"a"}).node("Sigmoid", {"x"}, {"b"}).node("Reshape", {"a", "shape"}, {"m"});
  g.node("Concat", {"a", "b"}, {"j"}).last_node().attributes.set("axis", std::int64_t{1});
  g.node("Concat", {"a", "m"}, {"k"}).last_node().attributes.set("axis", std::int64_t{1});
  g.node("Sigmoid", {"k"}, {"y"});
  g.output("j").output("y");
  const Converted computed(g, {{"a", {single()}}, {"m", {single()}}});
  EXPECT_EQ(computed.converts(), Names{"a_converted"});
  EXPECT_EQ(computed.operand("j", 0), "a_converted");
  EXPECT_EQ(computed.operand("k", 0), "a");
  // m only moves real numbers, but as it is to have 4 bits and somebody reads k as integers, it will be on a grid.
  const Converted moved(g, {{"a", {single()}}, {"m", {bits(4)}}});
  EXPECT_EQ(moved.operand("k", 0), "a_converted");
}

TEST(InsertConverts, AWeightOfRealAndOtherNodesIsTwo) {
  GraphBuilder g = start();
  g.node("Conv", {"x", "w"}, {"a"}).node("Conv", {"a", "w"}, {"b"}).output("b");
  const Converted made(g, {{"b", {single()}}});
  EXPECT_EQ(made.operand("a", 1), "w");
  EXPECT_EQ(made.operand("b", 1), "w_real");
  EXPECT_EQ(made.converts(), Names{});
}

TEST(InsertConverts, OutputsOfOneNodeAreRealTogether) {
  GraphBuilder g = start();
  g.constant("sizes", Tensor::of<std::int64_t>({2}, {1, 1}));
  g.node("Conv", {"x", "w"}, {"a"}).node("Split", {"a", "sizes"}, {"s", "t"});
  g.last_node().attributes.set("axis", std::int64_t{2});
  g.node("Sigmoid", {"s"}, {"y"}).node("Sigmoid", {"t"}, {"z"}).output("y").output("z");
  const Converted made(g, {{"t", {half()}}});
  EXPECT_EQ(made.format("s"), RealFormat::kFloat16);
  EXPECT_EQ(made.format("t"), RealFormat::kFloat16);
  EXPECT_EQ(made.operand("y", 0), "s_converted");
}

TEST(InsertConverts, SizesOfResizeStayFloat32) {
  GraphBuilder g = start();
  g.constant("scales", Tensor::of<float>({4}, {1.0F, 1.0F, 2.0F, 2.0F}));
  g.node("Resize", {"x", "", "scales"}, {"y"}).output("y");
  const Converted made(g, {{"y", {half()}}, {"scales", {half()}}});
  EXPECT_EQ(made.format("y"), RealFormat::kFloat16);
  EXPECT_EQ(made.format("scales"), RealFormat::kFloat32);
}

TEST(InsertConverts, RecordsPutThemBack) {
  GraphBuilder g = start();
  g.node("Conv", {"x", "w"}, {"a"}).node("Sigmoid", {"a"}, {"s"}).node("Conv", {"a", "v"}, {"c"});
  g.node("Add", {"s", "c"}, {"y"}).output("y");
  const Converted made(g, {{"a", {half()}}});
  graph::Graph again = g.graph();
  const auto names = restore_converts(again, record_converts(made.graph, made.given().converts));
  EXPECT_EQ(names, made.given().converts);
  std::vector<std::string> read;
  std::vector<std::string> read_again;
  for (const graph::Node& node : made.graph.nodes) read.push_back(made.graph.value(node.inputs[0]).name);
  for (const graph::Node& node : again.nodes) read_again.push_back(again.value(node.inputs[0]).name);
  EXPECT_EQ(read_again, read);
}

TEST(InsertConverts, EncodingsOfRealTensorsGoWithALine) {
  GraphBuilder g = start();
  g.node("Sigmoid", {"x"}, {"a"}).node("Sigmoid", {"a"}, {"y"}).output("y");
  EncodingSet encodings;
  encodings.insert_or_assign(
      "a", TensorEncoding{
               .encoding = *Encoding::per_tensor({0, 255}, {0.5, 3}), .provenance = {}, .codes = {}, .frozen = true});
  const Converted converted(g, {{"a", {single()}}}, encodings);
  EXPECT_EQ(find_encoding(converted.given().encodings, "a"), nullptr);
  ASSERT_EQ(converted.warnings.size(), 1U);
  EXPECT_EQ(converted.warnings[0], "the encoding of 'a' has no effect, the tensor is real: float32: test");
}

}  // namespace
}  // namespace halfstep::precision
