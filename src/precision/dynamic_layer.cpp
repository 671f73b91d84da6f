// dynamic_layer.cpp: reads operands and attributes of Conv, Gemm and MatMul.
#include "precision/dynamic_layer.hpp"

#include <cmath>

#include "core/errors.hpp"
#include "ops/operands.hpp"

namespace halfstep::precision {
namespace {

using graph::kNoValue;

/// Gemm's attributes and its summand.
Result<void> read_gemm(const graph::Graph& graph, const graph::Node& node, DynamicLayer& layer) {
  layer.transposes_input = node.attributes.get_int("transA", 0) != 0;
  layer.transposes_weight = node.attributes.get_int("transB", 0) != 0;
  layer.alpha = node.attributes.get_float("alpha", 1.0F);
  layer.beta = node.attributes.get_float("beta", 1.0F);
  if (layer.alpha == 0.0F || !std::isfinite(layer.alpha)) return unsupported("its alpha leaves no scale");
  if (layer.beta == 0.0F) layer.bias = kNoValue;
  const bool computed = layer.bias != kNoValue && graph::constant_of(graph, layer.bias) == nullptr;
  if (computed && layer.beta != 1.0F) return unsupported("what it adds is computed, and has a factor beta");
  return {};
}

}  // namespace

bool is_dynamic_candidate(const graph::Node& node, const ops::Facts& facts) {
  if (!node.domain.empty()) return false;
  const bool has_weights =
      node.op_type == "Conv" || node.op_type == "ConvTranspose" || node.op_type == "Gemm" || node.op_type == "MatMul";
  return has_weights && ops::is_integer_node(node, facts);
}

Result<DynamicLayer> dynamic_layer_of(const graph::Graph& graph, const graph::Node& node) {
  if (node.op_type == "ConvTranspose") return unsupported("ONNX has no ConvTranspose on integers");
  DynamicLayer layer;
  layer.weight = node.inputs[1];
  layer.is_conv = node.op_type == "Conv";
  layer.bias = node.inputs.size() > 2 ? node.inputs[2] : kNoValue;
  const Tensor* weight = graph::constant_of(graph, layer.weight);
  if (weight == nullptr) {
    const bool swapped = graph::constant_of(graph, node.inputs[0]) != nullptr;
    return unsupported(swapped ? "its constant is the left operand" : "its weight is computed");
  }
  if (weight->num_elements() == 0) return unsupported("its weight is empty");
  if (layer.is_conv && layer.bias != kNoValue && graph::constant_of(graph, layer.bias) == nullptr) {
    return unsupported("its bias is computed");
  }
  if (node.op_type == "Gemm") {
    if (Result<void> read = read_gemm(graph, node, layer); !read.ok()) return read.error();
  }
  return layer;
}

}  // namespace halfstep::precision
