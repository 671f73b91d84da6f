// export_forms.hpp: operators in the form an older opset knows.
#pragma once

#include "graph/graph.hpp"

namespace halfstep::io {

/// The opset a file of `graph` (with its Q/DQ nodes) needs: the one it came
/// with, at least 13, and 21 for 4- or 16-bit grids or per-channel GroupNormalization.
int opset_for(const graph::Graph& graph);

/// `graph` with every node in a form that `opset` defines: newer operators that
/// passes recognised (LayerNormalization, Gelu, HardSwish, Swish, Mish) are
/// spelled out, operands that were attributes become attributes again.
graph::Graph to_export_forms(graph::Graph graph, int opset);

}  // namespace halfstep::io
