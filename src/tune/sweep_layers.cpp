// sweep_layers.cpp: what happens at each stop of the sweep.
#include "tune/sweep_layers.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace halfstep::tune {
namespace {

std::string number_text(double value, const char* format) {
  char text[48];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

/// Sums over layers, for the report.
struct SweepTally {
  int num_corrected = 0;
  int num_measured = 0;
  double log_shift = 0.0;  ///< Sum of ln(after / before) over corrected layers.
  int num_rounded = 0;
  double log_error = 0.0;  ///< The same over rounded ones.
  std::vector<std::string> notes;

  void add(const CorrectedBias& bias) {
    if (!bias.corrected) return;
    ++num_corrected;
    if (bias.mean_shift_before <= 0.0 || bias.mean_shift_after <= 0.0) return;
    ++num_measured;
    log_shift += std::log(bias.mean_shift_after / bias.mean_shift_before);
  }
  void add(const RoundedSwept& rounded, const std::string& layer) {
    if (!rounded.obstacle.empty()) {
      notes.push_back(layer + " is not rounded: " + rounded.obstacle);
      return;
    }
    ++num_rounded;
    if (rounded.error_before <= 0.0 || rounded.error_after <= 0.0) return;
    log_error += std::log(rounded.error_after / rounded.error_before);
  }
};

bool asks(const LayerSweep& request, Algorithm algorithm) {
  return std::ranges::find(request.algorithms, algorithm) != request.algorithms.end();
}

}  // namespace

Result<SweptModel> sweep_layers(const graph::Graph& reference, const ops::Facts& facts, QuantizedGraph& model,
                                const LayerSweep& request) {
  SweptModel swept;
  SweepTally tally;
  ReferenceMeans means;
  if (asks(request, Algorithm::kBiasCorrection)) {
    Result<ReferenceMeans> seen =
        reference_means(reference, request.sweep.samples, request.sweep.shapes,
                        corrected_tensors(reference, facts, model.encodings), request.sweep.num_threads);
    if (!seen.ok()) return seen.error();
    means = *std::move(seen);
  }
  const int num_threads = request.sweep.num_threads;
  const auto visit = [&](const SweptLayer& layer) -> Result<void> {
    for (const Algorithm algorithm : request.algorithms) {
      if (algorithm == Algorithm::kRound) {
        const Result<RoundedSwept> rounded = round_swept(layer, model, facts, request.round, num_threads);
        if (!rounded.ok()) return rounded.error().at(describe(model.graph, model.graph.node(layer.node())));
        tally.add(*rounded, describe(model.graph, model.graph.node(layer.node())));
      } else {
        const Result<CorrectedBias> bias = correct_bias(layer, model, means, request.bias, num_threads);
        if (!bias.ok()) return bias.error().at(describe(model.graph, model.graph.node(layer.node())));
        tally.add(*bias);
      }
    }
    return {};
  };
  const Result<SweepOutcome> outcome = sweep(model, request.sweep, visit);
  if (!outcome.ok()) return outcome.error();
  swept.did = std::to_string(outcome->num_layers) + " layers";
  if (asks(request, Algorithm::kBiasCorrection)) {
    swept.did += ", biases of " + std::to_string(tally.num_corrected) + " corrected";
    if (tally.num_measured > 0) {
      swept.did += ", their channels' means off by " +
                   number_text(100.0 * std::exp(tally.log_shift / tally.num_measured), "%.3g") + " % of before";
    }
  }
  if (asks(request, Algorithm::kRound)) {
    swept.did += ", " + std::to_string(tally.num_rounded) + " weights rounded, the error they cause " +
                 number_text(-10.0 / std::log(10.0) * tally.log_error / std::max(tally.num_rounded, 1), "%.1f") +
                 " dB less than to nearest";
  }
  swept.notes = std::move(tally.notes);
  if (!outcome->stopped.empty()) swept.notes.push_back("the sweep ended early: " + outcome->stopped);
  return swept;
}

}  // namespace halfstep::tune
