// functions.hpp: model-local functions and their expansion at the call.
#pragma once

#include <onnx/onnx_pb.h>

#include <deque>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "halfstep/result.hpp"
#include "io/onnx/opsets.hpp"

namespace halfstep::io {

/// A node to read and the opsets that give its operator a meaning.
struct SourceNode {
  onnx::NodeProto* proto = nullptr;
  const Opsets* opsets = nullptr;
};

/// The functions of one model. Expanded nodes live as long as the library.
class FunctionLibrary {
 public:
  /// Errors: kInvalidInput for a function defined twice or without opsets;
  /// kUnsupported for recursion, nesting beyond 64 levels and unsupported opsets.
  static Result<FunctionLibrary> from(const onnx::ModelProto& model);

  /// The nodes of `graph` (not of its subgraphs) with every call replaced by
  /// the function's body, tensors inside renamed apart.
  /// Errors: kInvalidInput if a call does not fit the function; kUnsupported if
  /// the result grows beyond bounds.
  Result<std::vector<SourceNode>> expand(onnx::GraphProto& graph, const Opsets& opsets);

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  // domain, name, overload
  struct Function {
    const onnx::FunctionProto* proto = nullptr;
    Opsets opsets;
    std::map<std::string, onnx::AttributeProto> defaults;
    std::int64_t body_bytes = 0;
    int depth = 0;  // Levels of calls below; -1 while being measured.
  };
  class Instance;

  static Key key_of(const onnx::NodeProto& node);
  Result<int> measure_depth(Function& function, int level);
  Result<int> depth_of_nodes(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes, int level);
  Result<void> append(onnx::NodeProto& node, const Opsets& opsets, std::vector<SourceNode>& out);

  std::map<Key, Function> functions_;
  std::unordered_set<std::string> used_names_;
  std::unordered_map<std::string, int> num_calls_by_label_;
  std::deque<onnx::NodeProto> expanded_;
  std::int64_t expanded_bytes_ = 0;
  std::int64_t num_calls_ = 0;
};

}  // namespace halfstep::io
