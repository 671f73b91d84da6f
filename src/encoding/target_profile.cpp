// target_profile.cpp: what an operation takes on a device whose profile says so.
#include "encoding/target_profile.hpp"

#include <algorithm>
#include <optional>

namespace halfstep {

double TargetProfile::cost_of(int activation_bits, int weight_bits) const {
  const auto width = [](const NumberKind& kind) { return kind.real ? 32 : kind.bits; };
  std::optional<double> cheapest;
  double dearest = 0.0;
  for (const CostRule& rule : costs) {
    dearest = std::max(dearest, rule.cost);
    if (width(rule.activations) < activation_bits || width(rule.weights) < weight_bits) continue;
    cheapest = std::min(cheapest.value_or(rule.cost), rule.cost);
  }
  return cheapest.value_or(dearest);
}

}  // namespace halfstep
