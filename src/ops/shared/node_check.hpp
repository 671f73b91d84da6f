// node_check.hpp: operand checks shared by the pooling, resizing, vision, normalization and softmax operators.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "ops/node_args.hpp"

namespace halfstep::ops::vision {

/// Operand `i` is given and float32. Errors: kInvalidInput, calling it `name`.
Result<void> require_float(const NodeArgs& args, std::size_t i, std::string_view name);

/// Operand `i` is given, float32 and has `extent` elements in one dimension.
Result<void> require_float_vector(const NodeArgs& args, std::size_t i, std::int64_t extent, std::string_view name);

/// Operand `i` is given and has at least `rank` dimensions.
Result<void> require_min_rank(const NodeArgs& args, std::size_t i, int rank, std::string_view name);

/// Operand `i` is given and has exactly `rank` dimensions.
Result<void> require_rank(const NodeArgs& args, std::size_t i, int rank, std::string_view name);

/// One output of `type`. Errors: those of check_shape().
Result<Inferred> one_output(TensorType type);

/// Input `i` of a running kernel was given.
inline bool given(const KernelIo& io, std::size_t i) { return i < io.inputs.size() && io.inputs[i].present(); }

/// Output `i` of a running kernel is wanted.
inline bool wanted(const KernelIo& io, std::size_t i) { return i < io.outputs.size() && io.outputs[i].present(); }

/// Sum of `count` values in double precision, in an order that does not depend on alignment.
double sum_of(const float* values, std::int64_t count);

/// Sum of (values[i] - center)^2 in double precision.
double sum_of_squares(const float* values, std::int64_t count, double center);

}  // namespace halfstep::ops::vision
