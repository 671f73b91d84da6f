// find_losses.cpp: one function a kind of loss.
#include "precision/find_losses.hpp"

#include <cstdio>

#include "core/text.hpp"
#include "ops/operands.hpp"

namespace halfstep::precision {
namespace {

class Losses {
 public:
  Losses(const graph::Graph& graph, const ops::Facts& facts, const EncodingSet& encodings)
      : graph_(graph), facts_(facts), encodings_(encodings) {}

  std::vector<std::string> find() {
    for (const graph::Node& node : graph_.nodes) {
      if (!ops::is_integer_node(node, facts_)) continue;
      clipped_by_import(node);
    }
    return std::move(lines_);
  }

 private:
  const TensorEncoding* entry_of(graph::ValueId id) const {
    return id == graph::kNoValue ? nullptr : find_encoding(encodings_, graph_.value(id).name);
  }
  void add(const graph::Node& node, const std::string& text) {
    lines_.push_back(graph::describe(graph_, node) + ": " + text);
  }

  void clipped_by_import(const graph::Node& node) {
    if (!ops::leaves_input_range(graph_, node, facts_)) return;
    const TensorEncoding* input = entry_of(node.inputs[0]);
    const TensorEncoding* output = entry_of(node.outputs[0]);
    if (input == nullptr || output == nullptr || !output->frozen || output->encoding != input->encoding) return;
    const std::optional<double> fill = ops::known_fill(graph_, node, facts_);
    char range[80];
    std::snprintf(range, sizeof(range), "[%.6g, %.6g]", output->encoding.real_min(), output->encoding.real_max());
    if (fill && *fill >= output->encoding.real_min() && *fill <= output->encoding.real_max()) return;
    add(node, "its output came with its input's encoding, but can leave that range: what lies beyond " +
                  std::string(range) + " is clipped; without the encoding it gets a range of its own");
  }

  const graph::Graph& graph_;
  const ops::Facts& facts_;
  const EncodingSet& encodings_;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> find_losses(const graph::Graph& graph, const ops::Facts& facts, const EncodingSet& encodings) {
  return Losses(graph, facts, encodings).find();
}

}  // namespace halfstep::precision
