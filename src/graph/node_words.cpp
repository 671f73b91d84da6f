// node_words.cpp: one line, whatever the names hold.
#include "graph/node_words.hpp"

#include "core/text.hpp"

namespace halfstep::graph {

std::string node_words(std::string_view name, std::string_view domain, std::string_view op_type) {
  std::string op(domain);
  if (!op.empty()) op += '.';
  op = quoted(op.append(op_type));
  return "node " + quoted(name) + " (" + op.substr(1, op.size() - 2) + ")";
}

}  // namespace halfstep::graph
