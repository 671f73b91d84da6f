// assignment.hpp: a width for each quantizer group, what that costs, and the way from the cheapest to the best.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "encoding/quantized_graph.hpp"
#include "halfstep/mixed_precision_search.hpp"
#include "ops/infer_graph.hpp"
#include "sensitivity/groups.hpp"
#include "sensitivity/noise_model.hpp"

namespace halfstep::sensitivity {

/// Cost of one operation on operands of these widths (32: float32), relative to others.
using OperationCost = std::function<double(int activation_bits, int weight_bits)>;

/// Bit operations: the product of both widths.
double bit_operations(int activation_bits, int weight_bits);

/// What an assignment costs: for every node its multiply-accumulates, or, where it has none, the elements that it
/// writes times an operand of 8 bits, each at the cost of the widths it reads.
class CostModel {
 public:
  CostModel(const QuantizedGraph& model, const ops::Facts& facts, const std::vector<QuantizerGroup>& groups,
            std::vector<PrecisionCandidate> candidates, OperationCost cost);

  double of(const Assignment& assignment) const;

 private:
  /// A node's operations, and who decides how wide its two operands are; empty: nobody, they are real.
  struct Work {
    double operations = 0.0;
    std::optional<std::size_t> data;     ///< Group whose activations it reads: the widest of several counts.
    std::vector<std::size_t> more_data;  ///< Groups of its other data operands.
    std::optional<std::size_t> weights;  ///< Group of its weights.
    bool has_weights = false;
    bool two_data = false;  ///< A product of two activations.
  };

  std::vector<PrecisionCandidate> candidates_;
  OperationCost cost_;
  std::vector<Work> work_;
};

/// One assignment on the way.
struct CurvePoint {
  Assignment assignment;
  double cost = 0.0;
  double noise = 0.0;                     ///< NoiseModel::of().
  std::optional<std::size_t> group = {};  ///< That changed last; empty: none.
};

/// From candidate 0 everywhere, change by change, until no change takes noise away. With `by_cost` each time the change
/// that takes away most for its cost; else few layers change: the one from which most can be taken away, to the
/// cheapest candidate that takes away nearly as much.
std::vector<CurvePoint> pareto_curve(const NoiseModel& noise, const CostModel& costs, bool by_cost);

/// The assignment of least expected noise that costs at most `budget`, as far as single changes and exchanges of two
/// groups find it, from the last point of `curve` that fits. Empty: even candidate 0 everywhere costs more.
std::optional<Assignment> best_within(const NoiseModel& noise, const CostModel& costs,
                                      const std::vector<CurvePoint>& curve, double budget);

}  // namespace halfstep::sensitivity
