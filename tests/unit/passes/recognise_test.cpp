// Contract under test: src/passes/recognise_*.cpp, fuse_pad.cpp, fuse_matmul_add.cpp, fuse_clamp.cpp.
#include <limits>

#include "passes/prepare.hpp"
#include "unit/passes/pass_support.hpp"

namespace halfstep::passes {
namespace {

constexpr float kSqrt2 = 1.41421356F;
constexpr float kTanhScale = 0.79788456F;

TEST(RecogniseGelu, ErfFormInItsArrangements) {
  for (const int form : {0, 1, 2, 3}) {
    Model m;
    const ValueId x = m.input("x", {-1, 3});
    const ValueId u = form % 2 == 0 ? m.node("Div", {x, m.scalar("s", kSqrt2)}, "u")
                                    : m.node("Mul", {m.scalar("s", 1.0F / kSqrt2), x}, "u");
    ValueId e = m.node("Erf", {u}, "e");
    if (form == 3) {
      e = m.node("Mul", {e, m.scalar("h", 0.5F)}, "eh");
      e = m.node("Add", {m.scalar("h2", 0.5F), e}, "s1");
      m.output(m.node("Mul", {x, e}, "y"));
    } else {
      e = m.node("Add", {e, m.scalar("one", 1.0F)}, "e1");
      const ValueId half = m.scalar("h", 0.5F);
      if (form == 0) m.output(m.node("Mul", {m.node("Mul", {x, e}, "xe"), half}, "y"));
      if (form == 1) m.output(m.node("Mul", {m.node("Mul", {x, half}, "xh"), e}, "y"));
      if (form == 2) m.output(m.node("Mul", {x, m.node("Mul", {half, e}, "he")}, "y"));
    }
    EXPECT_EQ(operators(apply(recognise_functions, m.graph)), "Gelu") << form;
  }
}

TEST(RecogniseGelu, TanhFormInItsArrangements) {
  for (const int form : {0, 1, 2}) {
    Model m;
    const ValueId x = m.input("x", {-1, 3});
    const ValueId k = m.scalar("k", 0.044715F);
    ValueId u = kNoValue;
    if (form == 0) {
      const ValueId cube = m.node("Mul", {k, m.node("Pow", {x, m.scalar("three", 3.0F)}, "x3")}, "kx3");
      u = m.node("Mul", {m.scalar("t", kTanhScale), m.node("Add", {x, cube}, "sum")}, "u");
    } else if (form == 1) {
      const ValueId cube = m.node("Mul", {m.node("Mul", {x, x}, "x2"), x}, "x3");
      u = m.node("Mul", {m.node("Add", {m.node("Mul", {cube, k}, "kx3"), x}, "sum"), m.scalar("t", kTanhScale)}, "u");
    } else {
      const ValueId inner =
          m.node("Add", {m.scalar("o", 1.0F), m.node("Mul", {k, m.node("Mul", {x, x}, "x2")}, "kx2")}, "in");
      u = m.node("Mul", {m.node("Mul", {x, m.scalar("t", kTanhScale)}, "tx"), inner}, "u");
    }
    const ValueId e = m.node("Add", {m.node("Tanh", {u}, "th"), m.scalar("one", 1.0F)}, "e");
    m.output(m.node("Mul", {m.node("Mul", {m.scalar("h", 0.5F), x}, "hx"), e}, "y"));
    const Graph after = apply(recognise_functions, m.graph);
    EXPECT_EQ(operators(after), "Gelu") << form;
    EXPECT_EQ(after.nodes[0].attributes.get_string("approximate", ""), "tanh");
  }
}

TEST(RecogniseGelu, OtherConstantsAndReadersStay) {
  for (const int kind : {0, 1, 2}) {
    Model m;
    const ValueId x = m.input("x", {-1, 3});
    const ValueId e = m.node("Erf", {m.node("Div", {x, m.scalar("s", kind == 0 ? 1.5F : kSqrt2)}, "u")}, "e");
    const ValueId s = m.node("Add", {e, m.scalar("one", 1.0F)}, "s1");
    m.output(m.node("Mul", {m.node("Mul", {x, s}, "xs"), m.scalar("h", 0.5F)}, "y"));
    if (kind == 1) m.output(e);
    if (kind == 2) m.graph.value(s).pinned = true;
    EXPECT_EQ(operators(apply(recognise_functions, m.graph)), "Div Erf Add Mul Mul");
  }
}

TEST(RecogniseHardSwish, EveryForm) {
  for (const int form : {0, 1, 2, 3, 4}) {
    Model m;
    const ValueId x = m.input("x", {-1, 3});
    if (form == 0) {
      m.output(m.node("Mul", {x, m.node("HardSigmoid", {x}, "g", {{"alpha", 1.0F / 6.0F}, {"beta", 0.5F}})}, "y"));
    } else if (form == 4) {
      const ValueId s = m.node("Add", {m.node("Div", {x, m.scalar("six", 6.0F)}, "x6"), m.scalar("half", 0.5F)}, "s0");
      m.output(m.node("Mul", {m.node("Clip", {s, m.scalar("z", 0.0F), m.scalar("o", 1.0F)}, "c"), x}, "y"));
    } else {
      const ValueId s = m.node("Add", {m.scalar("three", 3.0F), x}, "s0");
      const ValueId c = m.node("Clip", {s, m.scalar("z", 0.0F), m.scalar("six", 6.0F)}, "c");
      const ValueId six = m.scalar("d", 6.0F);
      if (form == 1) m.output(m.node("Div", {m.node("Mul", {x, c}, "xc"), six}, "y"));
      if (form == 2) m.output(m.node("Mul", {x, m.node("Div", {c, six}, "c6")}, "y"));
      if (form == 3) m.output(m.node("Mul", {m.node("Mul", {c, m.scalar("i", 1.0F / 6.0F)}, "c6"), x}, "y"));
    }
    EXPECT_EQ(operators(apply(recognise_functions, m.graph)), "HardSwish") << form;
  }
}

TEST(RecogniseHardSwish, WithoutXItIsHardSigmoid) {
  Model m;
  const ValueId x = m.input("x", {-1, 3});
  const ValueId s = m.node("Add", {x, m.scalar("three", 3.0F)}, "s0");
  const ValueId c = m.node("Clip", {s, m.scalar("z", 0.0F), m.scalar("six", 6.0F)}, "c");
  m.output(m.node("Div", {c, m.scalar("d", 6.0F)}, "y"));
  EXPECT_EQ(operators(apply(recognise_functions, m.graph)), "HardSigmoid");
}

TEST(RecogniseSwish, SigmoidAndMishGates) {
  Model m;
  const ValueId x = m.input("x", {-1, 3});
  m.output(m.node("Mul", {x, m.node("Sigmoid", {x}, "g1")}, "y1"));
  m.output(m.node("Mul", {m.node("Sigmoid", {m.node("Mul", {x, m.scalar("a", 1.702F)}, "ax")}, "g2"), x}, "y2"));
  m.output(m.node("Mul", {x, m.node("Tanh", {m.node("Softplus", {x}, "sp")}, "g3")}, "y3"));
  EXPECT_EQ(operators(apply(recognise_functions, m.graph)), "Swish Swish Mish");
}

TEST(RecogniseSwish, AGateOfAnotherTensorStays) {
  Model m;
  const ValueId x = m.input("x", {-1, 3});
  m.output(m.node("Mul", {x, m.node("Sigmoid", {m.input("z", {-1, 3})}, "g")}, "y"));
  EXPECT_EQ(operators(apply(recognise_functions, m.graph)), "Sigmoid Mul");
}

Model layer_norm(int form, const Ints& axes, Shape parameters) {
  Model m;
  const ValueId x = m.input("x", {-1, 4, 6});
  const auto mean_of = [&](ValueId v, const std::string& name) {
    return m.node("ReduceMean", {v, m.ints(name + "_axes", axes)}, name);
  };
  const ValueId mean = mean_of(x, "mean");
  const ValueId d = m.node("Sub", {x, mean}, "d");
  const ValueId d2 = form == 1 ? m.node("Sub", {x, mean}, "d2") : d;
  const ValueId square = form == 0 ? m.node("Mul", {d, d}, "sq") : m.node("Pow", {d2, m.scalar("two", 2.0F)}, "sq");
  const ValueId sigma = m.node("Sqrt", {m.node("Add", {mean_of(square, "var"), m.scalar("eps", 1e-5F)}, "ve")}, "sd");
  ValueId y = form == 2 ? m.node("Mul", {m.node("Reciprocal", {sigma}, "rs"), d}, "n") : m.node("Div", {d, sigma}, "n");
  if (form != 3) {
    y = m.node("Mul", {y, m.random("gamma", parameters)}, "scaled");
    y = m.node("Add", {m.random("beta", parameters), y}, "y");
  }
  m.output(y);
  return m;
}

TEST(RecogniseLayerNorm, EveryForm) {
  for (const int form : {0, 1, 2, 3}) {
    const Graph after = apply(recognise_layer_norm, layer_norm(form, {-1}, {6}).graph);
    EXPECT_EQ(operators(after), "LayerNormalization") << form;
  }
  EXPECT_EQ(operators(apply(recognise_layer_norm, layer_norm(0, {1, 2}, {4, 6}).graph)), "LayerNormalization");
  EXPECT_EQ(operators(apply(recognise_layer_norm, layer_norm(0, {2}, {1, 1, 6}).graph)), "LayerNormalization");
}

TEST(RecogniseLayerNorm, ParametersOfAnotherShapeStayOutside) {
  const Graph after = apply(recognise_layer_norm, layer_norm(0, {2}, {4, 1}).graph);
  EXPECT_EQ(operators(after), "LayerNormalization Mul Add");
  EXPECT_EQ(operators(apply(recognise_layer_norm, layer_norm(0, {1}, {6}).graph)),
            operators(layer_norm(0, {1}, {6}).graph));
}

TEST(FusePad, IntoConvAndPools) {
  for (const char* op : {"Conv", "AveragePool", "MaxPool"}) {
    Model m;
    const bool max = std::string(op) == "MaxPool";
    const ValueId x = m.input("x", {-1, 3, 6, 6});
    const ValueId p = m.node("Pad",
                             {x, m.ints("pads", {0, 0, 1, 0, 0, 0, 1, 1}),
                              m.scalar("v", max ? -std::numeric_limits<float>::infinity() : 0.0F)},
                             "p");
    std::vector<ValueId> inputs = {p};
    if (std::string(op) == "Conv") inputs.push_back(m.random("w", {2, 3, 3, 3}));
    m.output(m.node(op, inputs, "y", {{"kernel_shape", Ints{3, 3}}}));
    EXPECT_EQ(operators(apply(fuse_pad, m.graph)), op);
  }
}

TEST(FusePad, WhatIsNotExactStays) {
  for (const int kind : {0, 1, 2, 3}) {
    Model m;
    const ValueId x = m.input("x", {1, 3, 6, 6});
    const Ints pads = kind == 0 ? Ints{0, 1, 1, 0, 0, 0, 1, 0} : Ints{0, 0, 1, 0, 0, 0, 1, 0};
    const ValueId p = m.node("Pad", {x, m.ints("pads", pads), m.scalar("v", kind == 1 ? 1.0F : 0.0F)}, "p");
    if (kind < 2) m.output(m.node("Conv", {p, m.random("w", {2, kind == 0 ? 4 : 3, 3, 3})}, "y"));
    if (kind == 2) m.output(m.node("MaxPool", {p}, "y", {{"kernel_shape", Ints{3, 3}}}));
    if (kind == 3)
      m.output(m.node("AveragePool", {p}, "y", {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}}));
    EXPECT_EQ(operators(apply(fuse_pad, m.graph)).substr(0, 4), "Pad ");
  }
}

TEST(FusePad, ZeroWillDoForMaxPoolBehindRelu) {
  Model m;
  const ValueId x = m.node("Relu", {m.input("x", {1, 3, 6, 6})}, "r");
  const ValueId p = m.node("Pad", {x, m.ints("pads", {1, 1, 1, 1}), kNoValue, m.ints("axes", {-1, 2})}, "p");
  m.output(m.node("MaxPool", {p}, "y", {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}}));
  EXPECT_EQ(operators(apply(fuse_pad, m.graph)), "Relu MaxPool");
}

