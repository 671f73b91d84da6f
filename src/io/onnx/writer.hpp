// writer.hpp: a Graph and its encodings as a QDQ ONNX file.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/atomic_file.hpp"
#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// What goes into the file beside the graph.
struct WriteOptions {
  std::string tool_version;
  /// Added to metadata_props; replaces entries of the same key.
  std::vector<std::pair<std::string, std::string>> metadata;
  bool matmul_nbits = false;  ///< As use_matmul_nbits().
};

/// A model that is written but does not bear its name yet.
struct PendingModel {
  AtomicFile file;
  std::optional<AtomicFile> data;  ///< External data.
  std::int64_t num_bytes = 0;      ///< Of both.
  int opset = 0;

  /// Makes the files appear. Errors: kInvalidInput with path and reason.
  Result<void> commit();
};

/// Writes `graph` with QuantizeLinear/DequantizeLinear pairs where `encodings`
/// has entries; an empty set writes a float model. Weights and biases that have
/// codes are stored as integers behind DequantizeLinear. The default opset is
/// the file's, raised only as far as a node or a bit width needs it. Models over
/// 1.9 GB keep their tensors in `<path>.data` beside the file.
/// Nothing appears before PendingModel::commit().
/// Errors: kInvalidInput if a file can't be written or an encoding does not fit its tensor; those of
/// use_matmul_nbits().
Result<PendingModel> write_onnx(const graph::Graph& graph, const EncodingSet& encodings,
                                const std::filesystem::path& path, const WriteOptions& options);

}  // namespace halfstep::io
