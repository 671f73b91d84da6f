// metric_command.hpp: an outside program that scores the outputs of both models.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>

#include "core/temporary_folder.hpp"
#include "core/tensor.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::pipeline {

/// Errors: kUsage if the command lacks {float_dir} or {quantized_dir}.
Result<void> check_metric_command(const std::string& command);

/// Two temporary folders that fill with the outputs of both models, Result_<i>/<output>.raw; gone with this object.
class OutputFolders {
 public:
  /// Errors: kInvalidInput if the folders cannot be made.
  static Result<OutputFolders> create();

  enum class Side { kFloat, kQuantized };

  /// Writes the outputs of sample i of one of them, in the order and by the names of `reference`; what was written
  /// for this sample before is gone. Thread-safe for different samples.
  /// Errors: those of writing.
  Result<void> write(Side side, std::int64_t sample, const graph::Graph& reference,
                     const std::function<ConstView(std::size_t output)>& output) const;

  /// Runs `command` through the shell with both folders put in; its two numbers: float, quantized. What it writes to
  /// stderr passes through.
  /// Errors: kInvalidInput if it fails or prints anything but two finite numbers.
  Result<std::pair<double, double>> run(const std::string& command) const;

 private:
  explicit OutputFolders(TemporaryFolder root) : root_(std::move(root)) {}

  std::filesystem::path folder_of(Side side) const {
    return root_.path() / (side == Side::kFloat ? "float" : "quantized");
  }

  TemporaryFolder root_;
};

}  // namespace halfstep::pipeline
