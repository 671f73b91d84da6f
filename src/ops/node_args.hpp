// node_args.hpp: what the functions of an operator are given and what they answer. The row that holds them is in
// op_def.hpp; whoever writes or runs such functions need not see it.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/tensor.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/kernel.hpp"

namespace halfstep::ops {

struct OpDef;      // op_def.hpp
struct FixedArgs;  // fixed_form.hpp
struct FixedForm;

/// The operands of a node as infer() sees them.
struct NodeArgs {
  const graph::Node& node;
  std::span<const TensorType* const> inputs;  ///< nullptr: absent.
  std::span<const Tensor* const> values;      ///< Where known (constants), else nullptr. Same size as inputs.

  std::size_t num_inputs() const { return inputs.size(); }
  bool has(std::size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
  const TensorType& type(std::size_t i) const { return *inputs[i]; }
  const Shape& shape(std::size_t i) const { return inputs[i]->shape; }
  const Tensor* value(std::size_t i) const { return i < values.size() ? values[i] : nullptr; }
  const graph::Attributes& attributes() const { return node.attributes; }
  bool wants_output(std::size_t i) const { return i < node.outputs.size() && node.outputs[i] != graph::kNoValue; }
};

/// What infer() found out. Exactly one of three cases: types of all outputs
/// (entries past the node's output count are ignored); or data_dependent, when
/// the types depend on an operand's value that is not known yet - infer() is
/// then called again with every operand's value at run time.
struct Inferred {
  std::vector<TensorType> outputs;
  /// Optional: values known without running (Shape, Size). Empty or one per output.
  std::vector<std::optional<Tensor>> values;
  bool data_dependent = false;

  static Inferred one(TensorType type) { return {.outputs = {std::move(type)}, .values = {}, .data_dependent = false}; }
  static Inferred unknown() { return {.outputs = {}, .values = {}, .data_dependent = true}; }
};

/// The operands of a node as lower_float() sees them: infer()'s, and the output types.
struct LowerArgs : NodeArgs {
  std::span<const TensorType> outputs;
  /// Sums of products must be plain ones: integers, as long as they fit a float, stay exact.
  bool needs_plain_sums = false;
};

/// The row of an operator; nullptr if it is unknown.
const OpDef* find_op(std::string_view domain, std::string_view type);
const OpDef* find_op(const graph::Node& node);

}  // namespace halfstep::ops
