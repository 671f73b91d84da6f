// dynamic_quantization.cpp: layer by layer, in the order of the graph.
#include "precision/dynamic_quantization.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "core/code_types.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "precision/depthwise.hpp"
#include "precision/dynamic_layer.hpp"
#include "precision/parameter_grids.hpp"

namespace halfstep::precision {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

/// A tensor as DynamicQuantizeLinear gives it.
struct QuantizedInput {
  ValueId codes = kNoValue;
  ValueId scale = kNoValue;
  ValueId zero_point = kNoValue;
};

/// The constants that stand for a weight.
struct QuantizedWeight {
  ValueId codes = kNoValue;
  ValueId scale = kNoValue;
  ValueId zero_point = kNoValue;
};

bool have_one_zero_point(const ParameterGrid& grid) {
  return std::ranges::all_of(grid.params,
                             [&](const QuantParams& p) { return p.zero_point == grid.params[0].zero_point; });
}

/// The codes of a matrix [m, n] as [n, m].
Tensor transposed_codes(const Tensor& codes) {
  const Shape& shape = codes.shape();
  Tensor result(TensorType{codes.dtype(), Shape{shape[1], shape[0]}});
  for (std::int64_t row = 0; row < shape[0]; ++row) {
    for (std::int64_t column = 0; column < shape[1]; ++column) {
      result.mutable_bytes()[column * shape[0] + row] = codes.bytes()[row * shape[1] + column];
    }
  }
  return result;
}

/// Zero points in the type of the codes: one, or one a column.
Tensor zero_points_of(const ParameterGrid& grid) {
  const bool one = have_one_zero_point(grid);
  Tensor tensor(
      TensorType{storage_dtype(grid.grid), one ? Shape{} : Shape{static_cast<std::int64_t>(grid.params.size())}});
  for (std::int64_t i = 0; i < tensor.num_elements(); ++i) {
    // A byte of either sign.
    tensor.mutable_bytes()[i] = static_cast<std::byte>(grid.params[static_cast<std::size_t>(i)].zero_point);
  }
  return tensor;
}

/// Scales times `factor`, in a shape that broadcasts over the output: [C, 1, 1] where axes follow the channels'.
Tensor scales_of(const ParameterGrid& grid, int axes_behind, float factor) {
  Shape shape;
  if (grid.axis) {
    shape = Shape{static_cast<std::int64_t>(grid.params.size())};
    for (int i = 0; i < axes_behind; ++i) shape.push_back(1);
  }
  Tensor tensor(TensorType{DType::kFloat32, std::move(shape)});
  for (std::size_t c = 0; c < grid.params.size(); ++c) {
    tensor.mutable_data<float>()[c] = static_cast<float>(grid.params[c].scale) * factor;
  }
  return tensor;
}

class DynamicRewriter {
 public:
  DynamicRewriter(const Graph& graph, const ops::Facts& facts, const Options& options)
      : source_(graph), facts_(facts), options_(options) {
    made_.graph = graph;
    made_.graph.nodes.clear();
  }

  Result<DynamicallyQuantized> run() {
    for (const Node& node : source_.nodes) {
      if (!is_dynamic_candidate(node, facts_)) {
        add(node);
        continue;
      }
      const Result<DynamicLayer> layer = dynamic_layer_of(source_, node);
      if (!layer.ok()) {
        made_.float_layers.push_back({graph::describe(source_, node), node.op_type, layer.error().message});
        add(node);
        continue;
      }
      if (Result<void> done = rewrite(node, *layer); !done.ok()) return done.error();
    }
    made_.num_inputs = inputs_.size();
    made_.graph = graph::remove_unused(std::move(made_.graph));
    return std::move(made_);
  }

 private:
  void add(Node node) { made_.graph.nodes.push_back(std::move(node)); }
  const std::string& name_of(ValueId id) const { return made_.graph.value(id).name; }

  /// Appends a node that writes a new value.
  ValueId compute(std::string name, std::string op_type, std::vector<ValueId> inputs, const std::string& output,
                  graph::Attributes attributes = {}) {
    const ValueId id = graph::add_value(made_.graph, output);
    Node node;
    node.name = std::move(name);
    node.op_type = std::move(op_type);
    node.inputs = std::move(inputs);
    node.outputs = {id};
    node.attributes = std::move(attributes);
    add(std::move(node));
    return id;
  }

  QuantizedInput input_of(ValueId real) {
    if (const auto known = inputs_.find(real); known != inputs_.end()) return known->second;
    const std::string name = name_of(real);
    QuantizedInput input;
    input.codes = compute(name + "_QuantizeLinear", "DynamicQuantizeLinear", {real}, name + "_quantized");
    input.scale = graph::add_value(made_.graph, name + "_scale");
    input.zero_point = graph::add_value(made_.graph, name + "_zero_point");
    made_.graph.nodes.back().outputs = {input.codes, input.scale, input.zero_point};
    inputs_.emplace(real, input);
    return input;
  }

  Result<ParameterGrid> grid_of(const Node& node, const DynamicLayer& layer) const {
    const Tensor& weight = *graph::constant_of(source_, layer.weight);
    const std::string& name = source_.value(layer.weight).name;
    const GridRequest request = weight_request(options_);
    const bool by_channel =
        options_.per_channel == WeightsPerChannel::kAll ||
        (options_.per_channel == WeightsPerChannel::kDepthwise && is_depthwise(source_, facts_, node));
    const std::optional<int> axis = ops::weight_axis(source_, node);
    if (!by_channel || !axis) return fit_tensor(weight, request, options_.param_range, name);
    Result<ParameterGrid> grid = fit_channels(weight, *axis, request, options_.param_range, name);
    if (!grid.ok() || have_one_zero_point(*grid)) return grid;
    // MatMulInteger has a zero point for each column of a matrix. ConvInteger of ONNX Runtime has one in all.
    const bool takes_many = !layer.is_conv && weight.shape().rank() == 2;
    return takes_many ? grid : fit_tensor(weight, request, options_.param_range, name);
  }

