// Contract under test: src/passes/import_qdq.hpp.
#include "passes/import_qdq.hpp"

#include <limits>

#include "unit/passes/pass_support.hpp"

namespace halfstep::passes {
namespace {

/// Adds x -> Q -> DQ and returns the DQ's output.
ValueId qdq(Model& m, ValueId x, float scale, std::uint8_t zero_point, const std::string& name) {
  const ValueId s = m.scalar(name + "_s", scale);
  const ValueId z = m.constant(name + "_z", Tensor::of<std::uint8_t>({}, {zero_point}));
  return m.node("DequantizeLinear", {m.node("QuantizeLinear", {x, s, z}, name + "_q"), s, z}, name);
}

ImportedQdq imported(const Model& m) {
  EXPECT_TRUE(graph::verify(m.graph).ok());
  Result<ImportedQdq> result = import_qdq(m.graph);
  if (!result.ok()) {
    ADD_FAILURE() << result.error().message;
    return {};
  }
  const Result<void> sound = graph::verify(result->graph);
  EXPECT_TRUE(sound.ok()) << sound.error().message;
  EXPECT_EQ(output_names(m.graph), output_names(result->graph));
  for (const auto& [name, encoding] : result->encodings) {
    const ValueId id = graph::find_value(result->graph, name);
    EXPECT_NE(id, kNoValue) << name;
    EXPECT_TRUE(encoding.frozen);
    if (id == kNoValue) continue;
    EXPECT_TRUE(result->graph.value(id).pinned) << name;
  }
  return *result;
}

std::string message_of(const Model& m) {
  const Result<ImportedQdq> result = import_qdq(m.graph);
  return result.ok() ? "imported" : result.error().message;
}

TEST(ImportQdq, AConvAsOnnxRuntimeWritesIt) {
  Model m;
  const ValueId x = qdq(m, m.input("x", {-1, 2, 4, 4}), 0.5F, 128, "x_dq");
  const Tensor codes = Tensor::of<std::int8_t>({2, 2, 1, 1}, {-128, -1, 5, 127});
  const ValueId scales = m.constant("ws", Tensor::of<float>({2}, {0.5F, 0.25F}));
  const ValueId zeros = m.constant("wz", Tensor::of<std::int8_t>({2}, {0, 0}));
  const ValueId w = m.node("DequantizeLinear", {m.constant("w_quantized", codes), scales, zeros},
                           "w_DequantizeLinear_Output", {{"axis", std::int64_t{-4}}});
  const ValueId bias_scales = m.constant("bs", Tensor::of<float>({2}, {0.25F, 0.125F}));
  const ValueId b =
      m.node("DequantizeLinear", {m.constant("b_quantized", Tensor::of<std::int32_t>({2}, {1000, -7})), bias_scales},
             "b", {{"axis", std::int64_t{0}}});
  const ValueId r = m.node("Relu", {m.node("Conv", {x, w, b}, "conv")}, "relu");
  m.output(qdq(m, r, 0.25F, 0, "y"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "Conv Relu");
  EXPECT_TRUE(result.notes.empty());
  ASSERT_EQ(result.encodings.size(), 4U);
  const TensorEncoding& weight = result.encodings.at("w");
  EXPECT_TRUE(identical(*weight.codes, codes));
  EXPECT_EQ(weight.encoding.axis(), 0);
  EXPECT_EQ(weight.role, TensorRole::kWeight);
  EXPECT_EQ(result.encodings.at("b").role, TensorRole::kBias);
  EXPECT_EQ(result.encodings.at("x").encoding.params()[0], (QuantParams{0.5, 128}));
  EXPECT_EQ(result.encodings.at("y").encoding.params()[0], (QuantParams{0.25, 0}));
  const Tensor* real = graph::constant_of(result.graph, graph::find_value(result.graph, "w"));
  EXPECT_TRUE(identical(*real, Tensor::of<float>({2, 2, 1, 1}, {-64.0F, -0.5F, 1.25F, 31.75F})));
}

TEST(ImportQdq, FloatWeightsAreQuantizedAndKeepTheirName) {
  Model m;
  const ValueId x = m.input("x", {-1, 2});
  const ValueId w = m.constant("w", Tensor::of<float>({2, 1}, {0.74F, -9.0F}));
  const ValueId z = m.constant("z", Tensor::of<std::int8_t>({}, {1}));
  const ValueId s = m.scalar("s", 0.05F);
  const ValueId q = m.node("QuantizeLinear", {w, s, z}, "q");
  const ValueId d1 = m.node("DequantizeLinear", {q, s, z}, "d1");
  const ValueId d2 = m.node("DequantizeLinear", {q, s, z}, "d2");
  m.output(m.node("Add", {m.node("MatMul", {x, d1}, "y1"), m.node("MatMul", {x, d2}, "y2")}, "y"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "MatMul MatMul Add");
  ASSERT_EQ(result.encodings.size(), 1U);
  // 0.74 / 0.05 = 14.8, so 15 + 1; -180 saturates.
  EXPECT_TRUE(identical(*result.encodings.at("w").codes, Tensor::of<std::int8_t>({2, 1}, {16, -128})));
}

TEST(ImportQdq, AWeightAlsoReadInFloatIsLeftAlone) {
  Model m;
  const ValueId x = m.input("x", {1, 2});
  const ValueId w = m.constant("w", Tensor::of<float>({2, 1}, {0.74F, -9.0F}));
  m.output(m.node("MatMul", {x, qdq(m, w, 0.1F, 100, "wq")}, "y"));
  m.output(m.node("MatMul", {x, w}, "z"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "MatMul MatMul");
  EXPECT_TRUE(result.encodings.contains("wq"));
  EXPECT_EQ(graph::constant_of(result.graph, graph::find_value(result.graph, "w"))->data<float>()[0], 0.74F);
}

TEST(ImportQdq, TransposedWeightsTakeTheirAxisAlong) {
  Model m;
  const ValueId x = m.input("x", {1, 2});
  const ValueId scales = m.constant("s", Tensor::of<float>({3}, {1, 2, 4}));
  const ValueId w =
      m.node("DequantizeLinear", {m.constant("c", Tensor::of<std::int8_t>({3, 2}, {1, 2, 3, 4, 5, 6})), scales}, "w",
             {{"axis", std::int64_t{0}}});
  m.output(m.node("MatMul", {x, m.node("Transpose", {w}, "wt", {{"perm", Ints{1, 0}}})}, "y"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "MatMul");
  ASSERT_TRUE(result.encodings.contains("wt"));
  EXPECT_EQ(result.encodings.size(), 1U);
  EXPECT_EQ(result.encodings.at("wt").encoding.axis(), 1);
  EXPECT_TRUE(identical(*result.encodings.at("wt").codes, Tensor::of<std::int8_t>({2, 3}, {1, 3, 5, 2, 4, 6})));
}

TEST(ImportQdq, Int4WeightsGetTheirGrid) {
  Model m;
  const ValueId x = m.input("x", {1, 2});
  const ValueId c = m.constant("c", Tensor::of<std::int8_t>({2, 1}, {-8, 7}));
  m.graph.value(c).narrow_bits = 4;
  m.output(m.node("MatMul", {x, m.node("DequantizeLinear", {c, m.scalar("s", 0.5F)}, "w")}, "y"));
  EXPECT_EQ(imported(m).encodings.at("w").encoding.grid(), (IntGrid{-8, 7}));
}

TEST(ImportQdq, AnActivationReadInFloatKeepsAnIdentity) {
  Model m;
  const ValueId a = m.node("Relu", {m.input("x", {-1, 3})}, "a");
  m.output(m.node("Neg", {qdq(m, a, 0.5F, 0, "d")}, "y"));
  m.output(m.node("Exp", {a}, "z"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "Relu Identity Neg Exp");
  EXPECT_TRUE(result.encodings.contains("d"));
  EXPECT_FALSE(result.encodings.contains("a"));
  EXPECT_EQ(operators(apply(remove_no_ops, result.graph)), "Relu Identity Neg Exp");
}

TEST(ImportQdq, ShapeDoesNotCountAsAReader) {
  Model m;
  const ValueId a = m.node("Relu", {m.input("x", {-1, 3})}, "a");
  m.output(m.node("Neg", {qdq(m, a, 0.5F, 0, "d")}, "y"));
  m.output(m.node("Shape", {a}, "z"));
  EXPECT_TRUE(imported(m).encodings.contains("a"));
}

TEST(ImportQdq, TwoGridsOnOneTensorKeepTwoIdentities) {
  Model m;
  const ValueId a = m.node("Relu", {m.input("x", {-1, 3})}, "a");
  m.output(m.node("Neg", {qdq(m, a, 0.5F, 0, "d1")}, "y1"));
  m.output(m.node("Neg", {qdq(m, a, 0.25F, 0, "d2")}, "y2"));
  m.output(m.node("Neg", {qdq(m, a, 0.25F, 0, "d3")}, "y3"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "Relu Identity Neg Identity Neg Neg");
  EXPECT_EQ(result.encodings.size(), 2U);
}

TEST(ImportQdq, ARequantizedTensorKeepsBothGrids) {
  Model m;
  const ValueId a = m.node("Relu", {m.input("x", {-1, 3})}, "a");
  const ValueId once = qdq(m, a, 0.5F, 0, "d1");
  const ValueId twice = qdq(m, once, 0.5F, 0, "d2");
  m.output(m.node("Neg", {qdq(m, twice, 0.25F, 0, "d3")}, "y"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "Relu Identity Neg");
  EXPECT_EQ(result.encodings.size(), 2U);
}

TEST(ImportQdq, GraphOutputsKeepTheirNames) {
  Model m;
  const ValueId x = m.input("x", {-1, 3});
  const ValueId a = m.node("Relu", {x}, "a");
  m.output(qdq(m, a, 0.5F, 0, "first"));
  m.output(qdq(m, a, 0.5F, 0, "second"));
  m.output(qdq(m, x, 0.5F, 0, "third"));
  const ImportedQdq result = imported(m);
  EXPECT_TRUE(result.encodings.contains("first"));
  EXPECT_EQ(operators(result.graph), "Relu Identity Identity");
}

TEST(ImportQdq, PerChannelActivationsAndTheOtherDomain) {
  Model m;
  const ValueId x = m.input("x", {-1, 2, 4, 4});
  const ValueId s = m.constant("s", Tensor::of<float>({2}, {0.5F, 0.25F}));
  const ValueId z = m.constant("z", Tensor::of<std::uint8_t>({2}, {1, 2}));
  const ValueId q = m.node("QuantizeLinear", {x, s, z}, "q", {{"axis", std::int64_t{-3}}});
  m.output(m.node("Relu", {m.node("DequantizeLinear", {q, s, z}, "d", {{"axis", std::int64_t{-3}}})}, "y"));
  for (graph::Node& node : m.graph.nodes) {
    if (node.op_type != "Relu") node.domain = "com.microsoft";
  }
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "Relu");
  EXPECT_EQ(result.encodings.at("x").encoding.axis(), 1);
}

TEST(ImportQdq, WhatIsNoPairStaysAnOperatorBesideItsEncoding) {
  Model m;
  const ValueId x = m.input("x", {-1, 3});
  const ValueId s = m.scalar("s", 0.5F);
  m.output(m.node("QuantizeLinear", {x, s}, "codes"));
  m.output(m.node("DequantizeLinear", {m.input("i", {3}, DType::kUint8), s}, "real"));
  const ValueId q = m.node("QuantizeLinear", {x, s}, "q");
  m.output(m.node("DequantizeLinear", {q, m.scalar("s2", 0.25F)}, "scaled"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "QuantizeLinear DequantizeLinear QuantizeLinear DequantizeLinear");
  EXPECT_TRUE(result.notes.empty());
  ASSERT_EQ(result.encodings.size(), 3U);
  EXPECT_EQ(result.encodings.at("x").encoding.params()[0], (QuantParams{0.5, 0}));
  EXPECT_EQ(result.encodings.at("real").encoding.params()[0], (QuantParams{0.5, 0}));
  EXPECT_EQ(result.encodings.at("scaled").encoding.params()[0], (QuantParams{0.25, 0}));
}

TEST(ImportQdq, WhatHasNoEncodingEitherIsNoted) {
  Model m;
  const ValueId x = m.input("x", {-1, 3});
  m.output(m.node("QuantizeLinear", {x, m.scalar("s", 0.5F)}, "codes"));
  m.output(m.node("Relu", {x}, "y"));
  const ValueId computed = m.node("ReduceMax", {x}, "max", {{"keepdims", std::int64_t{0}}});
  m.output(m.node("DequantizeLinear", {m.input("i", {3}, DType::kUint8), computed}, "real"));
  const ImportedQdq result = imported(m);
  EXPECT_TRUE(result.encodings.empty());
  ASSERT_EQ(result.notes.size(), 2U);
  EXPECT_NE(result.notes[1].find("its scale or zero point is computed"), std::string::npos);
}

// A device model: integers are its output, and the same tensor goes on in real numbers.
TEST(ImportQdq, IntegersThatAreAlsoAnOutputKeepTheirQuantizeLinear) {
  Model m;
  const ValueId s = m.scalar("s", 0.5F);
  const ValueId a = m.node("Relu", {m.input("x", {-1, 3})}, "a");
  const ValueId q = m.node("QuantizeLinear", {a, s}, "q");
  m.output(q);
  m.output(m.node("Neg", {m.node("DequantizeLinear", {q, s}, "d")}, "y"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "Relu QuantizeLinear Neg");
  EXPECT_TRUE(result.encodings.contains("a"));
  EXPECT_EQ(result.graph.value(result.graph.nodes[2].inputs[0]).name, "a");
}

TEST(ImportQdq, ScalesComputedFromConstantsAreTaken) {
  Model m;
  const ValueId s = m.node("Div", {m.scalar("max", 127.0F), m.scalar("steps", 254.0F)}, "s");
  const ValueId z = m.node("Cast", {m.scalar("zero", 3.0F)}, "z", {{"to", std::int64_t{2}}});
  const ValueId q = m.node("QuantizeLinear", {m.input("x", {2, 3}), s, z}, "q");
  m.output(m.node("Neg", {m.node("DequantizeLinear", {q, s, z}, "d")}, "y"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "Neg");
  EXPECT_EQ(result.encodings.at("x").encoding.params()[0], (QuantParams{0.5, 3}));
}

TEST(ImportQdq, NamesThatNncfMadeAreTakenBack) {
  Model m;
  const ValueId c = m.constant("q_output_fc.weight_1", Tensor::of<std::int8_t>({2, 1}, {-8, 7}));
  const ValueId w = m.node("DequantizeLinear", {c, m.scalar("s", 0.5F)}, "dq_output_fc.weight_1");
  m.output(m.node("MatMul", {m.input("x", {1, 2}), w}, "y"));
  EXPECT_TRUE(imported(m).encodings.contains("fc.weight"));
}

// ONNX Runtime places MaxPool and Transpose between Q and DQ.
TEST(ImportQdq, MovedIntegersBecomeMovedReals) {
  Model m;
  const ValueId s = m.scalar("s", 0.5F);
  const ValueId z = m.constant("z", Tensor::of<std::uint8_t>({}, {3}));
  const ValueId q = m.node("QuantizeLinear", {m.input("x", {2, 3}), s, z}, "q");
  const ValueId moved = m.node("Transpose", {q}, "moved");
  m.output(m.node("Neg", {m.node("DequantizeLinear", {moved, s, z}, "dq")}, "y"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "Transpose Neg");
  EXPECT_TRUE(result.notes.empty());
  EXPECT_EQ(result.encodings.size(), 2U);
  for (const auto& [name, entry] : result.encodings) {
    EXPECT_EQ(entry.encoding.params()[0], (QuantParams{0.5, 3})) << name;
  }
}

TEST(ImportQdq, OnlyTheFirstOutputOfAMaxPoolIsReal) {
  Model m;
  const ValueId s = m.scalar("s", 0.5F);
  const ValueId q = m.node("QuantizeLinear", {m.input("x", {1, 1, 4, 4}), s}, "q");
  const ValueId pooled = m.node("MaxPool", {q}, "pooled", {{"kernel_shape", Ints{2, 2}}});
  const ValueId indices = graph::add_value(m.graph, "indices");
  m.graph.nodes.back().outputs.push_back(indices);
  m.output(m.node("Neg", {m.node("DequantizeLinear", {pooled, s}, "dq")}, "y"));
  m.output(indices);
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "MaxPool Neg");
  EXPECT_TRUE(result.encodings.contains("pooled"));
}

TEST(ImportQdq, PaddedResizedAndRectifiedIntegersBecomeReals) {
  Model m;
  const ValueId s = m.scalar("s", 0.5F);
  const ValueId z = m.constant("z", Tensor::of<std::uint8_t>({}, {4}));
  const ValueId q = m.node("QuantizeLinear", {m.input("x", {1, 1, 2, 2}), s, z}, "q");
  const ValueId padded = m.node("Pad", {q, m.ints("pads", {0, 0, 1, 0, 0, 0, 0, 0}), z}, "padded");
  const ValueId scales = m.constant("scales", Tensor::of<float>({4}, {1, 1, 2, 2}));
  const ValueId large = m.node("Resize", {padded, kNoValue, scales}, "large");
  const ValueId rectified = m.node("Relu", {large}, "rectified");
  m.output(m.node("Neg", {m.node("DequantizeLinear", {rectified, s, z}, "dq")}, "y"));
  m.output(m.node("ArgMax", {large}, "best"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "Pad Resize Clip Neg ArgMax");
  EXPECT_EQ(graph::constant_of(result.graph, result.graph.nodes[0].inputs[2])->data<float>()[0], 0.0F);
  // The integer 0 stands for (0 - 4) / 2.
  EXPECT_EQ(graph::constant_of(result.graph, result.graph.nodes[2].inputs[1])->data<float>()[0], -2.0F);
  EXPECT_TRUE(result.encodings.contains("large"));
}

// ONNX Runtime's QOperator form of an embedding.
TEST(ImportQdq, GatheredCodesBecomeGatheredReals) {
  Model m;
  const Tensor codes = Tensor::of<std::int8_t>({2, 2}, {1, 2, 3, 4});
  const ValueId s = m.scalar("s", 0.5F);
  const ValueId row = m.node("Gather", {m.constant("table", codes), m.input("i", {1}, DType::kInt64)}, "row");
  m.output(m.node("Neg", {m.node("DequantizeLinear", {row, s}, "dq")}, "y"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "Gather Neg");
  ASSERT_EQ(result.encodings.size(), 2U);
  EXPECT_TRUE(identical(*result.encodings.at("table_real").codes, codes));
  EXPECT_EQ(result.encodings.at("row").encoding.grid(), (IntGrid{-128, 127}));
}

// PyTorch's fake quantization narrows a grid by a Clip of the integers: codes 0 to 127 here.
TEST(ImportQdq, ClippedIntegersBecomeClippedReals) {
  Model m;
  const ValueId s = m.scalar("s", 0.5F);
  const ValueId z = m.constant("z", Tensor::of<std::uint8_t>({}, {3}));
  const ValueId q = m.node("QuantizeLinear", {m.input("x", {2, 3}), s, z}, "q");
  const ValueId low = m.constant("low", Tensor::of<std::uint8_t>({}, {0}));
  const ValueId high = m.constant("high", Tensor::of<std::uint8_t>({}, {127}));
  const ValueId clipped = m.node("Clip", {q, low, high}, "clipped");
  m.output(m.node("Neg", {m.node("DequantizeLinear", {clipped, s, z}, "dq")}, "y"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "Clip Neg");
  const graph::Node& clip = result.graph.nodes[0];
  EXPECT_EQ(graph::constant_of(result.graph, clip.inputs[1])->data<float>()[0], -1.5F);
  EXPECT_EQ(graph::constant_of(result.graph, clip.inputs[2])->data<float>()[0], 62.0F);
}

TEST(ImportQdq, ClippedWeightsKeepTheirClippedCodes) {
  Model m;
  const ValueId s = m.scalar("s", 0.5F);
  const ValueId z = m.constant("z", Tensor::of<std::int8_t>({}, {0}));
  const ValueId q = m.node("QuantizeLinear", {m.constant("w", Tensor::of<float>({2, 1}, {-99.0F, 2.0F})), s, z}, "q");
  const ValueId low = m.constant("low", Tensor::of<std::int8_t>({}, {-127}));
  const ValueId high = m.constant("high", Tensor::of<std::int8_t>({}, {127}));
  const ValueId clipped = m.node("Clip", {q, low, high}, "clipped");
  const ValueId w = m.node("DequantizeLinear", {clipped, s, z}, "wdq");
  m.output(m.node("MatMul", {m.input("x", {-1, 2}), w}, "y"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "MatMul");
  ASSERT_EQ(result.encodings.size(), 1U);
  EXPECT_TRUE(identical(*result.encodings.begin()->second.codes, Tensor::of<std::int8_t>({2, 1}, {-127, 4})));
}

TEST(ImportQdq, AGraphWithoutAnyComesBackAsItIs) {
  Model m;
  m.output(m.node("Relu", {m.input("x", {1})}, "y"));
  EXPECT_TRUE(same_graph(imported(m).graph, m.graph));
}

/// DQ of int8 codes [2, 2] with the given scale and zero point.
Model weight(Tensor scale, std::optional<Tensor> zero_point, AttributeList attributes = {}) {
  Model m;
  std::vector<ValueId> inputs = {m.constant("c", Tensor::of<std::int8_t>({2, 2}, {1, 2, 3, 4})),
                                 m.constant("s", std::move(scale))};
  if (zero_point) inputs.push_back(m.constant("z", *zero_point));
  m.output(m.node("MatMul", {m.input("x", {1, 2}), m.node("DequantizeLinear", inputs, "w", attributes)}, "y"));
  return m;
}

TEST(ImportQdq, GridsThatMakeNoSenseAreErrors) {
  const auto scalar = [](float value) { return Tensor::of<float>({}, {value}); };
  const std::string node = "node 'w_node' (DequantizeLinear): ";
  for (float bad : {0.0F, -1.0F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_EQ(message_of(weight(scalar(bad), {})).rfind(node, 0), 0U);
  }
  EXPECT_EQ(message_of(weight(scalar(1), Tensor::of<std::uint8_t>({}, {0}))),
            node + "zero point is uint8, the input is int8");
  EXPECT_EQ(message_of(weight(scalar(1), Tensor::of<std::int8_t>({2}, {0, 0}))),
            node + "zero point has 2 elements, the scale has 1");
  EXPECT_EQ(message_of(weight(Tensor::of<float>({3}, {1, 1, 1}), {})).rfind(node, 0), 0U);
  EXPECT_EQ(message_of(weight(Tensor::of<float>({2}, {1, 1}), {}, {{"axis", std::int64_t{2}}})).rfind(node, 0), 0U);
  EXPECT_EQ(message_of(weight(Tensor::of<float>({2}, {1, 1}), {}, {{"block_size", std::int64_t{2}}})),
            node + "scale has shape [2], blocks of 2 along axis 1 of [2, 2] need [2, 1]");
  EXPECT_EQ(message_of(weight(Tensor::of<std::int8_t>({}, {1}), {})), node + "scale is int8, expected float32");
}

/// DQ of [4, 2] codes in blocks of 2 along axis 0.
ValueId blocked_weight(Model& m) {
  const ValueId scales = m.constant("ws", Tensor::of<float>({2, 2}, {1, 2, 3, 4}));
  const Tensor codes = Tensor::of<std::int8_t>({4, 2}, {1, 1, 1, 1, 1, 1, 1, 2});
  return m.node("DequantizeLinear", {m.constant("w_quantized", codes), scales}, "w_DequantizeLinear_Output",
                {{"axis", std::int64_t{0}}, {"block_size", std::int64_t{2}}});
}

TEST(ImportQdq, BlockedWeights) {
  Model m;
  m.output(m.node("MatMul", {m.input("x", {-1, 4}), blocked_weight(m)}, "y"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "MatMul");
  const TensorEncoding& weight = result.encodings.at("w");
  EXPECT_EQ(weight.encoding, *Encoding::per_block(signed_grid(8), 0, 2, {{1, 0}, {2, 0}, {3, 0}, {4, 0}}));
  const Tensor* real = graph::constant_of(result.graph, graph::find_value(result.graph, "w"));
  EXPECT_TRUE(identical(*real, Tensor::of<float>({4, 2}, {1, 2, 1, 2, 3, 4, 3, 8})));
}

TEST(ImportQdq, BlocksAreTransposedWithTheirWeight) {
  Model m;
  const ValueId w = m.node("Transpose", {blocked_weight(m)}, "wt");
  m.output(m.node("MatMul", {m.input("x", {-1, 2}), w}, "y"));
  const ImportedQdq result = imported(m);
  EXPECT_EQ(operators(result.graph), "MatMul");
  const TensorEncoding& weight = result.encodings.at("wt");
  EXPECT_EQ(weight.encoding, *Encoding::per_block(signed_grid(8), 1, 2, {{1, 0}, {3, 0}, {2, 0}, {4, 0}}));
  EXPECT_TRUE(identical(dequantize(*weight.codes, weight.encoding),
                        *graph::constant_of(result.graph, graph::find_value(result.graph, "wt"))));
}

TEST(ImportQdq, BlockedActivationsAreRefused) {
  Model m;
  const ValueId s = m.constant("s", Tensor::of<float>({1, 2}, {1, 2}));
  const ValueId z = m.constant("z", Tensor::of<std::uint8_t>({1, 2}, {0, 0}));
  const AttributeList blocks = {{"axis", std::int64_t{1}}, {"block_size", std::int64_t{2}}};
  const ValueId q = m.node("QuantizeLinear", {m.input("x", {1, 4}), s, z}, "q", blocks);
  m.output(m.node("DequantizeLinear", {q, s, z}, "y", blocks));
  EXPECT_EQ(message_of(m),
            "node 'q_node' (QuantizeLinear): scales of an activation are blocked; quantize activations per tensor or "
            "per channel");
}

}  // namespace
}  // namespace halfstep::passes
