// mixed_precision_search.hpp: what the user may decide about automatic mixed precision.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace halfstep {

/// How wide one layer is: its weights, and the tensors that it writes.
struct PrecisionCandidate {
  int weight_bits = 8;  ///< 4, 8 or 16.
  int act_bits = 8;     ///< 8 or 16.
  bool real = false;    ///< Computes in float32; the widths count for nothing.

  friend bool operator==(const PrecisionCandidate&, const PrecisionCandidate&) = default;
};

/// "W8A16", "float".
std::string name_of(const PrecisionCandidate& candidate);

/// How the point of the curve is found that just holds the allowed drop.
enum class CurveSearch {
  kBinary,         ///< Halves the part of the curve where it must be.
  kInterpolation,  ///< Guesses by the drops at both ends of that part.
  kBruteForce,     ///< Point after point.
};

/// Largest cost of a model, as bit operations of one sample or as a share of what the widest candidates need.
struct BitOperationLimit {
  double value = 0.0;
  bool is_percent = false;

  friend bool operator==(const BitOperationLimit&, const BitOperationLimit&) = default;
};

struct MixedPrecisionSearch {
  bool enabled = false;
  /// Beside the model's own widths, which are the cheapest. In the order given.
  std::vector<PrecisionCandidate> candidates{{8, 16, false}, {16, 16, false}, {32, 32, true}};
  /// Percentage points that accuracy may be below float's: of top-1 or mean IoU with labels; else of samples with
  /// another best class; for models without classes the output's noise in percent of its power (1 % is 20 dB).
  std::optional<double> allowed_accuracy_drop;
  std::optional<BitOperationLimit> max_bit_operations;
  std::optional<double> max_latency_factor;  ///< >= 1: of the estimated time of the cheapest model.
  CurveSearch method = CurveSearch::kBinary;
  bool phase2_reverse = false;                       ///< From the cheapest model upwards, not from the best downwards.
  std::filesystem::path eval_input_list;             ///< What accuracy is measured on; empty: the calibration samples.
  std::optional<std::filesystem::path> eval_labels;  ///< Class index of each of those.
  std::int64_t num_samples = 64;                     ///< That phase 1 runs, at most.
  bool cache = true;                                 ///< Keep what was measured on disk, and use what is there.
  std::optional<std::filesystem::path> cache_dir;    ///< Default: $XDG_CACHE_HOME/halfstep, else ~/.cache/halfstep.
  std::optional<std::filesystem::path> overrides_out;  ///< Default: the output's stem + .overrides.json.

  friend bool operator==(const MixedPrecisionSearch&, const MixedPrecisionSearch&) = default;
};

}  // namespace halfstep
