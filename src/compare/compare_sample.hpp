// compare_sample.hpp: one sample through all sides.
#pragma once

#include <vector>

#include "compare/tally.hpp"
#include "compare/watched.hpp"

namespace halfstep::compare {

/// What a worker holds of its sample; storage is reused from sample to sample.
struct SampleWork {
  Tally main;
  Tally simulated;
  ScoreTally between;         ///< Fixed point against simulated.
  std::vector<Tensor> kept;   ///< By watched tensor: the reference's values.
  std::vector<bool> present;  ///< By watched tensor: `kept` is of this sample.
  std::vector<Tensor> codes;  ///< By watched tensor: of the fixed-point side; only beside a simulated one.
};

/// Runs sample `i` on the sessions of `worker` and fills `work`. The order: the reference, whose tensors are kept; the
/// other side, compared on the way; the simulated one, compared with both; last, where isolated errors are asked for,
/// the other side again, each tensor overwritten by the kept one once it has been compared. Thread-safe for different
/// workers. Errors: those of compare_runs(), without the sample's place.
Result<void> compare_sample(const RunsRequest& request, const Watched& watched, std::int64_t i, int worker,
                            SampleWork& work);

}  // namespace halfstep::compare
