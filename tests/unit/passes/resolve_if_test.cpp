// Contract under test: src/passes/resolve_if.cpp.
#include <memory>

#include "unit/passes/pass_support.hpp"

namespace halfstep::passes {
namespace {

/// y = op(outer * c) with `outer` captured.
std::shared_ptr<const Graph> branch(ValueId outer, const char* op) {
  Model m;
  const ValueId captured = graph::add_value(m.graph, "captured");
  m.graph.captures.push_back({captured, outer});
  m.output(m.node(op, {m.node("Mul", {captured, m.scalar("c", 2.0F)}, "inner")}, "result"));
  return std::make_shared<const Graph>(m.graph);
}

Model with_if(ValueId (*condition)(Model&, ValueId)) {
  Model m;
  const ValueId x = m.node("Abs", {m.input("x", {-1, 3})}, "inner");
  const ValueId cond = condition(m, x);
  // Values in front of the captured one that go away: captures must follow.
  m.output(m.node("If", {cond, x}, "y", {{"then_branch", branch(x, "Neg")}, {"else_branch", branch(x, "Exp")}}));
  return m;
}

TEST(ResolveIf, TheTakenBranchIsInlined) {
  for (const bool taken : {true, false}) {
    const Model m =
        with_if(taken ? [](Model& model, ValueId) { return model.constant("t", Tensor::of<bool>({}, {true})); }
                      : [](Model& model, ValueId) { return model.constant("f", Tensor::of<bool>({1}, {false})); });
    Graph graph = m.graph;
    graph.nodes.insert(graph.nodes.begin(), graph::Node{});  // Unused: dropping it must not confuse the captures.
    const Result<Graph> after = resolve_if(drop_unused(graph), context_for(m.graph));
    ASSERT_TRUE(after.ok()) << after.error().message;
    EXPECT_TRUE(graph::verify(*after).ok());
    EXPECT_EQ(operators(*after), taken ? "Abs Mul Neg" : "Abs Mul Exp");
    EXPECT_EQ(output_names(*after), std::vector<std::string>{"y"});
    EXPECT_NE(graph::find_value(*after, "inner_2"), kNoValue);
  }
}

TEST(ResolveIf, AConditionOnAFixedExtentIsKnown) {
  const Model m = with_if([](Model& model, ValueId x) {
    const ValueId extent = model.node("Gather", {model.node("Shape", {x}, "shape"), model.ints("one", {1})}, "extent");
    return model.node("Equal", {extent, model.ints("three", {3})}, "cond");
  });
  const Result<Graph> after = resolve_if(m.graph, context_for(m.graph));
  ASSERT_TRUE(after.ok()) << after.error().message;
  EXPECT_EQ(operators(*after), "Abs Mul Neg");
}

TEST(ResolveIf, AConditionOnAnOpenExtentIsDecidedByTheGivenShapesWithANote) {
  const Model m = with_if([](Model& model, ValueId x) {
    const ValueId extent = model.node("Gather", {model.node("Shape", {x}, "shape"), model.ints("zero", {0})}, "extent");
    return model.node("Equal", {extent, model.ints("two", {2})}, "cond");
  });
  std::vector<std::string> notes;
  PassContext context = context_for(m.graph);
  context.note = [&](const std::string& note) { notes.push_back(note); };
  const Result<Graph> after = resolve_if(m.graph, context);
  ASSERT_TRUE(after.ok()) << after.error().message;
  EXPECT_TRUE(graph::verify(*after).ok());
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_NE(notes[0].find("'y_node'"), std::string::npos) << notes[0];
}

TEST(ResolveIf, AConditionOnDataIsRefusedByName) {
  const Model m = with_if([](Model& model, ValueId x) {
    const ValueId sum = model.node("ReduceSum", {x}, "sum", {{"keepdims", std::int64_t{0}}});
    return model.node("Greater", {sum, model.scalar("zero", 0.0F)}, "cond");
  });
  const Result<Graph> after = resolve_if(m.graph, context_for(m.graph));
  ASSERT_FALSE(after.ok());
  EXPECT_EQ(after.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(after.error().message.find("node 'y_node' (If): its condition 'cond' depends on"), std::string::npos)
      << after.error().message;
}

TEST(ResolveIf, ABranchMayHandOutConstantsAndCapturesOnly) {
  Model inner;
  const ValueId captured = graph::add_value(inner.graph, "captured");
  inner.output(captured);
  inner.output(inner.scalar("c", 5.0F));
  Model m;
  const ValueId x = m.node("Abs", {m.input("x", {-1, 3})}, "a");
  inner.graph.captures.push_back({captured, x});
  const auto body = std::make_shared<const Graph>(inner.graph);
  const ValueId y = m.node("If", {m.constant("t", Tensor::of<bool>({}, {true})), x}, "y",
                           {{"then_branch", body}, {"else_branch", body}});
  const ValueId z = graph::add_value(m.graph, "z");
  m.graph.nodes.back().outputs.push_back(z);
  m.output(y);
  m.output(z);
  const Result<Graph> after = resolve_if(m.graph, context_for(m.graph));
  ASSERT_TRUE(after.ok()) << after.error().message;
  EXPECT_EQ(operators(*after), "Abs Identity Identity");
}

TEST(ResolveIf, LoopsAreRefused) {
  Model m;
  const ValueId x = m.input("x", {1, 3});
  m.output(m.node("Loop", {kNoValue, kNoValue, x}, "y", {{"body", branch(x, "Neg")}}));
  const Result<Graph> after = resolve_if(m.graph, context_for(m.graph));
  ASSERT_FALSE(after.ok());
  EXPECT_EQ(after.error().message, "node 'y_node' (Loop): operators with a body are not supported");
}

}  // namespace
}  // namespace halfstep::passes
