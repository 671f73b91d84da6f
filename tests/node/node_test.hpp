// node_test.hpp: one folder of the ONNX operator test suite.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "compare_tensors.hpp"

namespace halfstep::node_tests {

enum class Status : unsigned char {
  kPassed,
  kFailed,
  kUnknown,      ///< Uses operators or types that this tool does not know.
  kUnsupported,  ///< All known, but in a form that is declared unsupported.
  kRandom,
  kImprecise,  ///< float64 in the standard, and float32 does not reach its result.
};

struct Outcome {
  Status status = Status::kFailed;
  std::vector<std::string> reasons;
};

/// What would happen to the test without running it: kPassed stands for "runs".
Outcome classify(const std::filesystem::path& folder);

/// Runs all data sets of `folder` in this process.
Outcome run(const std::filesystem::path& folder, const Tolerance& tolerance);

/// The same in a child process, so that a crash or an endless loop fails this test only.
Outcome run_isolated(const std::filesystem::path& folder, const Tolerance& tolerance);

}  // namespace halfstep::node_tests
