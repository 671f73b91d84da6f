// result_files.hpp: names of the files that hold tensors.
#pragma once

#include <set>
#include <string>

namespace halfstep::pipeline {

/// A file name without extension for a tensor: what a file name can't hold becomes '_', long names are cut. A name
/// in `taken` gets a number in front; the result is added to `taken`.
std::string unique_file_stem(const std::string& tensor, std::set<std::string>& taken);

}  // namespace halfstep::pipeline
