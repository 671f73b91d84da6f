// round_weights.cpp: chooses ranges, rounds on them, keeps what is better.
#include "tune/round_weights.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "core/errors.hpp"
#include "numerics/rounding.hpp"
#include "tune/compensated_rounding.hpp"

namespace halfstep::tune {
namespace {

constexpr int kAffineCandidates = 25;
constexpr double kCandidateStep = 0.025;  // Factors 1, 0.975, ..., 0.4.
constexpr int kPowerCandidates = 4;       // Factors 1, 1/2, 1/4, 1/8.
constexpr double kForbiddenRange = std::numeric_limits<double>::infinity();

// Rows of one group, and the grids they are on.
struct WeightRows {
  const WeightGroup* group;
  Compensation compensation;
  Eigen::Index first;  // Number of its first row among all rows.
};

// One outcome for all rows: codes by group, errors by row.
struct RoundOutcome {
  std::vector<Eigen::MatrixXd> codes;
  std::vector<double> errors;
};

class Rounder {
 public:
  explicit Rounder(const RoundRequest& request, std::vector<QuantParams> start)
      : request_(request), start_(std::move(start)) {
    for (const WeightGroup& group : request.groups) {
      sets_.push_back({&group, Compensation(*group.moments, request.settings.damping), num_rows_});
      num_rows_ += group.weights.rows();
    }
  }

  RoundedWeights run() const {
    const std::vector<std::vector<QuantParams>> ranges = best_ranges();
    RoundedWeights result;
    RoundOutcome best = nearest();
    result.params = start_;
    result.error_before = std::accumulate(best.errors.begin(), best.errors.end(), 0.0);
    for (const std::vector<QuantParams>& params : ranges) keep_better(params, compensated(params), best, result.params);
    result.error_after = std::accumulate(best.errors.begin(), best.errors.end(), 0.0);
    for (const Eigen::MatrixXd& codes : best.codes) result.codes.push_back(codes.cast<int>());
    return result;
  }

 private:
  std::size_t grid_of(Eigen::Index row) const { return start_.size() == 1 ? 0 : static_cast<std::size_t>(row); }

  std::vector<QuantParams> params_of(const WeightRows& set, const std::vector<QuantParams>& params) const {
    std::vector<QuantParams> rows;
    for (Eigen::Index i = 0; i < set.group->weights.rows(); ++i) rows.push_back(params[grid_of(set.first + i)]);
    return rows;
  }

  int num_candidates() const {
    if (!request_.settings.choose_range) return 1;
    return request_.scale == ScaleKind::kPowerOfTwo ? kPowerCandidates : kAffineCandidates;
  }

  std::vector<QuantParams> candidate(int index) const {
    std::vector<QuantParams> params = start_;
    for (QuantParams& p : params) {
      p.scale = request_.scale == ScaleKind::kPowerOfTwo
                    ? std::ldexp(p.scale, -index)
                    : numerics::to_float32(p.scale * (1.0 - kCandidateStep * index));
    }
    return params;
  }

  bool allowed(std::size_t grid, double scale) const {
    return scale > 0.0 && (request_.lowest_scales.empty() || scale >= request_.lowest_scales[grid]);
  }

  // What compensation would leave of the errors on `params`, by grid.
  std::vector<double> predicted(const std::vector<QuantParams>& params) const {
    std::vector<double> errors(start_.size(), 0.0);
    for (const WeightRows& set : sets_) {
      const std::vector<QuantParams> rows = params_of(set, params);
      const Eigen::MatrixXd& weights = set.group->weights;
      const Eigen::MatrixXd e = code_errors(weights, nearest_codes(weights, request_.grid, rows), rows);
      const Eigen::VectorXd left = e.cwiseAbs2() * set.compensation.uncompensated();
      for (Eigen::Index i = 0; i < left.size(); ++i) errors[grid_of(set.first + i)] += left[i];
    }
    return errors;
  }

  // The ranges worth rounding on, best first: entry t holds every grid's t-th best.
  std::vector<std::vector<QuantParams>> best_ranges() const {
    const int count = num_candidates();
    const int trials = std::min(count, request_.settings.trials);
    std::vector<std::vector<QuantParams>> candidates;
    std::vector<std::vector<double>> errors;
    for (int c = 0; c < count; ++c) {
      candidates.push_back(candidate(c));
      std::vector<QuantParams>& params = candidates.back();
      std::vector<double> banned(start_.size(), 0.0);
      for (std::size_t g = 0; g < start_.size(); ++g) {
        if (allowed(g, params[g].scale)) continue;
        banned[g] = kForbiddenRange;
        params[g] = start_[g];
      }
      errors.push_back(count == 1 ? banned : predicted(params));
      for (std::size_t g = 0; g < start_.size(); ++g) errors.back()[g] += banned[g];
    }
    std::vector<std::vector<QuantParams>> ranges(static_cast<std::size_t>(trials), start_);
    std::vector<std::size_t> order(static_cast<std::size_t>(count));
    for (std::size_t g = 0; g < start_.size(); ++g) {
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::stable_sort(order.begin(), order.end(),
                       [&](std::size_t a, std::size_t b) { return errors[a][g] < errors[b][g]; });
      for (std::size_t t = 0; t < ranges.size(); ++t) ranges[t][g] = candidates[order[t]][g];
    }
    return ranges;
  }

