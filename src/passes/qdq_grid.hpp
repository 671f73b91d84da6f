// qdq_grid.hpp: what one QuantizeLinear or DequantizeLinear says about its grid.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/shape.hpp"
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
  std::vector<QuantParams> params;        ///< One: per tensor, if not per block.
  std::int64_t axis = 1;                  ///< Means something only with several params.
  std::int64_t block_size = 0;            ///< 0: not per block.
  std::optional<Shape> scale_shape = {};  ///< Of the scales as the file has them; set if per block.

  bool per_block() const { return block_size != 0; }
  bool per_channel() const { return params.size() > 1 && !per_block(); }
  friend bool operator==(const QdqGrid& a, const QdqGrid& b) {
    return a.stored == b.stored && a.params == b.params && a.block_size == b.block_size &&
           a.scale_shape == b.scale_shape && (a.params.size() == 1 || a.axis == b.axis);
  }
};

/// Reads the grid of a Q or DQ node. `stored`: what the codes are known to be
/// apart from the zero point (the constant a DQ reads, the Q in front of it).
/// Empty: scale or zero point are computed, not constant.
/// Errors: kInvalidInput, the node named, for a scale that is not positive and
/// finite, types or lengths that do not go together; kUnsupported for scales of several axes without block_size.
Result<std::optional<QdqGrid>> qdq_grid_of(const graph::Graph& graph, const graph::Node& node,
                                           const std::optional<StoredType>& stored);

/// A number in a message.
std::string shown(float value);

/// The encoding of a tensor of this rank, whose values are known if the grid is per block.
/// Errors: kInvalidInput if the axis is out of range (node not named).
Result<Encoding> encoding_of(const QdqGrid& grid, int rank);

/// The encoding of a constant of this shape. Errors: those of encoding_of(); kInvalidInput if the scales do not fit.
Result<Encoding> constant_encoding_of(const QdqGrid& grid, const Shape& shape);

}  // namespace halfstep::passes
