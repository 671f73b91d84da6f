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
#include <optional>
#include <span>
#include <string_view>

#include "ops/node_args.hpp"
#include "ops/operand_count.hpp"
#include "ops/operand_roles.hpp"

namespace halfstep::ops {

/// What calibration must decide for an operator's outputs.
enum class OutputRule {
  kObserved,      ///< Needs a range of its own (Conv, Add, ...).
  kSameAsInput,   ///< Moves or selects values: reuses the encoding of input 0.
  kSameAsInputs,  ///< Moves the values of several inputs: Concat.
  kFixed,         ///< Range known from the mathematics (Sigmoid, Softmax).
  kNone,          ///< Outputs are not real numbers (Shape, ArgMax, comparisons), or stay float.
};

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
  OperandCount operand_count = {};
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
  /// Output 0 is the largest or the smallest of the data operands (Max, Min): an infinite constant limits nothing.
  bool picks_extreme = false;
  /// The operand that divides: 0 there gives infinity or NaN. Empty: none.
  std::optional<std::size_t> divisor = std::nullopt;
  /// The axis of the rows of which each value counts by its distance from the largest, exponentially: values far below
  /// it may be raised without changing output 0 (Softmax). nullptr: there are no such rows.
  int (*row_axis)(const graph::Node&, int rank) = nullptr;
  /// The same operands give different results each time: never folded.
  bool nondeterministic = false;
  /// A run may take far more steps than operands and outputs have elements (products, windows): see work_of().
  bool multiplies_work = false;

  Result<Inferred> (*infer)(const NodeArgs&) = nullptr;
  Result<Prepared> (*lower_float)(const LowerArgs&) = nullptr;
  /// The integer form. nullptr: there is none, unless the operator only moves or selects values (kSameAsInput,
  /// kSameAsInputs): then lower_float's kernel, which takes any type, moves the codes.
  /// Errors: kUnsupported with the reason if these operands have no integer form: the node stays float.
  Result<FixedForm> (*lower_fixed)(const FixedArgs&) = nullptr;
};

/// Every definition, sorted by (domain, type).
std::span<const OpDef> all_ops();

}  // namespace halfstep::ops
