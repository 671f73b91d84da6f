// summarize.hpp: from tallies to a Comparison.
#pragma once

#include "compare/tally.hpp"
#include "compare/watched.hpp"

namespace halfstep::compare {

/// What `main` says of the reference against the other side; with `simulated`, what that says of the simulated side,
/// which has no isolated errors and no distances of codes.
Comparison summarize(const RunsRequest& request, const Watched& watched, const Tally& main,
                     const Tally* simulated = nullptr);

}  // namespace halfstep::compare
