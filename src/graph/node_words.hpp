// node_words.hpp: how messages call a node.
#pragma once

#include <string>
#include <string_view>

namespace halfstep::graph {

/// "node 'conv1' (Conv)"; the operator of another domain than ONNX's with that in front. Names are escaped as quoted()
/// does.
std::string node_words(std::string_view name, std::string_view domain, std::string_view op_type);

}  // namespace halfstep::graph
