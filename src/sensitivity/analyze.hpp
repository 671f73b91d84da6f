// analyze.hpp: what each quantizer group costs, alone and among all others.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "encoding/quantized_graph.hpp"
#include "exec/samples.hpp"
#include "halfstep/arithmetic.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "sensitivity/groups.hpp"
#include "sensitivity/output_judge.hpp"
#include "sensitivity/partial.hpp"
#include "sensitivity/staged_runs.hpp"

namespace halfstep::sensitivity {

enum class Direction {
  kOnly,    ///< Only the group is quantized ("enable one").
  kAllBut,  ///< All but the group is quantized ("disable one").
};

/// "only", "all-but".
const char* name_of(Direction direction);

/// One form of the model that is run over all samples.
struct Run {
  Direction direction = Direction::kOnly;
  Part part = Part::kBoth;
  std::optional<std::size_t> group = std::nullopt;  ///< Index; empty: kOnly with all groups, kAllBut with none.
};

struct AnalysisRequest {
  const QuantizedGraph* quantized = nullptr;
  const graph::Graph* reference = nullptr;              ///< In float.
  std::set<std::string, std::less<>> other_units = {};  ///< See PartialQuantization.
  ops::InputShapes shapes;
  exec::SampleSource samples;
  FixedPointOptions fixed;
  int num_threads = 1;
  std::size_t memory_bytes = std::size_t{512} << 20;
  bool wants_only = true;
  bool wants_all_but = true;
  bool wants_parts = true;  ///< Weights and activations apart, too.
  /// Whether this process takes the run of this index; empty: all. What others take has no score here.
  std::function<bool(std::size_t index)> takes = {};
  /// A score that is known already, by the key of its run. May be empty.
  std::function<std::optional<OutputScore>(const std::string& key)> known = {};
  /// Called for each new score, in the order they are found. May be empty.
  std::function<Result<void>(const std::string& key, const OutputScore& score)> found = {};
  /// Sees every run of every sample, from several threads. May be empty.
  std::function<Result<void>(const Run& run, std::int64_t sample, const exec::Executor&)> seen = {};
  /// What an outside program says of a run whose samples `seen` has seen, OutputScore::command_score. May be empty.
  std::function<Result<double>(const Run& run)> command_score = {};
  std::function<void(std::int64_t done, std::int64_t total)> progress = {};
};

struct Analysis {
  std::vector<QuantizerGroup> groups;
  std::vector<PartScores> only;     ///< By group.
  std::vector<PartScores> all_but;  ///< By group.
  PartScores whole;                 ///< Everything quantized; all weights; all activations.
  std::vector<std::string> kept_weights;
  std::int64_t num_runs = 0;        ///< Over all samples.
  std::int64_t num_known = 0;       ///< Not run: the score was known.
  std::int64_t num_left = 0;        ///< Taken by others.
  std::int64_t nodes_run = 0;       ///< Of one sample, over all runs.
  std::int64_t nodes_unshared = 0;  ///< The same if every run began at the inputs.
};

/// Every run that a request asks for, the whole model first, then by group; the order is part of what shards agree on.
std::vector<Run> runs_of(const std::vector<QuantizerGroup>& groups, const AnalysisRequest& request);

/// The name of a run, the same in every process that analyses the same model: "only/weights/<tensor>".
std::string key_of(const Run& run, const std::vector<QuantizerGroup>& groups);

/// Runs what is asked for. The same for every number of threads, memory budget and split into shards.
/// Errors: those of run_staged() and of `found`.
Result<Analysis> analyze(const AnalysisRequest& request, const OutputJudge& judge);

/// Of `request.base` itself, from its inputs. Errors: those of run_staged().
Result<OutputScore> score_of(const StagedRequest& request, const OutputJudge& judge);

}  // namespace halfstep::sensitivity
