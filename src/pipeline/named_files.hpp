// named_files.hpp: JSON files that ship with the tools and go by their names: recipes, targets and preprocessing.
#pragma once

#include <filesystem>
#include <string>

#include "halfstep/result.hpp"

namespace halfstep::pipeline {

/// "caffe, none, torchvision": the names of the JSON files in a folder, sorted.
std::string names_of_files(const std::filesystem::path& folder);

/// The file that `name_or_file` means. What has a '/', ends in .json or is an existing file is a file, anything else
/// the name of one in `folder`. `what`: "recipe", "target". Errors: kUsage for a name that `folder` does not hold, with
/// the nearest one and all of them.
Result<std::filesystem::path> find_named_file(const std::string& what, const std::string& name_or_file,
                                              const std::filesystem::path& folder);

}  // namespace halfstep::pipeline
