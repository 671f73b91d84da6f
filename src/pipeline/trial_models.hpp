// trial_models.hpp: the same model quantized under different overrides, one after the other.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "calib/observe.hpp"
#include "encoding/target_profile.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/quantize.hpp"
#include "halfstep/result.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/other_units.hpp"
#include "pipeline/sources.hpp"

namespace halfstep::pipeline {

/// The float model as read, folded and fused, with everything that `request` orders of single tensors.
/// Errors: those of prepare_for_overrides() and give_orders().
Result<PreparedModel> ordered_model(const QuantizeRequest& request, const RawModel& raw, const ops::InputShapes& shapes,
                                    const TargetProfile* target, const Observer& observer,
                                    const std::function<void(const std::string&)>& warn);

/// A quantized model and what it is to be compared with.
struct Trial {
  PreparedModel model;
  graph::Graph reference;  ///< In float; in the units of `units_differ` only where it is the model's own.
  OtherUnits units_differ;
  FixedPointOptions fixed;
};

/// Makes what quantize() makes of a request with one more overrides file. Ranges alone are decided from what is
/// observed once; algorithms run anew each time.
class TrialModels {
 public:
  /// All must outlive this. `raw`: as read.
  TrialModels(const QuantizeRequest& request, const RawModel& raw, Sources& sources, const TargetProfile* target,
              const Observer& observer)
      : request_(request), raw_(raw), sources_(sources), target_(target), observer_(observer) {}

  /// `overrides`: the text of a file; empty: none.
  /// Errors: those of quantize().
  Result<Trial> make(const std::string& overrides);

 private:
  Result<calib::Observations> observed(const PreparedModel& model, const ops::Facts& facts,
                                       const precision::Plan& plan);

  const QuantizeRequest& request_;
  const RawModel& raw_;
  Sources& sources_;
  const TargetProfile* target_;
  const Observer& observer_;
  calib::Observations seen_;
  std::map<std::string, calib::Watch> watched_;  // What of each tensor is in seen_.
};

}  // namespace halfstep::pipeline
