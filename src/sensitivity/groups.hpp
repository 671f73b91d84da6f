// groups.hpp: the quantizers of a model, layer by layer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "encoding/quantized_graph.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::sensitivity {

/// What is quantized or left in float together: a layer's weights, and the tensors that it and the activation behind
/// it write. Tensors on one shared grid belong together: those that are only moved go with what they were moved from,
/// the inputs of a Concat on one grid with the Concat. So every encoding of a model is in one group.
struct QuantizerGroup {
  std::string name;  ///< Of the layer's node, or of its first output where that has none; "input 'x'" for an input.
  std::string op;    ///< "Conv"; "" for an input.
  graph::NodeId node = graph::kNoNode;   ///< The layer; kNoNode for an input.
  std::vector<std::string> activations;  ///< Tensors with encodings, in the order of the graph.
  std::vector<std::string> weights;      ///< Constants with encodings that are no biases.
  std::vector<std::string> biases;       ///< Constants with encodings.
  std::size_t first_node = 0;            ///< Index of the first node that computes something else without the group.
  std::int64_t num_weights = 0;          ///< Elements of `weights`.
  std::int64_t num_activations = 0;      ///< Elements of `activations`, one sample.
  std::int64_t macs = 0;                 ///< Multiply-accumulates of linear nodes, one sample.
};

/// In the order of the graph; inputs first. `facts` are those of `model.graph`.
std::vector<QuantizerGroup> quantizer_groups(const QuantizedGraph& model, const ops::Facts& facts);

/// A tensor of the group that no other group has: its name in every process.
const std::string& first_tensor(const QuantizerGroup& group);

/// Multiply-accumulates of a linear node (Conv, ConvTranspose, Gemm, MatMul), one sample; 0 for other nodes, and where
/// shapes are not known before running.
std::int64_t macs_of(const graph::Node& node, const ops::Facts& facts);

}  // namespace halfstep::sensitivity
