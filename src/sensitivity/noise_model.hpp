// noise_model.hpp: what assignments of widths are expected to do to the outputs, from what single groups do.
//
// What a group alone changes at the outputs is kept as a vector: one element for each output element and sample, or
// for some of them. To first order these vectors add up, so that errors which point the same way, as the bias of a
// rounding rule does in every layer, count as what they are: far more than their powers added.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "exec/executor.hpp"
#include "halfstep/result.hpp"
#include "sensitivity/output_judge.hpp"

namespace halfstep::sensitivity {

/// Index into the candidates, by group. Candidate 0 is the model's own widths.
using Assignment = std::vector<std::size_t>;

/// Errors of one form at the outputs, float32 ones of shapes known before running: some elements of every sample, the
/// same for every form. Filled by several threads, each for other samples.
class ErrorVector {
 public:
  /// Of at most kMaxElements in all, evenly spread.
  ErrorVector(const OutputJudge& judge, std::int64_t num_samples);

  /// Errors: those of OutputJudge::output().
  Result<void> record(const OutputJudge& judge, std::int64_t sample, const exec::Executor& executor);

  std::span<const float> values() const { return values_; }
  /// To fill with what a run before recorded.
  std::span<float> values() { return values_; }

  static constexpr std::int64_t kMaxElements = 16384;

 private:
  std::int64_t per_sample_ = 0;
  std::int64_t stride_ = 1;
  std::vector<float> values_;
};

/// Error power of assignments.
class NoiseModel {
 public:
  NoiseModel(std::size_t num_groups, std::size_t num_candidates);

  /// What group `g` at candidate `c` changes; empty: nothing, as in float. All that are not empty have one length.
  void allow(std::size_t g, std::size_t c, std::vector<float> errors);
  bool is_allowed(std::size_t g, std::size_t c) const { return allowed_[at(g, c)]; }
  std::size_t num_groups() const { return num_groups_; }
  std::size_t num_candidates() const { return num_candidates_; }

  /// Call after the last allow() and before what follows. `signal_power`: of the same elements of the float model.
  void finish(double signal_power);

  /// Expected noise over signal power. Requires: every choice is allowed.
  double of(const Assignment& assignment) const;
  /// of() less what it is after group `g` has changed to candidate `c`.
  double gain(const Assignment& assignment, std::size_t g, std::size_t c) const;

 private:
  std::size_t at(std::size_t g, std::size_t c) const { return g * num_candidates_ + c; }
  double product(std::size_t a, std::size_t b) const { return products_[a * allowed_.size() + b]; }

  std::size_t num_groups_;
  std::size_t num_candidates_;
  std::vector<bool> allowed_;               // By at().
  std::vector<std::vector<float>> errors_;  // By at(); gone after finish().
  std::vector<double> products_;            // Of every two errors, over the signal's power.
};

}  // namespace halfstep::sensitivity
