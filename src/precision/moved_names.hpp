// moved_names.hpp: where the tensors of a model as read went when passes prepared it.
#pragma once

#include <optional>
#include <string_view>

#include "encoding/moved_name.hpp"
#include "graph/graph.hpp"

namespace halfstep::precision {

/// Where the tensor `name` of `as_read` went in `prepared`, which passes::prepare() made of it, judged by the structure
/// of the two graphs alone:
///
///   kSame    nodes that change nothing (Identity, Dropout, Cast between floats, Reshape to the same shape, Quantize
///   and
///            DequantizeLinear, ...) lie between the two; also a constant that was transposed or reshaped
///   kFused   a Relu or Clip limits the tensor, and became the clamp of its producer
///   kFolded  a BatchNormalization, Mul, Add, ... beside the tensor became part of a linear node. For the parameters of
///            such nodes the survivor is that node's weight
///   kBound   a constant between which and others a Relu or Clip, now the clamp of its producer, keeps the survivor
///   kPart    else: the survivor is the nearest computed tensor behind it; constants have none
///
/// Empty if `prepared` has a tensor of this name, or `as_read` has none. Linear in the size of the graphs.
std::optional<MovedName> find_moved_name(const graph::Graph& as_read, const graph::Graph& prepared,
                                         std::string_view name);

}  // namespace halfstep::precision
