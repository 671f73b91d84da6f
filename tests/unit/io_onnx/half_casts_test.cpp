// Contract under test: io/onnx/half_casts.hpp and io/onnx/narrow_guards.hpp: in, and out again.
#include "io/onnx/half_casts.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "core/half.hpp"
#include "io/onnx/narrow_guards.hpp"
#include "io/onnx/qdq_graph.hpp"
#include "io/onnx/reader.hpp"
#include "io/onnx/writer.hpp"
#include "unit/exec/small_graph.hpp"

namespace halfstep::io {
namespace {

using exec::SmallGraph;
using graph::Graph;
using graph::Node;
using graph::RealFormat;
using Names = std::vector<std::string>;

void make_half(SmallGraph& g, const Names& names) {
  for (const std::string& name : names) g.graph().value(g.value(name)).format = RealFormat::kFloat16;
}

/// Outputs of the nodes of one type.
Names outputs_of(const Graph& graph, const std::string& op_type) {
  Names names;
  for (const Node& node : graph.nodes) {
    if (node.op_type == op_type) names.push_back(graph.value(node.outputs[0]).name);
  }
  return names;
}

std::string operand(const Graph& graph, const std::string& output, std::size_t i) {
  const auto node =
      std::ranges::find_if(graph.nodes, [&](const Node& n) { return graph.value(n.outputs[0]).name == output; });
  return node == graph.nodes.end() ? "no such node" : graph.value(node->inputs[i]).name;
}

/// x -> Identity -> h (half) -> Sigmoid -> a (half); a -> Sigmoid -> b, a -> Tanh -> c, both float32.
SmallGraph half_in_the_middle() {
  SmallGraph g;
  g.input("x", {4}).node("Identity", {"x"}, {"h"}).node("Sigmoid", {"h"}, {"a"});
  g.node("Sigmoid", {"a"}, {"b"}).node("Tanh", {"a"}, {"c"}).output("b").output("c");
  g.graph().opset = 21;
  g.graph().ir_version = 10;
  make_half(g, {"h", "a"});
  return g;
}

TEST(HalfCasts, ReadersInFloat32ShareACast) {
  const Graph graph = insert_half_casts(half_in_the_middle().graph());
  EXPECT_EQ(outputs_of(graph, "Cast"), (Names{"h", "a_float32"}));
  EXPECT_EQ(operand(graph, "b", 0), "a_float32");
  EXPECT_EQ(operand(graph, "c", 0), "a_float32");
  EXPECT_TRUE(graph::verify(graph).ok());
}

TEST(HalfCasts, AConvertIsTheCastUnlessThereIsOneAlready) {
  SmallGraph alone;
  alone.input("x").node("Sigmoid", {"x"}, {"a"}).node("Identity", {"a"}, {"a_converted"}).output("a_converted");
  make_half(alone, {"a"});
  EXPECT_EQ(outputs_of(insert_half_casts(alone.graph()), "Cast"), Names{"a_converted"});
  SmallGraph shared = alone;
  shared.node("Tanh", {"a"}, {"b"}).output("b");
  const Graph graph = insert_half_casts(shared.graph());
  EXPECT_EQ(outputs_of(graph, "Cast"), Names{"a_float32"});
  EXPECT_EQ(operand(graph, "a_converted", 0), "a_float32");
}

TEST(HalfCasts, OutputsAreFloat32UnderTheirOwnNames) {
  SmallGraph g;
  g.input("x").node("Sigmoid", {"x"}, {"y"}).output("y");
  make_half(g, {"y"});
  const Graph graph = insert_half_casts(g.graph());
  EXPECT_EQ(graph.value(graph.outputs[0].value).name, "y");
  EXPECT_EQ(operand(graph, "y", 0), "y_float16");
  EXPECT_EQ(graph.value(graph::find_value(graph, "y_float16")).format, RealFormat::kFloat16);
  EXPECT_EQ(graph.value(graph.outputs[0].value).format, RealFormat::kFloat32);
}

/// Writes and reads back.
Graph through_a_file(const Graph& graph, const EncodingSet& encodings) {
  const auto path = std::filesystem::temp_directory_path() / ("halfstep_half_" + std::to_string(getpid()) + ".onnx");
  Result<PendingModel> pending = write_onnx(graph, encodings, path, {});
  EXPECT_TRUE(pending.ok() && pending->commit().ok());
  Result<ReadModel> read = read_onnx(path);
  std::filesystem::remove(path);
  EXPECT_TRUE(read.ok());
  return read.ok() ? read->graph : Graph{};
}

TEST(HalfCasts, AFileBringsFormatsAndConvertsBack) {
  SmallGraph g = half_in_the_middle();
  g.constant("k", Tensor::of<float>({1}, {0.1F})).node("Mul", {"h", "k"}, {"m"}).output("m");
  make_half(g, {"k", "m"});
  const Graph graph = through_a_file(g.graph(), {});
  EXPECT_EQ(outputs_of(graph, "Cast"), Names{"h"});  // What it reads may be integers, for all a file says.
  EXPECT_EQ(outputs_of(graph, "Identity"), (Names{"a_float32", "m"}));
  for (const char* name : {"h", "a", "k", "m_float16"}) {
    ASSERT_NE(graph::find_value(graph, name), graph::kNoValue) << name;
    EXPECT_EQ(graph.value(graph::find_value(graph, name)).format, RealFormat::kFloat16) << name;
  }
  for (const char* name : {"x", "b", "c", "a_float32", "m"}) {
    EXPECT_EQ(graph.value(graph::find_value(graph, name)).format, RealFormat::kFloat32) << name;
  }
  EXPECT_EQ(graph.value(graph::find_value(graph, "k")).constant->values<float>()[0], rounded_to_half(0.1F));
}

/// x -> Sigmoid -> a (4 bits) -> Tanh -> b (8 bits) -> Sigmoid -> y (4 bits).
Graph with_narrow_pairs() {
  SmallGraph g;
  g.input("x", {4}).node("Sigmoid", {"x"}, {"a"}).node("Tanh", {"a"}, {"b"}).node("Sigmoid", {"b"}, {"y"}).output("y");
  g.graph().opset = 21;
  g.graph().ir_version = 10;
  EncodingSet encodings;
  const auto add = [&](const char* name, std::int32_t q_max) {
    encodings.insert_or_assign(
        name,
        TensorEncoding{
            .encoding = *Encoding::per_tensor({0, q_max}, {0.1, 0}), .provenance = {}, .codes = {}, .frozen = false});
  };
  add("x", 15);
  add("a", 15);
  add("b", 255);
  add("y", 15);
  return *insert_qdq(g.graph(), encodings);
}

TEST(NarrowGuards, StandAroundPairsOfFourBits) {
  const Graph graph = insert_narrow_guards(with_narrow_pairs());
  EXPECT_TRUE(graph::verify(graph).ok());
  // An input needs none in front, an output none behind.
  EXPECT_EQ(outputs_of(graph, "Max"), (Names{"x_dequantized_guarded", "a", "a_dequantized_guarded", "y_float"}));
  EXPECT_EQ(operand(graph, "a_quantized", 0), "a");
  EXPECT_EQ(operand(graph, "a", 0), "a_unguarded");
  EXPECT_EQ(operand(graph, "b", 0), "a_dequantized_guarded");
  EXPECT_EQ(graph.value(graph.outputs[0].value).name, "y");
  EXPECT_EQ(operand(graph, "y", 0), "y_quantized");
}

TEST(NarrowGuards, GoWithoutATrace) {
  const Graph before = with_narrow_pairs();
  Graph graph = insert_narrow_guards(before);
  remove_narrow_guards(graph);
  EXPECT_TRUE(graph::verify(graph).ok());
  EXPECT_EQ(outputs_of(graph, "Max"), Names{});
  ASSERT_EQ(graph.nodes.size(), before.nodes.size());
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    EXPECT_EQ(graph.value(graph.nodes[n].outputs[0]).name, before.value(before.nodes[n].outputs[0]).name);
    EXPECT_EQ(graph.value(graph.nodes[n].inputs[0]).name, before.value(before.nodes[n].inputs[0]).name);
  }
}

}  // namespace
}  // namespace halfstep::io
