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

#include <array>
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

/// The part an operand plays when the node runs on integers.
enum class OperandRole {
  kPlain,      ///< Not on a grid: indices, shapes, conditions, bounds of Clip.
  kData,       ///< On a grid like an activation: input 0, both sides of Add, slopes of PRelu.
  kWeight,     ///< If constant, multiplies on a grid of its own, perhaps one a channel. Else data.
  kBias,       ///< If constant, added to the accumulator. Else data.
  kParameter,  ///< Computes, but stays real: what a normalization scales and shifts by.
};

/// Roles of a node's operands in their order; the last one stands for all that follow.
struct OperandRoles {
  std::array<OperandRole, 3> roles = {OperandRole::kData, OperandRole::kPlain, OperandRole::kPlain};

  constexpr OperandRole operator[](std::size_t operand) const {
    return roles[operand < roles.size() ? operand : roles.size() - 1];
  }
  /// The first operand with this role; empty: none.
  constexpr std::optional<std::size_t> find(OperandRole role) const {
    for (std::size_t i = 0; i < roles.size(); ++i) {
      if (roles[i] == role) return i;
    }
    return std::nullopt;
  }
  /// The first operand that carries data: 1 for Where, whose operand 0 only chooses.
  constexpr std::size_t first_data() const { return find(OperandRole::kData).value_or(0); }
};

inline constexpr OperandRoles kAllData = {{OperandRole::kData, OperandRole::kData, OperandRole::kData}};
inline constexpr OperandRoles kLinearRoles = {{OperandRole::kData, OperandRole::kWeight, OperandRole::kBias}};
inline constexpr OperandRoles kNormalizationRoles = {
    {OperandRole::kData, OperandRole::kParameter, OperandRole::kParameter}};

/// Where the channels of a linear operator are (the one with a kWeight), given its node and the weight's shape. With
/// groups, only axis 0 of a weight runs over all groups; the other one runs over the channels of one group.
struct ChannelLayout {
  int (*weight_output_axis)(const graph::Node&, const Shape& weight) = nullptr;  ///< nullptr: not linear. -1: none.
  int (*weight_input_axis)(const graph::Node&, const Shape& weight) = nullptr;
  bool channels_first = false;  ///< Channels of input 0 and output 0 are axis 1; false: the last axis.
  /// The operator that also adds a bias a channel, where operands are matrices. Empty: this one does, or there is none.
  std::string_view with_bias = "";
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
  OperandRoles operands = {};
  ChannelLayout channels = {};
  /// Output 0 is input 0's bytes under another shape (Reshape, Squeeze, Identity).
  bool aliases_input = false;
  /// Kernel may be called with output 0 in input 0's storage when both types are equal.
  bool in_place = false;
  /// Under kSameAsInput: output 0 holds values between those of input 0 (linear Resize).
  bool interpolates = false;
  /// Under kSameAsInput: the operand whose one value output 0 also holds, for these attributes; where the node has no
  /// such operand the value is 0 (Pad in mode constant). nullptr, or empty: there is none.
  std::optional<std::size_t> (*fill_operand)(const graph::Node&) = nullptr;
  /// Under kSameAsInput: with these attributes output 0 may leave the range of input 0 (cubic Resize). nullptr: never.
  bool (*leaves_range)(const graph::Node&) = nullptr;
  /// Each channel (axis 1) of output 0 depends on the same channel of input 0 only.
  bool keeps_channels_apart = false;
  /// The result depends on the order of the float operands' values only (comparisons, ArgMax): codes on one grid
  /// give the same result as the real numbers they stand for.
  bool compares_values = false;
  /// Finite operands can give NaN (0 / 0, the root of a negative number). On grids that is 0: integer forms and
  /// simulated runs say so alike.
  bool partial = false;
  /// Output 0 is the sum of the data operands (Add, Sum), or the first less the second (Sub).
  bool sums = false;
  /// The operand that divides: 0 there gives infinity or NaN. Empty: none.
  std::optional<std::size_t> divisor = std::nullopt;
  /// The axis of the rows of which each value counts by its distance from the largest, exponentially: values far below
  /// it may be raised without changing output 0 (Softmax). nullptr: there are no such rows.
  int (*row_axis)(const graph::Node&, int rank) = nullptr;
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
