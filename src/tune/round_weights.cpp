// round_weights.cpp: chooses ranges, rounds on them, keeps what is better.
#include "tune/round_weights.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <new>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "core/errors.hpp"
#include "core/ordered_parallel.hpp"
#include "numerics/rounding.hpp"
#include "tune/compensated_rounding.hpp"

namespace halfstep::tune {
namespace {

constexpr int kAffineCandidates = 25;
constexpr double kCandidateStep = 0.025;  // Factors 1, 0.975, ..., 0.4.
constexpr int kPowerCandidates = 4;       // Factors 1, 1/2, 1/4, 1/8.
constexpr double kForbiddenRange = std::numeric_limits<double>::infinity();

constexpr Eigen::Index kBlockRows = 64;
constexpr std::size_t kJobsOfThread = 8;  // Blocks take longer or shorter: so a thread that is done early helps.

// Some rows of one group.
struct RowBlock {
  std::size_t group;
  Eigen::Index first_of_group;  // Number of its first row in the group.
  Eigen::Index first;           // And among all rows.
  Eigen::MatrixXd weights;      // [rows, K]
};

// One outcome for all rows: codes by block, errors by row.
struct RoundOutcome {
  std::vector<Eigen::MatrixXd> codes;
  Eigen::VectorXd errors;
};

class Rounder {
 public:
  explicit Rounder(const RoundRequest& request, std::vector<QuantParams> start)
      : request_(request), start_(std::move(start)), compensations_(request.groups.size()) {
    for (std::size_t g = 0; g < request.groups.size(); ++g) {
      const Eigen::MatrixXd& weights = request.groups[g].weights;
      for (Eigen::Index first = 0; first < weights.rows(); first += kBlockRows) {
        const Eigen::Index count = std::min(kBlockRows, weights.rows() - first);
        blocks_.push_back({g, first, num_rows_ + first, weights.middleRows(first, count)});
      }
      num_rows_ += weights.rows();
    }
    in_parallel(request.groups.size(), [&](std::size_t g) {
      compensations_[g].emplace(*request.groups[g].moments, request.settings.damping);
    });
  }

  RoundedWeights run() const {
    const std::vector<std::vector<QuantParams>> ranges = best_ranges();
    RoundedWeights result;
    RoundOutcome best = nearest();
    result.params = start_;
    result.error_before = best.errors.sum();
    for (const std::vector<QuantParams>& params : ranges) keep_better(params, compensated(params), best, result.params);
    result.error_after = best.errors.sum();
    for (const WeightGroup& group : request_.groups) {
      result.codes.emplace_back(group.weights.rows(), group.weights.cols());
    }
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      const RowBlock& block = blocks_[b];
      result.codes[block.group].middleRows(block.first_of_group, block.weights.rows()) = best.codes[b].cast<int>();
    }
    return result;
  }

 private:
  // Calls run(i) for i in [0, count) on all threads: each call writes only what is its own.
  void in_parallel(std::size_t count, const std::function<void(std::size_t)>& run) const {
    const auto num_threads = static_cast<std::size_t>(std::max(1, request_.num_threads));
    const std::size_t num_jobs = std::min(count, kJobsOfThread * num_threads);
    const auto run_job = [&](std::int64_t job, int) -> Result<void> {
      const auto j = static_cast<std::size_t>(job);
      for (std::size_t i = j * count / num_jobs; i < (j + 1) * count / num_jobs; ++i) run(i);
      return {};
    };
    const auto nothing = [](std::int64_t, int) -> Result<void> { return {}; };
    const auto ran = ordered_parallel_for(static_cast<std::int64_t>(num_jobs), request_.num_threads, run_job, nothing);
    if (!ran.ok()) throw std::bad_alloc();  // What became this error on its way out of the thread.
  }

  std::size_t grid_of(Eigen::Index row) const { return start_.size() == 1 ? 0 : static_cast<std::size_t>(row); }

  std::vector<QuantParams> params_of(const RowBlock& block, const std::vector<QuantParams>& params) const {
    std::vector<QuantParams> rows;
    for (Eigen::Index i = 0; i < block.weights.rows(); ++i) rows.push_back(params[grid_of(block.first + i)]);
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
    for (const RowBlock& block : blocks_) {
      const std::vector<QuantParams> rows = params_of(block, params);
      const Eigen::MatrixXd e = code_errors(block.weights, nearest_codes(block.weights, request_.grid, rows), rows);
      const Eigen::VectorXd left = e.cwiseAbs2() * compensations_[block.group]->uncompensated();
      for (Eigen::Index i = 0; i < left.size(); ++i) errors[grid_of(block.first + i)] += left[i];
    }
    return errors;
  }

