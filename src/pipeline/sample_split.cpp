// sample_split.cpp: spread evenly over the list.
#include "pipeline/sample_split.hpp"

#include <algorithm>
#include <utility>

namespace halfstep::pipeline {
namespace {

constexpr std::int64_t kHoldOutEvery = 8;
constexpr std::int64_t kFewSamples = 64;  // Of which every fourth is held out.
constexpr std::int64_t kMostHeldOut = 32;

}  // namespace

exec::SampleSource picked(const exec::SampleSource& all, std::vector<std::int64_t> places) {
  exec::SampleSource some;
  some.count = static_cast<std::int64_t>(places.size());
  some.load = [&all, places](std::int64_t i) { return all.load(places[static_cast<std::size_t>(i)]); };
  if (all.place) some.place = [&all, places](std::int64_t i) { return all.place(places[static_cast<std::size_t>(i)]); };
  return some;
}

Split split_of(std::int64_t count) {
  Split split;
  const std::int64_t every =
      std::clamp<std::int64_t>(count, 2, count < kFewSamples ? kHoldOutEvery / 2 : kHoldOutEvery);
  for (std::int64_t i = 0; i < count; ++i) {
    const bool judges = i % every == every - 1 && static_cast<std::int64_t>(split.held_out.size()) < kMostHeldOut;
    (judges ? split.held_out : split.fit).push_back(i);
  }
  return split;
}

}  // namespace halfstep::pipeline
