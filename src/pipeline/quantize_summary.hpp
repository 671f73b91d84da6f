// quantize_summary.hpp: what quantize tells a person at its end.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "halfstep/quantize.hpp"
#include "report/report.hpp"

namespace halfstep::pipeline {

/// What happened, for report and summary.
struct QuantizeStory {
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  std::size_t num_file_nodes = 0;        ///< As read.
  std::size_t num_nodes = 0;             ///< After folding and fusing.
  std::size_t num_observed = 0;          ///< Tensors.
  std::size_t num_imported = 0;          ///< Encodings the model carried.
  std::size_t num_statistics_files = 0;  ///< Read instead of running samples.
  std::string untuned;                   ///< Not empty: why the algorithms of --effort did not run.
  int num_threads = 1;
  FixedPointOptions fixed;  ///< Recorded in all three files.
  report::Report report;
};

/// True if any option differs from its default.
bool asks_for_precision(const QuantizationOptions& options);

/// Several lines: what was read, decided, written, and what it cost.
std::string summary_of(const QuantizeRequest& request, const QuantizeStory& story,
                       const std::vector<std::filesystem::path>& written);

/// Layers that --dynamic put on integers, by operator, and the tensors that are quantized as they come.
struct DynamicCounts {
  std::size_t conv = 0;
  std::size_t gemm = 0;
  std::size_t matmul = 0;
  std::size_t inputs = 0;
};

/// The same of quantize --dynamic.
std::string dynamic_summary(const QuantizeRequest& request, const QuantizeStory& story, const DynamicCounts& counts,
                            const std::vector<std::filesystem::path>& written);

/// The same of a run that only observed: `num_tensors` of them.
std::string shard_summary(const QuantizeRequest& request, const QuantizeStory& story, std::size_t num_tensors);

}  // namespace halfstep::pipeline
