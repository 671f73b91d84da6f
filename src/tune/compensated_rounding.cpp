// compensated_rounding.cpp: column after column over all rows at once, then descent row by row.
#include "tune/compensated_rounding.hpp"

#include <Eigen/Cholesky>
#include <algorithm>
#include <numeric>

#include "numerics/rounding.hpp"

namespace halfstep::tune {
namespace {

// Columns whose feedback is applied to each other at once; what they leave to later ones becomes one matrix product.
constexpr Eigen::Index kLazyColumns = 48;
// A column with less variance than this share of the mean is constant but for rounding errors.
constexpr double kNegligibleVariance = 1e-10;

const QuantParams& of_row(RowParams params, Eigen::Index row) { return params[static_cast<std::size_t>(row)]; }

// The code nearest to `real`, as a whole number. Clamped first: then it is in the range that rounding asks for.
double nearest_code(double real, IntGrid grid, const QuantParams& p) {
  const double zero_point = p.zero_point;
  return numerics::round_half_even(std::clamp(real / p.scale, grid.q_min - zero_point, grid.q_max - zero_point)) +
         zero_point;
}

// One row during descent: its codes and their gradient, H e' (half of it).
struct DescentRow {
  const Eigen::MatrixXd& moments;
  IntGrid grid;
  QuantParams params;
  double negligible;
  Eigen::Ref<Eigen::VectorXd> codes;
  Eigen::Ref<Eigen::VectorXd> gradient;

  double lowest_step(Eigen::Index j) const { return grid.q_min - codes[j]; }
  double highest_step(Eigen::Index j) const { return grid.q_max - codes[j]; }
  bool counts(Eigen::Index j) const { return moments(j, j) > negligible; }

  // By how much the error changes where code j moves by `step`.
  double change(Eigen::Index j, double step) const {
    const double move = params.scale * step;
    return move * (2.0 * gradient[j] + move * moments(j, j));
  }

  void move(Eigen::Index j, double step) {
    codes[j] += step;
    gradient += params.scale * step * moments.col(j);
  }

  bool descend_single() {
    bool changed = false;
    for (Eigen::Index j = 0; j < codes.size(); ++j) {
      if (!counts(j)) continue;
      const double best = -gradient[j] / (params.scale * moments(j, j));
      const double step = numerics::round_half_even(std::clamp(best, lowest_step(j), highest_step(j)));
      if (step == 0.0 || change(j, step) >= 0.0) continue;
      move(j, step);
      changed = true;
    }
    return changed;
  }

  bool descend_pair(Eigen::Index i, Eigen::Index j) {
    double best_i = 0.0;
    double best_j = 0.0;
    double least = -1e-12 * moments(i, i) * params.scale * params.scale;  // Not for rounding errors.
    for (const double a : {-1.0, 1.0}) {
      if (a < lowest_step(i) || a > highest_step(i)) continue;
      for (const double b : {-1.0, 1.0}) {
        if (b < lowest_step(j) || b > highest_step(j)) continue;
        const double both = change(i, a) + change(j, b) + 2.0 * params.scale * params.scale * a * b * moments(i, j);
        if (both < least) {
          least = both;
          best_i = a;
          best_j = b;
        }
      }
    }
    if (best_i == 0.0) return false;
    move(i, best_i);
    move(j, best_j);
    return true;
  }

