// calibrate.hpp: from a float model to a quantized one, by ranges alone.
#pragma once

#include <functional>
#include <vector>

#include "calib/observe.hpp"
#include "encoding/quantized_graph.hpp"
#include "halfstep/quantization_options.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "precision/assign_encodings.hpp"
#include "precision/orders.hpp"
#include "precision/plan.hpp"

namespace halfstep::pipeline {

/// Sees the float model's tensors over some samples.
using ObserveTensors = std::function<Result<calib::Observations>(const ops::Facts& facts, const precision::Plan& plan)>;

/// What calibration makes of a float model.
struct Calibration {
  ops::Facts facts;
  precision::Plan plan;
  calib::Observations seen;
  precision::EncodingCounts counts;
  std::vector<std::string> warnings;
  QuantizedGraph model;
};

/// Plans, observes, decides.
/// Errors: those of infer_facts, of `observe` and of assign_encodings().
Result<Calibration> calibrate(const graph::Graph& graph, const precision::Given& given, const ops::InputShapes& shapes,
                              const QuantizationOptions& options, const ObserveTensors& observe);

/// Both lists as one: a tensor in both is watched for all that either asks.
std::vector<calib::Watch> watches_of_both(std::vector<calib::Watch> watches, const std::vector<calib::Watch>& more);

}  // namespace halfstep::pipeline
