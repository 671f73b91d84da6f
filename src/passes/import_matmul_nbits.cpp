// import_matmul_nbits.cpp: unpacks weights and zero points.
#include "passes/import_matmul_nbits.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/errors.hpp"
#include "passes/edit.hpp"

namespace halfstep::passes {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

bool is_nbits(const Node& node) { return node.op_type == "MatMulNBits" && node.domain == "com.microsoft"; }

/// What quantizers append to a weight's name for its packed codes.
std::string unpacked_name(const std::string& name) {
  constexpr std::array<std::string_view, 3> kPackedSuffixes = {"_quantized", "_Q4", "_Q8"};
  for (const std::string_view suffix : kPackedSuffixes) {
    if (name.ends_with(suffix) && name.size() > suffix.size()) return name.substr(0, name.size() - suffix.size());
  }
  return name + "_unpacked";
}

/// Rows of numbers of 4 or 8 bits, each row at a byte of its own, low half first; as columns.
Tensor unpacked_columns(const Tensor& packed, std::int64_t rows, std::int64_t row_bytes, std::int64_t count,
                        std::int64_t bits) {
  Tensor numbers(TensorType{DType::kUint8, Shape{count, rows}});
  const auto* from = packed.data<std::uint8_t>();
  auto* to = numbers.mutable_data<std::uint8_t>();
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::uint8_t byte = from[row * row_bytes + i * bits / 8];
      to[i * rows + row] = bits == 8 ? byte : static_cast<std::uint8_t>((byte >> (i % 2 * 4)) & 0xF);
    }
  }
  return numbers;
}

/// Attributes and constant operands of one MatMulNBits, checked.
struct PackedProduct {
  std::int64_t k = 0;
  std::int64_t n = 0;
  std::int64_t bits = 4;
  std::int64_t block_size = 0;
  const Tensor* codes = nullptr;
  const Tensor* scales = nullptr;
  const Tensor* zero_points = nullptr;  ///< nullptr: the middle of the grid.

  std::int64_t num_blocks() const { return (k + block_size - 1) / block_size; }
  std::int64_t zero_point_bytes() const { return (num_blocks() * bits + 7) / 8; }
};

Result<PackedProduct> packed_product(const Graph& graph, const Node& node) {
  constexpr std::int64_t kMaxExtent = std::int64_t{1} << 31;
  PackedProduct product{.k = node.attributes.get_int("K", 0),
                        .n = node.attributes.get_int("N", 0),
                        .bits = node.attributes.get_int("bits", 4),
                        .block_size = node.attributes.get_int("block_size", 0)};
  if (product.k < 1 || product.n < 1 || product.block_size < 16 ||
      std::max({product.k, product.n, product.block_size}) > kMaxExtent || product.block_size % 16 != 0) {
    return invalid("attributes K, N and block_size must be positive, block_size a multiple of 16");
  }
  if (product.bits != 4 && product.bits != 8) {
    return Error{ErrorCode::kUnsupported,
                 "weights of " + std::to_string(product.bits) + " bits are not supported, only of 4 and 8"};
  }
  if (input_of(node, 0) == kNoValue || node.outputs.empty() || node.outputs[0] == kNoValue) {
    return invalid("needs an input and an output");
  }
  if (input_of(node, 4) != kNoValue) return Error{ErrorCode::kUnsupported, "operand g_idx is not supported"};
  product.codes = graph::constant_of(graph, input_of(node, 1));
  product.scales = graph::constant_of(graph, input_of(node, 2));
  product.zero_points = graph::constant_of(graph, input_of(node, 3));
  if (product.codes == nullptr || product.scales == nullptr ||
      (product.zero_points == nullptr && input_of(node, 3) != kNoValue)) {
    return Error{ErrorCode::kUnsupported, "weight, scales and zero points must be constants"};
  }
  if (product.codes->dtype() != DType::kUint8 || product.scales->dtype() != DType::kFloat32 ||
      (product.zero_points != nullptr && product.zero_points->dtype() != DType::kUint8)) {
    return Error{ErrorCode::kUnsupported, "only uint8 weights and zero points with float32 scales are supported"};
  }
  const std::int64_t num_scales = product.n * product.num_blocks();
  if (product.codes->num_elements() != num_scales * (product.block_size * product.bits / 8)) {
    return invalid("the weight has " + std::to_string(product.codes->num_elements()) +
                   " bytes, which K, N, bits and block_size do not make");
  }
  if (product.scales->num_elements() != num_scales) {
    return invalid("there are " + std::to_string(product.scales->num_elements()) + " scales, expected " +
                   std::to_string(num_scales));
  }
  if (product.zero_points != nullptr && product.zero_points->num_elements() != product.n * product.zero_point_bytes()) {
    return invalid("the zero points have " + std::to_string(product.zero_points->num_elements()) + " bytes, expected " +
                   std::to_string(product.n * product.zero_point_bytes()));
  }
  return product;
}

