// nbits_graph.cpp: packs weights, scales and zero points as MatMulNBits wants them.
#include "io/onnx/nbits_graph.hpp"

#include <utility>
#include <vector>

namespace halfstep::io {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

/// The axis of the weight over which the product sums; empty if MatMulNBits cannot say what the node does.
std::optional<int> nbits_input_axis(const Node& node) {
  if (!node.domain.empty() || node.inputs.size() < 2) return std::nullopt;
  if (node.op_type == "MatMul") return 0;
  const graph::Attributes& attributes = node.attributes;
  if (node.op_type != "Gemm" || attributes.get_int("transA", 0) != 0 || attributes.get_float("alpha", 1.0F) != 1.0F ||
      attributes.get_float("beta", 1.0F) != 1.0F) {
    return std::nullopt;
  }
  return attributes.get_int("transB", 0) != 0 ? 1 : 0;
}

/// Writes numbers of 4 bits in rows that begin at a byte each.
class NibbleRows {
 public:
  NibbleRows(Shape shape, std::int64_t row_bytes) : bytes_(TensorType{DType::kUint8, shape}), row_bytes_(row_bytes) {}

  void set(std::int64_t row, std::int64_t i, std::int64_t number) {
    std::uint8_t& byte = bytes_.mutable_data<std::uint8_t>()[row * row_bytes_ + i / 2];
    byte = static_cast<std::uint8_t>(byte | (number << (i % 2 * 4)));
  }
  Tensor take() { return std::move(bytes_); }

 private:
  Tensor bytes_;
  std::int64_t row_bytes_;
};

/// A weight [K, N], or [N, K] if its input axis is 1.
class BlockedWeight {
 public:
  BlockedWeight(const Tensor& codes, const Encoding& encoding)
      : codes_(to_int64s(codes)),
        encoding_(encoding),
        axis_(*encoding.block_axis()),
        k_(codes.shape()[axis_]),
        n_(codes.shape()[1 - axis_]),
        num_blocks_((k_ + encoding.block_size() - 1) / encoding.block_size()),
        lowest_(is_signed(encoding.grid()) ? signed_grid(4).q_min : 0) {}

  std::int64_t k() const { return k_; }
  std::int64_t n() const { return n_; }

  /// The operator counts codes from 0.
  Tensor packed_codes() const {
    const std::int64_t block_bytes = encoding_.block_size() / 2;
    NibbleRows rows(Shape{n_, num_blocks_, block_bytes}, num_blocks_ * block_bytes);
    for (std::int64_t n = 0; n < n_; ++n) {
      for (std::int64_t k = 0; k < k_; ++k) rows.set(n, k, codes_[place(n, k, k_)] - lowest_);
    }
    return rows.take();
  }

  Tensor scales() const {
    Tensor scales(TensorType{DType::kFloat32, Shape{n_ * num_blocks_}});
    for (std::int64_t n = 0; n < n_; ++n) {
      for (std::int64_t b = 0; b < num_blocks_; ++b) {
        scales.mutable_data<float>()[n * num_blocks_ + b] = static_cast<float>(params(n, b).scale);
      }
    }
    return scales;
  }

  Tensor packed_zero_points() const {
    const std::int64_t row_bytes = (num_blocks_ + 1) / 2;
    NibbleRows rows(Shape{n_ * row_bytes}, row_bytes);
    for (std::int64_t n = 0; n < n_; ++n) {
      for (std::int64_t b = 0; b < num_blocks_; ++b) rows.set(n, b, params(n, b).zero_point - lowest_);
    }
    return rows.take();
  }

 private:
  /// Of element `i` of output channel `n`, in a tensor with `extent` such elements.
  std::size_t place(std::int64_t n, std::int64_t i, std::int64_t extent) const {
    return static_cast<std::size_t>(axis_ == 0 ? i * n_ + n : n * extent + i);
  }
  const QuantParams& params(std::int64_t n, std::int64_t block) const {
    return encoding_.params()[place(n, block, num_blocks_)];
  }

  std::vector<std::int64_t> codes_;
  const Encoding& encoding_;
  int axis_;
  std::int64_t k_;
  std::int64_t n_;
  std::int64_t num_blocks_;
  std::int64_t lowest_;
};

Node nbits_node(Graph& graph, const Node& product, const BlockedWeight& weight, std::int64_t block_size) {
  const std::string name = graph.value(product.inputs[1]).name;
  Node node;
  node.name = product.name;
  node.op_type = "MatMulNBits";
  node.domain = "com.microsoft";
  node.file_opset = 1;
  node.inputs = {product.inputs[0], graph::add_constant(graph, name + "_quantized", weight.packed_codes()),
                 graph::add_constant(graph, name + "_scale", weight.scales()),
                 graph::add_constant(graph, name + "_zero_point", weight.packed_zero_points())};
  node.outputs = product.outputs;
  node.attributes.set("K", weight.k());
  node.attributes.set("N", weight.n());
  node.attributes.set("bits", std::int64_t{4});
  node.attributes.set("block_size", block_size);
  // Products and sums of float32: higher levels round activations.
  node.attributes.set("accuracy_level", std::int64_t{1});
  return node;
}

}  // namespace

Result<Graph> use_matmul_nbits(Graph graph, const EncodingSet& encodings) {
  std::vector<Node> nodes;
  bool found = false;
  for (Node& node : graph.nodes) {
    const std::optional<int> axis = nbits_input_axis(node);
    const Tensor* real = axis ? graph::constant_of(graph, node.inputs[1]) : nullptr;
    const TensorEncoding* entry =
        real == nullptr ? nullptr : find_encoding(encodings, graph.value(node.inputs[1]).name);
    if (entry == nullptr || real->shape().rank() != 2 || entry->encoding.block_axis() != axis ||
        storage_bits(entry->encoding.grid()) != 4) {
      nodes.push_back(std::move(node));
      continue;
    }
    found = true;
    const Tensor codes = entry->codes ? *entry->codes : quantize(*real, entry->encoding);
    Node product = nbits_node(graph, node, BlockedWeight(codes, entry->encoding), entry->encoding.block_size());
    if (node.inputs.size() < 3 || node.inputs[2] == kNoValue) {
      product.clamp = std::move(node.clamp);
      nodes.push_back(std::move(product));
      continue;
    }
    const ValueId sum = graph::add_value(graph, graph.value(node.outputs[0]).name + "_product");
    product.outputs = {sum};
    nodes.push_back(std::move(product));
    Node add;
    add.name = node.name.empty() ? "" : node.name + "_bias";
    add.op_type = "Add";
    add.inputs = {sum, node.inputs[2]};
    add.outputs = node.outputs;
    add.clamp = std::move(node.clamp);
    nodes.push_back(std::move(add));
  }
  if (!found) {
    return Error{ErrorCode::kUsage,
                 "--matmul_nbits has no effect: no MatMul or Gemm of matrices has 4-bit weights in blocks"};
  }
  graph.nodes = std::move(nodes);
  return graph::remove_unused(std::move(graph));
}

}  // namespace halfstep::io