TEST(FuseMatMulAdd, MatricesBecomeGemmBatchesStay) {
  Model m;
  const ValueId x = m.input("x", {-1, 3});
  m.output(m.node("Add", {m.random("b", {5}), m.node("MatMul", {x, m.random("w", {3, 5})}, "mm")}, "y"));
  EXPECT_EQ(operators(apply(fuse_matmul_add, m.graph)), "Gemm");
  Model batched;
  const ValueId z = batched.input("x", {-1, 2, 3});
  batched.output(batched.node(
      "Add", {batched.node("MatMul", {z, batched.random("w", {3, 5})}, "mm"), batched.random("b", {5})}, "y"));
  EXPECT_EQ(operators(apply(fuse_matmul_add, batched.graph)), "MatMul Add");
}

TEST(SpreadBias, WhatIsBroadcastOverRowsGetsOneElementForEachChannel) {
  for (const Shape& dims : {Shape{}, Shape{1}, Shape{1, 1}, Shape{1, 5}, Shape{5}}) {
    Model m;
    const ValueId b = m.random("b", dims);
    m.output(m.node("Gemm", {m.input("x", {2, 3}), m.random("w", {5, 3}), b}, "y", {{"transB", std::int64_t{1}}}));
    const Graph spread = apply(spread_bias, m.graph);
    const Tensor& bias = *graph::constant_of(spread, spread.nodes[0].inputs[2]);
    EXPECT_EQ(bias.shape(), (Shape{5}));
  }
  for (const Shape& dims : {Shape{2, 1}, Shape{2, 5}}) {
    Model m;
    m.output(m.node("Gemm", {m.input("x", {2, 3}), m.random("w", {3, 5}), m.random("b", dims)}, "y"));
    const Graph kept = apply(spread_bias, m.graph);
    EXPECT_EQ(graph::constant_of(kept, kept.nodes[0].inputs[2])->shape(), dims);
  }
}

