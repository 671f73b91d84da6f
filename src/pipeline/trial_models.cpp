// trial_models.cpp: overrides through a temporary file, observations through a cache.
#include "pipeline/trial_models.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "core/atomic_file.hpp"
#include "core/temporary_folder.hpp"
#include "pipeline/calibrate.hpp"
#include "pipeline/given_orders.hpp"
#include "pipeline/make_quantized.hpp"
#include "pipeline/observe_float.hpp"
#include "precision/plan.hpp"

namespace halfstep::pipeline {
namespace {

bool covers(const calib::Watch& has, const calib::Watch& wanted) {
  return (has.histogram || !wanted.histogram) && (has.channel_histograms || !wanted.channel_histograms) &&
         (has.sample_extremes || !wanted.sample_extremes) && (has.channel_extremes || !wanted.channel_extremes) &&
         (!wanted.row_axis || has.row_axis == wanted.row_axis) &&
         (!wanted.channel_axis || has.channel_axis == wanted.channel_axis);
}

}  // namespace

Result<PreparedModel> ordered_model(const QuantizeRequest& request, const RawModel& raw, const ops::InputShapes& shapes,
                                    const TargetProfile* target, const Observer& observer,
                                    const std::function<void(const std::string&)>& warn) {
  Result<PreparedModel> model = prepare_for_overrides(request, raw, shapes, observer, warn);
  if (!model.ok()) return model;
  if (auto done = give_orders(request, raw.graph, shapes, target, *model, warn); !done.ok()) return done.error();
  return model;
}

Result<calib::Observations> TrialModels::observed(const PreparedModel& model, const ops::Facts& facts,
                                                  const precision::Plan& plan) {
  // A convert holds what it was converted from.
  const auto source_of_name = [&](const std::string& name) {
    const auto convert = model.converts.find(name);
    return convert == model.converts.end() ? name : convert->second;
  };
  const auto is_known = [&](const calib::Watch& watch) {
    const auto at = watched_.find(source_of_name(model.graph.value(watch.value).name));
    return at != watched_.end() && covers(at->second, watch);
  };
  std::vector<calib::Watch> watches = precision::watches_of(model.graph, facts, plan);
  std::vector<calib::Watch> missing = watches;
  std::erase_if(missing, is_known);
  if (!missing.empty()) {
    const exec::SampleSource samples = pipeline::source_of(sources_.samples->reader);
    Result<calib::Observations> seen = observe_float(
        model.graph, missing, samples, num_threads_for(request_.num_threads, samples.count), "calibrating", observer_);
    if (!seen.ok()) return seen;
    for (const calib::Watch& watch : missing) {
      const std::string& name = model.graph.value(watch.value).name;
      watched_.insert_or_assign(source_of_name(name), watch);
      seen_.insert_or_assign(source_of_name(name), std::move(seen->find(name)->second));
    }
  }
  calib::Observations all;
  for (const calib::Watch& watch : watches) {
    const std::string& name = model.graph.value(watch.value).name;
    all.insert_or_assign(name, seen_.find(source_of_name(name))->second);
  }
  return all;
}

Result<Trial> TrialModels::make(const std::string& overrides) {
  QuantizeRequest request = request_;
  std::optional<TemporaryFolder> folder;
  if (!overrides.empty()) {
    Result<TemporaryFolder> made = TemporaryFolder::create();
    if (!made.ok()) return made.error();
    folder.emplace(*std::move(made));
    const std::filesystem::path file = folder->path() / "overrides.json";
    if (auto written = write_file(file, overrides); !written.ok()) return written.error();
    request.quantization_overrides.push_back(file);
  }
  const auto ignore = [](const std::string&) {};
  Result<PreparedModel> model = ordered_model(request, raw_, sources_.shapes, target_, {}, ignore);
  if (!model.ok()) return model.error();
  Trial trial{*std::move(model), {}, {}, {}};
  const bool tunes = !request.tuning.algorithms.empty() || request.tuning.range_choices.size() > 1;
  if (tunes) {
    QuantizeStory story;
    Result<Quantized> made = make_quantized(request, sources_, trial.model, {}, story);
    if (!made.ok()) return made.error();
    trial.reference = std::move(made->reference);
    trial.units_differ = incomparable(trial.model.units, made->reference_units);
  } else {
    const precision::Given given = given_of(trial.model);
    const auto look = [&](const ops::Facts& facts, const precision::Plan& plan) {
      return observed(trial.model, facts, plan);
    };
    Result<Calibration> made = calibrate(trial.model.graph, given, sources_.shapes, request.options, look);
    if (!made.ok()) return made.error();
    trial.reference = trial.model.graph;
    trial.model.encodings = std::move(made->model.encodings);
  }
  const Result<FixedPointOptions> fixed = fixed_options_for(trial.model, request.fixed);
  if (!fixed.ok()) return fixed.error();
  trial.fixed = *fixed;
  return trial;
}

}  // namespace halfstep::pipeline
