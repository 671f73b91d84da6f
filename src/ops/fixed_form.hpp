// fixed_form.hpp: how an operator becomes integer arithmetic: what lower_fixed() is given and gives back.
//
// lower_fixed() is the last place that sees a scale. The kernel it returns works
// on integer codes (int8, uint8, int16, uint16 by grid; see storage_dtype())
// and on integers computed here, and cannot fail.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "encoding/encoding.hpp"
#include "halfstep/arithmetic.hpp"
#include "numerics/fixed_point.hpp"
#include "ops/node_args.hpp"

namespace halfstep::ops {

/// The operands of a node as lower_fixed() sees them. `inputs` and `outputs`
/// are the graph's own types (float32 for quantized tensors: only the shapes
/// count); `values` are the real values of constants, as in the graph.
struct FixedArgs : NodeArgs {
  std::span<const TensorType> outputs;
  /// By operand: the grid its codes are on; nullptr for operands without encoding.
  std::span<const Encoding* const> input_encodings;
  /// By operand: the stored integers of an encoded constant, else nullptr.
  std::span<const Tensor* const> codes;
  /// By output: the grid to produce codes on; nullptr: nobody encoded it.
  std::span<const Encoding* const> output_encodings;
  FixedPointOptions options;

  const Encoding* input_encoding(std::size_t i) const {
    return i < input_encodings.size() ? input_encodings[i] : nullptr;
  }
  const Tensor* code(std::size_t i) const { return i < codes.size() ? codes[i] : nullptr; }
  const Encoding* output_encoding(std::size_t i = 0) const {
    return i < output_encodings.size() ? output_encodings[i] : nullptr;
  }
};

/// Why a sum of products cannot wrap.
struct AccumulatorProof {
  int bits = 0;                      ///< 32, 64 or 128; 0: the step has no accumulator.
  std::uint64_t worst_case = 0;      ///< Largest magnitude any input can cause, over all channels.
  std::int64_t worst_channel = -1;   ///< Where; -1: there is one channel only.
  std::int64_t raised_channels = 0;  ///< Channels whose weight scale was raised to make it fit.
};

/// What is printed of an integer step, and listed in reports.
struct FixedFacts {
  std::string kernel;                         ///< "convolution 3x3", "table of 256 entries", ...
  std::vector<numerics::FixedPoint> factors;  ///< (R1) by output channel or operand; may be empty.
  AccumulatorProof accumulator;
  std::vector<std::string> notes;     ///< More lines to print.
  std::vector<std::string> warnings;  ///< What the user must be told; without the node's name.
};

/// An operator ready to run on codes.
struct FixedForm {
  Prepared prepared;
  FixedFacts facts;
  /// By operand: a tensor to read instead of the node's own constant operand
  /// (packed or recoded weights), or empty. May be shorter than the operands.
  std::vector<std::optional<Tensor>> replaced_operands = {};
};

}  // namespace halfstep::ops
