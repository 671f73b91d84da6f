// graph_builder.hpp: from a GraphProto to a Graph, subgraphs included.
#pragma once

#include <onnx/onnx_pb.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "io/onnx/functions.hpp"
#include "io/onnx/opsets.hpp"
#include "io/onnx/tensor_proto.hpp"

namespace halfstep::io {

/// What all graphs of one model share.
struct ModelContext {
  ExternalSource& external;
  FunctionLibrary& functions;
  std::vector<std::string>& warnings;
};

/// Builds one graph; a subgraph's builder knows the one around it.
class GraphBuilder {
 public:
  GraphBuilder(ModelContext& context, GraphBuilder* outer)
      : context_(context), outer_(outer), level_(outer == nullptr ? 0 : outer->level_ + 1) {}

  /// A sorted graph in canonical form. Moves tensor data out of `proto`.
  /// Errors: kInvalidInput and kUnsupported, with the tensor's or node's name.
  Result<graph::Graph> build(onnx::GraphProto& proto, const Opsets& opsets);

 private:
  Result<void> add_initializers(onnx::GraphProto& proto);
  Result<void> add_inputs(const onnx::GraphProto& proto);
  Result<void> add_outputs(const onnx::GraphProto& proto);
  Result<void> declare_outputs(onnx::NodeProto& proto);
  Result<graph::Node> read_node(const SourceNode& source);
  Result<void> read_attributes(onnx::NodeProto& proto, const Opsets& opsets, graph::Node& node);

  /// A new value; kNoValue if the name is taken.
  graph::ValueId declare(const std::string& name);
  /// The value called `name` here or, captured, outside; kNoValue if there is none.
  graph::ValueId resolve(const std::string& name);

  ModelContext& context_;
  GraphBuilder* outer_;
  int level_;  // Graphs around this one.
  graph::Graph graph_;
  std::unordered_map<std::string, graph::ValueId> by_name_;
};

}  // namespace halfstep::io