  Result<QuantizedWeight> weight_of(const Node& node, const DynamicLayer& layer) {
    const auto key = std::tuple{layer.weight, layer.transposes_weight, layer.alpha};
    if (const auto known = weights_.find(key); known != weights_.end()) return known->second;
    const Result<ParameterGrid> grid = grid_of(node, layer);
    if (!grid.ok()) return grid.error();
    Result<Encoding> encoding = grid->encoding();
    if (!encoding.ok()) return encoding.error();
    const Tensor& real = *graph::constant_of(source_, layer.weight);
    const std::string name = source_.value(layer.weight).name;
    Tensor codes = quantize(real, *encoding);
    const int axes_behind = layer.is_conv ? real.shape().rank() - 2 : 0;
    Graph& graph = made_.graph;
    QuantizedWeight weight;
    weight.codes =
        graph::add_constant(graph, name + "_quantized", layer.transposes_weight ? transposed_codes(codes) : codes);
    weight.scale = graph::add_constant(graph, name + "_scale", scales_of(*grid, axes_behind, layer.alpha));
    weight.zero_point = graph::add_constant(graph, name + "_zero_point", zero_points_of(*grid));
    made_.weights.insert_or_assign(name, TensorEncoding{.encoding = *std::move(encoding),
                                                        .role = TensorRole::kWeight,
                                                        .provenance = {Origin::kWeights, ""},
                                                        .codes = std::move(codes)});
    weights_.emplace(key, weight);
    return weight;
  }

  /// What is added at the end, in a shape that broadcasts over the output; kNoValue: nothing.
  ValueId summand_of(const Node& node, const DynamicLayer& layer) {
    if (layer.bias == kNoValue) return kNoValue;
    const Tensor* bias = graph::constant_of(source_, layer.bias);
    if (bias == nullptr || (!layer.is_conv && layer.beta == 1.0F)) return layer.bias;
    Tensor scaled(TensorType{DType::kFloat32, bias->shape()});
    std::ranges::transform(bias->values<float>(), scaled.mutable_data<float>(),
                           [&](float value) { return value * layer.beta; });
    if (layer.is_conv) {
      Shape shape = bias->shape();
      for (int i = graph::constant_of(source_, layer.weight)->shape().rank(); i > 2; --i) shape.push_back(1);
      scaled = scaled.reshaped(std::move(shape));
    }
    return graph::add_constant(made_.graph, name_of(node.outputs[0]) + "_bias", std::move(scaled));
  }

  Result<void> rewrite(const Node& node, const DynamicLayer& layer) {
    const Result<QuantizedWeight> weight = weight_of(node, layer);
    if (!weight.ok()) return weight.error();
    const QuantizedInput input = input_of(node.inputs[0]);
    const std::string output = name_of(node.outputs[0]);
    const std::string base = (node.name.empty() ? output : node.name) + "_quant";
    ValueId codes = input.codes;
    if (layer.transposes_input) {
      graph::Attributes swap;
      swap.set("perm", std::vector<std::int64_t>{1, 0});
      codes = compute(base + "_transpose", "Transpose", {codes}, output + "_input_transposed", std::move(swap));
    }
    const ValueId sums = compute(base, layer.is_conv ? "ConvInteger" : "MatMulInteger",
                                 {codes, weight->codes, input.zero_point, weight->zero_point},
                                 output + "_output_quantized", layer.is_conv ? node.attributes : graph::Attributes{});
    graph::Attributes to_float;
    to_float.set("to", std::int64_t{1});  // TensorProto.FLOAT
    const ValueId real = compute(base + "_cast", "Cast", {sums}, name_of(sums) + "_cast_output", std::move(to_float));
    const ValueId scale = compute(base + "_scales_mul", "Mul", {input.scale, weight->scale}, base + "_scales_mul:0");
    finish(node, base, real, scale, summand_of(node, layer));
    ++(layer.is_conv ? made_.num_conv : node.op_type == "Gemm" ? made_.num_gemm : made_.num_matmul);
    return {};
  }

  /// The nodes that write the layer's own output, and apply its clamp.
  void finish(const Node& node, const std::string& base, ValueId real, ValueId scale, ValueId summand) {
    Node last;
    last.outputs = node.outputs;
    last.clamp = node.clamp;
    if (summand == kNoValue) {
      last.name = base + "_output_scale_mul";
      last.op_type = "Mul";
      last.inputs = {real, scale};
    } else {
      const ValueId scaled =
          compute(base + "_output_scale_mul", "Mul", {real, scale}, name_of(node.outputs[0]) + "_quant_scaled_output");
      last.name = base + "_bias_add";
      last.op_type = "Add";
      last.inputs = {scaled, summand};
    }
    add(std::move(last));
  }

  const Graph& source_;
  const ops::Facts& facts_;
  const Options& options_;
  DynamicallyQuantized made_;
  std::map<ValueId, QuantizedInput> inputs_;
  std::map<std::tuple<ValueId, bool, float>, QuantizedWeight> weights_;
};

}  // namespace

Result<DynamicallyQuantized> quantize_dynamically(const Graph& graph, const ops::Facts& facts, const Options& options) {
  return DynamicRewriter(graph, facts, options).run();
}

}  // namespace halfstep::precision