TEST(FuseClamp, ReluAndClipJoinTheirProducer) {
  Model m;
  const ValueId x = m.input("x", {-1, 3, 4, 4});
  const ValueId a = m.node("Relu", {m.node("Conv", {x, m.random("w", {3, 3, 1, 1})}, "c")}, "a");
  const ValueId s = m.node("Add", {a, x}, "s");
  m.output(m.node("Clip", {s, m.scalar("lo", 0.0F), m.scalar("hi", 6.0F)}, "y"));
  const Graph after = apply(fuse_clamp, m.graph);
  EXPECT_EQ(operators(after), "Conv Add");
  ASSERT_TRUE(after.nodes[0].clamp && after.nodes[1].clamp);
  EXPECT_EQ(after.nodes[0].clamp->pre_name, "c");
  EXPECT_EQ(after.nodes[0].clamp->node_name, "a_node");
  EXPECT_EQ(after.nodes[1].clamp->max, 6.0F);
}

TEST(FuseClamp, BoundsOfEachChannelJoinALinearOperator) {
  for (const Ints& dims : {Ints{3, 1, 1}, Ints{1, 3, 1, 1}}) {
    Model m;
    const ValueId x = m.input("x", {-1, 2, 4, 4});
    const ValueId c = m.node("Conv", {x, m.random("w", {3, 2, 1, 1})}, "c");
    const ValueId low = m.node("Max", {c, m.random("lo", Shape(dims), -0.5F, 0.0F)}, "low");
    m.output(m.node("Min", {m.random("hi", Shape(dims), 0.0F, 0.5F), low}, "y"));
    const Graph after = apply(fuse_clamp, m.graph);
    EXPECT_EQ(operators(after), "Conv");
    ASSERT_TRUE(after.nodes[0].clamp && after.nodes[0].clamp->channels);
    const graph::ChannelBounds& bounds = *after.nodes[0].clamp->channels;
    EXPECT_EQ(bounds.inner_axes, 2);
    EXPECT_EQ(bounds.min.size(), 3U);
    EXPECT_EQ(after.nodes[0].clamp->max, *std::ranges::max_element(bounds.max));
    EXPECT_EQ(after.nodes[0].clamp->pre_name, "c");
  }
}

