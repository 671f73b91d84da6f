// model_pair.hpp: a float model, its quantized form, samples and labels, read and prepared.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "compare/scores.hpp"
#include "halfstep/evaluate.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/output_paths.hpp"
#include "pipeline/photos.hpp"

namespace halfstep::pipeline {

/// Classes of whole samples, or of pixels; at most one of both is not empty.
struct Labels {
  std::vector<std::int64_t> classes;         ///< By sample.
  std::vector<std::string> names;            ///< Of the classes; empty unless folders are.
  bool names_from_file = false;              ///< Their order is the user's.
  std::vector<std::filesystem::path> masks;  ///< By sample.

  /// Empty without masks. The Labels must outlive it.
  compare::MaskSource mask_source() const;
};

struct ModelPair {
  PreparedModel reference;
  PreparedModel quantized;
  OpenedSamples samples;
  Labels labels;
  ops::InputShapes shapes;  ///< Of the first sample.
};

/// Errors: kUsage if there is not exactly one of a quantized model and encodings, and one of a list and a folder of
/// samples; if masks are asked for and not given; if labels are asked for twice or of what has none.
Result<void> check_pair(const PairRequest& request);

/// The files that a request names, for check_outputs().
std::vector<NamedPath> inputs_of(const PairRequest& request);

/// Reads all of them and prepares both models.
/// Errors: those of reading; kInvalidInput if labels and list differ in length, the models' inputs or outputs differ,
/// or the quantized model carries no encodings.
Result<ModelPair> load_pair(const PairRequest& request, const Observer& observer);

}  // namespace halfstep::pipeline
