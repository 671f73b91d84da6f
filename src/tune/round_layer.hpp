// round_layer.hpp: round_weights() for the weight of a node, whatever its layout.
#pragma once

#include <Eigen/Core>
#include <span>

#include "core/tensor.hpp"
#include "encoding/encoding.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "tune/round_weights.hpp"

namespace halfstep::tune {

struct LayerRequest {
  const graph::Node& node;                   ///< Conv, Gemm, MatMul: see linear_rows().
  const Tensor& weight;                      ///< float32, in the node's layout.
  const Encoding& start;                     ///< Its grid so far: per tensor, or along its output channels.
  std::span<const Eigen::MatrixXd> moments;  ///< Gram::moments of the node's input, one a group.
  ScaleKind scale = ScaleKind::kAffine;
  std::span<const double> lowest_scales = {};  ///< As many as the encoding has, or none: no scale goes below.
  RoundSettings settings = {};
  int num_threads = 1;
};

struct RoundedLayer {
  Encoding encoding;
  Tensor codes;               ///< In the weight's shape and the grid's storage type.
  double error_before = 0.0;  ///< RoundedWeights', in squared units of the node's output before alpha.
  double error_after = 0.0;
};

/// Errors: as linear_rows() and round_weights(); kUnsupported if the encoding is along another axis, or has more than
/// 16 bits; kInvalidInput if it or the moments do not fit the weight.
Result<RoundedLayer> round_layer(const LayerRequest& request);

}  // namespace halfstep::tune