Tensor scale_columns(const PackedProduct& product) {
  const std::int64_t num_blocks = product.num_blocks();
  Tensor scales(TensorType{DType::kFloat32, Shape{num_blocks, product.n}});
  for (std::int64_t n = 0; n < product.n; ++n) {
    for (std::int64_t b = 0; b < num_blocks; ++b) {
      scales.mutable_data<float>()[b * product.n + n] = product.scales->data<float>()[n * num_blocks + b];
    }
  }
  return scales;
}

Tensor zero_point_columns(const PackedProduct& product) {
  if (product.zero_points != nullptr) {
    return unpacked_columns(*product.zero_points, product.n, product.zero_point_bytes(), product.num_blocks(),
                            product.bits);
  }
  Tensor middle(TensorType{DType::kUint8, Shape{product.num_blocks(), product.n}});
  std::fill_n(middle.mutable_data<std::uint8_t>(), middle.num_elements(),
              static_cast<std::uint8_t>(1U << (product.bits - 1)));
  return middle;
}

ValueId add_codes(Graph& graph, const std::string& name, Tensor codes, std::int64_t bits) {
  const ValueId id = graph::add_constant(graph, name, std::move(codes));
  graph.value(id).narrow_bits = bits == 4 ? 4 : 0;
  return id;
}

/// Appends what `node` stands for.
void take_apart(Graph& graph, const Node& node, const PackedProduct& product, std::vector<Node>& nodes) {
  const std::string packed = graph.value(node.inputs[1]).name;
  const std::int64_t row_bytes = product.num_blocks() * product.block_size * product.bits / 8;
  // Before constants are added: these move the ones that `product` points at.
  Tensor codes = unpacked_columns(*product.codes, product.n, row_bytes, product.k, product.bits);
  Tensor scales = scale_columns(product);
  Tensor zero_points = zero_point_columns(product);
  Node dequantize;
  dequantize.op_type = "DequantizeLinear";
  dequantize.name = node.name;
  dequantize.file_opset = 21;
  dequantize.inputs = {add_codes(graph, packed + "_codes", std::move(codes), product.bits),
                       graph::add_constant(graph, packed + "_scales", std::move(scales)),
                       add_codes(graph, packed + "_zero_points", std::move(zero_points), product.bits)};
  dequantize.outputs = {graph::add_value(graph, unpacked_name(packed))};
  dequantize.attributes.set("axis", std::int64_t{0});
  dequantize.attributes.set("block_size", product.block_size);
  Node matmul;
  matmul.op_type = "MatMul";
  matmul.name = node.name;
  matmul.file_opset = graph.opset;
  matmul.inputs = {node.inputs[0], dequantize.outputs[0]};
  matmul.outputs = node.outputs;
  nodes.push_back(std::move(dequantize));
  const ValueId bias = input_of(node, 5);
  if (bias == kNoValue) {
    nodes.push_back(std::move(matmul));
    return;
  }
  Node add;
  add.op_type = "Add";
  add.name = node.name;
  add.file_opset = graph.opset;
  matmul.outputs = {graph::add_value(graph, graph.value(node.outputs[0]).name + "_product")};
  add.inputs = {matmul.outputs[0], bias};
  add.outputs = node.outputs;
  nodes.push_back(std::move(matmul));
  nodes.push_back(std::move(add));
}

}  // namespace

Result<Graph> import_matmul_nbits(Graph graph) {
  if (std::ranges::none_of(graph.nodes, is_nbits)) return graph;
  std::vector<Node> nodes;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node node = std::move(graph.nodes[i]);
    if (!is_nbits(node)) {
      nodes.push_back(node);
      continue;
    }
    const Result<PackedProduct> product = packed_product(graph, node);
    if (!product.ok()) return product.error().at(graph::describe(graph, node));
    take_apart(graph, node, *product, nodes);
  }
  graph.nodes = std::move(nodes);
  return graph::remove_unused(std::move(graph));
}

}  // namespace halfstep::passes
