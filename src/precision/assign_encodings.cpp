// assign_encodings.cpp: the order of the stages, and those about activations.
#include "precision/assign_encodings.hpp"

#include <map>
#include <string_view>

#include "calib/range_estimators.hpp"
#include "precision/align_inputs.hpp"
#include "precision/draft.hpp"
#include "precision/find_losses.hpp"
#include "precision/parameter_grids.hpp"
#include "precision/value_floors.hpp"

namespace halfstep::precision {
namespace {

using graph::ValueId;

std::string shown_range(const Encoding& encoding) {
  return "[" + shown(encoding.real_min()) + ", " + shown(encoding.real_max()) + "]";
}

/// What came with the model, with codes for its constants.
Result<void> keep_imported(Draft& draft, const EncodingSet& imported) {
  std::map<std::string_view, ValueId> by_name;
  for (std::size_t v = 0; v < draft.graph.values.size(); ++v) {
    by_name.emplace(draft.graph.values[v].name, static_cast<ValueId>(v));
  }
  for (const auto& [name, entry] : imported) {
    const auto at = by_name.find(name);
    if (at == by_name.end()) {
      draft.warn("the encoding of " + quoted(name) + " is unused: no tensor has that name any more");
      continue;
    }
    TensorEncoding kept = entry;
    kept.frozen = true;
    if (const Tensor* constant = graph::constant_of(draft.graph, at->second)) {
      if (Result<void> fits = check_fits(kept.encoding, constant->shape()); !fits.ok()) {
        return fits.error().at("encoding of " + quoted(name));
      }
      if (!kept.codes && constant->dtype() == DType::kFloat32) {
        if (auto finite = largest_magnitude(*constant, name); !finite.ok()) return finite.error();
        kept.codes = quantize(*constant, kept.encoding);
      }
    }
    draft.result.encodings.insert_or_assign(name, std::move(kept));
    ++draft.result.counts.imported;
  }
  return {};
}

Result<void> add_fitted(Draft& draft, ValueId id, const FittedGrid& fitted, Provenance provenance) {
  Result<Encoding> encoding = encoding_of(fitted);
  if (!encoding.ok()) return encoding.error().at("tensor " + quoted(draft.name_of(id)));
  draft.add(id, std::move(encoding).value(), TensorRole::kActivation, std::move(provenance));
  return {};
}

Result<void> assign_fixed(Draft& draft, ValueId id) {
  const TensorPlan& plan = draft.plan.of(id);
  const Result<FittedGrid> fitted = fit_grid(plan.fixed_range, plan.grid);
  if (!fitted.ok()) return fitted.error().at("tensor " + quoted(draft.name_of(id)));
  ++draft.result.counts.fixed;
  return add_fitted(draft, id, *fitted, {Origin::kFixed, ""});
}

/// One grid a channel, as planned. False if the samples had no channels of one number.
Result<bool> assign_channels(Draft& draft, ValueId id, const calib::Observation& observation) {
  const TensorPlan& plan = draft.plan.of(id);
  const GridRequest request = for_channels_of(plan.grid, observation.moments.min);
  std::vector<RealRange> ranges;
  for (const calib::Distribution& channel : observation.channels) {
    ranges.push_back(calib::estimate_range(channel, request, plan.rule));
  }
  if (ranges.empty()) return false;
  const std::string place = "tensor " + quoted(draft.name_of(id));
  const Result<ParameterGrid> fitted = fit_ranges(ranges, plan.axis, request);
  if (!fitted.ok()) return fitted.error().at(place);
  Result<Encoding> encoding = fitted->encoding();
  if (!encoding.ok()) return encoding.error().at(place);
  draft.add(id, *std::move(encoding), TensorRole::kActivation,
            {Origin::kCalibrated, std::string(calib::name_of(plan.rule.method)) + ", by channel"});
  return true;
}

/// With what was joined to it.
RealRange observed_range(const TensorPlan& plan, const calib::Observation& observation, const Draft& draft,
                         const calib::Observations& observations) {
  std::vector<const calib::Observation*> members{&observation};
  for (const ValueId id : plan.joined) {
    members.push_back(calib::find_observation(observations, draft.name_of(id)));
  }
  return joint_range(members, plan.grid, plan.rule);
}

Result<void> assign_observed(Draft& draft, ValueId id, const calib::Observations& observations) {
  const TensorPlan& plan = draft.plan.of(id);
  ++draft.result.counts.observed;
  const calib::Observation* observation = calib::find_observation(observations, draft.name_of(id));
  const bool never_seen = observation == nullptr || observation->moments.count == 0;
  const std::string place = "tensor " + quoted(draft.name_of(id));
  if (plan.axis && !never_seen) {
    const Result<bool> assigned = assign_channels(draft, id, *observation);
    if (!assigned.ok()) return assigned.error();
    if (*assigned) return {};
    draft.warn(place + " has no axis " + std::to_string(*plan.axis) +
               " of the same extent in every sample: one grid for all of it");
  }
  RealRange range;
  RangeMethod method = plan.rule.method;
  bool cut = false;
  if (!never_seen) {
    const calib::PooledMoments& moments = observation->moments;
    cut = draft.floor_of(id) > moments.min && draft.floor_of(id) < moments.max;
    // Most of what an estimator would weigh lies below the floor, and there nothing matters.
    const bool uncounted = calib::needs_histogram(plan.rule) && observation->histogram.empty();
    if (cut || uncounted) {
      method = RangeMethod::kMinMax;
      range = {cut ? draft.floor_of(id) : moments.min, moments.max};
    } else {
      range = observed_range(plan, *observation, draft, observations);
    }
  }
  const Result<FittedGrid> fitted = fit_grid(range, plan.grid);
  if (!fitted.ok()) return fitted.error().at(place);
  const Provenance provenance{Origin::kCalibrated, std::string(calib::name_of(method))};
  if (auto ok = add_fitted(draft, id, *fitted, provenance); !ok.ok()) return ok;
  if (cut) draft.note_floor(id);
  const std::string covers = "its grid covers " + shown_range(draft.encoding_of(id)->encoding);
  if (never_seen) {
    draft.warn(place + " had no element in any sample: " + covers);
  } else if (fitted->all_zero) {
    draft.warn(place + " was 0 in every sample: " + covers);
  } else if (fitted->widened) {
    draft.warn(place + " stays within [" + shown(range.min) + ", " + shown(range.max) + "], widened to " +
               shown(kMinRange) + ": " + covers);
  }
  return {};
}

Result<void> assign_activations(Draft& draft, const calib::Observations& observations) {
  for (std::size_t v = 0; v < draft.plan.tensors.size(); ++v) {
    const auto id = static_cast<ValueId>(v);
    Result<void> assigned;
    if (draft.plan.of(id).source == Source::kFixed) assigned = assign_fixed(draft, id);
    if (draft.plan.of(id).source == Source::kObserved) assigned = assign_observed(draft, id, observations);
    if (!assigned.ok()) return assigned;
  }
  return {};
}

/// Activations first: a constant operand of Concat may share an output that shares another tensor's grid.
Result<void> assign_shared(Draft& draft) {
  for (const bool constants : {false, true}) {
    for (std::size_t v = 0; v < draft.plan.tensors.size(); ++v) {
      const auto id = static_cast<ValueId>(v);
      const TensorPlan& plan = draft.plan.of(id);
      const Tensor* constant = graph::constant_of(draft.graph, id);
      if (plan.source != Source::kShared || (constant != nullptr) != constants) continue;
      const TensorEncoding* origin = draft.encoding_of(plan.shared_with);
      if (origin == nullptr || (constants && !origin->encoding.is_per_tensor())) continue;
      if (constants) {
        if (auto ok = largest_magnitude(*constant, draft.name_of(id)); !ok.ok()) return ok.error();
      }
      draft.add(id, origin->encoding, constants ? TensorRole::kWeight : TensorRole::kActivation,
                {Origin::kShared, draft.name_of(plan.shared_with)});
      ++(constants ? draft.result.counts.operands : draft.result.counts.shared);
    }
  }
  return {};
}

}  // namespace

// The order matters. In  x -> Conv(w, b) -> c,  Concat(c, k) -> y,  only y and x are observed:
//   activations  x and y get grids; c will share y's
//   constants    w gets a grid, raised if b in steps of s_x * s_w would not fit: needs x's (by its origin if shared)
//   shared       c and k take y's grid
//   biases       b stands on s_x * s_w: needs both as they are now
Result<Assignment> assign_encodings(const graph::Graph& graph, const ops::Facts& facts, const Plan& plan,
                                    const calib::Observations& observations, const EncodingSet& imported) {
  Draft draft{.graph = graph, .plan = plan, .floors = value_floors(graph, facts, plan, observations, imported)};
  if (auto ok = keep_imported(draft, imported); !ok.ok()) return ok.error();
  if (auto ok = assign_activations(draft, observations); !ok.ok()) return ok.error();
  if (auto ok = assign_constants(draft); !ok.ok()) return ok.error();
  if (auto ok = assign_shared(draft); !ok.ok()) return ok.error();
  if (auto ok = assign_biases(draft); !ok.ok()) return ok.error();
  for (std::string& line : find_losses(graph, facts, observations, draft.result.encodings)) draft.warn(std::move(line));
  return std::move(draft.result);
}

}  // namespace halfstep::precision
