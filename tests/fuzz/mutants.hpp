// mutants.hpp: fuzzing without libFuzzer, where that cannot be built in the time there is: nothing is learned of what
// mutants reach.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace halfstep::fuzz {

using Bytes = std::vector<std::uint8_t>;

struct MutantRuns {
  double seconds = 0.0;
  unsigned seed = 1;           ///< The same seed gives the same mutants.
  std::filesystem::path last;  ///< Holds the input that runs: what is left of it is the finding.
};

/// Runs mutants of `seeds`, of those up to 20000 bytes, until the time is over; returns how many. One that takes more
/// than a minute ends the process.
std::size_t run_mutants(const std::vector<Bytes>& seeds, const MutantRuns& runs,
                        const std::function<void(const Bytes&)>& run);

}  // namespace halfstep::fuzz
