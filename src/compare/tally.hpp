// tally.hpp: what one sample, and then all of them, contribute to a Comparison.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "compare/grid_values.hpp"
#include "compare/metrics.hpp"
#include "compare/scores.hpp"

namespace halfstep::compare {

/// Sums of one tensor.
struct TensorTally {
  ErrorSums sums;
  ErrorSums isolated;
  OffBy off_by{};
  std::int64_t clipped = 0;
  std::int64_t unlike = 0;  // Samples with other shapes.

  void add(const TensorTally& more) {
    sums.add(more.sums);
    isolated.add(more.isolated);
    for (std::size_t k = 0; k < kNumOffByClasses; ++k) off_by[k] += more.off_by[k];
    clipped += more.clipped;
    unlike += more.unlike;
  }
};

/// One sample, or all of them: tallies add up in the order of the samples.
struct Tally {
  std::vector<TensorTally> outputs;  // By output; not compared where not float32.
  std::vector<TensorTally> watched;  // By watched tensor.
  ScoreTally scores;

  Tally() = default;
  Tally(std::size_t num_outputs, std::size_t num_watched) : outputs(num_outputs), watched(num_watched) {}

  void add(const Tally& more) {
    for (std::size_t o = 0; o < outputs.size(); ++o) outputs[o].add(more.outputs[o]);
    for (std::size_t w = 0; w < watched.size(); ++w) watched[w].add(more.watched[w]);
    scores.add(more.scores);
  }
};

}  // namespace halfstep::compare
