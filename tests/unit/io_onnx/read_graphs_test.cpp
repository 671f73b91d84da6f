// read_graphs_test.cpp: inputs, nodes, names, subgraphs and functions of models.
#include <gmock/gmock.h>

#include <algorithm>

#include "reader_support.hpp"

namespace halfstep::io {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string node(const std::string& op, const std::string& in, const std::string& out, const std::string& more = "") {
  return "node { op_type: '" + op + "' " + (in.empty() ? "" : "input: '" + in + "' ") + "output: '" + out + "' " +
         more + "} ";
}

std::vector<std::string> op_types(const graph::Graph& graph) {
  std::vector<std::string> types;
  for (const graph::Node& each : graph.nodes) types.push_back(each.op_type);
  return types;
}

TEST(ReadGraphs, NodesInAnyOrderAreSorted) {
  const auto model = read_graph(input_text("x") + node("Tanh", "h", "y") + node("Relu", "x", "h") + output_text("y"));
  ASSERT_TRUE(model.ok()) << error_of(model);
  EXPECT_THAT(op_types(model->graph), ElementsAre("Relu", "Tanh"));
  EXPECT_EQ(model->graph.opset, 21);
  EXPECT_EQ(model->graph.ir_version, 8);
}

TEST(ReadGraphs, ConstantsBecomeInitializers) {
  const auto model = read_graph(
      input_text("x") + node("Constant", "", "c", "attribute { name: 'value_ints' type: INTS ints: 3 ints: 4 }") +
      "node { op_type: 'Reshape' input: 'x' input: 'c' output: 'y' } " + output_text("y"));
  ASSERT_TRUE(model.ok()) << error_of(model);
  EXPECT_EQ(model->graph.nodes.size(), 1U);
  EXPECT_THAT(constant_named(model->graph, "c").values<std::int64_t>(), ElementsAre(3, 4));
}

TEST(ReadGraphs, InitializersAreNoInputs) {
  const auto model = read_graph(input_text("x") + input_text("w") +
                                "initializer { name: 'w' data_type: 1 float_data: 1 } "
                                "node { op_type: 'Add' input: 'x' input: 'w' output: 'y' } " +
                                output_text("y"));
  ASSERT_TRUE(model.ok()) << error_of(model);
  ASSERT_EQ(model->graph.inputs.size(), 1U);
  EXPECT_EQ(model->graph.value(model->graph.inputs[0].value).name, "x");
}

TEST(ReadGraphs, SymbolicDimsAndElementTypesAreKept) {
  const auto model =
      read_graph("input { name: 'x' " + tensor_type(10, "dim { dim_param: 'N' } dim {} dim { dim_value: 3 }") + "} " +
                 node("Relu", "x", "y") + output_text("y"));
  ASSERT_TRUE(model.ok()) << error_of(model);
  const graph::Declared& declared = model->graph.inputs[0].declared;
  EXPECT_EQ(declared.dtype, DType::kFloat32);
  EXPECT_THAT(*declared.dims, ElementsAre(graph::Dim{-1, "N"}, graph::Dim{-1, ""}, graph::Dim{3, ""}));
}

TEST(ReadGraphs, NamesMayHoldAnythingAndRepeat) {
  const auto model = read_graph(input_text("a b/:\\n\\001") +
                                "node { name: 'n' op_type: 'Relu' input: 'a b/:\\n\\001' output: '\\377' } "
                                "node { name: 'n' op_type: 'Relu' input: '\\377' output: 'y' } " +
                                output_text("y"));
  ASSERT_TRUE(model.ok()) << error_of(model);
}

TEST(ReadGraphs, BrokenGraphsAreNamed) {
  EXPECT_EQ(error_of(read_graph(input_text("x") + node("Relu", "nope", "y") + output_text("y"))),
            "invalid: node 'y' (Relu): reads 'nope', which nothing writes");
  EXPECT_THAT(error_of(read_graph(node("Relu", "b", "a") + node("Relu", "a", "b") + output_text("b"))),
              HasSubstr("cycle"));
  EXPECT_THAT(
      error_of(read_graph(input_text("x") + node("Relu", "x", "y") + node("Relu", "x", "y") + output_text("y"))),
      HasSubstr("tensor 'y' is written twice"));
  EXPECT_THAT(error_of(read_graph(input_text("x") + input_text("x") + output_text("x"))),
              HasSubstr("two graph inputs are called 'x'"));
  EXPECT_THAT(error_of(read_graph(input_text("x") + node("Relu", "x", "x") + output_text("x"))),
              HasSubstr("'x' is written twice"));
  EXPECT_EQ(error_of(read_graph(input_text("x") + output_text("y"))),
            "invalid: graph output 'y' is written by nothing");
  EXPECT_EQ(error_of(read_graph(input_text("x"))), "invalid: the graph has no outputs");
}

TEST(ReadGraphs, OtherKindsOfInputsAreUnsupported) {
  EXPECT_EQ(error_of(read_graph("input { name: 's' type { sequence_type { } } } " + output_text("s"))),
            "unsupported: graph input 's' is a sequence, only tensors are supported");
  EXPECT_EQ(error_of(read_graph("input { name: 's' " + tensor_type(8, "") + "} " + output_text("s"))),
            "unsupported: graph input 's' has element type string, which is not supported");
}

TEST(ReadGraphs, AttributesHaveTheTypeOfTheirName) {
  EXPECT_EQ(
      error_of(read_graph(input_text("x") + node("Flatten", "x", "y", "attribute { name: 'axis' type: FLOAT f: 1 }") +
                          output_text("y"))),
      "invalid: node 'y' (Flatten): attribute 'axis' is a float, expected an integer");
}

TEST(ReadGraphs, OpsetsOutsideTheRangeAreUnsupported) {
  const std::string body = input_text("x") + node("Relu", "x", "y") + output_text("y");
  EXPECT_EQ(error_of(read_graph(body, 6)), "unsupported: uses opset 6, supported are opsets 7 to 28");
  EXPECT_EQ(error_of(read_graph(body, 29)), "unsupported: uses opset 29, supported are opsets 7 to 28");
  EXPECT_TRUE(read_graph(body, 7).ok());
  EXPECT_TRUE(read_graph(body, 28).ok());
  EXPECT_EQ(error_of(read_bytes(model_bytes("ir_version: 8 graph { " + body + "}"))),
            "invalid: imports no opset of the default ONNX domain");
  EXPECT_TRUE(read_graph(input_text("x") + node("Not", "x", "y") + output_text("y"), 1).ok());
}

TEST(ReadGraphs, SubgraphsListWhatTheyCapture) {
  const std::string branch =
      "node { op_type: 'Add' input: 'outer' input: 'x' output: 'b' } output { name: 'b' } name: 'branch'";
  const auto model =
      read_graph(input_text("x") + "input { name: 'c' " + tensor_type(9, "") + "} " + node("Relu", "x", "outer") +
                 node("If", "c", "y",
                      "attribute { name: 'then_branch' type: GRAPH g { " + branch +
                          " } } attribute { name: 'else_branch' type: GRAPH g { " + branch + " } } ") +
                 output_text("y"));
  ASSERT_TRUE(model.ok()) << error_of(model);
  const graph::Graph& graph = model->graph;
  const graph::Node& branching = graph.nodes.back();
  ASSERT_EQ(branching.inputs.size(), 3U);
  EXPECT_EQ(graph.value(branching.inputs[1]).name, "outer");
  EXPECT_EQ(graph.value(branching.inputs[2]).name, "x");
  const auto* inner = branching.attributes.find<std::shared_ptr<const graph::Graph>>("then_branch");
  ASSERT_NE(inner, nullptr);
  ASSERT_EQ((*inner)->captures.size(), 2U);
  EXPECT_EQ((*inner)->captures[0].outer, branching.inputs[1]);
  EXPECT_TRUE(graph::verify(**inner).ok());
}

// Functions.

std::string with_functions(const std::string& graph, const std::string& functions) {
  return model_bytes(model_text(graph) + " opset_import { domain: 'mine' version: 1 } " + functions);
}

std::string function(const std::string& name, const std::string& body) {
  return "functions { domain: 'mine' name: '" + name + "' opset_import { version: 21 } " +
         "opset_import { domain: 'mine' version: 1 } " + body + "} ";
}

TEST(ReadFunctions, AreInlinedWithTheirAttributes) {
  const std::string scaled = function(
      "Scaled", "input: 'a' output: 'b' attribute: 'slope' " + node("Relu", "a", "t") +
                    node("LeakyRelu", "t", "b", "attribute { name: 'alpha' type: FLOAT ref_attr_name: 'slope' }"));
  const std::string twice =
      function("Twice", "input: 'a' output: 'b' " +
                            node("Scaled", "a", "t", "domain: 'mine' attribute { name: 'slope' type: FLOAT f: 0.5 }") +
                            node("Scaled", "t", "b", "domain: 'mine'"));
  const auto model = read_bytes(with_functions(input_text("x") + node("Twice", "x", "t", "domain: 'mine'") +
                                                   node("Twice", "t", "y", "domain: 'mine'") + output_text("y"),
                                               scaled + twice));
  ASSERT_TRUE(model.ok()) << error_of(model);
  EXPECT_EQ(op_types(model->graph).size(), 8U);
  EXPECT_EQ(model->graph.nodes[1].attributes.get_float("alpha", 0.01F), 0.5F);
  EXPECT_FALSE(model->graph.nodes[3].attributes.has("alpha"));
  EXPECT_EQ(model->graph.value(model->graph.outputs[0].value).name, "y");
}

TEST(ReadFunctions, OutputsMayBeInputs) {
  const auto model =
      read_bytes(with_functions(input_text("x") + node("Same", "x", "y", "domain: 'mine'") + output_text("y"),
                                function("Same", "input: 'a' output: 'a'")));
  ASSERT_TRUE(model.ok()) << error_of(model);
  EXPECT_THAT(op_types(model->graph), ElementsAre("Identity"));
}

TEST(ReadFunctions, RecursionAndExplosionAreRefused) {
  const std::string graph = input_text("x") + node("F0", "x", "y", "domain: 'mine'") + output_text("y");
  EXPECT_THAT(error_of(read_bytes(with_functions(
                  graph, function("F0", "input: 'a' output: 'b' " + node("F0", "a", "b", "domain: 'mine'"))))),
              HasSubstr("calls itself"));
  std::string functions;
  for (int i = 0; i < 40; ++i) {
    const std::string next = "F" + std::to_string(i + 1);
    functions += function("F" + std::to_string(i), "input: 'a' output: 'b' " + node(next, "a", "t", "domain: 'mine'") +
                                                       node(next, "t", "b", "domain: 'mine'"));
  }
  functions += function("F40", "input: 'a' output: 'b' " + node("Relu", "a", "b"));
  EXPECT_THAT(error_of(read_bytes(with_functions(graph, functions))), HasSubstr("expand to more than"));
}

// The field of default attributes is newer than the protobuf classes: written by hand.
TEST(ReadFunctions, RecursionThroughADefaultSubgraphIsRefused) {
  const std::string inner =
      model_bytes("functions { attribute: 'unused' node { attribute { name: 'branch' type: GRAPH g { " +
                  node("F0", "x", "b", "domain: 'mine'") + "output { name: 'b' } } } } }");
  // functions { node { attribute ... } }: what follows the four headers is the AttributeProto.
  const std::size_t at = inner.find(std::string("\x0a\x06") + "branch");
  ASSERT_NE(at, std::string::npos);
  const std::string attribute = inner.substr(at);
  ASSERT_LT(attribute.size(), 128U);
  const std::string body =
      "domain: 'mine' name: 'F0' input: 'x' output: 'y' opset_import { version: 21 } "
      "opset_import { domain: 'mine' version: 1 } " +
      node("If", "x", "y", "attribute { name: 'then_branch' type: GRAPH ref_attr_name: 'branch' }");
  std::string function_bytes = model_bytes("functions { " + body + "}");
  ASSERT_LT(function_bytes.size() + attribute.size() + 2, 256U);
  // Field 11 (attribute_proto) is appended to the function, whose length is a two-byte varint.
  std::string payload = function_bytes.substr(function_bytes.find(std::string("\x0a\x02") + "F0"));
  payload += std::string("\x5a") + static_cast<char>(attribute.size()) + attribute;
  const std::size_t size = payload.size();
  const std::string length = {static_cast<char>(0x80U | (size & 0x7fU)), static_cast<char>(size >> 7)};
  const std::string model =
      with_functions(input_text("x") + node("F0", "x", "y", "domain: 'mine'") + output_text("y"), "");
  EXPECT_THAT(error_of(read_bytes(model + "\xca\x01" + length + payload)), HasSubstr("nested more than 32 levels"));
}

}  // namespace
}  // namespace halfstep::io
