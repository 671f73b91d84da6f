// writer.hpp: a Graph and its encodings as a QDQ ONNX file.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// What goes into the file beside the graph.
struct WriteOptions {
  std::string tool_version;
  /// Added to metadata_props; replaces entries of the same key.
  std::vector<std::pair<std::string, std::string>> metadata;
};

/// Sizes of what was written.
struct WrittenModel {
  std::int64_t num_bytes = 0;  ///< Of the file, external data included.
  int opset = 0;
};

/// Writes `graph` with QuantizeLinear/DequantizeLinear pairs where `encodings`
/// has entries; an empty set writes a float model. Weights and biases that have
/// codes are stored as integers behind DequantizeLinear. The default opset is
/// the file's, raised only as far as a node or a bit width needs it. Models over
/// 1.9 GB keep their tensors in `<path>.data` beside the file.
/// The files appear complete or not at all.
/// Errors: kInvalidInput if a file can't be written or an encoding does not fit its tensor.
Result<WrittenModel> write_onnx(const graph::Graph& graph, const EncodingSet& encodings,
                                const std::filesystem::path& path, const WriteOptions& options);

}  // namespace halfstep::io
