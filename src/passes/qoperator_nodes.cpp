// qoperator_nodes.cpp: the float operator behind each operator of the QOperator format.
#include "passes/qoperator_nodes.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "ops/op_def.hpp"
#include "passes/edit.hpp"
#include "passes/qdq_grid.hpp"

namespace halfstep::passes {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

/// Attributes that only the quantized operator has.
constexpr std::array<std::string_view, 2> kOwnAttributes = {"channels_last", "opset"};

/// Softmax before opset 13 works on the matrix that Flatten makes.
std::vector<Node> flattened_softmax(Graph& graph, RealNames& names, const Node& node, ValueId input,
                                    std::int64_t axis) {
  const std::string base = RealNames::without_suffix(graph.value(node.outputs[0]).name);
  const auto made = [&](const char* op_type, std::vector<ValueId> inputs, const std::string& output) {
    Node one = made_from(node, op_type, std::move(inputs));
    one.outputs = {names.add(graph, base + "_" + output)};
    return one;
  };
  Node shape = made("Shape", {input}, "shape");
  Node flat = made("Flatten", {input}, "flat");
  flat.attributes.set("axis", axis);
  Node softmax = made("Softmax", {flat.outputs[0]}, "flat_softmax");
  softmax.attributes.set("axis", std::int64_t{-1});
  Node reshape = made_from(node, "Reshape", {softmax.outputs[0], shape.outputs[0]});
  return {std::move(shape), std::move(flat), std::move(softmax), std::move(reshape)};
}

}  // namespace

Node made_from(const Node& node, std::string op_type, std::vector<ValueId> inputs) {
  Node made;
  made.name = node.name;
  made.op_type = std::move(op_type);
  made.inputs = std::move(inputs);
  return made;
}

Result<std::vector<Node>> float_nodes_of(Graph& graph, RealNames& names, const Node& node, const QOperatorForm& form,
                                         std::vector<ValueId> inputs) {
  if (node.attributes.get_int("channels_last", 0) != 0) {
    return Error{ErrorCode::kUnsupported,
                 "channels_last is not supported; save the model without ONNX Runtime's layout optimization"};
  }
  if (form.op_type == "QLinearSoftmax" && node.attributes.get_int("opset", 13) < 13) {
    // Unlike Softmax of those opsets it works along the last axis if none is given.
    const std::int64_t axis = node.attributes.get_int("axis", -1);
    if (axis != -1) return flattened_softmax(graph, names, node, inputs[0], axis);
  }
  Node made = made_from(node, std::string(form.float_type), std::move(inputs));
  for (const auto& [name, value] : node.attributes) {
    if (std::ranges::find(kOwnAttributes, name) == kOwnAttributes.end()) made.attributes.set(name, value);
  }
  if (form.op_type == "QLinearReduceMean" && node.attributes.has("axes")) {
    const std::vector<std::int64_t> axes = node.attributes.get_ints("axes");
    made.attributes.erase("axes");
    const ValueId id = names.add(graph, graph.value(node.outputs[0]).name + "_axes");
    graph.value(id).constant =
        Tensor::of<std::int64_t>({static_cast<std::int64_t>(axes.size())}, std::span<const std::int64_t>(axes));
    if (!axes.empty()) made.inputs.push_back(id);
  }
  return std::vector<Node>{std::move(made)};
}

Result<std::int64_t> channel_axis_of(const Graph& graph, const Node& node, std::size_t codes) {
  const bool right = codes == CodesOperand{0}.codes + 3;
  const Shape& shape = graph::constant_of(graph, node.inputs[codes + 1])->shape();
  const Error unsupported{ErrorCode::kUnsupported, "scale of operand " + std::to_string(codes) + " has shape " +
                                                       to_string(shape) +
                                                       ", expected one scale or one for each output channel"};
  if (node.op_type == "QLinearConv" && right && shape.rank() <= 1) return std::int64_t{0};
  if (node.op_type == "QGemm" && right && shape.rank() <= 1) {
    return std::int64_t{node.attributes.get_int("transB", 0) != 0 ? 0 : 1};
  }
  if (node.op_type != "QLinearMatMul") return unsupported;
  // Rows of the left matrix, columns of the right one: a vector, or a tensor that is long along that axis only.
  const int axis = right ? -1 : -2;
  if (shape.rank() > 1 && shape[shape.rank() + axis] != shape.num_elements()) return unsupported;
  return std::int64_t{axis};
}

std::optional<DType> type_behind(const Graph& graph, const Node& node, std::optional<DType> input) {
  if (is_dequantize(node)) return DType::kFloat32;
  if (is_quantize(node)) {
    const Tensor* zero_point = graph::constant_of(graph, input_of(node, 2));
    if (zero_point != nullptr) return zero_point->dtype();
    return input_of(node, 2) == kNoValue && !node.attributes.has("output_dtype") ? std::optional(DType::kUint8)
                                                                                 : std::nullopt;
  }
  const ops::OpDef* op = ops::find_op(node);
  return op != nullptr && op->output_rule == ops::OutputRule::kSameAsInput ? input : std::nullopt;
}

Tensor repeated(const Tensor& single, std::int64_t count) {
  Tensor tensor(TensorType{single.dtype(), Shape{count}});
  const std::size_t size = size_in_bytes(single.dtype());
  for (std::int64_t i = 0; i < count; ++i) {
    std::memcpy(tensor.mutable_bytes() + static_cast<std::size_t>(i) * size, single.bytes(), size);
  }
  return tensor;
}

Tensor as_vector(const Tensor& tensor) { return tensor.reshaped(Shape{tensor.num_elements()}); }

}  // namespace halfstep::passes