  RoundOutcome nearest() const {
    RoundOutcome outcome;
    for (const WeightRows& set : sets_) {
      const std::vector<QuantParams> rows = params_of(set, start_);
      outcome.codes.push_back(nearest_codes(set.group->weights, request_.grid, rows));
      const Eigen::VectorXd errors =
          row_errors(code_errors(set.group->weights, outcome.codes.back(), rows), *set.group->moments);
      outcome.errors.insert(outcome.errors.end(), errors.begin(), errors.end());
    }
    return outcome;
  }

  RoundOutcome compensated(const std::vector<QuantParams>& params) const {
    RoundOutcome outcome;
    for (const WeightRows& set : sets_) {
      const std::vector<QuantParams> rows = params_of(set, params);
      outcome.codes.push_back(set.compensation.round(set.group->weights, request_.grid, rows));
      const Eigen::VectorXd errors = descend(set.group->weights, *set.group->moments, request_.grid, rows,
                                             request_.settings.descent_rounds, outcome.codes.back());
      outcome.errors.insert(outcome.errors.end(), errors.begin(), errors.end());
    }
    return outcome;
  }

  // Replaces what `best` has on each grid where `tried`, on `params`, has less error.
  void keep_better(const std::vector<QuantParams>& params, const RoundOutcome& tried, RoundOutcome& best,
                   std::vector<QuantParams>& best_params) const {
    std::vector<double> gain(start_.size(), 0.0);
    for (std::size_t row = 0; row < tried.errors.size(); ++row) {
      gain[grid_of(static_cast<Eigen::Index>(row))] += best.errors[row] - tried.errors[row];
    }
    for (std::size_t s = 0; s < sets_.size(); ++s) {
      for (Eigen::Index i = 0; i < tried.codes[s].rows(); ++i) {
        const Eigen::Index row = sets_[s].first + i;
        if (!(gain[grid_of(row)] > 0.0)) continue;
        best.codes[s].row(i) = tried.codes[s].row(i);
        best.errors[static_cast<std::size_t>(row)] = tried.errors[static_cast<std::size_t>(row)];
        best_params[grid_of(row)] = params[grid_of(row)];
      }
    }
  }

  const RoundRequest& request_;
  std::vector<QuantParams> start_;
  std::vector<WeightRows> sets_;
  Eigen::Index num_rows_ = 0;
};

Result<void> check_round_request(const RoundRequest& request) {
  Eigen::Index rows = 0;
  for (const WeightGroup& group : request.groups) {
    const Eigen::Index k = group.weights.cols();
    if (group.moments->rows() != k || group.moments->cols() != k || k == 0) {
      return invalid("moments of " + std::to_string(group.moments->rows()) + " inputs, rows of " + std::to_string(k) +
                     " weights");
    }
    if (!group.weights.allFinite() || !group.moments->allFinite()) return invalid("a weight or moment is not finite");
    rows += group.weights.rows();
  }
  if (request.start.size() != 1 && static_cast<Eigen::Index>(request.start.size()) != rows) {
    return invalid(std::to_string(request.start.size()) + " grids for " + std::to_string(rows) + " rows");
  }
  if (!request.lowest_scales.empty() && request.lowest_scales.size() != request.start.size()) {
    return invalid(std::to_string(request.lowest_scales.size()) + " lowest scales for " +
                   std::to_string(request.start.size()) + " grids");
  }
  return {};
}

// The start raised to what is allowed.
Result<std::vector<QuantParams>> start_above_lowest(const RoundRequest& request) {
  std::vector<QuantParams> start(request.start.begin(), request.start.end());
  for (std::size_t g = 0; g < start.size(); ++g) {
    double& scale = start[g].scale;
    if (!(scale > 0.0) || !std::isfinite(scale)) return invalid("a scale is not finite and positive");
    const double lowest = request.lowest_scales.empty() ? 0.0 : request.lowest_scales[g];
    if (!(lowest <= largest_scale(request.grid, start[g].zero_point))) {
      return Error{ErrorCode::kCalibration, "no float32 scale is above the lowest one that the bias allows"};
    }
    if (scale >= lowest) continue;
    scale = request.scale == ScaleKind::kPowerOfTwo ? std::ldexp(1.0, numerics::ceil_log2(lowest))
                                                    : numerics::to_float32_up(lowest);
  }
  return start;
}

}  // namespace

Result<RoundedWeights> round_weights(const RoundRequest& request) {
  if (auto checked = check_round_request(request); !checked.ok()) return checked.error();
  Result<std::vector<QuantParams>> start = start_above_lowest(request);
  if (!start.ok()) return start.error();
  return Rounder(request, *std::move(start)).run();
}

}  // namespace halfstep::tune
