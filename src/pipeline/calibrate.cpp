// calibrate.cpp: the stages of precision in their order.
#include "pipeline/calibrate.hpp"

#include <algorithm>

#include "precision/align_inputs.hpp"
#include "precision/choose_tensors.hpp"
#include "precision/value_floors.hpp"

namespace halfstep::pipeline {

Result<Calibration> calibrate(const graph::Graph& graph, const precision::Given& given, const ops::InputShapes& shapes,
                              const QuantizationOptions& options, const ObserveTensors& observe) {
  Result<ops::Facts> facts = ops::infer_facts(graph, shapes);
  if (!facts.ok()) return facts.error();
  Calibration made;
  made.facts = *std::move(facts);
  made.plan = precision::choose_tensors(graph, made.facts, options, given);
  Result<calib::Observations> seen = observe(made.facts, made.plan);
  if (!seen.ok()) return seen.error();
  made.seen = *std::move(seen);
  if (made.plan.align_inputs) {
    const std::vector<double> floors =
        precision::value_floors(graph, made.facts, made.plan, made.seen, given.encodings);
    precision::align_inputs(graph, made.facts, made.seen, floors, made.plan);
  }
  Result<precision::Assignment> assignment =
      precision::assign_encodings(graph, made.facts, made.plan, made.seen, given.encodings);
  if (!assignment.ok()) return assignment.error();
  made.counts = assignment->counts;
  made.warnings = std::move(assignment->warnings);
  made.model = {graph, std::move(assignment->encodings)};
  return made;
}

std::vector<calib::Watch> watches_of_both(std::vector<calib::Watch> watches, const std::vector<calib::Watch>& more) {
  for (const calib::Watch& watch : more) {
    const auto same = std::ranges::find(watches, watch.value, &calib::Watch::value);
    if (same == watches.end()) {
      watches.push_back(watch);
      continue;
    }
    same->histogram |= watch.histogram;
    same->channel_histograms |= watch.channel_histograms;
    same->sample_extremes |= watch.sample_extremes;
    same->channel_extremes |= watch.channel_extremes;
    if (!same->row_axis) same->row_axis = watch.row_axis;
    if (!same->channel_axis) same->channel_axis = watch.channel_axis;
  }
  return watches;
}

}  // namespace halfstep::pipeline
