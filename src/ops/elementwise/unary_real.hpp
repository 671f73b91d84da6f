// unary_real.hpp: the unary operators as functions of real numbers, in double precision.
#pragma once

#include <functional>

#include "ops/node_args.hpp"

namespace halfstep::ops {

/// What the node does to one real number, its attributes and constant operands (bounds of Clip, exponent of Pow)
/// taken in. May give NaN and infinities where mathematics has no number.
///
/// Functions that jump where their argument meets a bound or an integer (Floor, Ceil, Round, ThresholdedRelu, Shrink)
/// look at the argument rounded to float32: the scale 0.1 is a float32 number a little above 0.1, and ten of its steps
/// mean 1 to every program that dequantizes.
///
/// Errors: kUnsupported if the operator is no such function, or an operand it needs is no constant scalar.
Result<std::function<double(double)>> real_function(const NodeArgs& args);

}  // namespace halfstep::ops
