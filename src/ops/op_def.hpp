// op_def.hpp: what the toolchain knows about each operator.
//
// One OpDef per operator, in one table (op_table.cpp). Passes, lowering,
// calibration and exporters look operators up here and contain no operator
// names where the table can speak.
//
// A node lives through three stages. infer: from operand types (and values
// where known) to output types. lower_float: from types to a prepared kernel;
// whatever can be computed once (packed weights, tables) is computed here. run:
// the kernel, on data. Whatever can fail on the model fails in the first two;
// run fails only on data (an index outside its axis).
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/tensor.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::ops {

/// What calibration must decide for an operator's outputs.
enum class OutputRule {
  kObserved,      ///< Needs a range of its own (Conv, Add, ...).
  kSameAsInput,   ///< Moves or selects values: reuses the encoding of input 0.
  kSameAsInputs,  ///< Moves the values of several inputs: Concat.
  kFixed,         ///< Range known from the mathematics (Sigmoid, Softmax).
  kNone,          ///< Outputs are not real numbers (Shape, ArgMax, comparisons), or stay float.
};

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

/// What a kernel works on. Absent operands and outputs are !present().
struct KernelIo {
  std::span<const ConstView> inputs;
  std::span<const MutableView> outputs;
  std::span<std::byte> scratch;  ///< 64-byte aligned, Prepared::scratch_bytes long, content undefined.
};

/// May fail only on data, with one line that does not name the node (the
/// executor adds it). Thread-safe: called concurrently with different io.
using Kernel = std::function<Result<void>(const KernelIo&)>;

/// A kernel ready to run.
struct Prepared {
  Kernel run;
  std::size_t scratch_bytes = 0;
  /// The kernel has applied Node::clamp itself; otherwise the executor adds a clamp step.
  bool clamps = false;
};

/// The operands of a node as lower_float() sees them: infer()'s, and the output types.
struct LowerArgs : NodeArgs {
  std::span<const TensorType> outputs;
};

struct FixedArgs;  // fixed_form.hpp
struct FixedForm;

/// Which operand is a weight, and how it is laid out.
struct WeightSpec {
  int weight_input = -1;  ///< -1: the operator has no weight.
  int bias_input = -1;    ///< -1: no bias operand.
  /// Axis of the weight that runs over output channels, given the node
  /// (Gemm transB, ConvTranspose groups, ...).
  int (*channel_axis)(const graph::Node&, const Shape& weight) = nullptr;
};

/// One operator. Aggregate; fill by designated initializers.
struct OpDef {
  std::string_view type;
  std::string_view domain = "";
  /// Oldest opset of `domain` in which the canonical form we hold is valid ONNX as it stands.
  int since_opset = 1;
  OutputRule output_rule = OutputRule::kNone;
  float fixed_min = 0.0F;  ///< With kFixed: the mathematical range.
  float fixed_max = 0.0F;
  /// The operator has an integer form: its float operands and outputs are quantized. False: a float island.
  bool has_integer_form = false;
  /// The first operand that carries data: 1 for Where, whose operand 0 only chooses.
  std::size_t first_data_input = 0;
  WeightSpec weights = {};
  /// Output 0 is input 0's bytes under another shape (Reshape, Squeeze, Identity).
  bool aliases_input = false;
  /// Kernel may be called with output 0 in input 0's storage when both types are equal.
  bool in_place = false;
  /// Each channel (axis 1) of output 0 depends on the same channel of input 0 only.
  bool keeps_channels_apart = false;
  /// The result depends on the order of the float operands' values only (comparisons, ArgMax): codes on one grid
  /// give the same result as the real numbers they stand for.
  bool compares_values = false;
  /// The same operands give different results each time: never folded.
  bool nondeterministic = false;

  Result<Inferred> (*infer)(const NodeArgs&) = nullptr;
  Result<Prepared> (*lower_float)(const LowerArgs&) = nullptr;
  /// The integer form. nullptr: there is none, unless the operator only moves or selects values (kSameAsInput,
  /// kSameAsInputs): then lower_float's kernel, which takes any type, moves the codes.
  /// Errors: kUnsupported with the reason if these operands have no integer form: the node stays float.
  Result<FixedForm> (*lower_fixed)(const FixedArgs&) = nullptr;
};

/// nullptr if the operator is unknown.
const OpDef* find_op(std::string_view domain, std::string_view type);
inline const OpDef* find_op(const graph::Node& node) { return find_op(node.domain, node.op_type); }

/// Every definition, sorted by (domain, type).
std::span<const OpDef> all_ops();

}  // namespace halfstep::ops
