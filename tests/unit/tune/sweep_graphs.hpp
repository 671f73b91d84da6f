// sweep_graphs.hpp: graphs with the shapes of frontier that a sweep meets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "unit/tune/scaling_support.hpp"

namespace halfstep::tune {

struct NamedGraph {
  std::string name;
  RandomGraph small;
};

using IntList = std::vector<std::int64_t>;

/// Two readers of a layer, one across an Add; an inner layer is a graph output.
inline RandomGraph residual_graph() {
  RandomGraph small(11);
  small.input("x", {1, 3, 6, 6}).output("y").output("a");
  small.conv("x", "a", {4, 3, 1, 1}).relu();
  small.conv("a", "b", {4, 4, 3, 3});
  small.last_node().attributes.set("pads", IntList{1, 1, 1, 1});
  small.node("Add", {"a", "b"}, {"c"});
  small.conv("c", "y", {5, 4, 1, 1});
  return small;
}

/// Layers that read the same graph inputs, joined by Concat, behind depthwise ones.
inline RandomGraph concat_graph() {
  RandomGraph small(12);
  small.input("x", {1, 3, 6, 6}).input("z", {1, 3, 6, 6}).output("y");
  small.conv("x", "a", {4, 3, 3, 3}).clamp(0.0F, 6.0F);
  small.conv("x", "b", {3, 1, 3, 3}, 3);
  small.conv("z", "c", {2, 3, 3, 3}).relu();
  small.node("Sub", {"x", "z"}, {"difference"});
  small.conv("difference", "d", {2, 3, 3, 3});
  small.node("Concat", {"a", "b", "c", "d"}, {"joined"});
  small.last_node().attributes.set("axis", std::int64_t{1});
  small.conv("joined", "e", {11, 1, 3, 3}, 11).clamp(0.0F, 6.0F);
  small.conv("e", "y", {4, 11, 1, 1});
  return small;
}

/// Islands and functions of rows between layers, another shape of the same bytes.
inline RandomGraph island_graph() {
  RandomGraph small(13);
  small.input("x", {1, 2, 4, 4}).output("y");
  small.conv("x", "a", {4, 2, 1, 1});
  small.node("Erf", {"a"}, {"island"});
  small.conv("island", "b", {4, 4, 1, 1}).relu();
  small.constant("flat", Tensor::of<std::int64_t>(Shape{2}, {4, 16}));
  small.node("Reshape", {"b", "flat"}, {"rows"});
  small.node("Softmax", {"rows"}, {"shares"});
  small.last_node().attributes.set("axis", std::int64_t{-1});
  small.linear("Gemm", "shares", "c", {16, 8}, 8);
  small.node("Transpose", {"c"}, {"turned"});
  small.last_node().attributes.set("perm", IntList{1, 0});
  small.linear("MatMul", "turned", "d", {4, 3});
  small.node("MatMul", {"c", "d"}, {"y"});
  return small;
}

/// Several outputs of one node, one of them read late; a head that leads to no layer.
inline RandomGraph split_graph() {
  RandomGraph small(14);
  small.input("x", {1, 4, 4, 4}).output("y").output("head").output("second");
  small.conv("x", "a", {6, 4, 1, 1}).relu();
  small.constant("parts", Tensor::of<std::int64_t>(Shape{2}, {4, 2}));
  small.node("Split", {"a", "parts"}, {"first", "second"});
  small.last_node().attributes.set("axis", std::int64_t{1});
  small.node("Sigmoid", {"second"}, {"head"});
  small.conv("first", "b", {4, 4, 1, 1});
  small.node("MaxPool", {"b"}, {"pooled"});
  small.last_node().attributes.set("kernel_shape", IntList{2, 2});
  small.last_node().attributes.set("strides", IntList{2, 2});
  small.conv("second", "c", {4, 2, 2, 2});
  small.last_node().attributes.set("strides", IntList{2, 2});
  small.node("Mul", {"pooled", "c"}, {"d"});
  small.linear("ConvTranspose", "d", "e", {4, 3, 2, 2}, 3);
  small.node("Relu", {"e"}, {"y"});
  return small;
}

inline std::vector<NamedGraph> sweep_graphs() {
  return {
      {"residual", residual_graph()}, {"concat", concat_graph()}, {"island", island_graph()}, {"split", split_graph()}};
}

}  // namespace halfstep::tune
