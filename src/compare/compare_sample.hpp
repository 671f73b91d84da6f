// compare_sample.hpp: one sample through all sides.
#pragma once

#include <vector>

#include "compare/tally.hpp"
#include "compare/watched.hpp"

namespace halfstep::compare {

/// What a worker finds in its sample.
struct SampleWork {
  Tally main;
  Tally simulated;
  ScoreTally between;         ///< Fixed point against simulated.
  std::vector<bool> told;     ///< By watched tensor: the other side has come to it, or never does.
  std::vector<Tensor> codes;  ///< By watched tensor: of the fixed-point side, until the simulated one has read them.
};

/// Runs sample `i` on the sessions of `worker` and fills `work`. All runs go in step, tensor by tensor, so that each is
/// compared while caches hold it and kept no longer (ReferenceRun): the reference; the other side; the simulated one,
/// compared with both; and, where isolated errors are asked for, the other side a second time, each tensor overwritten
/// by the reference's once it has been compared. Thread-safe for different workers.
/// Errors: those of compare_runs(), without the sample's place; the first that any of the runs meets.
Result<void> compare_sample(const RunsRequest& request, const Watched& watched, std::int64_t i, int worker,
                            SampleWork& work);

}  // namespace halfstep::compare
