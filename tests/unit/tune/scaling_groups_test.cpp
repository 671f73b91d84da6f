// Contract under test: tune/scaling_groups.hpp.
#include "tune/scaling_groups.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/tune/scaling_support.hpp"

namespace halfstep::tune {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// The names of a group's tensors, of the outputs of its writers, and of those of its readers.
struct Named {
  std::vector<std::string> tensors;
  std::vector<std::string> writers;
  std::vector<std::string> readers;
};

Named named(const graph::Graph& graph, const ScalingGroup& group) {
  Named names;
  const auto output_of_node = [&](const ScalableLinear& linear) {
    return graph.value(graph.node(linear.node).outputs[0]).name;
  };
  for (const GroupTensor& tensor : group.tensors) names.tensors.push_back(graph.value(tensor.value).name);
  for (const ScalableLinear& writer : group.writers) names.writers.push_back(output_of_node(writer));
  for (const ScalableLinear& reader : group.readers) names.readers.push_back(output_of_node(reader));
  return names;
}

ScalingGroups groups_of(const graph::Graph& graph, const EncodingSet& imported = {}) {
  return find_scaling_groups(graph, facts_of(graph), imported);
}

// conv -> a -> depthwise -> d -> conv -> y: the depthwise convolution reads {a} and writes {d}.
TEST(ScalingGroups, DepthwiseConvolutionStandsBetweenTwoGroups) {
  RandomGraph small(1);
  small.input("x", {1, 3, 6, 6}).output("y");
  small.conv("x", "a", {4, 3, 1, 1}).clamp(0.0F, 6.0F);
  small.conv("a", "d", {8, 1, 3, 3}, 4).clamp(0.0F, 6.0F);
  small.conv("d", "y", {2, 8, 1, 1});
  const ScalingGroups found = groups_of(small.graph());
  ASSERT_THAT(found.groups, SizeIs(2));
  const Named first = named(small.graph(), found.groups[0]);
  EXPECT_THAT(first.tensors, ElementsAre("a"));
  EXPECT_THAT(first.readers, ElementsAre("d"));
  const Named second = named(small.graph(), found.groups[1]);
  EXPECT_THAT(second.writers, ElementsAre("d"));
  EXPECT_THAT(second.readers, ElementsAre("y"));
  EXPECT_EQ(found.groups[1].num_channels, 8);
  EXPECT_THAT(found.refused, ElementsAre("'x': it is an input of the model", "'y': it is an output of the model"));
}

TEST(ScalingGroups, SumsPoolingAndViewsJoin) {
  RandomGraph small(2);
  small.input("x", {1, 3, 4, 4}).output("y");
  small.conv("x", "a", {4, 3, 1, 1});
  small.conv("x", "b", {4, 3, 1, 1});
  small.node("Add", {"a", "b"}, {"c"}).node("LeakyRelu", {"c"}, {"l"});
  small.conv("l", "e", {4, 4, 3, 3});
  small.last_node().attributes.set("pads", std::vector<std::int64_t>{1, 1, 1, 1});
  small.node("Sub", {"l", "e"}, {"s"}).node("GlobalAveragePool", {"s"}, {"p"}).node("Flatten", {"p"}, {"f"});
  small.linear("Gemm", "f", "y", {4, 2}, 2);
  const ScalingGroups found = groups_of(small.graph());
  ASSERT_THAT(found.groups, SizeIs(1));
  const Named names = named(small.graph(), found.groups[0]);
  EXPECT_THAT(names.tensors, ElementsAre("a", "b", "c", "l", "e", "s", "p", "f"));
  EXPECT_THAT(names.writers, ElementsAre("a", "b", "e"));
  EXPECT_THAT(names.readers, ElementsAre("e", "y"));
  EXPECT_EQ(found.groups[0].tensors.back().inner_axes, 0);
}

TEST(ScalingGroups, OneUnscalableReaderRefusesTheWholeGroup) {
  RandomGraph small(3);
  small.input("x", {1, 3, 2, 2}).output("y").output("z");
  small.conv("x", "a", {4, 3, 1, 1}).relu();
  small.node("Sigmoid", {"a"}, {"z"});
  small.conv("a", "y", {2, 4, 1, 1});
  const ScalingGroups found = groups_of(small.graph());
  EXPECT_THAT(found.groups, IsEmpty());
  EXPECT_THAT(found.refused, Contains("'a': read by node 'z_node' (Sigmoid), whose result would change"));
}

TEST(ScalingGroups, ViewsThatMixChannelsEndAGroup) {
  RandomGraph small(4);
  small.input("x", {1, 3, 2, 2}).output("y");
  small.conv("x", "a", {4, 3, 1, 1}).node("Flatten", {"a"}, {"f"});
  small.linear("Gemm", "f", "y", {16, 2}, 2);
  const ScalingGroups found = groups_of(small.graph());
  EXPECT_THAT(found.groups, IsEmpty());
  EXPECT_THAT(found.refused, Contains(HasSubstr("'a': read by node 'f_node' (Flatten), which mixes channels")));
}

/// x -> conv -> a -> conv -> y.
RandomGraph pair() {
  RandomGraph small(5);
  small.input("x", {1, 3, 2, 2}).output("y");
  small.conv("x", "a", {4, 3, 1, 1}).relu();
  small.conv("a", "y", {2, 4, 1, 1});
  return small;
}

TEST(ScalingGroups, PinnedAndImportedTensorsAndWeightsAreLeftAlone) {
  RandomGraph pinned = pair();
  pinned.graph().value(pinned.value("a")).pinned = true;
  EXPECT_THAT(groups_of(pinned.graph()).groups, IsEmpty());
  const RandomGraph plain = pair();
  EXPECT_THAT(groups_of(plain.graph()).groups, SizeIs(1));
  for (const char* name : {"a", "a.w", "a.b", "y.w"}) {
    EncodingSet imported;
    imported.insert_or_assign(name, TensorEncoding{.encoding = *Encoding::per_tensor({0, 255}, {0.5, 0}),
                                                   .role = TensorRole::kActivation,
                                                   .provenance = {},
                                                   .codes = {},
                                                   .frozen = false});
    const ScalingGroups found = groups_of(plain.graph(), imported);
    EXPECT_THAT(found.groups, IsEmpty()) << name;
    EXPECT_THAT(found.refused, Contains(HasSubstr("came with an encoding, or was named"))) << name;
  }
}

TEST(ScalingGroups, SharedWeightsEndAGroup) {
  RandomGraph small = pair();
  small.node("Conv", {"x", "a.w"}, {"b"}).output("b");
  EXPECT_THAT(groups_of(small.graph()).refused,
              Contains("'a': written by node 'a_node' (Conv), whose weight is read elsewhere, too"));
}

// Integer forms have no bounds by channel behind an Add; 0 and infinity need none.
TEST(ScalingGroups, SumsMayBeClampedByReluOnly) {
  for (const bool bounded : {false, true}) {
    RandomGraph small(6);
    small.input("x", {1, 3, 2, 2}).output("y");
    small.conv("x", "a", {4, 3, 1, 1}).conv("x", "b", {4, 3, 1, 1}).node("Add", {"a", "b"}, {"c"});
    if (bounded) {
      small.clamp(0.0F, 6.0F);
    } else {
      small.relu();
    }
    small.conv("c", "y", {2, 4, 1, 1});
    EXPECT_THAT(groups_of(small.graph()).groups, SizeIs(bounded ? 0 : 1));
  }
}

}  // namespace
}  // namespace halfstep::tune
