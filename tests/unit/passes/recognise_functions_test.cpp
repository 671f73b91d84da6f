// recognise_functions_test.cpp: activations in every spelling, and what only looks like one.
#include <functional>

#include "unit/passes/pass_support.hpp"

namespace halfstep::passes {
namespace {

/// Writes a formula over x: short names for nodes and scalar constants.
class Formula {
 public:
  explicit Formula(Model& model) : m_(model) {}

  ValueId c(float value) { return m_.scalar("c" + next(), value); }
  ValueId op(const char* type, std::vector<ValueId> inputs) { return m_.node(type, std::move(inputs), "v" + next()); }
  ValueId add(ValueId a, ValueId b) { return op("Add", {a, b}); }
  ValueId sub(ValueId a, ValueId b) { return op("Sub", {a, b}); }
  ValueId mul(ValueId a, ValueId b) { return op("Mul", {a, b}); }
  ValueId div(ValueId a, ValueId b) { return op("Div", {a, b}); }
  ValueId exp(ValueId a) { return op("Exp", {a}); }
  ValueId neg(ValueId a) { return op("Neg", {a}); }

 private:
  std::string next() { return std::to_string(count_++); }
  Model& m_;
  int count_ = 0;
};

using Spelling = std::function<ValueId(Formula&, ValueId x)>;

struct Case {
  const char* name;
  const char* expected;
  Spelling spell;
};

// e^-x in four ways.
ValueId inverse_exp(Formula& f, ValueId x, int way) {
  if (way == 0) return f.exp(f.neg(x));
  if (way == 1) return f.exp(f.mul(x, f.c(-1.0F)));
  if (way == 2) return f.exp(f.sub(f.c(0.0F), x));
  return f.op("Reciprocal", {f.exp(x)});
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (int way = 0; way < 4; ++way) {
    all.push_back({"1 / (1 + e^-x)", "Sigmoid", [way](Formula& f, ValueId x) {
                     return f.div(f.c(1.0F), f.add(f.c(1.0F), inverse_exp(f, x, way)));
                   }});
    all.push_back({"reciprocal of e^-x + 1", "Sigmoid", [way](Formula& f, ValueId x) {
                     return f.op("Reciprocal", {f.add(inverse_exp(f, x, way), f.c(1.0F))});
                   }});
    all.push_back({"(1 + e^-x)^-1", "Sigmoid", [way](Formula& f, ValueId x) {
                     return f.op("Pow", {f.add(f.c(1.0F), inverse_exp(f, x, way)), f.c(-1.0F)});
                   }});
    all.push_back({"x / (1 + e^-x)", "Swish",
                   [way](Formula& f, ValueId x) { return f.div(x, f.add(f.c(1.0F), inverse_exp(f, x, way))); }});
  }
  const auto add = [&](const char* name, const char* expected, Spelling spell) {
    all.push_back({name, expected, std::move(spell)});
  };
  add("e^x / (1 + e^x)", "Sigmoid", [](Formula& f, ValueId x) {
    const ValueId e = f.exp(x);
    return f.div(e, f.add(e, f.c(1.0F)));
  });
  add("tanh by four exponentials", "Tanh",
      [](Formula& f, ValueId x) { return f.div(f.sub(f.exp(x), f.exp(f.neg(x))), f.add(f.exp(x), f.exp(f.neg(x)))); });
  add("tanh by two", "Tanh", [](Formula& f, ValueId x) {
    const ValueId a = f.exp(x);
    const ValueId b = f.exp(f.neg(x));
    return f.div(f.sub(a, b), f.add(b, a));
  });
  add("tanh by e^2x", "Tanh", [](Formula& f, ValueId x) {
    const ValueId e = f.exp(f.mul(f.c(2.0F), x));
    return f.div(f.sub(e, f.c(1.0F)), f.add(e, f.c(1.0F)));
  });
  add("2 sigmoid(2x) - 1", "Tanh",
      [](Formula& f, ValueId x) { return f.sub(f.mul(f.c(2.0F), f.op("Sigmoid", {f.mul(x, f.c(2.0F))})), f.c(1.0F)); });
  add("log(1 + e^x)", "Softplus", [](Formula& f, ValueId x) { return f.op("Log", {f.add(f.c(1.0F), f.exp(x))}); });
  add("min(max(x, 0), 6)", "Clip", [](Formula& f, ValueId x) {
    return f.op("Min", {f.op("Max", {x, f.c(0.0F)}), f.c(6.0F)});
  });
  add("max(0, min(6, x))", "Clip", [](Formula& f, ValueId x) {
    return f.op("Max", {f.c(0.0F), f.op("Min", {f.c(6.0F), x})});
  });
  add("max(x, 0) + a min(x, 0)", "LeakyRelu", [](Formula& f, ValueId x) {
    return f.add(f.op("Max", {x, f.c(0.0F)}), f.mul(f.c(0.2F), f.op("Min", {x, f.c(0.0F)})));
  });
  add("relu(x) - a relu(-x)", "LeakyRelu",
      [](Formula& f, ValueId x) { return f.sub(f.op("Relu", {x}), f.mul(f.op("Relu", {f.neg(x)}), f.c(0.3F))); });
  add("max(x, a x)", "LeakyRelu", [](Formula& f, ValueId x) { return f.op("Max", {x, f.mul(x, f.c(0.1F))}); });
  for (const bool divides : {true, false}) {
    add("clip(x + 3, 0, 6) / 6", "HardSigmoid", [divides](Formula& f, ValueId x) {
      const ValueId gate = f.op("Clip", {f.add(x, f.c(3.0F)), f.c(0.0F), f.c(6.0F)});
      return divides ? f.div(gate, f.c(6.0F)) : f.mul(f.c(1.0F / 6.0F), gate);
    });
    add("x min(max(x + 3, 0), 6) / 6", "HardSwish", [divides](Formula& f, ValueId x) {
      const ValueId gate = f.op("Min", {f.op("Max", {f.add(f.c(3.0F), x), f.c(0.0F)}), f.c(6.0F)});
      return divides ? f.div(f.mul(x, gate), f.c(6.0F)) : f.mul(x, f.mul(gate, f.c(1.0F / 6.0F)));
    });
  }
  add("clip(0.2 x + 0.5, 0, 1)", "HardSigmoid", [](Formula& f, ValueId x) {
    return f.op("Clip", {f.add(f.mul(x, f.c(0.2F)), f.c(0.5F)), f.c(0.0F), f.c(1.0F)});
  });
  add("x tanh(log(1 + e^x))", "Mish",
      [](Formula& f, ValueId x) { return f.mul(x, f.op("Tanh", {f.op("Log", {f.add(f.exp(x), f.c(1.0F))})})); });
  add("x / (1 + |x|)", "Softsign", [](Formula& f, ValueId x) { return f.div(x, f.add(f.op("Abs", {x}), f.c(1.0F))); });
  add("elu of max and min", "Elu", [](Formula& f, ValueId x) {
    const ValueId below = f.sub(f.exp(f.op("Min", {x, f.c(0.0F)})), f.c(1.0F));
    return f.add(f.op("Relu", {x}), f.mul(below, f.c(0.7F)));
  });
  return all;
}

TEST(RecogniseFunctions, EverySpelling) {
  for (const Case& c : cases()) {
    Model m;
    Formula f(m);
    const ValueId x = m.input("x", {-1, 3, 5});
    m.output(c.spell(f, x));
    const Graph after = apply(recognise_functions, m.graph);
    EXPECT_EQ(operators(after), c.expected) << c.name;
  }
}

TEST(RecogniseFunctions, TheArgumentMayBeComputed) {
  Model m;
  Formula f(m);
  const ValueId sum = f.add(m.input("x", {-1, 3}), m.input("z", {-1, 3}));
  m.output(f.div(f.c(1.0F), f.add(f.c(1.0F), f.exp(f.neg(sum)))));
  EXPECT_EQ(operators(apply(recognise_functions, m.graph)), "Add Sigmoid");
}

TEST(RecogniseFunctions, ASlopeForEachChannelIsPRelu) {
  for (const bool negative : {false, true}) {
    Model m;
    Formula f(m);
    const ValueId x = m.input("x", {-1, 3, 4, 4});
    const ValueId slope = m.random("a", {3, 1, 1}, 0.1F, 0.4F);
    const ValueId below = negative ? f.op("Relu", {f.neg(x)}) : f.op("Min", {x, f.c(0.0F)});
    m.output(f.add(f.op("Relu", {x}), f.mul(slope, below)));
    EXPECT_EQ(operators(apply(recognise_functions, m.graph)), "PRelu") << negative;
  }
}

TEST(RecogniseFunctions, ParametersAreRead) {
  Model m;
  Formula f(m);
  const ValueId x = m.input("x", {-1, 3});
  m.output(f.mul(x, f.op("Sigmoid", {f.mul(f.c(1.702F), x)})));
  const Graph swish = apply(recognise_functions, m.graph);
  EXPECT_FLOAT_EQ(swish.nodes[0].attributes.get_float("alpha", 0.0F), 1.702F);

  Model n;
  Formula g(n);
  const ValueId z = n.input("z", {-1, 3});
  n.output(g.op("Min", {g.op("Max", {z, g.c(-1.5F)}), g.c(2.5F)}));
  const Graph clip = apply(recognise_functions, n.graph);
  EXPECT_EQ(scalar_of(clip, clip.nodes[0].inputs[1]), -1.5);
  EXPECT_EQ(scalar_of(clip, clip.nodes[0].inputs[2]), 2.5);
}

TEST(RecogniseFunctions, WhatOnlyLooksLikeOneStays) {
  Model m;
  Formula f(m);
  const ValueId x = m.input("x", {-1, 3});
  m.output(f.div(f.c(1.0F), f.add(f.c(1.001F), f.exp(f.neg(x)))));      // Not 1.
  m.output(f.op("Clip", {f.add(x, f.c(3.0F)), f.c(0.0F), f.c(6.0F)}));  // Not divided by 6.
  m.output(f.op("Abs", {f.neg(x)}));                                    // No LeakyRelu of slope -1.
  const ValueId e = f.exp(x);
  m.output(f.op("Log", {f.add(f.c(1.0F), e)}));  // e^x is wanted, too.
  m.output(e);
  const ValueId wide = m.constant("wide", Tensor::of<float>({1, 1, 1}, {1.0F}));  // Would lose a dimension.
  m.output(f.div(wide, f.add(wide, f.exp(f.neg(x)))));
  EXPECT_EQ(operators(apply(recognise_functions, m.graph)), operators(m.graph));
}

/// exp(x) / sum(exp(x)) along `axis` of [N, 4, 6].
ValueId softmax(Model& m, bool maximum, bool reciprocal, std::int64_t axis, bool log) {
  const ValueId x = m.input("x", {-1, 4, 6});
  ValueId u = x;
  if (maximum) u = m.node("Sub", {x, m.node("ReduceMax", {x, m.ints("max_axes", {axis})}, "max")}, "u");
  const ValueId e = m.node("Exp", {u}, "e");
  const ValueId sum = m.node("ReduceSum", {e, m.ints("sum_axes", {axis})}, "sum");
  if (log) return m.node("Sub", {u, m.node("Log", {sum}, "log")}, "y");
  if (reciprocal) return m.node("Mul", {m.node("Reciprocal", {sum}, "r"), e}, "y");
  return m.node("Div", {e, sum}, "y");
}

TEST(RecogniseSoftmax, EverySpelling) {
  for (const bool maximum : {false, true}) {
    for (const bool reciprocal : {false, true}) {
      for (const std::int64_t axis : {-1, 1, 2}) {
        for (const bool log : {false, true}) {
          Model m;
          m.output(softmax(m, maximum, reciprocal, axis, log));
          const Graph after = apply(recognise_softmax, m.graph);
          EXPECT_EQ(operators(after), log ? "LogSoftmax" : "Softmax");
          EXPECT_EQ(after.nodes[0].attributes.get_int("axis", 0), axis == 1 ? -2 : -1);
        }
      }
    }
  }
}

TEST(RecogniseSoftmax, SumsOverOtherAxesStay) {
  Model m;
  const ValueId e = m.node("Exp", {m.input("x", {-1, 4, 6})}, "e");
  m.output(m.node("Div", {e, m.node("ReduceSum", {e, m.ints("axes", {1, 2})}, "sum")}, "y"));
  EXPECT_EQ(operators(apply(recognise_softmax, m.graph)), "Exp ReduceSum Div");
}

/// x / sqrt(mean(x^2) + epsilon) * gamma in five ways.
ValueId rms_norm(Model& m, int form) {
  const ValueId x = m.input("x", {-1, 4, 6});
  const ValueId square = form % 2 == 0 ? m.node("Mul", {x, x}, "sq") : m.node("Pow", {x, m.scalar("two", 2.0F)}, "sq");
  ValueId mean = kNoValue;
  if (form == 4) {
    mean =
        m.node("Mul", {m.node("ReduceSum", {square, m.ints("axes", {-1})}, "sum"), m.scalar("n", 1.0F / 6.0F)}, "ms");
  } else {
    mean = m.node("ReduceMean", {square, m.ints("axes", {-1})}, "ms");
  }
  const ValueId v = m.node("Add", {mean, m.scalar("eps", 1e-6F)}, "v");
  ValueId y = kNoValue;
  if (form == 0) y = m.node("Div", {x, m.node("Sqrt", {v}, "root")}, "n0");
  if (form == 1) y = m.node("Mul", {x, m.node("Reciprocal", {m.node("Sqrt", {v}, "root")}, "inverse")}, "n0");
  if (form == 2) y = m.node("Mul", {m.node("Pow", {v, m.scalar("p", -0.5F)}, "inverse"), x}, "n0");
  if (form == 3) y = m.node("Div", {x, m.node("Pow", {v, m.scalar("p", 0.5F)}, "root")}, "n0");
  if (form == 4) {
    y = m.node("Mul", {x, m.node("Div", {m.scalar("one", 1.0F), m.node("Sqrt", {v}, "root")}, "inverse")}, "n0");
  }
  return form == 3 ? y : m.node("Mul", {m.random("gamma", {6}), y}, "y");
}

TEST(RecogniseLayerNorm, WithoutTheMeanItIsRms) {
  for (const int form : {0, 1, 2, 3, 4}) {
    Model m;
    m.output(rms_norm(m, form));
    EXPECT_EQ(operators(apply(recognise_layer_norm, m.graph)), "RMSNormalization") << form;
  }
}

TEST(RecogniseGroupNorm, BetweenReshapes) {
  for (const bool affine : {true, false}) {
    Model m;
    const ValueId x = m.input("x", {2, 6, 4, 5});
    const ValueId split = m.node("Reshape", {x, m.ints("groups", {0, 3, -1})}, "split");
    const ValueId norm =
        m.node("InstanceNormalization", {split, m.random("s", {3}, 0.5F, 1.0F), m.random("b", {3})}, "norm");
    ValueId y = m.node("Reshape", {norm, m.ints("shape", {2, 6, 4, 5})}, "back");
    if (affine) {
      y = m.node("Mul", {y, m.random("gamma", {6, 1, 1}, 0.5F, 1.5F)}, "scaled");
      y = m.node("Add", {m.random("beta", {1, 6, 1, 1}), y}, "y");
    }
    m.output(y);
    EXPECT_EQ(operators(apply(recognise_group_norm, m.graph)), "GroupNormalization") << affine;
  }
}

}  // namespace
}  // namespace halfstep::passes
