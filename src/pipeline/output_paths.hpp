// output_paths.hpp: checks on the files a verb is about to write.
#pragma once

#include <filesystem>
#include <vector>

#include "halfstep/result.hpp"
#include "io/samples/input_list.hpp"

namespace halfstep::pipeline {

/// A file and what it is: "the report".
struct NamedPath {
  const char* role;
  std::filesystem::path path;
};

/// Before the long work: that no output is an input or another output, however
/// the paths are spelled, and that each can be created.
/// Errors: kUsage naming both; kInvalidInput with path and reason.
Result<void> check_outputs(const std::vector<NamedPath>& inputs, const std::vector<NamedPath>& outputs);

/// Once samples are listed: that none of their files is an output. Errors: kUsage naming both.
Result<void> check_not_samples(const io::InputList& list, const std::vector<NamedPath>& outputs);

}  // namespace halfstep::pipeline
