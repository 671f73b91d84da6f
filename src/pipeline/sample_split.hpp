// sample_split.hpp: which samples algorithms learn from, and which judge them.
#pragma once

#include <cstdint>
#include <vector>

#include "exec/samples.hpp"

namespace halfstep::pipeline {

/// Some samples of a source, by their places in it. `all` must outlive it.
exec::SampleSource picked(const exec::SampleSource& all, std::vector<std::int64_t> places);

/// Who learns and who judges.
struct Split {
  std::vector<std::int64_t> fit;
  std::vector<std::int64_t> held_out;
};

/// Every eighth sample judges, of fewer than 64 every fourth, at most 32 in all; of one sample none.
Split split_of(std::int64_t count);

}  // namespace halfstep::pipeline