  bool descend_pairs() {
    bool changed = false;
    for (Eigen::Index i = 0; i < codes.size(); ++i) {
      for (Eigen::Index j = i + 1; j < codes.size(); ++j) {
        if (counts(i) && counts(j) && descend_pair(i, j)) changed = true;
      }
    }
    return changed;
  }
};

}  // namespace

Eigen::MatrixXd nearest_codes(const Eigen::MatrixXd& weights, IntGrid grid, RowParams params) {
  Eigen::MatrixXd codes(weights.rows(), weights.cols());
  for (Eigen::Index j = 0; j < weights.cols(); ++j) {
    for (Eigen::Index i = 0; i < weights.rows(); ++i)
      codes(i, j) = nearest_code(weights(i, j), grid, of_row(params, i));
  }
  return codes;
}

Eigen::MatrixXd code_errors(const Eigen::MatrixXd& weights, const Eigen::MatrixXd& codes, RowParams params) {
  Eigen::MatrixXd errors(weights.rows(), weights.cols());
  for (Eigen::Index j = 0; j < weights.cols(); ++j) {
    for (Eigen::Index i = 0; i < weights.rows(); ++i) {
      const QuantParams& p = of_row(params, i);
      errors(i, j) = p.scale * (codes(i, j) - p.zero_point) - weights(i, j);
    }
  }
  return errors;
}

Eigen::VectorXd row_errors(const Eigen::MatrixXd& errors, const Eigen::MatrixXd& moments) {
  return (errors * moments).cwiseProduct(errors).rowwise().sum();
}

Compensation::Compensation(const Eigen::MatrixXd& moments, double damping)
    : order_(static_cast<std::size_t>(moments.cols())), uncompensated_(moments.cols()) {
  const Eigen::Index k = moments.cols();
  std::iota(order_.begin(), order_.end(), Eigen::Index{0});
  std::stable_sort(order_.begin(), order_.end(),
                   [&](Eigen::Index a, Eigen::Index b) { return moments(a, a) > moments(b, b); });
  // An upper triangular factor is a lower one with the order of columns turned round.
  const auto column = [&](Eigen::Index j) { return order_[static_cast<std::size_t>(k - 1 - j)]; };
  Eigen::MatrixXd turned(k, k);
  for (Eigen::Index j = 0; j < k; ++j) {
    for (Eigen::Index i = 0; i < k; ++i) turned(i, j) = moments(column(i), column(j));
  }
  const double mean = moments.diagonal().mean();
  double added = mean > 0.0 ? damping * mean : 1.0;
  Eigen::LLT<Eigen::MatrixXd> factor;
  for (double before = 0.0;; before = added, added = std::max(10.0 * added, 1e-8 * mean)) {
    turned.diagonal().array() += added - before;
    factor.compute(turned);
    if (factor.info() == Eigen::Success) break;
  }
  feedback_ = Eigen::MatrixXd::Zero(k, k);
  for (Eigen::Index j = 0; j < k; ++j) {
    const double root = factor.matrixLLT()(k - 1 - j, k - 1 - j);
    uncompensated_[order_[static_cast<std::size_t>(j)]] = root * root;
    for (Eigen::Index i = 0; i < j; ++i) feedback_(i, j) = factor.matrixLLT()(k - 1 - i, k - 1 - j) / root;
  }
}

Eigen::MatrixXd Compensation::round(const Eigen::MatrixXd& weights, IntGrid grid, RowParams params) const {
  const Eigen::Index rows = weights.rows();
  const Eigen::Index k = weights.cols();
  Eigen::MatrixXd codes(rows, k);
  Eigen::MatrixXd missing(rows, k);  // w - q, by the order of processing.
  Eigen::MatrixXd target;
  for (Eigen::Index first = 0; first < k; first += kLazyColumns) {
    const Eigen::Index count = std::min(kLazyColumns, k - first);
    target.resize(rows, count);
    for (Eigen::Index j = 0; j < count; ++j) target.col(j) = weights.col(order_[static_cast<std::size_t>(first + j)]);
    if (first > 0) target.noalias() += missing.leftCols(first) * feedback_.block(0, first, first, count);
    for (Eigen::Index j = 0; j < count; ++j) {
      const Eigen::Index column = order_[static_cast<std::size_t>(first + j)];
      for (Eigen::Index i = 0; i < rows; ++i) {
        const QuantParams& p = of_row(params, i);
        const double code = nearest_code(target(i, j), grid, p);
        codes(i, column) = code;
        missing(i, first + j) = weights(i, column) - p.scale * (code - p.zero_point);
      }
      for (Eigen::Index later = j + 1; later < count; ++later) {
        target.col(later) += feedback_(first + j, first + later) * missing.col(first + j);
      }
    }
  }
  return codes;
}

Eigen::VectorXd descend(const Eigen::MatrixXd& weights, const Eigen::MatrixXd& moments, IntGrid grid, RowParams params,
                        int rounds, Eigen::MatrixXd& codes) {
  // By columns from here on: a row's numbers lie next to each other then.
  Eigen::MatrixXd gradients = moments * code_errors(weights, codes, params).transpose();
  Eigen::MatrixXd turned = codes.transpose();
  const double negligible = kNegligibleVariance * moments.diagonal().mean();
  for (Eigen::Index i = 0; i < weights.rows(); ++i) {
    DescentRow row{moments, grid, of_row(params, i), negligible, turned.col(i), gradients.col(i)};
    for (int round = 0; round < rounds; ++round) {
      bool changed = row.descend_single();
      if (!changed && weights.cols() <= kMaxPairedOrder) changed = row.descend_pairs();
      if (!changed) break;
    }
  }
  codes = turned.transpose();
  return code_errors(weights, codes, params).cwiseProduct(gradients.transpose()).rowwise().sum();
}

}  // namespace halfstep::tune
