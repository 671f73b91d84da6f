// canonical_test.cpp: older operator forms and what they become. Their results
// are compared with ONNX Runtime's by tests/node/make_older_forms.py.
#include <gmock/gmock.h>

#include "reader_support.hpp"

namespace halfstep::io {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string one_node(const std::string& text) { return input_text("x") + "node { " + text + " } " + output_text("y"); }

graph::Graph read(const std::string& graph_text, int opset) {
  const auto model = read_graph(graph_text, opset);
  EXPECT_TRUE(model.ok()) << error_of(model);
  return model.ok() ? model->graph : graph::Graph();
}

std::vector<std::string> op_types(const graph::Graph& graph) {
  std::vector<std::string> types;
  for (const graph::Node& node : graph.nodes) types.push_back(node.op_type);
  return types;
}

std::vector<std::int64_t> ints_of(const graph::Graph& graph, const graph::Node& node, std::size_t index) {
  const Tensor* tensor = index < node.inputs.size() ? graph::constant_of(graph, node.inputs[index]) : nullptr;
  return tensor == nullptr ? std::vector<std::int64_t>{-999} : to_int64s(*tensor);
}

TEST(Canonical, AttributesBecomeInputs) {
  const graph::Graph clip =
      read(one_node("op_type: 'Clip' input: 'x' output: 'y' attribute { name: 'max' type: FLOAT f: 6 }"), 7);
  ASSERT_EQ(clip.nodes[0].inputs.size(), 3U);
  EXPECT_EQ(clip.nodes[0].inputs[1], graph::kNoValue);
  EXPECT_THAT(clip.value(clip.nodes[0].inputs[2]).constant->values<float>(), ElementsAre(6.0F));
  EXPECT_FALSE(clip.nodes[0].attributes.has("max"));

  const graph::Graph sum =
      read(one_node("op_type: 'ReduceSum' input: 'x' output: 'y' attribute { name: 'axes' type: INTS ints: 1 }"), 12);
  EXPECT_THAT(ints_of(sum, sum.nodes[0], 1), ElementsAre(1));
  const graph::Graph mean =
      read(one_node("op_type: 'ReduceMean' input: 'x' output: 'y' attribute { name: 'axes' type: INTS ints: 1 }"), 17);
  EXPECT_THAT(ints_of(mean, mean.nodes[0], 1), ElementsAre(1));
}

TEST(Canonical, NewFormsStay) {
  const graph::Graph graph = read(one_node("op_type: 'Softmax' input: 'x' output: 'y'"), 13);
  EXPECT_THAT(op_types(graph), ElementsAre("Softmax"));
  EXPECT_FALSE(graph.nodes[0].attributes.has("axis"));
}

TEST(Canonical, OldSoftmaxOverTheLastAxisIsPlain) {
  const graph::Graph graph = read(one_node("op_type: 'Softmax' input: 'x' output: 'y'"), 11);
  EXPECT_THAT(op_types(graph), ElementsAre("Softmax"));
  EXPECT_EQ(graph.nodes[0].attributes.get_int("axis", 0), -1);
}

TEST(Canonical, OldSoftmaxElsewhereWorksOnAMatrixAndKeepsTheOutputsName) {
  const graph::Graph graph =
      read(one_node("op_type: 'Softmax' input: 'x' output: 'y' attribute { name: 'axis' type: INT i: 0 }"), 11);
  EXPECT_THAT(op_types(graph), ElementsAre("Shape", "Flatten", "Softmax", "Reshape"));
  EXPECT_EQ(graph.value(graph.nodes[3].outputs[0]).name, "y");
  EXPECT_EQ(graph.value(graph.outputs[0].value).name, "y");
  EXPECT_TRUE(graph::verify(graph).ok());
}

TEST(Canonical, SplitWithoutSizesCountsItsOutputs) {
  const graph::Graph graph = read(input_text("x") + "node { op_type: 'Split' input: 'x' output: 'y' output: 'z' } " +
                                      output_text("y") + output_text("z"),
                                  13);
  EXPECT_EQ(graph.nodes[0].attributes.get_int("num_outputs", 0), 2);
}

TEST(Canonical, UpsampleBecomesResize) {
  const graph::Graph graph = read(
      one_node(
          "op_type: 'Upsample' input: 'x' output: 'y' attribute { name: 'scales' type: FLOATS floats: 2 floats: 1 }"),
      7);
  ASSERT_THAT(op_types(graph), ElementsAre("Resize"));
  const graph::Node& node = graph.nodes[0];
  ASSERT_EQ(node.inputs.size(), 3U);
  EXPECT_EQ(node.inputs[1], graph::kNoValue);
  EXPECT_EQ(node.attributes.get_string("coordinate_transformation_mode", ""), "asymmetric");
  EXPECT_EQ(node.attributes.get_string("nearest_mode", ""), "floor");
}

TEST(Canonical, EmptyResizeOperandsAreAbsent) {
  const graph::Graph graph = read(input_text("x") +
                                      "initializer { name: 'e' data_type: 1 dims: 0 } "
                                      "initializer { name: 's' data_type: 1 dims: 2 float_data: 2 float_data: 2 } "
                                      "node { op_type: 'Resize' input: 'x' input: 'e' input: 's' output: 'y' } " +
                                      output_text("y"),
                                  11);
  EXPECT_EQ(graph.nodes[0].inputs[1], graph::kNoValue);
  EXPECT_NE(graph.nodes[0].inputs[2], graph::kNoValue);
}

TEST(Canonical, GroupNormalizationGetsOneScaleAChannel) {
  const graph::Graph graph =
      read(input_text("x") +
               "initializer { name: 's' data_type: 1 dims: 1 float_data: 2 } "
               "initializer { name: 'b' data_type: 1 dims: 1 float_data: 2 } "
               "node { op_type: 'GroupNormalization' input: 'x' input: 's' input: 'b' output: 'y' "
               "attribute { name: 'num_groups' type: INT i: 1 } } " +
               output_text("y"),
           18);
  EXPECT_THAT(op_types(graph), ElementsAre("Shape", "Div", "Concat", "Reshape", "Expand", "Reshape", "Reshape",
                                           "Expand", "Reshape", "GroupNormalization"));
  EXPECT_TRUE(graph::verify(graph).ok());
}

TEST(Canonical, ElementTypesOfAttributesBecomeFloat32) {
  for (const char* type : {"10", "11", "16"}) {
    const graph::Graph graph = read(one_node("op_type: 'Cast' input: 'x' output: 'y' "
                                             "attribute { name: 'to' type: INT i: " +
                                             std::string(type) + " }"),
                                    21);
    EXPECT_EQ(graph.nodes[0].attributes.get_int("to", 0), 1);
  }
}

TEST(Canonical, QuantizersOfOnnxRuntimeAreOnnxOnes) {
  const graph::Graph graph =
      read(input_text("x") +
               "initializer { name: 's' data_type: 1 float_data: 2 } "
               "node { op_type: 'QuantizeLinear' domain: 'com.microsoft' input: 'x' input: 's' output: 'y' } " +
               output_text("y"),
           13);
  EXPECT_EQ(graph.nodes[0].domain, "");
}

TEST(Canonical, NewNamesGiveWayToThoseInTheFile) {
  const graph::Graph graph = read(input_text("x") + input_text("y_Shape") +
                                      "node { op_type: 'Softmax' input: 'x' output: 'y' "
                                      "attribute { name: 'axis' type: INT i: 0 } } " +
                                      output_text("y"),
                                  11);
  EXPECT_EQ(graph.value(graph.nodes[0].outputs[0]).name, "y_Shape_2");
}

TEST(Canonical, OldFormsThatAreBrokenAreNamed) {
  EXPECT_EQ(error_of(read_graph(one_node("name: 'p' op_type: 'Pad' input: 'x' output: 'y'"), 10)),
            "invalid: node 'p' (Pad): has no attribute 'pads', which opset 10 requires");
  EXPECT_THAT(error_of(read_graph(one_node("op_type: 'Clip' input: 'x' input: 'x' output: 'y'"), 10)),
              HasSubstr("has 2 inputs, its form in opset 10 has one"));
  EXPECT_THAT(error_of(read_graph(one_node("op_type: 'BatchNormalization' input: 'x' input: 'x' input: 'x' input: 'x' "
                                           "input: 'x' output: 'y' attribute { name: 'spatial' type: INT i: 0 }"),
                                  7)),
              HasSubstr("spatial=0 is not supported"));
}

}  // namespace
}  // namespace halfstep::io
