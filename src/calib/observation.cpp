// observation.cpp: observations of different samples become one.
#include "calib/observation.hpp"

namespace halfstep::calib {

void Observation::merge(const Observation& other) {
  const bool first = samples.num_samples == 0;
  const bool nothing = other.samples.num_samples == 0;
  Distribution::merge(other);
  rows.merge(other.rows);
  if (nothing) return;
  if (first) {
    channels = other.channels;
    channels_disagree = other.channels_disagree;
    return;
  }
  channels_disagree = channels_disagree || other.channels_disagree || channels.size() != other.channels.size();
  if (channels_disagree) channels.clear();
  for (std::size_t c = 0; c < channels.size(); ++c) channels[c].merge(other.channels[c]);
}

}  // namespace halfstep::calib
