// graph_builder.cpp: values, nodes and scopes of a GraphProto.
#include "io/onnx/graph_builder.hpp"

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "graph/node_words.hpp"
#include "io/onnx/attribute_proto.hpp"
#include "io/onnx/canonical.hpp"

namespace halfstep::io {
namespace {

using graph::kNoValue;
using graph::ValueId;

// A function may hold itself inside a subgraph that it gets as an attribute:
// the parser's own limit does not bound that.
constexpr int kMaxLevel = 32;

std::string describe(const onnx::NodeProto& node) {
  std::string name = node.name();
  if (name.empty() && node.output_size() > 0) name = node.output(0);
  return graph::node_words(name, canonical_domain(node.domain()), node.op_type());
}

// What ONNX calls a value that is no tensor.
std::string kind_name(const onnx::TypeProto& type) {
  if (type.has_sequence_type()) return "a sequence";
  if (type.has_optional_type()) return "an optional";
  if (type.has_map_type()) return "a map";
  if (type.has_sparse_tensor_type()) return "a sparse tensor";
  return "an opaque value";
}

Result<graph::Declared> read_declared(const onnx::ValueInfoProto& proto) {
  graph::Declared declared;
  const onnx::TypeProto& type = proto.type();
  if (!type.has_tensor_type()) {
    if (type.value_case() == onnx::TypeProto::VALUE_NOT_SET) return invalid("has no type");
    return unsupported("is " + kind_name(type) + ", only tensors are supported");
  }
  const auto element = element_type(type.tensor_type().elem_type());
  if (!element.ok()) return element.error();
  declared.dtype = element->dtype;
  if (!type.tensor_type().has_shape()) return declared;
  declared.dims.emplace();
  for (const auto& proto_dim : type.tensor_type().shape().dim()) {
    graph::Dim& dim = declared.dims->emplace_back();
    if (proto_dim.has_dim_param()) dim.symbol = proto_dim.dim_param();
    if (!proto_dim.has_dim_value()) continue;
    // Some exporters write -1 where they mean unknown.
    if (proto_dim.dim_value() < -1) {
      return invalid("declares extent " + std::to_string(proto_dim.dim_value()) + ", expected 0 or more");
    }
    dim.extent = proto_dim.dim_value();
  }
  return declared;
}

bool has_minus_one(const onnx::ValueInfoProto& proto) {
  const auto& dims = proto.type().tensor_type().shape().dim();
  return std::any_of(dims.begin(), dims.end(), [](const auto& dim) { return dim.dim_value() == -1; });
}

bool is_constant(const onnx::NodeProto& proto) {
  return proto.op_type() == "Constant" && canonical_domain(proto.domain()).empty();
}

/// Attributes as we hold them know no half precision.
bool casts_to_half(const onnx::NodeProto& proto) {
  return std::ranges::any_of(proto.attribute(), [](const onnx::AttributeProto& attribute) {
    return attribute.name() == "to" && attribute.i() == onnx::TensorProto::FLOAT16;
  });
}

Result<ReadTensor> read_constant(onnx::NodeProto& proto, ExternalSource& external) {
  if (proto.attribute_size() != 1) return invalid("a Constant needs exactly one value attribute");
  onnx::AttributeProto& value = *proto.mutable_attribute(0);
  using Kind = onnx::AttributeProto;
  const auto kind = attribute_kind(value);
  const std::string& name = value.name();
  if (name == "value" && kind == Kind::TENSOR) return read_tensor(*value.mutable_t(), external);
  if (name == "value_float" && kind == Kind::FLOAT) return ReadTensor{Tensor::of<float>({}, {value.f()})};
  if (name == "value_int" && kind == Kind::INT) return ReadTensor{Tensor::of<std::int64_t>({}, {value.i()})};
  if (name == "value_floats" && kind == Kind::FLOATS) {
    return ReadTensor{
        Tensor::of<float>({value.floats_size()}, std::vector<float>(value.floats().begin(), value.floats().end()))};
  }
  if (name == "value_ints" && kind == Kind::INTS) {
    return ReadTensor{Tensor::of<std::int64_t>({value.ints_size()},
                                               std::vector<std::int64_t>(value.ints().begin(), value.ints().end()))};
  }
  return unsupported("constant attribute " + quoted(name) + " is not supported (string, sparse or of a wrong type)");
}

}  // namespace

ValueId GraphBuilder::declare(const std::string& name) {
  const auto id = static_cast<ValueId>(graph_.values.size());
  if (!by_name_.emplace(name, id).second) return kNoValue;
  graph_.values.emplace_back().name = name;
  return id;
}

ValueId GraphBuilder::resolve(const std::string& name) {
  if (const auto known = by_name_.find(name); known != by_name_.end()) return known->second;
  const ValueId outer = outer_ == nullptr ? kNoValue : outer_->resolve(name);
  if (outer == kNoValue) return kNoValue;
  const ValueId inner = declare(name);
  graph_.captures.push_back({inner, outer});
  return inner;
}

Result<void> GraphBuilder::add_initializers(onnx::GraphProto& proto) {
  if (proto.sparse_initializer_size() > 0) {
    const std::string& name = proto.sparse_initializer(0).values().name();
    return unsupported("initializer " + quoted(name) + " is sparse, which is not supported");
  }
  for (onnx::TensorProto& tensor : *proto.mutable_initializer()) {
    if (tensor.name().empty()) return invalid("an initializer has no name");
    const std::string what = "initializer " + quoted(tensor.name());
    auto read = read_tensor(tensor, context_.external);
    if (!read.ok()) return Error{read.error().code, what + " " + read.error().message};
    const ValueId id = declare(tensor.name());
    if (id == kNoValue) return invalid("two initializers are called " + quoted(tensor.name()));
    graph_.value(id).constant = std::move(read->tensor);
    graph_.value(id).narrow_bits = read->narrow_bits;
    if (tensor.data_type() == onnx::TensorProto::FLOAT16) graph_.value(id).format = graph::RealFormat::kFloat16;
  }
  return {};
}

Result<void> GraphBuilder::add_inputs(const onnx::GraphProto& proto) {
  const auto num_initializers = static_cast<ValueId>(graph_.values.size());
  for (const onnx::ValueInfoProto& input : proto.input()) {
    if (input.name().empty()) return invalid("a graph input has no name");
    const auto known = by_name_.find(input.name());
    if (known != by_name_.end() && known->second < num_initializers) continue;
    auto declared = read_declared(input);
    // The inputs of a loop's body need no types.
    if (!declared.ok() && outer_ == nullptr) {
      return Error{declared.error().code, "graph input " + quoted(input.name()) + " " + declared.error().message};
    }
    if (declared.ok() && declared->dims && has_minus_one(input)) {
      context_.warnings.push_back("graph input " + quoted(input.name()) + " declares extent -1, taken as unknown");
    }
    const ValueId id = declare(input.name());
    if (id == kNoValue) return invalid("two graph inputs are called " + quoted(input.name()));
    graph_.inputs.push_back({id, declared.ok() ? std::move(*declared) : graph::Declared{}});
  }
  return {};
}

Result<void> GraphBuilder::add_outputs(const onnx::GraphProto& proto) {
  if (proto.output_size() == 0 && outer_ == nullptr) return invalid("the graph has no outputs");
  for (const onnx::ValueInfoProto& output : proto.output()) {
    const std::string what = "graph output " + quoted(output.name());
    const ValueId id = resolve(output.name());
    if (id == kNoValue) return invalid(what + " is written by nothing");
    // Types of outputs follow from the graph; only a kind we cannot produce matters.
    auto declared = read_declared(output);
    if (!declared.ok() && declared.error().code == ErrorCode::kUnsupported) {
      return Error{declared.error().code, what + " " + declared.error().message};
    }
    graph_.outputs.push_back({id, declared.ok() ? std::move(*declared) : graph::Declared{}});
  }
  return {};
}

Result<void> GraphBuilder::declare_outputs(onnx::NodeProto& proto) {
  for (const std::string& name : proto.output()) {
    if (name.empty()) continue;
    if (declare(name) == kNoValue) {
      return invalid("tensor " + quoted(name) + " is written twice, the second time by " + describe(proto));
    }
  }
  if (!is_constant(proto)) return {};
  if (proto.output_size() != 1 || proto.output(0).empty()) return invalid(describe(proto) + ": has no output");
  auto read = read_constant(proto, context_.external);
  if (!read.ok()) return read.error().at(describe(proto));
  graph::Value& value = graph_.values.back();
  value.constant = std::move(read->tensor);
  value.narrow_bits = read->narrow_bits;
  return {};
}

Result<void> GraphBuilder::read_attributes(onnx::NodeProto& proto, const Opsets& opsets, graph::Node& node) {
  for (onnx::AttributeProto& attribute : *proto.mutable_attribute()) {
    const std::string what = "attribute " + quoted(attribute.name());
    if (!attribute.ref_attr_name().empty()) return invalid(what + " refers to a function's attribute outside of one");
    if (node.attributes.has(attribute.name())) return invalid(what + " is given twice");
    if (attribute_kind(attribute) != onnx::AttributeProto::GRAPH) {
      auto value = read_attribute(attribute, node.domain.empty(), context_.external);
      if (!value.ok()) return Error{value.error().code, what + " " + value.error().message};
      node.attributes.set(attribute.name(), std::move(*value));
      continue;
    }
    GraphBuilder inner(context_, this);
    auto subgraph = inner.build(*attribute.mutable_g(), opsets);
    if (!subgraph.ok()) return subgraph.error().at(what);
    node.attributes.set(attribute.name(), std::make_shared<const graph::Graph>(std::move(*subgraph)));
  }
  return {};
}

Result<graph::Node> GraphBuilder::read_node(const SourceNode& source) {
  onnx::NodeProto& proto = *source.proto;
  graph::Node node;
  node.name = proto.name();
  node.op_type = proto.op_type();
  node.domain = canonical_domain(proto.domain());
  const auto opset = source.opsets->find(node.domain);
  if (opset == source.opsets->end() && node.domain.empty()) {
    return invalid("the model imports no opset of the default ONNX domain");
  }
  node.file_opset = opset == source.opsets->end() ? 1 : opset->second;
  for (const std::string& name : proto.input()) {
    const ValueId id = name.empty() ? kNoValue : resolve(name);
    if (id == kNoValue && !name.empty()) return invalid("reads " + quoted(name) + ", which nothing writes");
    node.inputs.push_back(id);
  }
  while (!node.inputs.empty() && node.inputs.back() == kNoValue) node.inputs.pop_back();
  for (const std::string& name : proto.output()) {
    node.outputs.push_back(name.empty() ? kNoValue : by_name_.at(name));
  }
  // Kernels may rely on output 0 being there, whether or not somebody reads it, and whether or not the file has it.
  if (node.outputs.empty()) node.outputs.push_back(kNoValue);
  if (node.outputs[0] == kNoValue) node.outputs[0] = graph::add_value(graph_, "unnamed_output");
  if (const auto read = read_attributes(proto, *source.opsets, node); !read.ok()) return read.error();

  if (node.op_type == "Cast" && casts_to_half(proto)) {
    graph_.value(node.outputs[0]).format = graph::RealFormat::kFloat16;
  }
  std::vector<ValueId> captured;
  std::unordered_set<ValueId> seen;
  for (const auto& [name, attribute] : node.attributes) {
    const auto* subgraph = std::get_if<std::shared_ptr<const graph::Graph>>(&attribute);
    if (subgraph == nullptr) continue;
    for (const graph::Capture& capture : (*subgraph)->captures) {
      if (seen.insert(capture.outer).second) captured.push_back(capture.outer);
    }
  }
  if (!captured.empty()) {
    // Keeps the positions that reader.hpp promises.
    node.inputs.resize(static_cast<std::size_t>(proto.input_size()), kNoValue);
    node.inputs.insert(node.inputs.end(), captured.begin(), captured.end());
  }
  return node;
}

Result<graph::Graph> GraphBuilder::build(onnx::GraphProto& proto, const Opsets& opsets) {
  if (level_ > kMaxLevel) return unsupported("subgraphs are nested more than 32 levels deep");
  graph_.name = proto.name();
  if (const auto opset = opsets.find(""); opset != opsets.end()) graph_.opset = opset->second;
  auto sources = context_.functions.expand(proto, opsets);
  if (!sources.ok()) return sources.error();
  if (const auto added = add_initializers(proto); !added.ok()) return added.error();
  if (const auto added = add_inputs(proto); !added.ok()) return added.error();
  for (const SourceNode& source : *sources) {
    if (const auto declared = declare_outputs(*source.proto); !declared.ok()) return declared.error();
  }
  for (const SourceNode& source : *sources) {
    if (is_constant(*source.proto)) continue;
    auto node = read_node(source);
    if (!node.ok()) return node.error().at(describe(*source.proto));
    graph_.nodes.push_back(std::move(*node));
  }
  if (const auto added = add_outputs(proto); !added.ok()) return added.error();
  auto sorted = graph::sort_nodes(std::move(graph_));
  if (!sorted.ok()) return sorted.error();
  return canonicalize(std::move(*sorted));
}

}  // namespace halfstep::io