  // The ranges worth rounding on, best first: entry t holds every grid's t-th best.
  std::vector<std::vector<QuantParams>> best_ranges() const {
    const auto count = static_cast<std::size_t>(num_candidates());
    const std::size_t trials = std::min(count, static_cast<std::size_t>(request_.settings.trials));
    std::vector<std::vector<QuantParams>> candidates(count);
    std::vector<std::vector<double>> errors(count);
    in_parallel(count, [&](std::size_t c) {
      candidates[c] = candidate(static_cast<int>(c));
      std::vector<double> banned(start_.size(), 0.0);
      for (std::size_t g = 0; g < start_.size(); ++g) {
        if (allowed(g, candidates[c][g].scale)) continue;
        banned[g] = kForbiddenRange;
        candidates[c][g] = start_[g];
      }
      errors[c] = count == 1 ? banned : predicted(candidates[c]);
      for (std::size_t g = 0; g < start_.size(); ++g) errors[c][g] += banned[g];
    });
    std::vector<std::vector<QuantParams>> ranges(trials, start_);
    std::vector<std::size_t> order(count);
    for (std::size_t g = 0; g < start_.size(); ++g) {
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::stable_sort(order.begin(), order.end(),
                       [&](std::size_t a, std::size_t b) { return errors[a][g] < errors[b][g]; });
      for (std::size_t t = 0; t < ranges.size(); ++t) ranges[t][g] = candidates[order[t]][g];
    }
    return ranges;
  }

  // `round` gives a block its codes on its rows' params, and the errors these leave.
  RoundOutcome outcome_on(
      const std::vector<QuantParams>& params,
      const std::function<Eigen::VectorXd(const RowBlock&, RowParams, Eigen::MatrixXd& codes)>& round) const {
    RoundOutcome outcome{std::vector<Eigen::MatrixXd>(blocks_.size()), Eigen::VectorXd(num_rows_)};
    in_parallel(blocks_.size(), [&](std::size_t b) {
      const RowBlock& block = blocks_[b];
      outcome.errors.segment(block.first, block.weights.rows()) =
          round(block, params_of(block, params), outcome.codes[b]);
    });
    return outcome;
  }

  RoundOutcome nearest() const {
    return outcome_on(start_, [&](const RowBlock& block, RowParams rows, Eigen::MatrixXd& codes) {
      codes = nearest_codes(block.weights, request_.grid, rows);
      return row_errors(code_errors(block.weights, codes, rows), *request_.groups[block.group].moments);
    });
  }

  RoundOutcome compensated(const std::vector<QuantParams>& params) const {
    return outcome_on(params, [&](const RowBlock& block, RowParams rows, Eigen::MatrixXd& codes) {
      codes = compensations_[block.group]->round(block.weights, request_.grid, rows);
      return descend(block.weights, *request_.groups[block.group].moments, request_.grid, rows,
                     request_.settings.descent_rounds, codes);
    });
  }

  // Replaces what `best` has on each grid where `tried`, on `params`, has less error.
  void keep_better(const std::vector<QuantParams>& params, const RoundOutcome& tried, RoundOutcome& best,
                   std::vector<QuantParams>& best_params) const {
    std::vector<double> gain(start_.size(), 0.0);
    for (Eigen::Index row = 0; row < num_rows_; ++row) gain[grid_of(row)] += best.errors[row] - tried.errors[row];
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      for (Eigen::Index i = 0; i < tried.codes[b].rows(); ++i) {
        const Eigen::Index row = blocks_[b].first + i;
        if (!(gain[grid_of(row)] > 0.0)) continue;
        best.codes[b].row(i) = tried.codes[b].row(i);
        best.errors[row] = tried.errors[row];
        best_params[grid_of(row)] = params[grid_of(row)];
      }
    }
  }

  const RoundRequest& request_;
  std::vector<QuantParams> start_;
  std::vector<RowBlock> blocks_;
  std::vector<std::optional<Compensation>> compensations_;  // One a group.
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
