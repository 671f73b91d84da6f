// round_weights.hpp: the grid and the codes of weights that change a layer's output least, in closed form.
//
// Minimises sum over rows of (Q - W) H (Q - W)', Q = scale * (codes - zero point), H the centred moments of what the
// rows multiply (gram.hpp). In three steps:
//   range     each scale by the error that compensation would leave, sum over columns of D_j e_j^2 with e the error of
//             rounding to nearest (D: Compensation). This judges clipping and rounding by what counts in the end, and
//             costs rows * K a candidate instead of rows * K^2. The zero point stays: both ends shrink alike.
//   codes     column by column, each error compensated by the columns to come (Compensation::round).
//   descent   codes one by one, and in short rows two by two, by the undamped H (descend()).
// Rows go in blocks of a fixed size, whatever the number of threads: the same codes for any.
#pragma once

#include <Eigen/Core>
#include <span>
#include <vector>

#include "encoding/encoding.hpp"
#include "encoding/range_to_encoding.hpp"
#include "halfstep/result.hpp"

namespace halfstep::tune {

/// Rows that multiply the same vectors.
struct WeightGroup {
  Eigen::MatrixXd weights;                   ///< [rows, K]
  const Eigen::MatrixXd* moments = nullptr;  ///< H, [K, K], symmetric positive semidefinite; outlives the call.
};

struct RoundSettings {
  double damping = 0.01;     ///< Share of H's mean diagonal that is added to it for the codes. >= 0.
  int descent_rounds = 4;    ///< At most. >= 0.
  bool choose_range = true;  ///< false: the scales stay.
  int trials = 1;            ///< Of the best ranges, so many are rounded and compared; worth it below 8 bits. >= 1.
};

struct RoundRequest {
  std::span<const WeightGroup> groups;
  IntGrid grid;
  std::span<const QuantParams> start;     ///< The ranges found so far: one a row, group by group; or one for all rows.
  std::span<const double> lowest_scales;  ///< As many as `start`: no scale goes below; or none.
  ScaleKind scale = ScaleKind::kAffine;   ///< kPowerOfTwo: scales are `start`'s times 2^0, 2^-1, 2^-2, 2^-3.
  RoundSettings settings = {};
  int num_threads = 1;  ///< The result is the same for any.
};

struct RoundedWeights {
  std::vector<Eigen::MatrixXi> codes;  ///< [rows, K] for each group.
  std::vector<QuantParams> params;     ///< As many as RoundRequest::start. Scales are float32 values.
  double error_before = 0.0;           ///< Of rounding to nearest on `start` (raised to the lowest scales).
  double error_after = 0.0;            ///< Never more.
};

/// Where a grid's result would be worse than rounding to nearest on its start, it is that.
/// Errors: kInvalidInput if sizes do not fit each other, a scale is not positive, or a weight or moment is not finite;
/// kCalibration if no scale can reach a lowest one.
Result<RoundedWeights> round_weights(const RoundRequest& request);

}  // namespace halfstep::tune
