// Contract under test: src/passes/import_qoperator.hpp, and import_qdq.hpp behind it.
#include "passes/import_qoperator.hpp"

#include <limits>

#include "passes/import_qdq.hpp"
#include "unit/passes/pass_support.hpp"

namespace halfstep::passes {
namespace {

/// A model with the constants every test needs: scales s1 = 0.5, s2 = 0.25 and uint8 zero points z0 = 0, z3 = 3.
struct Integers : Model {
  ValueId s1 = scalar("s1", 0.5F);
  ValueId s2 = scalar("s2", 0.25F);
  ValueId z0 = constant("z0", Tensor::of<std::uint8_t>({}, {0}));
  ValueId z3 = constant("z3", Tensor::of<std::uint8_t>({}, {3}));

  /// x_quantized = Q(x, s1, z3).
  ValueId quantized_input(const std::string& name, const Ints& dims) {
    return node("QuantizeLinear", {input(name, dims), s1, z3}, name + "_quantized");
  }
  ValueId microsoft(const std::string& op_type, std::vector<ValueId> inputs, const std::string& output,
                    AttributeList attributes = {}) {
    const ValueId id = node(op_type, std::move(inputs), output, attributes);
    graph.nodes.back().domain = "com.microsoft";
    return id;
  }
  /// The graph output `name`, dequantized on the grid s2, z0.
  void real_output(ValueId codes, const std::string& name) { output(node("DequantizeLinear", {codes, s2, z0}, name)); }
};

ImportedQdq imported(const Model& m, std::size_t num_notes = 0) {
  EXPECT_TRUE(graph::verify(m.graph).ok());
  Result<ImportedQOperator> pairs = import_qoperator(m.graph);
  if (!pairs.ok()) {
    ADD_FAILURE() << pairs.error().message;
    return {};
  }
  const Result<void> sound = graph::verify(pairs->graph);
  EXPECT_TRUE(sound.ok()) << sound.error().message;
  EXPECT_EQ(output_names(m.graph), output_names(pairs->graph));
  EXPECT_EQ(pairs->notes.size(), num_notes);
  const Result<ImportedQOperator> again = import_qoperator(pairs->graph);
  EXPECT_TRUE(again.ok() && same_graph(again->graph, pairs->graph));
  Result<ImportedQdq> result = import_qdq(std::move(pairs->graph));
  if (!result.ok()) {
    ADD_FAILURE() << result.error().message;
    return {};
  }
  EXPECT_EQ(output_names(m.graph), output_names(result->graph));
  return *result;
}

std::string message_of(const Model& m) {
  const Result<ImportedQOperator> result = import_qoperator(m.graph);
  return result.ok() ? "imported" : result.error().message;
}

Integers conv(Tensor weight_scale, Tensor weight_zero_point) {
  Integers m;
  const ValueId x = m.quantized_input("x", {1, 1, 2, 2});
  const ValueId w = m.constant("w_quantized", Tensor::of<std::int8_t>({2, 1, 1, 1}, {-128, 127}));
  const ValueId ws = m.constant("ws", std::move(weight_scale));
  const ValueId wz = m.constant("wz", std::move(weight_zero_point));
  const ValueId b = m.constant("b_quantized", Tensor::of<std::int32_t>({2}, {1000, -7}));
  m.real_output(m.node("QLinearConv", {x, m.s1, m.z3, w, ws, wz, m.s2, m.z0, b}, "y_quantized"), "y");
  return m;
}

TEST(ImportQOperator, AConvKeepsItsCodesAndGivesTheBiasItsGrid) {
  const ImportedQdq result = imported(conv(Tensor::of<float>({2}, {0.5F, 2.0F}), Tensor::of<std::int8_t>({2}, {0, 0})));
  EXPECT_EQ(operators(result.graph), "Conv");
  EXPECT_TRUE(result.notes.empty());
  ASSERT_EQ(result.encodings.size(), 4U);
  EXPECT_EQ(result.encodings.at("x").encoding.params()[0], (QuantParams{0.5, 3}));
  EXPECT_EQ(result.encodings.at("y").encoding.params()[0], (QuantParams{0.25, 0}));
  EXPECT_EQ(result.encodings.at("w").role, TensorRole::kWeight);
  EXPECT_EQ(result.encodings.at("w").encoding.axis(), 0);
  const TensorEncoding& bias = result.encodings.at("b");
  EXPECT_EQ(bias.role, TensorRole::kBias);
  EXPECT_EQ(bias.encoding.params(), (std::vector<QuantParams>{{0.25, 0}, {1.0, 0}}));
  EXPECT_TRUE(identical(*bias.codes, Tensor::of<std::int32_t>({2}, {1000, -7})));
}

TEST(ImportQOperator, OneZeroPointServesManyScalesAndTheOtherWayRound) {
  const Tensor one = Tensor::of<std::int8_t>({1}, {5});
  const ImportedQdq scales = imported(conv(Tensor::of<float>({2}, {0.5F, 2.0F}), one));
  EXPECT_EQ(scales.encodings.at("w").encoding.params(), (std::vector<QuantParams>{{0.5, 5}, {2.0, 5}}));
  const ImportedQdq zeros = imported(conv(Tensor::of<float>({}, {0.5F}), Tensor::of<std::int8_t>({2}, {5, 6})));
  EXPECT_EQ(zeros.encodings.at("w").encoding.params(), (std::vector<QuantParams>{{0.5, 5}, {0.5, 6}}));
}

TEST(ImportQOperator, AVanishingBiasScaleStaysAScale) {
  const float tiny = std::numeric_limits<float>::min();
  Integers m;
  const ValueId s = m.scalar("tiny", tiny);
  const ValueId x = m.node("QuantizeLinear", {m.input("x", {1, 1}), s, m.z3}, "xq");
  const ValueId w = m.constant("w", Tensor::of<std::uint8_t>({1, 1}, {7}));
  const ValueId b = m.constant("b", Tensor::of<std::int32_t>({1}, {0}));
  m.real_output(m.microsoft("QGemm", {x, s, m.z3, w, s, m.z0, b, m.s2, m.z0}, "yq"), "y");
  EXPECT_EQ(imported(m).encodings.at("b_real").encoding.params()[0].scale, tiny);
}

TEST(ImportQOperator, GemmTakesItsAxisFromTransBAndItsAlphaIntoTheBias) {
  for (const bool transposed : {false, true}) {
    Integers m;
    const ValueId x = m.quantized_input("x", {1, 2});
    const ValueId w =
        m.constant("w_quantized", Tensor::of<std::int8_t>(transposed ? Shape{3, 2} : Shape{2, 3}, {1, 2, 3, 4, 5, 6}));
    const ValueId ws = m.constant("ws", Tensor::of<float>({3}, {1, 2, 4}));
    const ValueId wz = m.constant("wz", Tensor::of<std::int8_t>({3}, {0, 0, 0}));
    const ValueId b = m.constant("b_quantized", Tensor::of<std::int32_t>({3}, {1, 2, 3}));
    // Without an output scale the result is real.
    m.output(m.microsoft("QGemm", {x, m.s1, m.z3, w, ws, wz, b}, "y",
                         {{"transB", std::int64_t{transposed}}, {"alpha", 0.5F}}));
    const ImportedQdq result = imported(m);
    EXPECT_EQ(operators(result.graph), "Gemm");
    EXPECT_EQ(result.encodings.at("w").encoding.axis(), transposed ? 0 : 1);
    EXPECT_EQ(result.encodings.at("b").encoding.params(), (std::vector<QuantParams>{{0.25, 0}, {0.5, 0}, {1.0, 0}}));
    EXPECT_FALSE(result.encodings.contains("y"));
    EXPECT_EQ(result.graph.nodes[0].attributes.get_float("alpha", 1.0F), 0.5F);
  }
}

TEST(ImportQOperator, MatMulScalesRunAlongColumns) {
  for (const Shape& shape : {Shape{3}, Shape{1, 3}}) {
    Integers m;
    const ValueId x = m.quantized_input("x", {-1, 2});
    const ValueId w = m.constant("w_quantized", Tensor::of<std::int8_t>({2, 3}, {1, 2, 3, 4, 5, 6}));
    const ValueId ws = m.constant("ws", Tensor::of<float>(shape, {1, 2, 4}));
    const ValueId wz = m.constant("wz", Tensor::of<std::int8_t>(shape, {0, 0, 0}));
    m.real_output(m.node("QLinearMatMul", {x, m.s1, m.z3, w, ws, wz, m.s2, m.z0}, "y_quantized"), "y");
    EXPECT_EQ(imported(m).encodings.at("w").encoding.axis(), 1);
  }
}

TEST(ImportQOperator, ElementwiseAndPoolingOperators) {
  Integers m;
  const ValueId a = m.quantized_input("a", {1, 2, 4, 4});
  const ValueId b = m.quantized_input("b", {1, 2, 4, 4});
  const ValueId sum = m.microsoft("QLinearAdd", {a, m.s1, m.z3, b, m.s1, m.z3, m.s2, m.z0}, "sum_quantized");
  const ValueId product = m.microsoft("QLinearMul", {sum, m.s2, m.z0, b, m.s1, m.z3, m.s2, m.z0}, "product_quantized");
  const ValueId leaky =
      m.microsoft("QLinearLeakyRelu", {product, m.s2, m.z0, m.s2, m.z0}, "leaky_quantized", {{"alpha", 0.1F}});
  const ValueId sigmoid = m.microsoft("QLinearSigmoid", {leaky, m.s2, m.z0, m.s2, m.z0}, "sigmoid_quantized");
  const ValueId pool = m.microsoft("QLinearAveragePool", {sigmoid, m.s2, m.z0, m.s2, m.z0}, "pool_quantized",
                                   {{"kernel_shape", Ints{2, 2}}});
  const ValueId joined = m.microsoft("QLinearConcat", {m.s2, m.z0, pool, m.s2, m.z0, pool, m.s2, m.z0},
                                     "joined_quantized", {{"axis", std::int64_t{1}}});
  const ValueId global = m.microsoft("QLinearGlobalAveragePool", {joined, m.s2, m.z0, m.s2, m.z0}, "global_quantized",
                                     {{"channels_last", std::int64_t{0}}});
  const ValueId softmax = m.microsoft("QLinearSoftmax", {global, m.s2, m.z0, m.s2, m.z0}, "softmax_quantized",
                                      {{"axis", std::int64_t{1}}, {"opset", std::int64_t{13}}});
  const ValueId mean = m.microsoft("QLinearReduceMean", {softmax, m.s2, m.z0, m.s2, m.z0}, "mean_quantized",
                                   {{"axes", Ints{1}}, {"keepdims", std::int64_t{1}}});
  const ValueId where =
      m.microsoft("QLinearWhere", {m.input("c", {1}, DType::kBool), mean, m.s2, m.z0, mean, m.s2, m.z0, m.s2, m.z0},
                  "where_quantized");
  m.real_output(where, "y");
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph),
            "Add Mul LeakyRelu Sigmoid AveragePool Concat GlobalAveragePool Softmax ReduceMean Where");
  EXPECT_TRUE(result.notes.empty());
  for (const char* name :
       {"a", "b", "sum", "product", "leaky", "sigmoid", "pool", "joined", "global", "softmax", "mean", "y"}) {
    EXPECT_TRUE(result.encodings.contains(name)) << name;
  }
  EXPECT_EQ(result.encodings.size(), 12U);
  EXPECT_EQ(result.graph.nodes[2].attributes.get_float("alpha", 0.0F), 0.1F);
  EXPECT_FALSE(result.graph.nodes[6].attributes.has("channels_last"));
}

