// element_fixed.hpp: what the integer forms of element-wise operators share: which operands are codes, which are real
// constants, and where channels lie.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ops/fixed_form.hpp"
#include "ops/shared/element_rows.hpp"
#include "ops/shared/fixed_support.hpp"

namespace halfstep::ops {

/// One operand of an element-wise operator.
struct ElementOperand {
  /// The grid of its codes, of 16 bits or fewer; nullptr: a constant that is taken into the factors as real numbers.
  const Encoding* encoding = nullptr;
  /// Of the operand. Real constants are repeated along the channel axis if there is one.
  Shape shape;
  std::vector<double> reals;           ///< Of a real constant: one an element of `shape`. Not NaN.
  std::vector<std::uint32_t> channel;  ///< Of a real constant: the channel each element meets.

  bool is_codes() const { return encoding != nullptr; }
};

/// The operands of a node, and the result they broadcast to.
struct ElementOperands {
  std::vector<ElementOperand> operands;
  const Encoding* output = nullptr;
  std::optional<int> channel_axis;  ///< Of the result; empty: no encoding is per channel.
  std::size_t num_channels = 1;

  std::vector<Shape> shapes() const;
};

/// Elements of a real constant, times the channels it may be repeated for.
inline constexpr std::size_t kMaxReals = std::size_t{1} << 26;

/// How read_operands() shall see a node.
struct ReadOptions {
  std::optional<int> channel_axis = {};          ///< Rows must not cross channels along it, whatever the encodings say.
  std::optional<std::size_t> real_operand = {};  ///< Taken as real if it is a constant, even if it is encoded.
};

/// Operands [0, count) of `args` and output 0. An operand is codes if it is an activation with an encoding, or a
/// constant with an encoding of 16 bits or fewer; other constants are real: the value of their codes, or their own.
/// Errors: kUnsupported if an activation or the output has no encoding of 16 bits or fewer, a real constant holds a
/// NaN, or encodings are per channel along different axes.
Result<ElementOperands> read_operands(const FixedArgs& args, std::size_t count, const ReadOptions& options = {});

/// q - z for every q that the storage type of `encoding` holds, on its grid or not.
CodeRange stored_range(const Encoding& encoding, std::size_t channel);

/// The real numbers of constant operand `i`: those of its codes if it is encoded, else its own values.
/// Empty if it is no constant of real numbers.
std::vector<double> constant_reals(const FixedArgs& args, std::size_t i);

}  // namespace halfstep::ops
