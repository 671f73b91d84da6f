// Contract under test: src/passes/fold_batch_norm.cpp.
#include "unit/passes/pass_support.hpp"

namespace halfstep::passes {
namespace {

ValueId batch_norm(Model& m, ValueId x, std::int64_t channels, const std::string& name) {
  return m.node("BatchNormalization",
                {x, m.random(name + ".weight", {channels}, 0.5F, 2.0F), m.random(name + ".bias", {channels}),
                 m.random(name + ".mean", {channels}), m.random(name + ".var", {channels}, 0.1F, 2.0F)},
                name, {{"epsilon", 1e-3F}});
}

TEST(FoldBatchNorm, ConvWithoutBiasGetsOne) {
  Model m;
  const ValueId x = m.input("x", {-1, 4, 6, 6});
  const ValueId y = m.node("Conv", {x, m.random("conv.weight", {6, 2, 3, 3})}, "conv",
                           {{"group", std::int64_t{2}}, {"pads", Ints{1, 1, 1, 1}}});
  m.output(batch_norm(m, y, 6, "bn"));
  const Graph after = apply(fold_batch_norm, m.graph);
  EXPECT_EQ(operators(after), "Conv");
  EXPECT_NE(graph::find_value(after, "conv.bias"), kNoValue);
  EXPECT_NE(graph::find_value(after, "conv.weight"), kNoValue);
  EXPECT_EQ(graph::find_value(after, "conv"), kNoValue);
}

TEST(FoldBatchNorm, ConvTransposeGroupsKeepTheirChannels) {
  Model m;
  const ValueId x = m.input("x", {1, 4, 5, 5});
  const ValueId y = m.node("ConvTranspose", {x, m.random("w", {4, 3, 2, 2}), m.random("b", {6})}, "up",
                           {{"group", std::int64_t{2}}, {"strides", Ints{2, 2}}});
  m.output(batch_norm(m, y, 6, "bn"));
  EXPECT_EQ(operators(apply(fold_batch_norm, m.graph)), "ConvTranspose");
}

TEST(FoldBatchNorm, GemmWithBetaAndTransposedWeight) {
  for (const std::int64_t transposed : {0, 1}) {
    Model m;
    const ValueId x = m.input("x", {-1, 3});
    const Shape weight = transposed != 0 ? Shape{5, 3} : Shape{3, 5};
    const ValueId y = m.node("Gemm", {x, m.random("w", weight), m.random("c", {1, 5})}, "gemm",
                             {{"transB", transposed}, {"beta", 0.5F}, {"alpha", 2.0F}});
    m.output(batch_norm(m, y, 5, "bn"));
    EXPECT_EQ(operators(apply(fold_batch_norm, m.graph)), "Gemm");
  }
}

TEST(FoldBatchNorm, InFrontOfAnUnpaddedConv) {
  Model m;
  const ValueId x = m.input("x", {1, 4, 6, 6});
  m.output(
      m.node("Conv", {batch_norm(m, x, 4, "bn"), m.random("w", {6, 2, 3, 3})}, "conv", {{"group", std::int64_t{2}}}));
  EXPECT_EQ(operators(apply(fold_batch_norm, m.graph)), "Conv");
}

TEST(FoldBatchNorm, InFrontOfAPaddedConvItStays) {
  Model m;
  const ValueId x = m.input("x", {1, 4, 6, 6});
  m.output(
      m.node("Conv", {batch_norm(m, x, 4, "bn"), m.random("w", {6, 4, 3, 3})}, "conv", {{"pads", Ints{1, 1, 1, 1}}}));
  EXPECT_EQ(operators(apply(fold_batch_norm, m.graph)), "BatchNormalization Conv");
}

TEST(FoldBatchNorm, InFrontOfAGemm) {
  Model m;
  const ValueId x = m.input("x", {-1, 3});
  m.output(m.node("Gemm", {batch_norm(m, x, 3, "bn"), m.random("w", {3, 5})}, "gemm", {{"alpha", 0.25F}}));
  EXPECT_EQ(operators(apply(fold_batch_norm, m.graph)), "Gemm");
}

TEST(FoldBatchNorm, AroundAMatMulGivesAGemm) {
  Model m;
  const ValueId x = m.input("x", {-1, 3});
  const ValueId y = m.node("MatMul", {batch_norm(m, x, 3, "bn1"), m.random("w", {3, 5})}, "mm");
  m.output(batch_norm(m, y, 5, "bn2"));
  EXPECT_EQ(operators(apply(fold_batch_norm, m.graph)), "Gemm");
}

TEST(FoldBatchNorm, SharedWeightsAreCopied) {
  Model m;
  const ValueId x = m.input("x", {1, 4, 6, 6});
  const ValueId w = m.random("w", {4, 4, 1, 1});
  const ValueId y = batch_norm(m, m.node("Conv", {x, w}, "conv1"), 4, "bn");
  m.output(m.node("Conv", {y, w}, "conv2"));
  EXPECT_EQ(operators(apply(fold_batch_norm, m.graph)), "Conv Conv");
}

TEST(FoldBatchNorm, ValuesThatOthersReadOrThatArePinnedStay) {
  for (const int kind : {0, 1, 2, 3}) {
    Model m;
    const ValueId x = m.input("x", {1, 4, 6, 6});
    const ValueId w = m.random("w", {4, 4, 1, 1});
    const ValueId y = m.node("Conv", {x, w}, "conv");
    m.output(batch_norm(m, y, 4, "bn"));
    if (kind == 0) m.output(y);
    if (kind == 1) m.output(m.node("Relu", {y}, "relu"));
    if (kind == 2) m.graph.value(y).pinned = true;
    if (kind == 3) m.graph.value(w).pinned = true;
    EXPECT_EQ(operators(apply(fold_batch_norm, m.graph)).substr(0, 23), "Conv BatchNormalization");
  }
}

TEST(FoldScaleShift, EveryArrangementOfAConstant) {
  for (const char* op : {"Mul", "Add", "Sub", "Div"}) {
    for (const bool constant_first : {false, true}) {
      Model m;
      const ValueId x = m.input("x", {-1, 4, 6, 6});
      const ValueId y = m.node("Conv", {x, m.random("w", {5, 4, 3, 3})}, "conv");
      const ValueId c = m.random("c", {5, 1, 1}, 0.5F, 2.0F);
      m.output(m.node(op, constant_first ? std::vector{c, y} : std::vector{y, c}, "y"));
      const bool folds = !(constant_first && std::string(op) == "Div");
      EXPECT_EQ(operators(apply(fold_scale_shift, m.graph)), folds ? "Conv" : "Conv Div") << op;
    }
  }
}

TEST(FoldScaleShift, ConstantsAlongOtherAxesStay) {
  for (const Shape& shape : {Shape{6}, Shape{1, 1, 6, 1}, Shape{1, 1, 5, 1, 1}, Shape{2, 1, 1, 1}}) {
    Model m;
    const ValueId x = m.input("x", {1, 4, 6, 6});
    const ValueId y = m.node("Conv", {x, m.random("w", {5, 4, 1, 1})}, "conv");
    m.output(m.node("Mul", {y, m.random("c", shape)}, "y"));
    EXPECT_EQ(operators(apply(fold_scale_shift, m.graph)), "Conv Mul");
  }
}

TEST(FoldScaleShift, BatchedMatMulTakesFactorsOnly) {
  for (const char* op : {"Mul", "Add"}) {
    Model m;
    const ValueId x = m.input("x", {-1, 4, 3});
    const ValueId y = m.node("MatMul", {x, m.random("w", {3, 5})}, "mm");
    m.output(m.node(op, {y, m.random("c", {5})}, "y"));
    EXPECT_EQ(operators(apply(fold_scale_shift, m.graph)), std::string(op) == "Mul" ? "MatMul" : "MatMul Add");
  }
}

TEST(FoldScaleShift, DivisionByZeroStays) {
  Model m;
  const ValueId x = m.input("x", {1, 3});
  const ValueId y = m.node("MatMul", {x, m.random("w", {3, 2})}, "mm");
  m.output(m.node("Div", {y, m.constant("c", Tensor::of<float>({2}, {1.0F, 0.0F}))}, "y"));
  EXPECT_EQ(operators(apply(fold_scale_shift, m.graph)), "MatMul Div");
}

}  // namespace
}  // namespace halfstep::passes
