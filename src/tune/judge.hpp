// judge.hpp: how close a quantized model comes to the float model on samples that no algorithm has seen.
#pragma once

#include <cstdint>
#include <vector>

#include "encoding/quantized_graph.hpp"
#include "exec/samples.hpp"
#include "halfstep/arithmetic.hpp"
#include "halfstep/result.hpp"

namespace halfstep::tune {

/// Of one model over the held-out samples.
struct Score {
  std::vector<double> sqnr_db;  ///< Of each float32 output, all samples together; at most 200.
  double mean_db = 0.0;         ///< Their mean; 0 without such an output.
  double agreement = 0.0;       ///< Percent of samples whose largest element of output 0 is at the same place.
};

/// Smaller than what a model gains or loses by chance on a few samples.
inline constexpr double kNoLossDb = 0.05;
/// What equalizing may lose as long as weights are rounded to nearest, if they will be rounded by their inputs: its
/// factors count on that, which on mobilenetv2_tv wins 0.4 dB more behind it.
inline constexpr double kLossBeforeRoundingDb = 0.3;
/// What a single output may lose where all of them together win.
inline constexpr double kOneOutputDb = 0.5;

/// What a change must win where it is a risk: it alters the float function, or its ranges clip what held-out samples,
/// who took part in choosing ranges, seldom show.
inline constexpr double kClearGainDb = 1.5;
/// What equalizing must win where fewer than kFewJudges judge.
inline constexpr double kGainOfFewDb = 1.0;
inline constexpr std::int64_t kFewJudges = 24;

/// Whether the change from `before` to `after` makes the model worse: all outputs together do not win `needed_db`, or
/// one of them loses more than kOneOutputDb.
bool is_worse(const Score& before, const Score& after, double needed_db = -kNoLossDb);

/// Holds the float model's outputs for the held-out samples.
class Judge {
 public:
  /// Runs `reference` in float on `held_out`; its outputs stay in memory, so at most as many samples as fit into 64 MiB
  /// of them, but at least one, are used.
  /// Errors: those of lowering, loading and running.
  static Result<Judge> make(const graph::Graph& reference, const exec::SampleSource& held_out, int num_threads);

  /// Runs `model` in fixed point. The same for every number of threads.
  /// Errors: those of lowering, loading and running.
  Result<Score> score(const QuantizedGraph& model, const FixedPointOptions& fixed) const;

  /// The same for a float model with the same outputs: what a change of the float function costs.
  Result<Score> score_float(const graph::Graph& graph) const;

  /// False if no output is float32 of a shape that is known before running: all scores are the same then.
  bool can_judge() const { return !indices_.empty(); }
  std::int64_t num_samples() const { return static_cast<std::int64_t>(outputs_.size()); }

 private:
  exec::SampleSource held_out_;
  int num_threads_ = 1;
  std::vector<std::vector<Tensor>> outputs_;  // By sample, then by output; float32 ones only.
  std::vector<std::size_t> indices_;          // Which outputs those are.
};

}  // namespace halfstep::tune
