// quantize.hpp: the main job: from a float model and samples to a quantized model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "halfstep/arithmetic.hpp"
#include "halfstep/mixed_precision_search.hpp"
#include "halfstep/model_source.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/quantization_options.hpp"
#include "halfstep/result.hpp"
#include "halfstep/shard.hpp"
#include "halfstep/tuning_options.hpp"

namespace halfstep {

struct QuantizeRequest {
  ModelSource model;
  /// May be empty with statistics_in and with options.act_bits 32; there it is used to validate only.
  std::filesystem::path input_list;
  std::filesystem::path input_images;  ///< A folder of photos instead of input_list.
  std::string preprocess;              ///< Name or file that says how photos become inputs (docs/photos.md).
  /// Not empty: what calibration saw before, instead of running the samples (docs/statistics.md).
  std::vector<std::filesystem::path> statistics_in;
  std::optional<std::filesystem::path> statistics_out;  ///< What calibration saw, for statistics_in.
  std::optional<Shard> shard;  ///< Run this share of the samples and write statistics_out only.
  std::vector<std::filesystem::path> quantization_overrides;  ///< Later files win (docs/overrides.md).
  bool overrides_lenient = false;                             ///< Entries with mistakes are left out with a warning.
  std::filesystem::path aimet_config;  ///< AIMET's quantsim configuration; empty: none (docs/overrides.md).
  bool float_fallback = false;    ///< What no override gives an encoding stays float; no samples are run for ranges.
  bool ignore_encodings = false;  ///< What the model carries counts for nothing.
  bool strip = false;             ///< Only write the float model without its encodings.
  /// Weights to integers, activations onto grids that each run finds: no samples, and of `options` what is about
  /// weights only (docs/encodings.md: Dynamic quantization).
  bool dynamic = false;
  /// Name or file of a profile of what the device can do (docs/targets.md), whose options resolve_options() has set and
  /// whose rules quantize() obeys; empty: none.
  std::string target;
  QuantizationOptions options;
  TuningOptions tuning;
  bool search = false;  ///< Try several schemes and keep the best; what they vary must be left open.
  std::optional<double> time_budget_seconds;           ///< Of the search: > 0. Empty: all schemes are tried.
  MixedPrecisionSearch mixed_precision;                ///< Adds a file to quantization_overrides.
  FixedPointRequest fixed;                             ///< Of the check at the end; recorded in all three files.
  std::optional<std::filesystem::path> output_path;    ///< Default: <model stem>.quantized.onnx here.
  std::optional<std::filesystem::path> encodings_out;  ///< Default: the output's stem + .encodings.json.
  std::optional<std::filesystem::path> float_out;      ///< Float, as algorithms left it. Default: not written.
  std::optional<std::filesystem::path> report;  ///< .json, .md, .xml, .html. Default: the output's stem + .report.json.
  std::string encodings_version = "1.0.0";      ///< AIMET's: 0.6.1, 1.0.0 or 2.0.0.
  bool matmul_nbits = false;                    ///< 4-bit weights in blocks are written as com.microsoft MatMulNBits.
  bool pack_4_bit_weights = false;  ///< 4-bit weights also go, two codes a byte, to the output's stem + .packed4.bin.
  std::int64_t num_validation_samples = 8;  ///< Compared with float at the end; 0: none.
  int num_threads = 0;                      ///< 0: one for each processor.

  bool has_samples() const { return !input_list.empty() || !input_images.empty(); }
};

struct QuantizeOutcome {
  std::filesystem::path model;  ///< This and the next two are empty if only statistics were written.
  std::filesystem::path encodings;
  std::filesystem::path report;
  std::string summary;  ///< What a person wants to read, several lines.
};

/// Writes the float model that is left when the encodings of request.model are taken out, to request.output_path or
/// <model stem>.float.onnx. Errors: kUsage if the model carries none; those of reading and writing.
Result<QuantizeOutcome> strip(const QuantizeRequest& request, const Observer& observer = {});

/// Reads and prepares the model, calibrates on every sample of the list,
/// assigns encodings, writes the three files (and the float model, if asked for) and compares the result with the
/// float model on the first samples. The same files for every number of threads.
/// With request.shard, only observes and writes statistics_out; with request.statistics_in, observes nothing.
/// With request.dynamic, only weights get encodings, and nothing is compared.
/// Errors: those of reading; kCalibration for NaN or infinity in a weight or an
/// activation, and for statistics that lack what the options read; kUsage for options that contradict each other, for
/// statistics of another model or version, and for nodes that request.target cannot compute.
Result<QuantizeOutcome> quantize(const QuantizeRequest& request, const Observer& observer = {});

}  // namespace halfstep
