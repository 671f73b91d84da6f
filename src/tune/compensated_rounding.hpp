// compensated_rounding.hpp: rounding rows of weights so that errors of one column make up for those of others.
//
// The error of a row is e H e', e = q - w. With columns in the order of processing, H + damping = (U + I) D (U + I)', U
// strictly upper triangular, D diagonal. Column j is rounded from w_j + sum over i < j of (w_i - q_i) U_ij; what is
// left of the error is then sum over j of D_j r_j^2, r_j the distance between that number and its code. This is GPTQ
// (Frantar et al., ICLR 2023): its Cholesky factor of the inverse is (U + I)^-1 with rows scaled by D^-1/2, and the two
// give the same codes (Chee et al., QuIP, NeurIPS 2023, theorem 6). U itself saves the inverse.
#pragma once

#include <Eigen/Core>
#include <span>
#include <vector>

#include "encoding/encoding.hpp"

namespace halfstep::tune {

/// The grid of each row: real = scale * (q - zero_point). [rows]
using RowParams = std::span<const QuantParams>;

/// The codes nearest to `weights` [rows, K], halves to even. Whole numbers on the grid.
Eigen::MatrixXd nearest_codes(const Eigen::MatrixXd& weights, IntGrid grid, RowParams params);

/// The real numbers that `codes` [rows, K] stand for, less `weights`.
Eigen::MatrixXd code_errors(const Eigen::MatrixXd& weights, const Eigen::MatrixXd& codes, RowParams params);

/// e H e' of each row of `errors` [rows, K]; H = `moments` [K, K].
Eigen::VectorXd row_errors(const Eigen::MatrixXd& errors, const Eigen::MatrixXd& moments);

/// H factored for compensation.
class Compensation {
 public:
  /// For symmetric positive semidefinite `moments` [K, K] without NaN. Columns go by falling diagonal. `damping`, a
  /// share of the mean diagonal, is added to it; more, until the matrix has a factor.
  Compensation(const Eigen::MatrixXd& moments, double damping);

  /// D [K], by column: the share of its squared rounding error that no later column can make up for.
  const Eigen::VectorXd& uncompensated() const { return uncompensated_; }

  /// The codes of `weights` [rows, K]: whole numbers on the grid.
  Eigen::MatrixXd round(const Eigen::MatrixXd& weights, IntGrid grid, RowParams params) const;

 private:
  std::vector<Eigen::Index> order_;  // order_[j]: the column that is rounded as number j.
  Eigen::MatrixXd feedback_;         // U, by that order.
  Eigen::VectorXd uncompensated_;
};

/// Coordinate descent: each code in turn goes where the row's error is least, others fixed; then, of rows of at most
/// kMaxPairedOrder, each pair of codes to the best of its neighbours. `rounds` at most, fewer if one changes nothing.
/// Columns whose variance is negligible stay as they are. Returns the rows' errors.
inline constexpr Eigen::Index kMaxPairedOrder = 32;
Eigen::VectorXd descend(const Eigen::MatrixXd& weights, const Eigen::MatrixXd& moments, IntGrid grid, RowParams params,
                        int rounds, Eigen::MatrixXd& codes);

}  // namespace halfstep::tune
