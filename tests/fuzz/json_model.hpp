// json_model.hpp: the model whose tensors the encodings and overrides of fuzz targets name.
#pragma once

#include "encoding/encoding_target.hpp"
#include "graph/graph.hpp"

namespace halfstep::fuzz {

/// conv1 = Conv(x, w, b), which a clamp limits; conv2 = Conv(conv1, w, b); sum = Add(conv1, conv2);
/// mean = GlobalAveragePool(sum); out = Softmax(mean). x is [1, 2, 4, 4].
const graph::Graph& json_model();

/// Its tensors.
const EncodingTargets& json_targets();

}  // namespace halfstep::fuzz
