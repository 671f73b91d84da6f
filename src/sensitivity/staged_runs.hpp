// staged_runs.hpp: many forms of a model that differ in one place each, without computing what they share again.
//
// A form that differs from the base from node k on computes the same as the base before k. The runs are therefore
// taken in the order of the graph: for every sample the base's tensors at one place (a cut) are kept, every form that
// differs behind it goes on from there, then the base moves on to the next cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "encoding/quantized_graph.hpp"
#include "exec/executor.hpp"
#include "exec/samples.hpp"
#include "halfstep/arithmetic.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::sensitivity {

/// A form of the base: the same nodes and tensors, other encodings and constants. Nothing that nodes before `first`
/// (an index into the graph's nodes) compute differs from the base.
struct Variant {
  std::size_t first = 0;
  std::function<QuantizedGraph()> make;  ///< Called once, when its turn comes.
};

struct StagedRequest {
  const QuantizedGraph* base = nullptr;  ///< Without encodings: a float model.
  exec::SampleSource samples;            ///< All of one shape.
  ops::InputShapes shapes;               ///< Of the graph's inputs.
  FixedPointOptions fixed;
  int num_threads = 1;
  std::size_t memory_bytes = std::size_t{512} << 20;  ///< Of tensors kept at cuts; fewer cuts where they need more.
};

/// What the runs are handed to. All members are called for a variant by its index.
struct StagedReceiver {
  /// A sample has run; from several threads, for different samples. worker in [0, num_threads).
  std::function<Result<void>(std::size_t variant, std::int64_t sample, int worker, const exec::Executor&)> ran;
  /// The same, one at a time and in the order of the samples, on the thread of ran().
  std::function<Result<void>(std::size_t variant, std::int64_t sample, int worker)> add;
  /// All samples have run.
  std::function<Result<void>(std::size_t variant)> done;
};

struct StagedOutcome {
  int num_cuts = 0;                     ///< At which tensors were kept.
  std::size_t peak_bytes = 0;           ///< Of kept tensors, at most.
  std::int64_t num_nodes_run = 0;       ///< Of one sample, over all runs.
  std::int64_t num_nodes_unshared = 0;  ///< What running every variant from its inputs would have been.
};

/// Runs every variant over every sample in fixed point, in the order of their first nodes. Each computes what
/// lower::fixed_program() of the whole variant computes, to the bit, for every number of threads and memory budget.
/// Errors: those of lowering, loading a sample and of the receiver.
Result<StagedOutcome> run_staged(const StagedRequest& request, const std::vector<Variant>& variants,
                                 const StagedReceiver& receiver);

}  // namespace halfstep::sensitivity
