// Contract under test: io/onnx/writer.hpp: what is written reads back as the same model.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "io/onnx/reader.hpp"
#include "io/onnx/writer.hpp"

namespace halfstep::io {
namespace {

namespace fs = std::filesystem;
using graph::Graph;
using graph::Node;
using graph::ValueId;

/// x -> Conv(w, b) with a fused Relu -> y.
Graph conv_relu() {
  Graph graph;
  graph.opset = 13;
  graph.ir_version = 7;
  const ValueId x = graph::add_value(graph, "x");
  const ValueId y = graph::add_value(graph, "y");
  Node conv;
  conv.name = "conv";
  conv.op_type = "Conv";
  conv.inputs = {x, graph::add_constant(graph, "w", Tensor::of<float>(Shape{2, 1, 1, 1}, {0.5F, -1.0F})),
                 graph::add_constant(graph, "b", Tensor::of<float>(Shape{2}, {0.25F, 0.5F}))};
  conv.outputs = {y};
  conv.clamp = graph::FusedClamp{
      .min = 0.0F, .max = std::numeric_limits<float>::infinity(), .node_name = "act", .pre_name = "before"};
  graph.nodes.push_back(conv);
  graph.inputs.push_back({x, {DType::kFloat32, std::vector<graph::Dim>{{-1, "N"}, {1, ""}, {2, ""}, {2, ""}}}});
  graph.outputs.push_back({y, {DType::kFloat32, std::nullopt}});
  return graph;
}

EncodingSet encodings_of(int weight_bits) {
  EncodingSet set;
  const auto entry_of = [](Encoding encoding, TensorRole role) {
    return TensorEncoding{
        .encoding = std::move(encoding), .role = role, .provenance = {}, .codes = {}, .frozen = false};
  };
  const auto activation = [&](double scale) {
    return entry_of(*Encoding::per_tensor({0, 255}, {scale, 0}), TensorRole::kActivation);
  };
  set.insert_or_assign("x", activation(0.01));
  set.insert_or_assign("y", activation(0.02));
  const IntGrid grid = narrow_signed_grid(weight_bits);
  set.insert_or_assign("w", entry_of(*Encoding::per_channel(grid, 0, {{0.125, 0}, {0.25, 0}}), TensorRole::kWeight));
  return set;
}

class WriteOnnx : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("halfstep_write_" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  Graph round_trip(const Graph& graph, const EncodingSet& encodings) {
    Result<PendingModel> pending =
        write_onnx(graph, encodings, folder_ / "m.onnx", {.tool_version = "0", .metadata = {{"k", "v"}}});
    EXPECT_TRUE(pending.ok()) << pending.error().message;
    EXPECT_FALSE(fs::exists(folder_ / "m.onnx"));  // Nothing appears before commit().
    EXPECT_TRUE(pending->commit().ok());
    Result<ReadModel> read = read_onnx(folder_ / "m.onnx");
    EXPECT_TRUE(read.ok()) << read.error().message;
    fs::remove(folder_ / "m.onnx");
    return std::move(read->graph);
  }

  static const Node* find_node(const Graph& graph, std::string_view op_type) {
    for (const Node& node : graph.nodes) {
      if (node.op_type == op_type) return &node;
    }
    return nullptr;
  }

  fs::path folder_;
};

TEST_F(WriteOnnx, AFloatModelKeepsNamesAndSymbolicDims) {
  const Graph graph = round_trip(conv_relu(), {});
  ASSERT_EQ(graph.nodes.size(), 2U);
  EXPECT_EQ(graph.nodes[0].op_type, "Conv");
  EXPECT_EQ(graph.nodes[1].op_type, "Relu");
  EXPECT_EQ(graph.nodes[1].name, "act");
  EXPECT_NE(graph::find_value(graph, "before"), graph::kNoValue);
  EXPECT_EQ(graph.value(graph.outputs[0].value).name, "y");
  EXPECT_EQ((*graph.inputs[0].declared.dims)[0].symbol, "N");
  EXPECT_EQ(graph.opset, 13);
}

TEST_F(WriteOnnx, EncodedTensorsGetPairsAndIntegerWeights) {
  const Graph graph = round_trip(conv_relu(), encodings_of(8));
  const ValueId stored = graph::find_value(graph, "w_quantized");
  ASSERT_NE(stored, graph::kNoValue);
  EXPECT_EQ(graph.value(stored).constant->dtype(), DType::kInt8);
  EXPECT_EQ(graph.value(stored).constant->data<std::int8_t>()[0], 4);
  EXPECT_EQ(graph.value(stored).constant->data<std::int8_t>()[1], -4);
  const Node* conv = find_node(graph, "Conv");
  ASSERT_NE(conv, nullptr);
  EXPECT_EQ(graph.value(conv->inputs[0]).name, "x_dequantized");
  EXPECT_EQ(graph.value(conv->inputs[1]).name, "w");
  // The output keeps its name on the dequantized side.
  EXPECT_NE(graph::find_value(graph, "y_float"), graph::kNoValue);
  EXPECT_EQ(graph.value(graph.outputs[0].value).name, "y");
  for (const Node& node : graph.nodes) {
    const bool per_channel = node.op_type == "DequantizeLinear" && node.inputs[0] == stored;
    EXPECT_TRUE(!per_channel || node.attributes.has("axis"));
  }
  EXPECT_EQ(graph.opset, 13);
}

TEST_F(WriteOnnx, FourBitWeightsArePackedAndRaiseTheOpset) {
  const Graph graph = round_trip(conv_relu(), encodings_of(4));
  const ValueId stored = graph::find_value(graph, "w_quantized");
  ASSERT_NE(stored, graph::kNoValue);
  EXPECT_EQ(graph.value(stored).narrow_bits, 4);
  EXPECT_EQ(graph.value(stored).constant->data<std::int8_t>()[0], 4);
  EXPECT_EQ(graph.value(stored).constant->data<std::int8_t>()[1], -4);
  EXPECT_EQ(graph.opset, 21);
}

TEST_F(WriteOnnx, RecognisedOperatorsAreSpelledOutForOlderOpsets) {
  for (const char* op_type : {"Gelu", "HardSwish", "Mish", "Swish"}) {
    Graph graph;
    graph.opset = 13;
    const ValueId x = graph::add_value(graph, "x");
    const ValueId y = graph::add_value(graph, "y");
    Node node;
    node.op_type = op_type;
    node.inputs = {x};
    node.outputs = {y};
    graph.nodes.push_back(node);
    graph.inputs.push_back({x, {DType::kFloat32, std::vector<graph::Dim>{{3, ""}}}});
    graph.outputs.push_back({y, {}});
    const Graph back = round_trip(graph, {});
    EXPECT_EQ(find_node(back, op_type), nullptr) << op_type;
    EXPECT_GE(back.nodes.size(), 2U) << op_type;
    EXPECT_EQ(back.opset, 13) << op_type;
    graph.opset = 24;
    EXPECT_NE(find_node(round_trip(graph, {}), op_type), nullptr) << op_type;
  }
}

TEST_F(WriteOnnx, ReductionAxesBecomeAnAttributeBeforeOpset18) {
  Graph graph;
  graph.opset = 13;
  const ValueId x = graph::add_value(graph, "x");
  const ValueId y = graph::add_value(graph, "y");
  Node node;
  node.op_type = "ReduceMean";
  node.inputs = {x, graph::add_constant(graph, "axes", Tensor::of<std::int64_t>(Shape{1}, {-1}))};
  node.outputs = {y};
  graph.nodes.push_back(node);
  graph.inputs.push_back({x, {DType::kFloat32, std::vector<graph::Dim>{{2, ""}, {3, ""}}}});
  graph.outputs.push_back({y, {}});
  // Read back it is canonical again: the axes are an operand.
  const Graph back = round_trip(graph, {});
  ASSERT_EQ(back.nodes.size(), 1U);
  ASSERT_EQ(back.nodes[0].inputs.size(), 2U);
  EXPECT_EQ(to_int64s(*graph::constant_of(back, back.nodes[0].inputs[1])), std::vector<std::int64_t>{-1});
}

TEST_F(WriteOnnx, AnUnwritablePlaceIsAnErrorWithThePath) {
  const Result<PendingModel> pending = write_onnx(conv_relu(), {}, folder_ / "absent" / "m.onnx", {});
  ASSERT_FALSE(pending.ok());
  EXPECT_NE(pending.error().message.find("absent"), std::string::npos);
}

TEST_F(WriteOnnx, BlocksNeedOpset21AndScalesOfTheTensorsRank) {
  Graph source = conv_relu();
  EncodingSet set = encodings_of(8);
  set.at("w").encoding = *Encoding::per_block(signed_grid(8), 1, 16, {{0.125, 0}, {0.25, 0}});
  const Graph graph = round_trip(source, set);
  EXPECT_EQ(graph.opset, 21);
  const Node* node = find_node(graph, "DequantizeLinear");
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node->attributes.get_int("axis", 9), 1);
  EXPECT_EQ(node->attributes.get_int("block_size", 0), 16);
  EXPECT_EQ(graph::constant_of(graph, node->inputs[1])->shape(), (Shape{2, 1, 1, 1}));
}

/// x [1, 17] -> Gemm with a weight [3, 17] in blocks of 16 -> y.
Graph blocked_gemm(EncodingSet& set) {
  Graph graph;
  graph.opset = 17;
  const ValueId x = graph::add_value(graph, "x");
  const ValueId y = graph::add_value(graph, "y");
  Tensor codes(TensorType{DType::kInt8, Shape{3, 17}});
  for (std::int64_t i = 0; i < codes.num_elements(); ++i) {
    codes.mutable_data<std::int8_t>()[i] = static_cast<std::int8_t>(i % 16 - 8);
  }
  const Encoding blocks =
      *Encoding::per_block(signed_grid(4), 1, 16, {{0.5, 0}, {1, 1}, {1.5, 2}, {2, 3}, {2.5, 4}, {3, -8}});
  Node gemm;
  gemm.name = "fc";
  gemm.op_type = "Gemm";
  gemm.inputs = {x, graph::add_constant(graph, "w", dequantize(codes, blocks)),
                 graph::add_constant(graph, "b", Tensor::of<float>(Shape{3}, {1.0F, 2.0F, 3.0F}))};
  gemm.outputs = {y};
  gemm.attributes.set("transB", std::int64_t{1});
  graph.nodes.push_back(gemm);
  graph.inputs.push_back({x, {DType::kFloat32, std::vector<graph::Dim>{{1, ""}, {17, ""}}}});
  graph.outputs.push_back({y, {DType::kFloat32, std::nullopt}});
  set.insert_or_assign(
      "w", TensorEncoding{.encoding = blocks, .role = TensorRole::kWeight, .provenance = {}, .codes = codes});
  return graph;
}

TEST_F(WriteOnnx, BlocksOfFourBitsAsMatMulNBits) {
  EncodingSet set;
  const Graph source = blocked_gemm(set);
  Result<PendingModel> pending =
      write_onnx(source, set, folder_ / "m.onnx", {.tool_version = "0", .metadata = {}, .matmul_nbits = true});
  ASSERT_TRUE(pending.ok()) << pending.error().message;
  ASSERT_TRUE(pending->commit().ok());
  const Graph graph = std::move(read_onnx(folder_ / "m.onnx")->graph);
  ASSERT_EQ(graph.nodes.size(), 2U);
  const Node& product = graph.nodes[0];
  EXPECT_EQ(product.op_type, "MatMulNBits");
  EXPECT_EQ(product.attributes.get_int("K", 0), 17);
  EXPECT_EQ(product.attributes.get_int("N", 0), 3);
  EXPECT_EQ(graph.nodes[1].op_type, "Add");
  const Tensor& packed = *graph::constant_of(graph, product.inputs[1]);
  EXPECT_EQ(packed.shape(), (Shape{3, 2, 8}));
  EXPECT_EQ(packed.data<std::uint8_t>()[0], 0x10);   // Codes -8 and -7, counted from 0.
  EXPECT_EQ(packed.data<std::uint8_t>()[16], 0x21);  // The second row begins with element 17.
  const Tensor& zero_points = *graph::constant_of(graph, product.inputs[3]);
  EXPECT_TRUE(identical(zero_points, Tensor::of<std::uint8_t>({3}, {0x98, 0xBA, 0x0C})));
  const Tensor& scales = *graph::constant_of(graph, product.inputs[2]);
  EXPECT_TRUE(identical(scales, Tensor::of<float>({6}, {0.5F, 1.0F, 1.5F, 2.0F, 2.5F, 3.0F})));
  set.clear();
  EXPECT_FALSE(
      write_onnx(source, set, folder_ / "m.onnx", {.tool_version = "0", .metadata = {}, .matmul_nbits = true}).ok());
}

}  // namespace
}  // namespace halfstep::io
