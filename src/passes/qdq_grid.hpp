// qdq_grid.hpp: what one QuantizeLinear or DequantizeLinear says about its grid.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "encoding/encoding.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::passes {

bool is_quantize(const graph::Node& node);
bool is_dequantize(const graph::Node& node);

/// The integer type of the stored codes.
struct StoredType {
  DType dtype = DType::kUint8;
  int narrow_bits = 0;  ///< As Value::narrow_bits.

  friend bool operator==(const StoredType&, const StoredType&) = default;
};

/// Scales and zero points of a node, not yet bound to a tensor: its axis may count from the end.
struct QdqGrid {
  StoredType stored;
  IntGrid grid;
  std::vector<QuantParams> params;  ///< One: per tensor.
  std::int64_t axis = 1;            ///< Means something only with several params.

  bool per_channel() const { return params.size() > 1; }
  friend bool operator==(const QdqGrid& a, const QdqGrid& b) {
    return a.stored == b.stored && a.params == b.params && (!a.per_channel() || a.axis == b.axis);
  }
};

/// Reads the grid of a Q or DQ node. `stored`: what the codes are known to be
/// apart from the zero point (the constant a DQ reads, the Q in front of it).
/// Empty: scale or zero point are computed, not constant.
/// Errors: kInvalidInput, the node named, for a scale that is not positive and
/// finite, types or lengths that do not go together; kUnsupported for blocked scales.
Result<std::optional<QdqGrid>> qdq_grid_of(const graph::Graph& graph, const graph::Node& node,
                                           const std::optional<StoredType>& stored);

/// A number in a message.
std::string shown(float value);

/// The encoding of a tensor of this rank.
/// Errors: kInvalidInput if the axis is out of range (node not named).
Result<Encoding> encoding_of(const QdqGrid& grid, int rank);

}  // namespace halfstep::passes
