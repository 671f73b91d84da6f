// dynamic_quantization.hpp: weights as integers, activations onto grids that each run finds for itself.
//
//   before:  y = Conv(x, W, b), or MatMul(x, W), or Gemm(x, W, b)
//   after:   x_quantized, x_scale, x_zero_point = DynamicQuantizeLinear(x)
//            acc = ConvInteger(x_quantized, W_quantized, x_zero_point, W_zero_point), or MatMulInteger of the same
//            y = Cast(acc) * (x_scale * W_scale) + b
//
// Source: the form that onnxruntime.quantization.quantize_dynamic writes, with its names of tensors; ONNX operator
// specification of DynamicQuantizeLinear-11, ConvInteger-10 and MatMulInteger-10.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "precision/options.hpp"

namespace halfstep::precision {

/// A layer that has no such form.
struct FloatLayer {
  std::string label;  ///< "node 'conv1' (Conv)".
  std::string op_type;
  std::string reason;  ///< "its weight is computed".
};

struct DynamicallyQuantized {
  graph::Graph graph;
  /// Grids and codes of the weights, in the layout of the float model and by its names.
  EncodingSet weights;
  std::size_t num_conv = 0;  ///< Layers that are in the form above, by the operator they were.
  std::size_t num_gemm = 0;
  std::size_t num_matmul = 0;
  std::size_t num_inputs = 0;  ///< Tensors that are quantized as they come, each once.
  std::vector<FloatLayer> float_layers;
};

/// Writes every Conv, Gemm and MatMul of `graph` with a constant weight in the form above. Outputs keep their names,
/// and clamps stay behind them. Weights get grids by `options` (schema, granularity, range); those of a Conv have one
/// zero point a tensor, since ONNX Runtime takes no other: asymmetric ones get one grid. `facts`: of `graph`.
/// Requires: weights of 8 bits, affine scales.
/// Errors: kCalibration naming a weight that holds NaN or an infinity; those of fit_grid().
Result<DynamicallyQuantized> quantize_dynamically(const graph::Graph& graph, const ops::Facts& facts,
                                                  const Options& options);

}  // namespace halfstep::precision
