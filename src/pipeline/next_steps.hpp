// next_steps.hpp: what quantize could be told to make a diagnosed model better, and what that wins.
#pragma once

#include <functional>
#include <vector>

#include "calib/observe.hpp"
#include "encoding/quantized_graph.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "report/diagnosis.hpp"
#include "sensitivity/causes.hpp"
#include "sensitivity/groups.hpp"
#include "sensitivity/output_judge.hpp"
#include "sensitivity/partial.hpp"

namespace halfstep::pipeline {

/// What the outputs must win for a layer or a step to be named, dB: a ninth of the noise.
inline constexpr double kWorthDb = 0.5;

/// A layer whose quantization costs much.
struct DearLayer {
  const sensitivity::QuantizerGroup* group = nullptr;
  sensitivity::Part part = sensitivity::Part::kBoth;  ///< That costs.
  double gain_db = 0.0;                               ///< Left in float.
  std::vector<sensitivity::Cause> causes;
};

/// What is known when the ladder ends.
struct StepRequest {
  const QuantizedGraph* model = nullptr;
  const ops::Facts* facts = nullptr;  ///< Of `model`.
  const graph::Graph* reference = nullptr;
  const sensitivity::PartialQuantization* partial = nullptr;  ///< Of `model`.
  const std::vector<sensitivity::QuantizerGroup>* groups = nullptr;
  const std::vector<DearLayer>* layers = nullptr;
  const calib::Observations* observed = nullptr;  ///< The activations of `layers`.
  double sqnr_db = 0.0;                           ///< As the model is.
  double wide_sqnr_db = 0.0;                      ///< All its ranges on 16 bits.
  std::function<Result<OutputScore>(const QuantizedGraph& form)> measure;
};

/// Options worth trying, the best first; what was measured before what is predicted. Each was measured on the form of
/// the model that it stands for, as far as the ranges of the tensors it concerns tell; else it is said to reach at most
/// what these layers in float do. Forms that cannot be lowered are left out.
std::vector<report::DiagnosisStep> next_steps(const StepRequest& request);

}  // namespace halfstep::pipeline
