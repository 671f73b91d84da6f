// quantize.hpp: the main job: from a float model and samples to a quantized model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "halfstep/arithmetic.hpp"
#include "halfstep/model_source.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/quantization_options.hpp"
#include "halfstep/result.hpp"

namespace halfstep {

struct QuantizeRequest {
  ModelSource model;
  std::filesystem::path input_list;
  QuantizationOptions options;
  FixedPointRequest fixed;                             ///< Of the check at the end; recorded in all three files.
  std::optional<std::filesystem::path> output_path;    ///< Default: <model stem>.quantized.onnx here.
  std::optional<std::filesystem::path> encodings_out;  ///< Default: the output's stem + .encodings.json.
  std::optional<std::filesystem::path> report;         ///< Default: the output's stem + .report.json.
  std::string encodings_version = "1.0.0";             ///< AIMET's: 0.6.1, 1.0.0 or 2.0.0.
  std::int64_t num_validation_samples = 8;             ///< Compared with float at the end; 0: none.
  int num_threads = 0;                                 ///< 0: one for each processor.
};

struct QuantizeOutcome {
  std::filesystem::path model;
  std::filesystem::path encodings;
  std::filesystem::path report;
  std::string summary;  ///< What a person wants to read, several lines.
};

/// Reads and prepares the model, calibrates on every sample of the list,
/// assigns encodings, writes the three files and compares the result with the
/// float model on the first samples. The same files for every number of threads.
/// Errors: those of reading; kCalibration for NaN or infinity in a weight or an
/// activation; kUsage for options that contradict each other.
Result<QuantizeOutcome> quantize(const QuantizeRequest& request, const Observer& observer = {});

}  // namespace halfstep
