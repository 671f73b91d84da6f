// reader.hpp: from ONNX files to Graphs.
//
// What comes out is canonical (docs/operators-canonical.md): the newest form of
// each operator, float32 wherever the file has float16, bfloat16 or double,
// Constant nodes and initializers alike as constants, model-local functions
// inlined, nodes in topological order.
//
// Subgraphs (If, Loop, Scan) are attributes of type shared_ptr<const Graph>.
// What a subgraph takes from outside is listed in its Graph::captures, and the
// captured outer values are also appended to the node's inputs, each once,
// behind as many inputs as the file gives the node, so that links_of() and
// liveness see them. Capture::outer holds ValueIds of the enclosing graph as
// read: resolve a subgraph before anything renumbers the enclosing graph.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// Opsets of the default domain that are read. Models older than the first are
/// read too when all they use has not changed since opset 1.
inline constexpr int kMinOpset = 7;
inline constexpr int kMaxOpset = 28;

struct ReadModel {
  graph::Graph graph;
  std::vector<std::string> warnings;  ///< One line each, nothing that prevents running.
  std::int64_t num_bytes = 0;         ///< Of the file and the external data it uses.
};

/// Reads a model and the external data beside it, which is mapped, not copied.
/// Errors, the path in front: kInvalidInput for what is missing, unreadable or
/// malformed; kUnsupported for opsets, element types and constructs without a form here.
Result<ReadModel> read_onnx(const std::filesystem::path& path);

/// The same for a model in memory; external data is an error.
Result<ReadModel> read_onnx(std::span<const std::byte> bytes);

/// A serialized TensorProto (.pb), as the ONNX test suite uses for samples.
/// Converted like a weight: float16, bfloat16 and double become float32.
Result<Tensor> read_onnx_tensor(const std::filesystem::path& path);

}  // namespace halfstep::io
