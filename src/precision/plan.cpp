// plan.cpp: what a plan asks of calibration.
#include "precision/plan.hpp"

namespace halfstep::precision {

std::vector<calib::Watch> Plan::watches() const {
  std::vector<calib::Watch> watches;
  for (std::size_t v = 0; v < tensors.size(); ++v) {
    const TensorPlan& plan = tensors[v];
    if (plan.source != Source::kObserved) continue;
    watches.push_back({.value = static_cast<graph::ValueId>(v),
                       .histogram = calib::needs_histogram(plan.rule),
                       .channel_axis = plan.axis});
  }
  return watches;
}

}  // namespace halfstep::precision
