// linear_rows.hpp: the constant weight of a linear node as rows that multiply vectors of its input.
#pragma once

#include <cstdint>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::tune {

/// Where the weights of a linear node lie: y[row] = sum over k of W[row, k] * x[k], with x of the row's group. In a
/// convolution k counts as a row of the weight does, [C / groups, taps of the kernel].
struct LinearRows {
  std::int64_t groups = 1;
  std::int64_t rows = 0;      ///< Output channels of all groups; those of a group are neighbours.
  std::int64_t k = 0;         ///< Inputs of one row.
  std::int64_t row_step = 0;  ///< From row to row, in elements of the weight.
  std::int64_t k_step = 0;    ///< From input to input.
  bool windows = false;       ///< Vectors are windows of an image (Conv), not rows of a matrix.

  std::int64_t element(std::int64_t row, std::int64_t i) const { return row * row_step + i * k_step; }
  std::int64_t rows_of_group() const { return rows / groups; }
};

/// Requires: the operator's infer accepts such a weight.
/// Errors: kUnsupported with the reason: the node is not linear, a transposed convolution (its windows overlap in the
/// output), or multiplies by more than one matrix; or a weight is empty.
Result<LinearRows> linear_rows(const graph::Node& node, const Shape& weight);

}  // namespace halfstep::tune
