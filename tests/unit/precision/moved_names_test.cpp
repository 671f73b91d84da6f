// moved_names_test.cpp: where names go in models that passes really prepared.
#include "precision/moved_names.hpp"

#include <gtest/gtest.h>

#include "passes/prepare.hpp"
#include "unit/passes/pass_support.hpp"

namespace halfstep::precision {
namespace {

using graph::Graph;
using graph::ValueId;
using passes::Ints;
using passes::Model;

Graph prepared(const Graph& graph) {
  Result<Graph> result = passes::prepare(graph, passes::context_for(graph));
  if (result.ok()) return *result;
  ADD_FAILURE() << result.error().message;
  return {};
}

std::string kind_name(MoveKind kind) {
  switch (kind) {
    case MoveKind::kSame:
      return "same";
    case MoveKind::kFused:
      return "fused";
    case MoveKind::kFolded:
      return "folded";
    case MoveKind::kBound:
      return "bound";
    case MoveKind::kPart:
      return "part";
  }
  return "";
}

/// "fused y: is the input of ...", or "none".
std::string moved(const Graph& graph, const std::string& name) {
  const std::optional<MovedName> found = find_moved_name(graph, prepared(graph), name);
  return found ? kind_name(found->kind) + " " + found->tensor + ": " + found->how : "none";
}

ValueId batch_norm(Model& m, ValueId x, std::int64_t channels, const std::string& name) {
  return m.node("BatchNormalization",
                {x, m.random(name + ".gamma", {channels}, 0.5F, 1.5F), m.random(name + ".beta", {channels}),
                 m.random(name + ".mean", {channels}), m.random(name + ".var", {channels}, 0.5F, 1.5F)},
                name);
}

/// x -> Conv -> BatchNormalization -> Relu -> Conv -> y
Model conv_bn_relu() {
  Model m;
  const ValueId x = m.input("x", {2, 3, 8, 8});
  const ValueId c = m.node("Conv", {x, m.random("c.weight", {4, 3, 3, 3}), m.random("c.bias", {4})}, "c");
  const ValueId r = m.node("Relu", {batch_norm(m, c, 4, "bn")}, "r");
  m.output(m.node("Conv", {r, m.random("w2", {5, 4, 1, 1})}, "y"));
  return m;
}

TEST(MovedNames, WhatSurvivesOrNeverWas) {
  const Model m = conv_bn_relu();
  for (const char* name : {"x", "r", "y", "c.weight", "c.bias", "w2", "nothing"})
    EXPECT_EQ(moved(m.graph, name), "none") << name;
}

TEST(MovedNames, BatchNormBehindAConv) {
  const Model m = conv_bn_relu();
  EXPECT_EQ(moved(m.graph, "c"),
            "folded r: is the input of BatchNormalization 'bn_node', which is part of node 'c_node' (Conv) now");
  EXPECT_EQ(moved(m.graph, "bn"), "fused r: is the input of Relu 'r_node', which is part of node 'c_node' (Conv) now");
  EXPECT_EQ(
      moved(m.graph, "bn.gamma"),
      "folded c.weight: is a parameter of BatchNormalization 'bn_node', which is part of node 'c_node' (Conv) now");
}

TEST(MovedNames, ConstantsThatTwoNodesShared) {
  Model m;
  const ValueId x = m.input("x", {2, 3, 8, 8});
  const ValueId w = m.random("w", {4, 3, 3, 3});
  const ValueId b = m.random("b", {4});
  m.output(batch_norm(m, m.node("Conv", {x, w, b}, "c1"), 4, "y1"));
  m.output(batch_norm(m, m.node("Conv", {x, w, b}, "c2"), 4, "y2"));
  EXPECT_EQ(moved(m.graph, "w"), "none");
  EXPECT_EQ(moved(m.graph, "b"), "none");
}

TEST(MovedNames, BatchNormInFrontOfAConv) {
  Model m;
  const ValueId x = m.input("x", {2, 3, 8, 8});
  const ValueId c = m.node("Conv", {batch_norm(m, x, 3, "bn"), m.random("w", {4, 3, 3, 3})}, "c");
  m.output(m.node("Clip", {c, m.scalar("low", 0.0F), m.scalar("high", 6.0F)}, "y"));
  EXPECT_EQ(moved(m.graph, "bn"),
            "folded y: is the output of BatchNormalization 'bn_node', which is part of node 'c_node' (Conv) now");
  EXPECT_EQ(moved(m.graph, "bn.mean"),
            "folded w: is a parameter of BatchNormalization 'bn_node', which is part of node 'c_node' (Conv) now");
  EXPECT_EQ(moved(m.graph, "c"), "fused y: is the input of Clip 'y_node', which is part of node 'c_node' (Conv) now");
  EXPECT_EQ(moved(m.graph, "high"), "bound y: is a bound of Clip 'y_node', which is part of node 'c_node' (Conv) now");
}

TEST(MovedNames, ArithmeticBehindAMatMul) {
  Model m;
  const ValueId x = m.input("x", {2, 3});
  const ValueId p = m.node("MatMul", {x, m.random("w", {3, 5})}, "p");
  const ValueId s = m.node("Mul", {p, m.random("factor", {5})}, "s");
  m.output(m.node("Add", {s, m.random("shift", {5})}, "y"));
  EXPECT_EQ(moved(m.graph, "p"), "folded y: is the input of Mul 's_node', which is part of node 'p_node' (Gemm) now");
  EXPECT_EQ(moved(m.graph, "s"), "folded y: is the input of Add 'y_node', which is part of node 'p_node' (Gemm) now");
  EXPECT_EQ(moved(m.graph, "factor"),
            "folded w: is a parameter of Mul 's_node', which is part of node 'p_node' (Gemm) now");
}

TEST(MovedNames, NodesThatChangeNothing) {
  Model m;
  const ValueId x = m.input("x", {2, 3, 8, 8});
  const ValueId c = m.node("Conv", {x, m.random("w", {4, 3, 3, 3})}, "c");
  const ValueId i = m.node("Identity", {m.node("Dropout", {c}, "drop")}, "id");
  const ValueId one = m.node("Mul", {i, m.scalar("one", 1.0F)}, "times_one");
  const ValueId s = m.node("Sigmoid", {one}, "s");
  m.output(m.node("Identity", {s}, "y"));
  for (const char* name : {"drop", "id", "times_one"}) {
    EXPECT_EQ(moved(m.graph, name), "same c: goes on as 'c': the nodes between the two change nothing") << name;
  }
  // The producer of a graph output that is a copy takes over its name.
  EXPECT_EQ(moved(m.graph, "s"), "same y: goes on as 'y': the nodes between the two change nothing");
}

TEST(MovedNames, NothingBetweenAConvAndItsRelu) {
  Model m;
  const ValueId x = m.input("x", {2, 3, 8, 8});
  const ValueId c = m.node("Conv", {x, m.random("w", {4, 3, 3, 3})}, "c");
  m.output(m.node("Relu", {m.node("Identity", {c}, "id")}, "y"));
  for (const char* name : {"c", "id"}) {
    EXPECT_EQ(moved(m.graph, name),
              "fused y: is the input of Relu 'y_node', which is part of node 'c_node' (Conv) now");
  }
}

TEST(MovedNames, MovesThatChangeNothing) {
  Model m;
  const ValueId x = m.input("x", {2, 3, 8, 8});
  const ValueId same = m.node("Reshape", {x, m.ints("shape", {2, 3, 8, 8})}, "same");
  const ValueId s = m.node("Sigmoid", {same}, "s");
  const ValueId t = m.node("Transpose", {s}, "t", {{"perm", Ints{0, 2, 3, 1}}});
  m.output(m.node("Transpose", {t}, "y", {{"perm", Ints{0, 2, 3, 1}}}));
  EXPECT_EQ(moved(m.graph, "same"), "same x: goes on as 'x': the nodes between the two change nothing");
  // Half of a movement is another tensor.
  EXPECT_EQ(moved(m.graph, "t"),
            "part y: is not computed any more; the nearest tensor behind it is 'y' of node 'y_node' (Transpose)");
}

TEST(MovedNames, WeightsThatAreTransposed) {
  Model m;
  const ValueId x = m.input("x", {2, 3});
  const ValueId t = m.node("Transpose", {m.random("w", {5, 3})}, "t", {{"perm", Ints{1, 0}}});
  m.output(m.node("MatMul", {x, t}, "y"));
  EXPECT_EQ(moved(m.graph, "w"), "same t: goes on as 't': the nodes between the two change nothing");
}

TEST(MovedNames, QuantizeAndDequantize) {
  // As importing them leaves the graph.
  Model m;
  const ValueId x = m.input("x", {2, 3});
  const ValueId scale = m.scalar("scale", 0.5F);
  const ValueId q = m.node("QuantizeLinear", {x, scale}, "q");
  m.output(m.node("Sigmoid", {m.node("DequantizeLinear", {q, scale}, "dq")}, "y"));
  Model bare;
  bare.output(bare.node("Sigmoid", {bare.input("x", {2, 3})}, "y"));
  for (const char* name : {"q", "dq"}) {
    const std::optional<MovedName> found = find_moved_name(m.graph, bare.graph, name);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->kind, MoveKind::kSame);
    EXPECT_EQ(found->tensor, "x");
  }
}

TEST(MovedNames, InsideARecognisedFormula) {
  Model m;
  const ValueId x = m.input("x", {2, 3});
  const ValueId e = m.node("Exp", {x}, "e");
  const ValueId sum = m.node("ReduceSum", {e, m.ints("axes", {-1})}, "sum", {{"keepdims", std::int64_t{1}}});
  m.output(m.node("Div", {e, sum}, "y"));
  for (const char* name : {"e", "sum"}) {
    EXPECT_EQ(moved(m.graph, name).substr(0, 73),
              "part y: is not computed any more; the nearest tensor behind it is 'y' of ")
        << name;
  }
}

TEST(MovedNames, WhatNoOutputNeeds) {
  Model m;
  const ValueId x = m.input("x", {2, 3});
  m.node("Exp", {x}, "dead");
  m.output(m.node("Sigmoid", {x}, "y"));
  m.random("unused", {3});
  EXPECT_EQ(moved(m.graph, "dead"), "part : is not needed for any output of the model");
  EXPECT_EQ(moved(m.graph, "unused"), "part : is not needed for any output of the model");
}

}  // namespace
}  // namespace halfstep::precision
