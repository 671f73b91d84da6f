// fingerprint.hpp: a short text that tells models apart.
#pragma once

#include <string>

#include "graph/graph.hpp"

namespace halfstep::graph {

/// 16 hexadecimal digits, a hash of names, operators, operands, clamps, plain attributes and the bytes of
/// constants. Subgraphs count by their own. Tells apart what someone mixed up, not what someone forged.
std::string fingerprint(const Graph& graph);

/// The same of a text.
std::string fingerprint(std::string_view text);

}  // namespace halfstep::graph