TEST(FuseClamp, AClampBehindAClampIsOne) {
  Model m;
  const ValueId x = m.input("x", {-1, 3});
  const ValueId g = m.node("Gemm", {x, m.random("w", {3, 5})}, "g");
  const ValueId above = m.node("Max", {m.scalar("zero", 0.0F), g}, "above");
  const ValueId below = m.node("Min", {above, m.random("hi", {5}, 0.0F, 0.5F)}, "below");
  m.output(m.node("Clip", {below, m.scalar("lo", 0.1F), kNoValue}, "y"));
  const Graph after = apply(fuse_clamp, m.graph);
  EXPECT_EQ(operators(after), "Gemm");
  EXPECT_EQ(after.nodes[0].clamp->node_name, "y_node");
  EXPECT_EQ(after.nodes[0].clamp->pre_name, "g");
  EXPECT_EQ(after.nodes[0].clamp->channels->inner_axes, 0);
  EXPECT_GE(after.nodes[0].clamp->min, 0.1F);
}

TEST(FuseClamp, BoundsAlongAnotherAxisStay) {
  Model m;
  const ValueId x = m.input("x", {-1, 3, 3, 3});
  const ValueId c = m.node("Conv", {x, m.random("w", {3, 3, 1, 1})}, "c");
  m.output(m.node("Max", {c, m.random("columns", {3}, -0.5F, 0.0F)}, "columns_y"));
  m.output(m.node("Min", {m.node("Neg", {x}, "n"), m.random("hi", {3, 1, 1}, 0.0F, 0.5F)}, "not_linear_y"));
  EXPECT_EQ(operators(apply(fuse_clamp, m.graph)), "Conv Max Neg Min");
}

