// quantize_files.hpp: what quantize writes, and where.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "halfstep/quantize.hpp"
#include "halfstep/result.hpp"
#include "io/json/encodings_json.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/make_quantized.hpp"
#include "pipeline/output_paths.hpp"
#include "pipeline/quantize_summary.hpp"

namespace halfstep::pipeline {

/// Where the files go.
struct OutputPaths {
  std::filesystem::path model;
  std::filesystem::path encodings;
  std::filesystem::path report;
  std::optional<std::filesystem::path> float_model;  ///< Not written if empty.
  std::optional<std::filesystem::path> overrides;    ///< Of a search for mixed precision; not written if empty.
  std::optional<std::filesystem::path> packed;       ///< 4-bit weights; not written if empty.
  std::vector<NamedPath> written;                    ///< All of these that are, and the statistics.
};

/// As asked for, or beside each other by the model's name.
/// Errors: those of check_report_format() and check_outputs().
Result<OutputPaths> output_paths(const QuantizeRequest& request);

/// The three files and, if asked for, the float model, the statistics and packed weights: all, or none.
/// Errors: kUsage if weights shall be packed and none has 4 bits; those of AtomicFile and io::write_onnx().
Result<void> write_files(const QuantizeRequest& request, io::EncodingsVersion version, const OutputPaths& paths,
                         const PreparedModel& model, const Quantized& quantized, QuantizeStory& story);

}  // namespace halfstep::pipeline
