// einsum_plan.hpp: an Einsum equation as a chain of gathers and batched matrix products.
//
// Operands are combined from left to right. Each pair becomes one batched
// matrix product: the labels of the two fall into batch (in both, still
// needed), left (in the first only), right (in the second only) and contracted
// (in both, not needed any more). A gather brings each side into [batch, rows,
// contracted] and [batch, contracted, columns]; it also takes diagonals
// (a label twice in one operand) and sums over labels only that operand has.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/shape.hpp"
#include "halfstep/result.hpp"

namespace halfstep::ops {

/// One loop of a gather: how far one step moves in the source.
struct GatherLoop {
  std::int64_t extent;
  std::int64_t stride;
};

/// target[i...] = sum over `summed` of source[...]; the target is row-major over `kept`.
struct Gather {
  std::vector<GatherLoop> kept;
  std::vector<GatherLoop> summed;
  std::int64_t num_elements = 1;  ///< Of the target.
  bool identity = false;          ///< The target would equal the source byte by byte.
};

/// c[batch, m, n] = a[batch, m, k] * b[batch, k, n].
struct BatchProduct {
  Gather a;  ///< From the result so far.
  Gather b;  ///< From the next operand.
  std::int64_t batch = 1;
  std::int64_t m = 1;
  std::int64_t n = 1;
  std::int64_t k = 1;

  std::int64_t num_elements() const { return batch * m * n; }
};

struct EinsumPlan {
  Shape output;
  std::vector<BatchProduct> products;  ///< One an operand after the first.
  Gather last;                         ///< From the last result (or the only operand) to the output.
};

/// Errors: kInvalidInput if the equation is malformed, does not fit the shapes,
/// or an intermediate tensor would be too large for `dtype`.
Result<EinsumPlan> plan_einsum(const std::string& equation, const std::vector<Shape>& operands, DType dtype);

}  // namespace halfstep::ops