TEST(FuseClamp, StaysWhereTheTensorBetweenIsNeeded) {
  for (const int kind : {0, 1, 2, 3}) {
    Model m;
    const ValueId x = m.input("x", {-1, 3});
    const ValueId c =
        m.node(kind == 3 ? "Reshape" : "Neg", kind == 3 ? std::vector{x, m.ints("s", {3, -1})} : std::vector{x}, "c");
    const ValueId bound = kind == 2 ? m.input("hi", {}) : m.scalar("hi", 6.0F);
    m.output(m.node("Clip", {c, m.scalar("lo", 0.0F), bound}, "y"));
    if (kind == 0) m.output(c);
    if (kind == 1) m.graph.value(c).pinned = true;
    EXPECT_EQ(fuse_clamp(m.graph, context_for(m.graph))->nodes.size(), 2U);
  }
}

TEST(Prepare, AConvBlockBecomesOneNode) {
  Model m;
  const ValueId x = m.input("x", {-1, 3, 8, 8});
  const ValueId p = m.node("Pad", {x, m.ints("pads", {0, 0, 1, 1, 0, 0, 1, 1})}, "p");
  const ValueId c = m.node("Conv", {p, m.random("w", {4, 3, 3, 3})}, "c");
  const ValueId n = m.node(
      "BatchNormalization",
      {c, m.random("g", {4}, 0.5F, 2.0F), m.random("b", {4}), m.random("mean", {4}), m.random("var", {4}, 0.5F, 2.0F)},
      "n");
  const ValueId d = m.node("Mul", {m.node("Identity", {n}, "i"), m.scalar("two", 2.0F)}, "d");
  m.output(m.node("Relu", {d}, "y"));
  const Graph after = apply(prepare, m.graph);
  EXPECT_EQ(operators(after), "Conv");
  EXPECT_TRUE(after.nodes[0].clamp);
}

TEST(Prepare, ErrorsNameThePass) {
  Model m;
  m.output(m.node("NoSuchOperator", {m.input("x", {1})}, "y"));
  const Result<Graph> result = prepare(m.graph, context_for(m.graph));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message.rfind("fold_constants: ", 0), 0U) << result.error().message;
}

}  // namespace
}  // namespace halfstep::passes