TEST(ImportQOperator, SoftmaxOfOldOpsetsWorksOnAMatrix) {
  const auto of_axis = [](AttributeList attributes) {
    Integers m;
    const ValueId a = m.quantized_input("a", {2, 2, 4});
    m.real_output(m.microsoft("QLinearSoftmax", {a, m.s1, m.z3, m.s2, m.z0}, "y_quantized", attributes), "y");
    return operators(imported(m).graph);
  };
  EXPECT_EQ(of_axis({{"opset", std::int64_t{11}}, {"axis", std::int64_t{1}}}), "Shape Flatten Softmax Reshape");
  EXPECT_EQ(of_axis({{"opset", std::int64_t{11}}}), "Softmax");
  EXPECT_EQ(of_axis({{"axis", std::int64_t{1}}}), "Softmax");
}

TEST(ImportQOperator, AbsentZeroPointsMeanZeroOfTheInputsType) {
  Integers m;
  const ValueId z = m.constant("zi", Tensor::of<std::int8_t>({}, {3}));
  const ValueId x = m.node("QuantizeLinear", {m.input("x", {2}), m.s1, z}, "x_quantized");
  const ValueId y = m.microsoft("QLinearSigmoid", {x, m.s1, z, m.s2}, "y_quantized");
  m.output(m.node("DequantizeLinear", {y, m.s2}, "y"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "Sigmoid");
  EXPECT_EQ(result.encodings.at("y").encoding.grid(), (IntGrid{-128, 127}));
}

TEST(ImportQOperator, TheRealTensorTakesTheNameOfItsDequantizedCopy) {
  Integers m;
  const ValueId x = m.quantized_input("x", {2});
  const ValueId y = m.microsoft("QLinearSigmoid", {x, m.s1, m.z3, m.s2, m.z0}, "y_quantized");
  m.output(m.node("Exp", {m.node("DequantizeLinear", {y, m.s2, m.z0}, "y")}, "e"));
  m.output(m.node("ArgMax", {y}, "best"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "Sigmoid Exp ArgMax");
  EXPECT_EQ(result.graph.value(result.graph.nodes[1].inputs[0]).name, "y");
  EXPECT_EQ(result.encodings.size(), 2U);
}

TEST(ImportQOperator, IntegersThatAreTheOutputKeepTheirName) {
  Integers m;
  const ValueId x = m.quantized_input("x", {2});
  m.output(m.microsoft("QLinearSigmoid", {x, m.s1, m.z3, m.s2, m.z0}, "codes"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "Sigmoid QuantizeLinear");
  EXPECT_TRUE(result.encodings.contains("codes_real"));
}

TEST(ImportQOperator, ComputedScalesLeaveAnOnnxOperatorAsItIs) {
  Integers m;
  const ValueId s = m.node("ReduceMax", {m.input("r", {2})}, "s", {{"keepdims", std::int64_t{0}}});
  const ValueId x = m.quantized_input("x", {2, 2});
  m.real_output(m.node("QLinearMatMul", {x, m.s1, m.z3, x, m.s1, m.z3, s, m.z0}, "y_quantized"), "y");
  EXPECT_NE(operators(imported(m, 1).graph).find("QLinearMatMul"), std::string::npos);
  m.graph.nodes[2].domain = "com.microsoft";
  EXPECT_EQ(message_of(m),
            "node 'y_quantized_node' (com.microsoft.QLinearMatMul): a scale or zero point is computed, not a constant");
}

TEST(ImportQOperator, AGraphWithoutAnyComesBackAsItIs) {
  Model m;
  m.output(m.node("Relu", {m.input("x", {1})}, "y"));
  const Result<ImportedQOperator> result = import_qoperator(m.graph);
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(same_graph(result->graph, m.graph));
}

TEST(ImportQOperator, OperandsThatMakeNoSenseAreErrors) {
  const auto sigmoid = [](float scale, std::size_t num_inputs, AttributeList attributes = {}) {
    Integers m;
    const ValueId x = m.quantized_input("x", {2});
    std::vector<ValueId> inputs = {x, m.scalar("bad", scale), m.z3, m.s2, m.z0, m.z0};
    inputs.resize(num_inputs);
    m.output(m.microsoft("QLinearSigmoid", inputs, "y", attributes));
    return message_of(m);
  };
  const std::string node = "node 'y_node' (com.microsoft.QLinearSigmoid): ";
  EXPECT_EQ(sigmoid(1.0F, 5), "imported");
  EXPECT_EQ(sigmoid(0.0F, 5),
            node + "input scale is 0, expected a positive finite number; calibrate this tensor again");
  EXPECT_EQ(sigmoid(-2.0F, 5),
            node + "input scale is -2, expected a positive finite number; calibrate this tensor again");
  EXPECT_EQ(sigmoid(std::numeric_limits<float>::infinity(), 5),
            node + "input scale is inf, expected a positive finite number; calibrate this tensor again");
  EXPECT_EQ(sigmoid(1.0F, 3), node + "has 3 operands, expected 4 to 5");
  EXPECT_EQ(sigmoid(1.0F, 6), node + "has 6 operands, expected 4 to 5");
  EXPECT_EQ(sigmoid(1.0F, 5, {{"channels_last", std::int64_t{1}}}),
            node + "channels_last is not supported; save the model without ONNX Runtime's layout optimization");

  const auto of_conv = [](Tensor scale, Tensor zero_point) {
    return message_of(conv(std::move(scale), std::move(zero_point)));
  };
  const std::string conv_node = "node 'y_quantized_node' (QLinearConv): ";
  EXPECT_EQ(of_conv(Tensor::of<float>({2}, {1, 1}), Tensor::of<std::int8_t>({3}, {0, 0, 0})),
            conv_node + "weight zero point has 3 elements, the scale has 2");
  EXPECT_EQ(of_conv(Tensor::of<float>({}, {1}), Tensor::of<std::uint8_t>({}, {0})),
            conv_node + "weight is int8, its zero point is uint8");
  EXPECT_EQ(of_conv(Tensor::of<std::int8_t>({}, {1}), Tensor::of<std::int8_t>({}, {0})),
            conv_node + "weight scale is int8, expected float32");
  EXPECT_EQ(of_conv(Tensor::of<float>({2, 1}, {1, 1}), Tensor::of<std::int8_t>({2, 1}, {0, 0})),
            conv_node + "scale of operand 3 has shape [2, 1], expected one scale or one for each output channel");
}

}  // namespace
}  // namespace halfstep::passes
