// Contract under test: graph/fingerprint.hpp.
#include "graph/fingerprint.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace halfstep::graph {
namespace {

/// y = Conv(x, w) with a clamp for each of two channels, z = Relu6(y).
Graph small_graph() {
  Graph graph;
  const ValueId x = add_value(graph, "x");
  const ValueId w = add_constant(graph, "w", Tensor::of<float>({2, 1}, {0.5F, -1.0F}));
  const ValueId y = add_value(graph, "y");
  const ValueId z = add_value(graph, "z");
  graph.inputs.push_back({x, {}});
  graph.outputs.push_back({z, {}});
  Node conv;
  conv.op_type = "Conv";
  conv.inputs = {x, w};
  conv.outputs = {y};
  conv.attributes.set("group", std::int64_t{1});
  conv.attributes.set("pads", std::vector<std::int64_t>{0, 1});
  conv.clamp = FusedClamp{.min = 0.0F, .max = 6.0F, .node_name = "", .pre_name = ""};
  conv.clamp->channels = ChannelBounds{.min = {0.0F, 1.0F}, .max = {3.0F, 6.0F}, .inner_axes = 2};
  Node relu;
  relu.op_type = "Relu";
  relu.inputs = {y};
  relu.outputs = {z};
  relu.clamp = FusedClamp{.min = 0.0F, .max = 6.0F, .node_name = "", .pre_name = ""};
  graph.nodes = {conv, relu};
  return graph;
}

TEST(Fingerprint, SameGraphSameText) {
  const std::string text = fingerprint(small_graph());
  EXPECT_EQ(text.size(), 16U);
  EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos) << text;
  EXPECT_EQ(fingerprint(small_graph()), text);
}

TEST(Fingerprint, EveryChangeIsSeen) {
  const std::vector<std::pair<const char*, std::function<void(Graph&)>>> changes = {
      {"nothing", [](Graph&) {}},
      {"a weight",
       [](Graph& g) {
         g.values[1].constant = Tensor::of<float>({2, 1}, {0.5F, -1.0000001F});
       }},
      {"sign of zero",
       [](Graph& g) {
         g.values[1].constant = Tensor::of<float>({2, 1}, {0.0F, -1.0F});
       }},
      {"sign of zero again",
       [](Graph& g) {
         g.values[1].constant = Tensor::of<float>({2, 1}, {-0.0F, -1.0F});
       }},
      {"shape of a weight",
       [](Graph& g) {
         g.values[1].constant = Tensor::of<float>({1, 2}, {0.5F, -1.0F});
       }},
      {"type of a weight",
       [](Graph& g) {
         g.values[1].constant = Tensor::of<std::int32_t>({2, 1}, {5, -1});
       }},
      {"name of a tensor", [](Graph& g) { g.values[2].name = "yy"; }},
      {"operator", [](Graph& g) { g.nodes[1].op_type = "Abs"; }},
      {"domain", [](Graph& g) { g.nodes[1].domain = "com.microsoft"; }},
      {"operand", [](Graph& g) { g.nodes[1].inputs = {0}; }},
      {"absent operand", [](Graph& g) { g.nodes[1].inputs = {kNoValue}; }},
      {"attribute", [](Graph& g) { g.nodes[0].attributes.set("group", std::int64_t{2}); }},
      {"name of an attribute", [](Graph& g) { g.nodes[1].attributes.set("alpha", 1.0F); }},
      {"type of an attribute", [](Graph& g) { g.nodes[1].attributes.set("alpha", std::int64_t{1}); }},
      {"entry of an attribute",
       [](Graph& g) {
         g.nodes[0].attributes.set("pads", std::vector<std::int64_t>{1, 0});
       }},
      {"text attribute", [](Graph& g) { g.nodes[1].attributes.set("mode", std::string("a")); }},
      {"subgraph", [](Graph& g) { g.nodes[1].attributes.set("mode", std::make_shared<const Graph>(small_graph())); }},
      {"lower bound", [](Graph& g) { g.nodes[1].clamp->min = -1.0F; }},
      {"upper bound", [](Graph& g) { g.nodes[1].clamp->max = 5.0F; }},
      {"no clamp", [](Graph& g) { g.nodes[1].clamp.reset(); }},
      // The extremes of all channels' bounds stay as they are.
      {"lower bound of a channel", [](Graph& g) { g.nodes[0].clamp->channels->min[1] = 2.0F; }},
      {"upper bound of a channel", [](Graph& g) { g.nodes[0].clamp->channels->max[0] = 4.0F; }},
      {"axis of channel bounds", [](Graph& g) { g.nodes[0].clamp->channels->inner_axes = 1; }},
      {"no channel bounds", [](Graph& g) { g.nodes[0].clamp->channels.reset(); }},
  };
  std::set<std::string> seen;
  for (const auto& [what, change] : changes) {
    Graph graph = small_graph();
    change(graph);
    EXPECT_TRUE(seen.insert(fingerprint(graph)).second) << what;
  }
}

// A name that moved from one place to the next.
TEST(Fingerprint, TextsDoNotRunIntoEachOther) {
  Graph a;
  add_value(a, "ab");
  add_value(a, "c");
  Graph b;
  add_value(b, "a");
  add_value(b, "bc");
  EXPECT_NE(fingerprint(a), fingerprint(b));
}

TEST(Fingerprint, OfATextDependsOnEveryByte) {
  EXPECT_EQ(fingerprint("a\nb\n"), fingerprint("a\nb\n"));
  EXPECT_NE(fingerprint("a\nb\n"), fingerprint("b\na\n"));
  EXPECT_NE(fingerprint("a\nb\n"), fingerprint("a\nb"));
}

}  // namespace
}  // namespace halfstep::graph
