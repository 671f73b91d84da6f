// float_steps.hpp: what float steps of a Program are prepared from, whether or not encodings round their constants.
#pragma once

#include <vector>

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "ops/node_args.hpp"

namespace halfstep::lower {

/// Types and known values of a graph for one combination of input shapes, and
/// the encodings its tensors shall be rounded with (nullptr: none, and nothing is kept in half precision).
class FloatSteps {
 public:
  FloatSteps(const graph::Graph& graph, ops::Facts facts, const EncodingSet* encodings);

  const ops::Facts& facts() const { return facts_; }
  const ops::Fact& fact(graph::ValueId id) const { return facts_[static_cast<std::size_t>(id)]; }
  bool is_float32(graph::ValueId id) const { return fact(id).type && fact(id).type->dtype == DType::kFloat32; }

  /// nullptr if the tensor has none.
  const TensorEncoding* entry_of(graph::ValueId id) const;
  const Encoding* encoding_of(graph::ValueId id) const {
    const TensorEncoding* entry = entry_of(id);
    return entry == nullptr ? nullptr : &entry->encoding;
  }

  /// Kept in half precision: never without encodings, which make a quantized model.
  bool is_half(graph::ValueId id) const;

  /// True if the types of all operands and outputs are known before running.
  bool all_typed(const graph::Node& node) const;

  /// The known value of `id`, on its grid or in half precision if it is to be; nullptr if unknown.
  /// Errors: kInvalidInput if the encoding does not fit the tensor.
  Result<const Tensor*> known_value(graph::ValueId id);

  /// The types of the node's outputs, of those that nobody wants, too. Requires: all_typed(args.node).
  Result<std::vector<TensorType>> output_types(const ops::OpDef& op, const ops::NodeArgs& args) const;

  /// The node's float kernel. Requires: all_typed(node).
  Result<ops::Prepared> prepare(const ops::OpDef& op, const graph::Node& node);

 private:
  const graph::Graph& graph_;
  ops::Facts facts_;
  const EncodingSet* encodings_;
  std::vector<bool> rounded_;  // By ValueId: the known value in facts_ lies on its grid already, or is rounded to half.
};

}  // namespace halfstep::lower
