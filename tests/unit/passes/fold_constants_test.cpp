// Contract under test: src/passes/fold_constants.cpp, remove_no_ops.cpp and eliminate_common.cpp.
#include "unit/passes/pass_support.hpp"

namespace halfstep::passes {
namespace {

TEST(FoldConstants, ShapePlumbingOfFixedAxesDisappears) {
  Model m;
  const ValueId x = m.input("x", {-1, 3, 4});
  const ValueId shape = m.node("Shape", {x}, "shape");
  const ValueId rows = m.node("Gather", {shape, m.constant("one", Tensor::of<std::int64_t>({1}, {1}))}, "rows");
  const ValueId target = m.node("Concat", {m.ints("minus", {-1}), rows}, "target", {{"axis", std::int64_t{0}}});
  m.output(m.node("Reshape", {x, target}, "y"));
  const Graph after = apply(fold_constants, m.graph);
  EXPECT_EQ(operators(after), "Reshape");
  EXPECT_EQ(*integers_of(after, graph::find_value(after, "target")), (Ints{-1, 3}));
}

TEST(FoldConstants, WhatDependsOnASymbolicAxisStays) {
  Model m;
  const ValueId x = m.input("x", {-1, 3});
  const ValueId rows = m.node("Gather", {m.node("Shape", {x}, "shape"), m.ints("zero", {0})}, "rows");
  m.output(m.node("Cast", {rows}, "y", {{"to", std::int64_t{1}}}));
  EXPECT_EQ(operators(apply(fold_constants, m.graph)), "Shape Gather Cast");
}

TEST(FoldConstants, GraphOutputsStayComputed) {
  Model m;
  m.output(m.input("x", {2}));
  m.output(m.node("Neg", {m.node("Abs", {m.random("c", {3})}, "abs")}, "y"));
  EXPECT_EQ(operators(apply(fold_constants, m.graph)), "Neg");
}

TEST(FoldConstants, PinnedConstantsKeepTheirReaders) {
  Model m;
  const ValueId x = m.input("x", {2, 3});
  const ValueId w = m.random("w", {4, 3});
  m.graph.value(w).pinned = true;
  const ValueId t = m.node("Transpose", {w}, "t", {{"perm", Ints{1, 0}}});
  m.output(m.node("MatMul", {x, m.node("Neg", {t}, "n")}, "y"));
  EXPECT_EQ(operators(apply(fold_constants, m.graph)), "Transpose Neg MatMul");
}

TEST(FoldConstants, GrowthIsBounded) {
  Model m;
  const ValueId x = m.input("x", {1, 1});
  const ValueId big = m.node("Expand", {m.random("c", {1, 1}), m.ints("shape", {1, 1000000})}, "big");
  m.output(m.node("Add", {x, big}, "y"));
  PassContext context = context_for(m.graph);
  context.max_growth_bytes = 1000;
  EXPECT_EQ(operators(*fold_constants(m.graph, context)), "Expand Add");
  EXPECT_EQ(operators(apply(fold_constants, m.graph)), "Add");
}

TEST(FoldConstants, GrowthIsBoundedInAll) {
  Model m;
  const ValueId x = m.input("x", {1, 1});
  const ValueId shape = m.ints("shape", {1, 1000000});
  ValueId sum = x;
  for (const char* name : {"a", "b", "c"}) {
    const ValueId big = m.node("Expand", {m.random(std::string("of_") + name, {1, 1}), shape}, name);
    sum = m.node("Add", {sum, big}, std::string("sum_") + name);
  }
  m.output(sum);
  PassContext context = context_for(m.graph);
  context.max_constant_bytes = 9'000'000;  // Two of 4 MB.
  EXPECT_EQ(operators(*fold_constants(m.graph, context)), "Add Add Expand Add");
  EXPECT_EQ(operators(apply(fold_constants, m.graph)), "Add Add Add");
}

TEST(FoldConstants, WhatOnlyTheNextReadsTakesNoRoom) {
  Model m;
  const ValueId x = m.input("x", {1, 1});
  ValueId chain = m.node("Expand", {m.random("c", {1, 1}), m.ints("shape", {1, 1000000})}, "big");
  for (int i = 0; i < 5; ++i) chain = m.node("Neg", {chain}, "neg" + std::to_string(i));
  m.output(m.node("Add", {x, m.node("ReduceMax", {chain}, "max")}, "y"));
  PassContext context = context_for(m.graph);
  context.max_constant_bytes = 5'000'000;
  EXPECT_EQ(operators(*fold_constants(m.graph, context)), "Add");
}

TEST(FoldConstants, WorkIsBounded) {
  Model m;
  const ValueId x = m.input("x", {1, 1});
  const ValueId w = m.node("Expand", {m.random("c", {1, 1}), m.ints("shape", {600, 600})}, "w");
  m.output(m.node("Add", {x, m.node("MatMul", {w, w}, "product")}, "y"));
  PassContext context = context_for(m.graph);
  context.max_folding_work = 200e6;  // 600 cubed is 216 million.
  EXPECT_EQ(operators(*fold_constants(m.graph, context)), "MatMul Add");
  EXPECT_EQ(operators(apply(fold_constants, m.graph)), "Add");
}

TEST(RemoveNoOps, TheNameNearestToTheInputStays) {
  Model m;
  const ValueId x = m.input("x", {-1, 3});
  const ValueId a = m.node("Relu", {x}, "a");
  const ValueId b = m.node("Identity", {a}, "b");
  m.output(m.node("Neg", {m.node("Dropout", {b}, "c")}, "y"));
  const Graph after = apply(remove_no_ops, m.graph);
  EXPECT_EQ(operators(after), "Relu Neg");
  EXPECT_NE(graph::find_value(after, "a"), kNoValue);
}

TEST(RemoveNoOps, GraphOutputsKeepTheirNames) {
  Model m;
  const ValueId x = m.input("x", {-1, 3});
  const ValueId a = m.node("Relu", {x}, "a");
  m.output(m.node("Identity", {a}, "first"));
  m.output(m.node("Identity", {a}, "second"));
  m.output(m.node("Identity", {x}, "third"));
  EXPECT_EQ(operators(apply(remove_no_ops, m.graph)), "Relu Identity Identity");
}

TEST(RemoveNoOps, OperatorsThatChangeNothing) {
  Model m;
  ValueId v = m.node("Relu", {m.input("x", {-1, 2, 4})}, "start");
  v = m.node("Reshape", {v, m.ints("s1", {-1, 2, 4})}, "v1");
  v = m.node("Transpose", {v}, "v2", {{"perm", Ints{0, 1, 2}}});
  v = m.node("Expand", {v, m.ints("s3", {1, 2, 1})}, "v3");
  v = m.node("Tile", {v, m.ints("s4", {1, 1, 1})}, "v4");
  v = m.node("Slice", {v, m.ints("st", {0}), m.ints("en", {4}), m.ints("ax", {2})}, "v5");
  v = m.node("Pad", {v, m.ints("p", {0, 0, 0, 0, 0, 0})}, "v6");
  v = m.node("Concat", {v}, "v7", {{"axis", std::int64_t{1}}});
  v = m.node("Cast", {v}, "v8", {{"to", std::int64_t{1}}});
  v = m.node("Mul", {m.scalar("one", 1.0F), v}, "v9");
  v = m.node("Add", {v, m.constant("zero", Tensor::of<float>({1, 1}, {0.0F}))}, "v10");
  v = m.node("Div", {v, m.constant("ones", Tensor::of<float>({4}, {1, 1, 1, 1}))}, "v11");
  v = m.node("Resize", {v, kNoValue, m.constant("sc", Tensor::of<float>({3}, {1, 1, 1}))}, "v12");
  m.output(m.node("Neg", {v}, "y"));
  EXPECT_EQ(operators(apply(remove_no_ops, m.graph)), "Relu Neg");
}

TEST(RemoveNoOps, WhatChangesSomethingStays) {
  Model m;
  const ValueId x = m.input("x", {-1, 1, 4});
  m.output(m.node("Reshape", {x, m.ints("s1", {-1, 4})}, "y1"));
  m.output(m.node("Mul", {x, m.constant("up", Tensor::of<float>({1, 1, 1, 1}, {1.0F}))}, "y2"));
  m.output(m.node("Add", {x, m.constant("wide", Tensor::of<float>({3, 1}, {0, 0, 0}))}, "y3"));
  m.output(m.node("Slice", {x, m.ints("st", {0}), m.ints("en", {2}), m.ints("ax", {0})}, "y4"));
  m.output(m.node("Expand", {x, m.ints("s5", {1, 2, 4})}, "y5"));
  EXPECT_EQ(operators(apply(remove_no_ops, m.graph)), "Reshape Mul Add Slice Expand");
}

TEST(RemoveNoOps, ChainsOfTransposeAndReshapeMerge) {
  Model m;
  const ValueId x = m.node("Relu", {m.input("x", {-1, 2, 3, 4})}, "r");
  const ValueId t1 = m.node("Transpose", {x}, "t1", {{"perm", Ints{0, 2, 3, 1}}});
  const ValueId t2 = m.node("Transpose", {t1}, "t2", {{"perm", Ints{0, 3, 1, 2}}});
  const ValueId f = m.node("Flatten", {t2}, "f", {{"axis", std::int64_t{2}}});
  const ValueId g = m.node("Reshape", {f, m.ints("s", {-1, 24})}, "g");
  const ValueId h = m.node("Reshape", {g, m.ints("s2", {-1, 2, 3, 4})}, "h");
  m.output(m.node("Neg", {h}, "y1"));
  m.output(m.node("Neg", {g}, "y2"));
  m.output(m.node("Transpose", {t1}, "y3", {{"perm", Ints{0, 2, 1, 3}}}));
  const Graph after = apply(remove_no_ops, m.graph);
  EXPECT_EQ(operators(after), "Relu Reshape Neg Neg Transpose");
  EXPECT_EQ(after.nodes[4].attributes.get_ints("perm"), (Ints{0, 3, 2, 1}));
}

TEST(RemoveNoOps, PinnedValuesStay) {
  Model m;
  const ValueId x = m.node("Relu", {m.input("x", {-1, 3})}, "a");
  const ValueId b = m.node("Identity", {x}, "b");
  m.graph.value(b).pinned = true;
  m.output(m.node("Neg", {b}, "y"));
  EXPECT_EQ(operators(apply(remove_no_ops, m.graph)), "Relu Identity Neg");
}

TEST(EliminateCommon, IntegersAreComputedOnceFloatsStay) {
  Model m;
  const ValueId x = m.input("x", {-1, 3});
  ValueId sum = kNoValue;
  for (int i = 0; i < 3; ++i) {
    const std::string n = std::to_string(i);
    const ValueId rows = m.node("Gather", {m.node("Shape", {x}, "s" + n), m.ints("i" + n, {0})}, "g" + n);
    const ValueId y = m.node(
        "Mul", {m.node("Relu", {x}, "r" + n), m.node("Cast", {rows}, "c" + n, {{"to", std::int64_t{1}}})}, "m" + n);
    sum = i == 0 ? y : m.node("Add", {sum, y}, "a" + n);
  }
  m.output(sum);
  EXPECT_EQ(operators(apply(eliminate_common, m.graph)),
            "Shape Gather Relu Cast Mul Relu Cast Mul Add Relu Cast Mul Add");
}

}  // namespace
}  // namespace halfstep::passes
