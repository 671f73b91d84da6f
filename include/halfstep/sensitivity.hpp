// sensitivity.hpp: what each layer's quantization costs, alone and among all others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "halfstep/evaluate.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/result.hpp"
#include "halfstep/shard.hpp"

namespace halfstep {

/// Which runs there are for each quantizer group.
enum class SensitivityDirection {
  kBoth,
  kEnableOne,   ///< Only the group is quantized.
  kDisableOne,  ///< All but the group is quantized.
};

struct SensitivityRequest : PairRequest {
  std::int64_t num_samples = 100;  ///< The first ones of the list, at most; all of one shape.
  SensitivityDirection direction = SensitivityDirection::kBoth;
  bool parts = true;  ///< Weights and activations apart, too.
  /// A shell command that scores every run beside what is measured; see EvaluateRequest::metric_command.
  std::optional<std::string> metric_command;
  /// Folder for scores found so far, from which a stopped run goes on; empty: $XDG_CACHE_HOME/halfstep, else
  /// ~/.cache/halfstep.
  std::optional<std::filesystem::path> cache_dir;
  bool cache = true;
  std::optional<Shard> shard;                         ///< Take this share of the runs and write results_out only.
  std::optional<std::filesystem::path> results_out;   ///< Scores of all runs, for results_in.
  std::vector<std::filesystem::path> results_in;      ///< What other shards wrote.
  std::size_t memory_bytes = std::size_t{512} << 20;  ///< Of tensors kept between runs.
  std::vector<std::filesystem::path> reports;         ///< To write: .json, .md or .html; see docs/sensitivity.md.
  int num_threads = 0;                                ///< 0: one for each processor.
};

struct SensitivityOutcome {
  std::string table;  ///< What a person wants to read, several lines.
};

/// Runs the quantized model with each group's quantizers switched off, and the float model with each group's switched
/// on, in fixed point; prefixes that runs share are computed once. Reports are written all or none.
/// Errors: those of reading any of the files and of lowering; kUsage for options that contradict each other;
/// kInvalidInput for results of another model, other samples or options.
Result<SensitivityOutcome> measure_sensitivity(const SensitivityRequest& request, const Observer& observer = {});

}  // namespace halfstep
